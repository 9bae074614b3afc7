#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "common/rival.hpp"
#include "common/servers.hpp"
#include "loop.hpp"

namespace {

class StreamConnection final : public Handler {
 public:
  StreamConnection(Loop& loop, int descriptor, std::span<const char> block)
      : loop_(loop), descriptor_(descriptor), block_(block), left_(block) {
    loop_.add(descriptor_, EPOLLIN | EPOLLOUT, *this);
  }
  ~StreamConnection() override { ::close(descriptor_); }

  void on_ready(std::uint32_t events) override {
    const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (failed || ((events & EPOLLIN) != 0 && !ignore_input()) || ((events & EPOLLOUT) != 0 && !send_blocks())) {
      loop_.retire(*this);
    }
  }

 private:
  /// False: the peer is gone.
  bool ignore_input() const {
    const ssize_t result = ::recv(descriptor_, read_buffer.data(), read_buffer.size(), 0);
    return result > 0 || (result < 0 && errno == EAGAIN);
  }

  /// Sends until the kernel takes no more, or others should have their turn. False: the connection failed.
  bool send_blocks() {
    for (int turn = 0; turn < 16; ++turn) {
      const ssize_t result = ::send(descriptor_, left_.data(), left_.size(), MSG_NOSIGNAL);
      if (result < 0) return errno == EAGAIN;
      left_ = left_.subspan(static_cast<std::size_t>(result));
      if (!left_.empty()) return true;
      left_ = block_;
    }
    return true;
  }

  Loop& loop_;
  int descriptor_;
  std::span<const char> block_;
  std::span<const char> left_;  // of the block being sent
};

}  // namespace

void serve_stream(std::size_t size) {
  Loop loop;
  const auto block = bench::make_block(size);
  listen_on_loopback(loop, [&](int descriptor) { new StreamConnection(loop, descriptor, block); });
  loop.run();
}
