#include "standard_stream.hpp"

#include <libnet/error.hpp>
#include <libnet/use_awaitable.hpp>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace {

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

[[noreturn]] void fail(const char* operation, const char* name) {
  const auto code = last_error();
  const std::string text = std::string(operation) + ' ' + libnet::error_name(code) + ' ' + name;
  throw libnet::SystemError(libnet::Error(code, {.operation = operation, .text = text}));
}

/// The call is to be made again: a signal came between, or another program set O_NONBLOCK and there was nothing to do.
bool is_to_repeat() { return errno == EINTR || errno == EAGAIN; }

}  // namespace

// --- waiting -------------------------------------------------------------------------------------------------------

StandardStream::StandardStream(const asio::any_io_executor& executor, int descriptor, short events)
    : descriptor_(descriptor), events_(events), watch_(executor) {
  asio::posix::stream_descriptor watch(executor, ::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{};
  wanted.events = static_cast<std::uint32_t>(events);
  if (::epoll_ctl(watch.native_handle(), EPOLL_CTL_ADD, descriptor, &wanted) == 0) {
    watch_ = std::move(watch);
  } else if (errno != EPERM) {  // that is what files and some devices say: always ready
    throw boost::system::system_error(last_error(), "epoll_ctl");
  }
}

bool StandardStream::ready() const noexcept {
  pollfd state{descriptor_, events_, 0};
  return !waits() || ::poll(&state, 1, 0) > 0;
}

asio::awaitable<bool> StandardStream::wait() {
  while (!ready()) {
    const auto [code] = co_await watch_.async_wait(asio::posix::stream_descriptor::wait_read, libnet::as_tuple);
    if (code) co_return false;
  }
  co_return true;
}

void StandardStream::cancel() {
  if (waits()) watch_.cancel();
}

// --- standard input ------------------------------------------------------------------------------------------------

StandardInput::StandardInput(const asio::any_io_executor& executor) : stream_(executor, STDIN_FILENO, POLLIN) {}

asio::awaitable<std::string_view> StandardInput::read() {
  while (!at_end_) {
    if (!co_await stream_.wait()) break;  // on its own: after && g++ 12 awaits whatever comes before
    const ssize_t size = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    at_end_ = size == 0;
    if (size > 0) co_return std::string_view(buffer_.data(), static_cast<std::size_t>(size));
    if (size == 0 || is_to_repeat()) continue;
    failed_ = true;
    fail("read", "standard input");
  }
  co_return std::string_view();
}

// --- standard output -----------------------------------------------------------------------------------------------

StandardOutput::StandardOutput(const asio::any_io_executor& executor) : stream_(executor, STDOUT_FILENO, POLLOUT) {}

asio::awaitable<std::size_t> StandardOutput::write_some(std::string_view bytes) {
  // What has room in a pipe has room for so much: a longer write would wait for the rest.
  const std::size_t size = stream_.waits() ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
  while (co_await stream_.wait()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), size);
    if (written >= 0) co_return static_cast<std::size_t>(written);
    if (is_to_repeat()) continue;
    failed_ = true;
    reader_gone_ = errno == EPIPE;
    fail("write", "standard output");
  }
  co_return 0;
}

// --- closed descriptors --------------------------------------------------------------------------------------------

void fill_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const int flags = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::fcntl(descriptor, F_GETFD) == -1) ::open("/dev/null", flags);  // takes the lowest number that is free
  }
}
