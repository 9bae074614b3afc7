#include "transport/kernel_pipe.hpp"

#include <cerrno>
#include <csignal>
#include <new>

#include <fcntl.h>
#include <unistd.h>

namespace libnet::transport {

#ifdef __linux__

namespace {

/// How much a pipe is made to hold; the kernel may refuse, then it holds less. [bytes]
constexpr int wanted_capacity = 256 * 1024;

/// splice(2) has no MSG_NOSIGNAL: a peer that is gone would end the process. The kernel sends the signal to the thread
/// that makes the call, so it can be held back there and taken away before anybody sees it.
class SigpipeHeldBack {
 public:
  SigpipeHeldBack() noexcept {
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
    was_pending_ = ::sigismember(&before_, SIGPIPE) == 1 && is_pending();  // unblocked signals do not wait
  }
  SigpipeHeldBack(const SigpipeHeldBack&) = delete;
  SigpipeHeldBack& operator=(const SigpipeHeldBack&) = delete;
  ~SigpipeHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  /// Takes away what the call may have raised. Leaves errno as it is.
  void take_away() const noexcept {
    if (was_pending_) return;
    const int code = errno;
    const timespec at_once{};
    while (::sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    errno = code;
  }

 private:
  static bool is_pending() noexcept {
    sigset_t pending;
    return ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
  }

  sigset_t sigpipe_;
  sigset_t before_;
  bool was_pending_;
};

ssize_t move(int from, int to, std::size_t most) noexcept {
  ssize_t moved;
  do {
    moved = ::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  return moved;
}

}  // namespace

std::shared_ptr<KernelPipe> KernelPipe::open() noexcept {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  ::fcntl(ends[1], F_SETPIPE_SZ, wanted_capacity);
  try {
    return std::shared_ptr<KernelPipe>(new KernelPipe(ends[0], ends[1]));
  } catch (const std::bad_alloc&) {
    ::close(ends[0]);
    ::close(ends[1]);
    return nullptr;
  }
}

ssize_t KernelPipe::take_from(int descriptor) noexcept {
  const ssize_t taken = move(descriptor, input_, wanted_capacity);
  if (taken > 0) size_ += static_cast<std::size_t>(taken);
  return taken;
}

ssize_t KernelPipe::give_to(int descriptor) noexcept {
  const SigpipeHeldBack held_back;
  const ssize_t given = move(output_, descriptor, size_);
  // One call is several sends inside the kernel: a later one may have failed though it tells of the bytes before.
  if (given != static_cast<ssize_t>(size_)) held_back.take_away();
  if (given > 0) size_ -= static_cast<std::size_t>(given);
  return given;
}

#else

std::shared_ptr<KernelPipe> KernelPipe::open() noexcept { return nullptr; }

ssize_t KernelPipe::take_from(int) noexcept {
  errno = ENOSYS;
  return -1;
}

ssize_t KernelPipe::give_to(int) noexcept {
  errno = ENOSYS;
  return -1;
}

#endif

KernelPipe::~KernelPipe() {
  ::close(output_);
  ::close(input_);
}

}  // namespace libnet::transport
