#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/servers.hpp"
#include "loop.hpp"

namespace {

constexpr int pipe_size = 256 * 1024;  // [bytes]

/// A pipe that bytes pass without a copy: from a socket into it, and on into the other socket.
class Way {
 public:
  enum class State { flowing, needs_input, needs_room, ended, failed };

  Way(int from, int to) : from_(from), to_(to) {
    checked(::pipe2(pipe_.data(), O_NONBLOCK | O_CLOEXEC), "pipe2");
    ::fcntl(pipe_[0], F_SETPIPE_SZ, pipe_size);  // refused where the user has too many: then it is smaller
  }
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;
  ~Way() {
    for (const int end : pipe_) ::close(end);
  }

  State state() const { return state_; }

  /// Moves bytes until there are none, there is no room, or others should have their turn.
  void flow() {
    state_ = State::flowing;
    for (int turn = 0; turn < 16 && state_ == State::flowing; ++turn) {
      if (inside_ == 0) {
        take_in();
      } else {
        let_out();
      }
    }
  }

 private:
  void take_in() {
    const ssize_t result = move(from_, pipe_[1], pipe_size);
    if (result > 0) {
      inside_ = static_cast<std::size_t>(result);
    } else if (result == 0) {
      ::shutdown(to_, SHUT_WR);
      state_ = State::ended;
    } else {
      state_ = errno == EAGAIN ? State::needs_input : State::failed;
    }
  }

  void let_out() {
    const ssize_t result = move(pipe_[0], to_, inside_);
    if (result > 0) {
      inside_ -= static_cast<std::size_t>(result);
    } else {
      state_ = errno == EAGAIN ? State::needs_room : State::failed;
    }
  }

  static ssize_t move(int from, int to, std::size_t size) {
    return ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  }

  int from_;
  int to_;
  std::array<int, 2> pipe_{};
  std::size_t inside_ = 0;  // [bytes]
  State state_ = State::needs_input;
};

class Relay;

/// One of the two sockets of a relay.
class End final : public Handler {
 public:
  End(Relay& relay, int descriptor) : relay_(relay), descriptor_(descriptor) {}
  ~End() override { ::close(descriptor_); }

  int descriptor() const { return descriptor_; }
  void on_ready(std::uint32_t events) override;

 private:
  Relay& relay_;
  int descriptor_;
};

/// Edge-triggered: both directions of both sockets are registered once, and each way knows what it waits for.
class Relay final : public Mortal {
 public:
  Relay(Loop& loop, int client, int server)
      : loop_(loop), client_(*this, client), server_(*this, server), up_(client, server), down_(server, client) {
    loop_.add(server, events_, server_);
    loop_.add(client, events_, client_);
  }

  void on_ready(const End& end, std::uint32_t events) {
    if (retired()) return;
    Way& out = &end == &client_ ? up_ : down_;
    Way& in = &end == &client_ ? down_ : up_;
    if ((events & EPOLLERR) != 0) return loop_.retire(*this);
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 && waits(out, Way::State::needs_input)) out.flow();
    if ((events & EPOLLOUT) != 0 && waits(in, Way::State::needs_room)) in.flow();
    settle();
  }

 private:
  static constexpr std::uint32_t events_ = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

  static bool waits(const Way& way, Way::State for_what) {
    return way.state() == for_what || way.state() == Way::State::flowing;
  }
  bool is(Way::State state, bool both) const {
    const bool up = up_.state() == state;
    const bool down = down_.state() == state;
    return both ? up && down : up || down;
  }

  void settle() {
    if (is(Way::State::failed, false) || is(Way::State::ended, true)) {
      loop_.retire(*this);
    } else if (is(Way::State::flowing, false)) {
      loop_.modify(client_.descriptor(), events_, client_);  // tells again what is ready
      loop_.modify(server_.descriptor(), events_, server_);
    }
  }

  Loop& loop_;
  End client_;
  End server_;
  Way up_;
  Way down_;
};

void End::on_ready(std::uint32_t events) { relay_.on_ready(*this, events); }

/// Starts to connect. What is not connected yet has neither input nor room.
int connect_to(std::uint16_t port) {
  const int descriptor = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  const int enable = 1;
  checked(::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &enable, sizeof enable), "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (errno != EINPROGRESS) checked(result, "connect");
  return descriptor;
}

}  // namespace

void serve_relay(std::uint16_t upstream) {
  Loop loop;
  listen_on_loopback(loop, [&](int client) { new Relay(loop, client, connect_to(upstream)); });
  loop.run();
}
