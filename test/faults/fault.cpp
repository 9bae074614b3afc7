#include "fault.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdlib>
#include <new>

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

// NOLINTBEGIN(bugprone-reserved-identifier): glibc's names for its own functions.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace libnet::faults {

namespace {

constexpr std::array<const char*, functions> function_names{
    "socket",      "bind",        "listen",         "accept4",         "connect",       "getsockopt", "setsockopt",
    "getsockname", "getpeername", "shutdown",       "close",           "recv",          "send",       "sendmsg",
    "read",        "write",       "splice",         "pipe2",           "epoll_create1", "epoll_ctl",  "epoll_wait",
    "poll",        "eventfd",     "timerfd_create", "timerfd_settime", "fcntl",         "ioctl",      "stat",
    "lstat",       "chmod",       "unlink",         "getaddrinfo",     "pthread_create"};

enum class Plan : std::uint8_t { nothing, counting, allocation, allocations, call };

std::array<void*, functions> real;
std::atomic<Plan> plan{Plan::nothing};
std::atomic<std::uint64_t> nth_to_fail{0};
std::atomic<std::uint64_t> allocation_count{0};
std::array<std::atomic<std::uint64_t>, functions> call_counts;
Function failing = Function::socket;
int failing_code = 0;
std::atomic<bool> fired{false};
bool stops = false;
constinit thread_local bool in_c_library = false;

void fire(int code) noexcept {
  fired = true;
  errno = code;
  if (stops) ::raise(SIGTRAP);
}

void begin(Plan wanted, std::uint64_t nth) noexcept {
  relieve();
  allocation_count = 0;
  for (auto& one : call_counts) one = 0;
  nth_to_fail = nth;
  fired = false;
  plan = wanted;
}

bool allocation_fails() noexcept {
  const Plan now = plan.load(std::memory_order_relaxed);
  if (now == Plan::nothing || in_c_library) return false;
  const std::uint64_t number = allocation_count.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool fails =
      (now == Plan::allocation && number == nth_to_fail) || (now == Plan::allocations && number >= nth_to_fail);
  if (fails) fire(ENOMEM);
  return fails;
}

/// Sets errno if it is time to fail.
bool call_fails(Function function) noexcept {
  const Plan now = plan.load(std::memory_order_relaxed);
  if (now == Plan::nothing) return false;
  const std::uint64_t number = call_counts[static_cast<std::size_t>(function)].fetch_add(1) + 1;
  if (now != Plan::call || function != failing || number != nth_to_fail) return false;
  fire(failing_code);
  return true;
}

/// Makes the call that is replaced.
template <class Signature, class... Arguments>
auto pass_on(Function function, Arguments... arguments) noexcept {
  return reinterpret_cast<Signature*>(real[static_cast<std::size_t>(function)])(arguments...);
}

}  // namespace

std::string_view name_of(Function function) noexcept { return function_names[static_cast<std::size_t>(function)]; }

