#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace bench {

/// An open descriptor; closed when it goes.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    other.close();
    return *this;
  }
  ~Descriptor() { close(); }

  int number() const noexcept { return number_; }
  void close() noexcept;

 private:
  int number_ = -1;
};

/// @returns `result` of a system call.
/// @throws  std::system_error that names `what`, if it failed.
int checked(int result, std::string_view what);

/// Loopback addresses for connections to come from: each has ports of its own, so that they do not run out.
class Sources {
 public:
  explicit Sources(std::size_t count) : count_(count) {}

  /// 127.0.0.2, 127.0.0.3, … and again from the start [host byte order].
  std::uint32_t next() noexcept;

 private:
  std::size_t count_;
  std::size_t turn_ = 0;
};

/// Starts to connect to 127.0.0.1; TCP_NODELAY, never blocks.
/// @param source  The address to come from [host byte order]; 0: the kernel's choice.
Descriptor start_connect(std::uint16_t port, std::uint32_t source = 0);

/// Listens at a port of 127.0.0.1 that the system chooses; never blocks.
Descriptor listen_on_loopback();
std::uint16_t local_port(const Descriptor& socket);

/// A connection that has come in, or a descriptor that is not open if there is none.
Descriptor accept_one(const Descriptor& listener);

/// What a call moved: nothing if it would have to wait.
/// @throws std::runtime_error if the peer ended or reset the connection.
std::size_t send_some(const Descriptor& socket, const char* bytes, std::size_t size);
std::size_t receive_some(const Descriptor& socket, char* bytes, std::size_t size);

/// Sends the end of the stream.
void end_output(const Descriptor& socket);

/// Has the peer ended, with nothing to receive before?
/// @throws std::runtime_error if there is.
bool is_at_end(const Descriptor& socket);

}  // namespace bench
