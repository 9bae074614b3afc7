#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// Faults for a process of its own: the n-th allocation or the n-th call of one system function fails, in whatever thread.
///
/// The program that links this has malloc and its like, and the C library's wrappers of system calls, replaced by functions
/// that count and pass on. What the C library does inside itself is not seen, but for its allocations; those of
/// getaddrinfo do not fail, since glibc ends the process for want of memory there.
namespace libnet::faults {

/// The system's functions that libnet and Asio use, in the order of `function_names`.
enum class Function : std::uint8_t {
  socket,
  bind,
  listen,
  accept4,
  connect,
  getsockopt,
  setsockopt,
  getsockname,
  getpeername,
  shutdown,
  close,
  recv,
  send,
  sendmsg,
  read,
  write,
  splice,
  pipe2,
  epoll_create1,
  epoll_ctl,
  epoll_wait,
  poll,
  eventfd,
  timerfd_create,
  timerfd_settime,
  fcntl,
  ioctl,
  stat,
  lstat,
  chmod,
  unlink,
  getaddrinfo,
  pthread_create,
};
inline constexpr std::size_t functions = static_cast<std::size_t>(Function::pthread_create) + 1;

std::string_view name_of(Function function) noexcept;
/// The errors that are tried, each of which the function can have without anybody having lied: EAGAIN is none of them
/// where it would say that a descriptor is not ready which is.
std::span<const int> errors_of(Function function) noexcept;

enum class Lasts : std::uint8_t {
  once,      ///< One call fails.
  for_good,  ///< All fail from that one on, until `relieve()`.
};

/// To be called first: finds the functions that are replaced.
void prepare() noexcept;

/// Counting begins; nothing fails.
void count() noexcept;
/// Counting begins; the `nth` allocation fails, from 1.
void fail_allocation(std::uint64_t nth, Lasts lasts) noexcept;
/// Counting begins; the `nth` call of the function fails with `code`, from 1.
void fail_call(Function function, std::uint64_t nth, int code) noexcept;
/// Nothing fails any more, and nothing is counted.
void relieve() noexcept;

bool has_fired() noexcept;
/// For a debugger: stops where the fault comes.
void stop_when_fired() noexcept;
std::uint64_t allocations() noexcept;
std::uint64_t calls(Function function) noexcept;

/// How many descriptors the process has open. Not counted.
int open_descriptors() noexcept;

}  // namespace libnet::faults