std::span<const int> errors_of(Function function) noexcept {
  static constexpr int socket_errors[] = {EMFILE, ENOBUFS, ENOMEM, EACCES};
  static constexpr int bind_errors[] = {EADDRINUSE, EACCES, ENOMEM};
  static constexpr int listen_errors[] = {EADDRINUSE, ENOBUFS};
  static constexpr int accept_errors[] = {EINTR, ECONNABORTED, EMFILE, ENOMEM, EPROTO, EPERM};
  static constexpr int connect_errors[] = {EINTR, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, ENOMEM};
  static constexpr int option_errors[] = {EINVAL, ENOPROTOOPT, ENOBUFS, ENOMEM};
  static constexpr int name_errors[] = {ENOBUFS, ENOTCONN};
  static constexpr int shutdown_errors[] = {ENOTCONN, ENOBUFS};
  static constexpr int close_errors[] = {EINTR, EIO};
  static constexpr int receive_errors[] = {EINTR, ECONNRESET, ETIMEDOUT, ENOMEM};
  static constexpr int send_errors[] = {EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM};
  static constexpr int wake_errors[] = {EINTR, EIO};
  static constexpr int splice_errors[] = {EINTR, EINVAL, ENOMEM, ECONNRESET};
  static constexpr int descriptor_errors[] = {EMFILE, ENFILE, ENOMEM};
  static constexpr int watch_errors[] = {ENOMEM, ENOSPC};
  static constexpr int wait_errors[] = {EINTR, EINVAL};
  static constexpr int poll_errors[] = {EINTR, ENOMEM};
  static constexpr int timer_errors[] = {EINVAL, ECANCELED};
  static constexpr int control_errors[] = {EINTR, EINVAL, ENOMEM};
  static constexpr int lookup_errors[] = {EAI_AGAIN, EAI_MEMORY, EAI_NONAME};
  static constexpr int thread_errors[] = {EAGAIN};
  static constexpr int file_errors[] = {EACCES, ENOENT, ENOMEM};
  switch (function) {
    case Function::socket: return socket_errors;
    case Function::bind: return bind_errors;
    case Function::listen: return listen_errors;
    case Function::accept4: return accept_errors;
    case Function::connect: return connect_errors;
    case Function::getsockopt:
    case Function::setsockopt: return option_errors;
    case Function::getsockname:
    case Function::getpeername: return name_errors;
    case Function::shutdown: return shutdown_errors;
    case Function::close: return close_errors;
    case Function::recv: return receive_errors;
    case Function::send:
    case Function::sendmsg: return send_errors;
    case Function::read:
    case Function::write: return wake_errors;
    case Function::splice: return splice_errors;
    case Function::epoll_ctl: return watch_errors;
    case Function::epoll_wait: return wait_errors;
    case Function::poll: return poll_errors;
    case Function::timerfd_settime: return timer_errors;
    case Function::fcntl:
    case Function::ioctl: return control_errors;
    case Function::stat:
    case Function::lstat:
    case Function::chmod:
    case Function::unlink: return file_errors;
    case Function::getaddrinfo: return lookup_errors;
    case Function::pthread_create: return thread_errors;
    case Function::pipe2:
    case Function::epoll_create1:
    case Function::eventfd:
    case Function::timerfd_create: return descriptor_errors;
  }
  return {};
}

void prepare() noexcept {
  for (std::size_t i = 0; i < functions; ++i) real[i] = ::dlsym(RTLD_NEXT, function_names[i]);
}

void count() noexcept { begin(Plan::counting, 0); }

void fail_allocation(std::uint64_t nth, Lasts lasts) noexcept {
  begin(lasts == Lasts::once ? Plan::allocation : Plan::allocations, nth);
}

void fail_call(Function function, std::uint64_t nth, int code) noexcept {
  relieve();
  failing = function;
  failing_code = code;
  begin(Plan::call, nth);
}

void relieve() noexcept { plan = Plan::nothing; }
bool has_fired() noexcept { return fired; }
void stop_when_fired() noexcept { stops = true; }
std::uint64_t allocations() noexcept { return allocation_count; }
std::uint64_t calls(Function function) noexcept { return call_counts[static_cast<std::size_t>(function)]; }

int open_descriptors() noexcept {
  int open = 0;
  for (int descriptor = 0; descriptor < 512; ++descriptor) {
    if (::syscall(SYS_fcntl, descriptor, F_GETFD) >= 0) ++open;
  }
  return open;
}

}  // namespace libnet::faults

using libnet::faults::allocation_fails;
using libnet::faults::call_fails;
using libnet::faults::Function;
using libnet::faults::pass_on;

