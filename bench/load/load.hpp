#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/epoll.h>

#include "latency.hpp"
#include "pattern.hpp"
#include "sockets.hpp"

namespace bench {

using Clock = std::chrono::steady_clock;

/// What a server under test is given to do. One thread, one epoll set; every byte that arrives is compared with what
/// must come. It is driven in steps: connect, exchange, exchange, …, settle, finish.
///
/// All of them throw std::runtime_error if the server ends or breaks a connection, sends wrong bytes, or makes no
/// progress for too long; and Interrupted.
class Load {
 public:
  Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  virtual ~Load() = default;

  /// What the server must be told of this load, such as a port.
  virtual std::vector<std::string> server_settings() const { return {}; }

  /// How long nothing may arrive [10 s].
  void set_patience(std::chrono::milliseconds time) noexcept { patience_ = time; }

  /// Opens the connections.
  virtual void connect(std::uint16_t port) = 0;

  /// Drives the server until then, and longer if nothing was done by then; or until all is done if the load has an end.
  /// What is under way goes on later.
  void exchange(Clock::time_point until);

  /// Begins one exchange on every connection, while the server stands still: it will find all of them ready at once.
  /// Afterwards settle() waits for the answers.
  void begin_round();

  /// Waits for what is under way; afterwards the server has nothing to do.
  void settle();

  /// Ends the connections, as far as their end is worth checking.
  virtual void finish() {}

  /// What was done so far [the scenario's unit].
  virtual double units() const = 0;

  /// Of the messages since it was last cleared.
  Latency& latency() noexcept { return latency_; }

 protected:
  /// Begins to send and to receive again, on all connections.
  virtual void start() = 0;
  virtual void ready(void* watched, std::uint32_t events) = 0;
  virtual bool is_settled() const = 0;
  virtual bool is_complete() const { return false; }
  /// Is as much under way on every connection as there may be?
  virtual bool is_full() const { return true; }

  std::chrono::milliseconds patience() const noexcept { return patience_; }

  /// Is new work to be begun?
  bool is_active() const noexcept { return active_; }

  /// `watched` is given to ready().
  void watch(const Descriptor& descriptor, void* watched, std::uint32_t events);

  /// One wait for events, and what they bring.
  void turn(Clock::time_point until);

  /// Receives what is there, at most the buffer's size, and compares it.
  std::size_t receive_checked(const Descriptor& socket, const Pattern& pattern, std::uint64_t offset);
  /// Receives into the buffer; for who compares on its own.
  std::size_t receive(const Descriptor& socket);
  void check(const Pattern& pattern, std::uint64_t offset, std::size_t size) const;
  const char* buffer() const noexcept { return buffer_->data(); }

  Latency latency_;

 private:
  using Buffer = std::array<char, Pattern::reach>;

  Descriptor set_;
  std::unique_ptr<Buffer> buffer_ = std::make_unique<Buffer>();
  std::uint64_t received_ = 0;  // [bytes]
  std::uint64_t seen_ = 0;      // of them, when progress was last looked for
  Clock::time_point progress_ = Clock::now();
  std::chrono::milliseconds patience_{10'000};
  bool active_ = false;

  void look_for_progress(Clock::time_point now);
};

}  // namespace bench
