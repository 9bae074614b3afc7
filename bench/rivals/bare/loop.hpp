#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

/// Throws the error of the system call that returned `result`, if it is one.
int checked(int result, const char* call);

/// What an event may end: deleted after the events at hand, since others of them may mean it.
class Mortal {
 public:
  virtual ~Mortal() = default;
  Mortal() = default;
  Mortal(const Mortal&) = delete;
  Mortal& operator=(const Mortal&) = delete;

  bool retired() const { return retired_; }

 private:
  friend class Loop;
  bool retired_ = false;
};

/// What is told that its descriptor is ready.
class Handler : public Mortal {
 public:
  virtual void on_ready(std::uint32_t events) = 0;
};

/// The epoll set. Level-triggered unless EPOLLET is asked for: after a short read there is then no second one that fails.
class Loop {
 public:
  Loop();

  void add(int descriptor, std::uint32_t events, Handler& handler) {
    control(EPOLL_CTL_ADD, descriptor, events, handler);
  }
  void modify(int descriptor, std::uint32_t events, Handler& handler) {
    control(EPOLL_CTL_MOD, descriptor, events, handler);
  }

  /// Deletes it when the events at hand are done with; until then it is told of none.
  void retire(Mortal& one);

  /// @param patience  Asked before each wait how long it may last [ms]; -1: for ever.
  [[noreturn]] void run(const std::function<int()>& patience = [] { return -1; });

 private:
  void control(int operation, int descriptor, std::uint32_t events, Handler& handler) const;

  int set_;
  std::vector<std::unique_ptr<Mortal>> retired_;
};

/// Where all connections read; what is in it is dealt with before the next read.
inline std::array<char, 64 * 1024> read_buffer;

/// Listens on the loopback and announces the port.
/// @param on_connection  Called with the descriptor of each connection, non-blocking and with TCP_NODELAY.
void listen_on_loopback(Loop& loop, std::function<void(int)> on_connection);