extern "C" {

// ---- memory; the program needs it before `prepare`

void* malloc(std::size_t size) noexcept { return allocation_fails() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t number, std::size_t size) noexcept {
  return allocation_fails() ? nullptr : __libc_calloc(number, size);
}
void* realloc(void* block, std::size_t size) noexcept {
  return allocation_fails() ? nullptr : __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return allocation_fails() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return allocation_fails() ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  void* const made = allocation_fails() ? nullptr : __libc_memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *block = made;
  return 0;
}

// ---- sockets

int socket(int domain, int type, int protocol) noexcept {
  if (call_fails(Function::socket)) return -1;
  return pass_on<int(int, int, int)>(Function::socket, domain, type, protocol);
}
int bind(int descriptor, const sockaddr* address, socklen_t size) noexcept {
  if (call_fails(Function::bind)) return -1;
  return pass_on<int(int, const sockaddr*, socklen_t)>(Function::bind, descriptor, address, size);
}
int listen(int descriptor, int backlog) noexcept {
  if (call_fails(Function::listen)) return -1;
  return pass_on<int(int, int)>(Function::listen, descriptor, backlog);
}
int accept4(int descriptor, sockaddr* address, socklen_t* size, int flags) {
  if (call_fails(Function::accept4)) return -1;
  return pass_on<int(int, sockaddr*, socklen_t*, int)>(Function::accept4, descriptor, address, size, flags);
}
int connect(int descriptor, const sockaddr* address, socklen_t size) {
  if (call_fails(Function::connect)) return -1;
  return pass_on<int(int, const sockaddr*, socklen_t)>(Function::connect, descriptor, address, size);
}
int getsockopt(int descriptor, int level, int name, void* value, socklen_t* size) noexcept {
  if (call_fails(Function::getsockopt)) return -1;
  return pass_on<int(int, int, int, void*, socklen_t*)>(Function::getsockopt, descriptor, level, name, value, size);
}
int setsockopt(int descriptor, int level, int name, const void* value, socklen_t size) noexcept {
  if (call_fails(Function::setsockopt)) return -1;
  return pass_on<int(int, int, int, const void*, socklen_t)>(Function::setsockopt, descriptor, level, name, value,
                                                             size);
}
int getsockname(int descriptor, sockaddr* address, socklen_t* size) noexcept {
  if (call_fails(Function::getsockname)) return -1;
  return pass_on<int(int, sockaddr*, socklen_t*)>(Function::getsockname, descriptor, address, size);
}
int getpeername(int descriptor, sockaddr* address, socklen_t* size) noexcept {
  if (call_fails(Function::getpeername)) return -1;
  return pass_on<int(int, sockaddr*, socklen_t*)>(Function::getpeername, descriptor, address, size);
}
int shutdown(int descriptor, int how) noexcept {
  if (call_fails(Function::shutdown)) return -1;
  return pass_on<int(int, int)>(Function::shutdown, descriptor, how);
}
/// As on Linux, the descriptor is closed whatever the call says.
int close(int descriptor) {
  const int result = pass_on<int(int)>(Function::close, descriptor);
  return call_fails(Function::close) ? -1 : result;
}
ssize_t recv(int descriptor, void* memory, std::size_t size, int flags) {
  if (call_fails(Function::recv)) return -1;
  return pass_on<ssize_t(int, void*, std::size_t, int)>(Function::recv, descriptor, memory, size, flags);
}
ssize_t send(int descriptor, const void* memory, std::size_t size, int flags) {
  if (call_fails(Function::send)) return -1;
  return pass_on<ssize_t(int, const void*, std::size_t, int)>(Function::send, descriptor, memory, size, flags);
}
ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  if (call_fails(Function::sendmsg)) return -1;
  return pass_on<ssize_t(int, const msghdr*, int)>(Function::sendmsg, descriptor, message, flags);
}
ssize_t read(int descriptor, void* memory, std::size_t size) {
  if (call_fails(Function::read)) return -1;
  return pass_on<ssize_t(int, void*, std::size_t)>(Function::read, descriptor, memory, size);
}
ssize_t write(int descriptor, const void* memory, std::size_t size) {
  if (call_fails(Function::write)) return -1;
  return pass_on<ssize_t(int, const void*, std::size_t)>(Function::write, descriptor, memory, size);
}

