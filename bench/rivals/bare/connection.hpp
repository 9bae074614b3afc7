#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loop.hpp"
#include "outbox.hpp"

/// A connection that closes when its peer has ended and has got everything.
class Connection : public Handler {
 public:
  Connection(Loop& loop, int descriptor);
  ~Connection() override;

  void on_ready(std::uint32_t events) override;
  void close();

 protected:
  /// The bytes are valid during the call.
  virtual void on_received(std::span<const char> bytes) = 0;
  /// Some of what was kept has left.
  virtual void on_flushed() {}
  virtual void on_closed() {}
  /// Unless this is so, its peer is held back. Whoever changes the answer calls update_interest().
  virtual bool wants_input() const { return outbox_.empty(); }

  void send(std::span<const char> bytes);
  std::size_t kept() const { return outbox_.kept(); }
  bool peer_ended() const { return peer_ended_; }
  void update_interest();

 private:
  void receive();
  void flush();

  Loop& loop_;
  int descriptor_;
  std::uint32_t interest_ = EPOLLIN;
  bool peer_ended_ = false;
  Outbox outbox_;
};