// ---- pipes, readiness, time, files

ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t size, unsigned flags) {
  if (call_fails(Function::splice)) return -1;
  return pass_on<ssize_t(int, off64_t*, int, off64_t*, std::size_t, unsigned)>(Function::splice, from, from_offset, to,
                                                                               to_offset, size, flags);
}
int pipe2(int* ends, int flags) noexcept {
  if (call_fails(Function::pipe2)) return -1;
  return pass_on<int(int*, int)>(Function::pipe2, ends, flags);
}
int epoll_create1(int flags) noexcept {
  if (call_fails(Function::epoll_create1)) return -1;
  return pass_on<int(int)>(Function::epoll_create1, flags);
}
int epoll_ctl(int set, int operation, int descriptor, epoll_event* event) noexcept {
  if (call_fails(Function::epoll_ctl)) return -1;
  return pass_on<int(int, int, int, epoll_event*)>(Function::epoll_ctl, set, operation, descriptor, event);
}
int epoll_wait(int set, epoll_event* events, int most, int timeout) {
  if (call_fails(Function::epoll_wait)) return -1;
  return pass_on<int(int, epoll_event*, int, int)>(Function::epoll_wait, set, events, most, timeout);
}
int poll(pollfd* descriptors, nfds_t count, int timeout) {
  if (call_fails(Function::poll)) return -1;
  return pass_on<int(pollfd*, nfds_t, int)>(Function::poll, descriptors, count, timeout);
}
int eventfd(unsigned value, int flags) noexcept {
  if (call_fails(Function::eventfd)) return -1;
  return pass_on<int(unsigned, int)>(Function::eventfd, value, flags);
}
int timerfd_create(int clock, int flags) noexcept {
  if (call_fails(Function::timerfd_create)) return -1;
  return pass_on<int(int, int)>(Function::timerfd_create, clock, flags);
}
int timerfd_settime(int timer, int flags, const itimerspec* wanted, itimerspec* before) noexcept {
  if (call_fails(Function::timerfd_settime)) return -1;
  return pass_on<int(int, int, const itimerspec*, itimerspec*)>(Function::timerfd_settime, timer, flags, wanted,
                                                                before);
}
int fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (call_fails(Function::fcntl)) return -1;
  return pass_on<int(int, int, void*)>(Function::fcntl, descriptor, command, argument);
}
int ioctl(int descriptor, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (call_fails(Function::ioctl)) return -1;
  return pass_on<int(int, unsigned long, void*)>(Function::ioctl, descriptor, request, argument);
}
int stat(const char* path, struct stat* status) noexcept {
  if (call_fails(Function::stat)) return -1;
  return pass_on<int(const char*, struct stat*)>(Function::stat, path, status);
}
int lstat(const char* path, struct stat* status) noexcept {
  if (call_fails(Function::lstat)) return -1;
  return pass_on<int(const char*, struct stat*)>(Function::lstat, path, status);
}
int chmod(const char* path, mode_t mode) noexcept {
  if (call_fails(Function::chmod)) return -1;
  return pass_on<int(const char*, mode_t)>(Function::chmod, path, mode);
}
int unlink(const char* path) noexcept {
  if (call_fails(Function::unlink)) return -1;
  return pass_on<int(const char*)>(Function::unlink, path);
}

// ---- what tells its error by its result

int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  if (call_fails(Function::getaddrinfo)) return errno;
  libnet::faults::in_c_library = true;
  const int result = pass_on<int(const char*, const char*, const addrinfo*, addrinfo**)>(Function::getaddrinfo, host,
                                                                                         service, hints, found);
  libnet::faults::in_c_library = false;
  return result;
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) noexcept {
  if (call_fails(Function::pthread_create)) return errno;
  return pass_on<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(Function::pthread_create, thread,
                                                                                  attributes, run, argument);
}

}  // extern "C"
