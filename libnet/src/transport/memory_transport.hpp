#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "reactor/loop.hpp"
#include "transport/fault.hpp"
#include "transport/ring.hpp"
#include "transport/transport.hpp"

namespace libnet::transport {

/// One end of a connection that lives in memory: two ring buffers. Ends and resets behave as those of TCP on Linux.
///
/// It tells its observer only what `ready_to_read` or `ready_to_write` was asked for, and only once. Each side can be
/// shaped, so that a test decides over every byte. Both sides belong to one thread.
class MemoryTransport final : public Transport, private reactor::Task {
 public:
  class Shape;
  using Pair = std::pair<std::unique_ptr<MemoryTransport>, std::unique_ptr<MemoryTransport>>;

  static constexpr std::size_t default_capacity = 64 * 1024;

  /// Two connected ends, each told on its own loop. Either may be destroyed first.
  /// @param capacity  Of each direction [bytes]; allocated with the first byte.
  static Pair pair(std::shared_ptr<reactor::Loop> first, std::shared_ptr<reactor::Loop> second,
                   std::size_t capacity = default_capacity);

  ~MemoryTransport() override;

  /// How this side deviates from what would be possible.
  Shape& shape() noexcept;

  void observe(Observer* observer) override { observer_ = observer; }
  bool ready_to_read() override;
  bool ready_to_write() override;

  Result try_read(std::span<std::byte> buffer) override;
  Result try_write(std::span<const iovec> buffers) override;
  std::uint64_t sent() const noexcept override { return sent_; }
  Peek peek_end() override;
  error_code error_behind_end() override;
  error_code shutdown_write() override;

  /// With bytes unread the peer sees a reset, else an orderly end; its writes fail from now on.
  void close() noexcept override;

  /// The peer can read what was written before, then meets ECONNRESET.
  void reset() noexcept override;

  bool can_reset() const noexcept override { return can_reset_; }

  /// Closes so that the peer sees a reset, whatever kind of connection it is: as the end of a listener does.
  void abort() noexcept;

  /// Nothing unless an in-memory network made the connection between two IP addresses.
  std::optional<SocketAddress> local_address() const override { return local_; }
  std::optional<SocketAddress> remote_address() const override { return remote_; }

  /// What a network knows of this end of a connection that it made.
  struct Place {
    std::optional<SocketAddress> local;
    std::optional<SocketAddress> remote;
    std::shared_ptr<void> held;  ///< Let go of when this end closes.
    bool can_reset = true;       ///< Whether `reset()` is more than `close()`, as for TCP.
  };
  void set_place(Place place) noexcept;

 private:
  struct Side;
  struct Link;

  MemoryTransport(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<Link> link, std::size_t index);

  void run_task() override;
  void tell_if_awaited();
  void tell_peer_if_awaited();
  Side& side() const noexcept;
  Side& peer() const noexcept;
  bool may_read() const noexcept;
  bool may_write() const noexcept;
  bool has_failed() const noexcept;
  Result nothing_to_read() noexcept;
  std::size_t push(std::span<const iovec> buffers);
  Result failed(error_code error) noexcept;
  error_code take_error() noexcept;
  void disconnect(bool reset) noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  std::shared_ptr<Link> link_;
  std::size_t index_;
  std::unique_ptr<Shape> shape_;
  Observer* observer_ = nullptr;
  std::uint64_t sent_ = 0;
  error_code first_error_;
  bool read_awaited_ = false;
  bool write_awaited_ = false;
  bool failure_awaited_ = false;
  bool closed_ = false;
  bool can_reset_ = true;
  std::optional<SocketAddress> local_;
  std::optional<SocketAddress> remote_;
  std::shared_ptr<void> held_;
};

/// What a test can do to one side of a memory transport. Changes tell the observer what it waits for.
class MemoryTransport::Shape {
 public:
  static constexpr std::size_t unlimited = SIZE_MAX;

  explicit Shape(MemoryTransport& owner) noexcept : owner_(owner) {}

  /// The most that one call moves [bytes], at least one; what is left then counts as "more".
  void limit_reads(std::size_t most) noexcept { most_read_ = most; }
  void limit_writes(std::size_t most) noexcept { most_write_ = most; }

  /// A read that took the last byte says "more" as well, as one from a Unix socket does.
  void never_say_drained(bool vague) noexcept { vague_ = vague; }

  /// Hides what arrives, or all room, until it is released.
  void hold_readable() noexcept { readable_held_ = true; }
  void hold_writable() noexcept { writable_held_ = true; }
  void release_readable();
  void release_writable();

  /// An armed failure that is next makes the side ready, so that a waiting observer meets it.
  void fail_read(std::size_t nth_call, error_code error);
  void fail_write(std::size_t nth_call, error_code error);
  void fail_shutdown(std::size_t nth_call, error_code error) noexcept { shutdown_fault_.arm(nth_call, error); }

  std::size_t read_faults() const noexcept { return read_fault_.fired(); }
  std::size_t write_faults() const noexcept { return write_fault_.fired(); }
  std::size_t shutdown_faults() const noexcept { return shutdown_fault_.fired(); }

 private:
  friend class MemoryTransport;

  MemoryTransport& owner_;
  std::size_t most_read_ = unlimited;
  std::size_t most_write_ = unlimited;
  Fault read_fault_;
  Fault write_fault_;
  Fault shutdown_fault_;
  bool vague_ = false;
  bool readable_held_ = false;
  bool writable_held_ = false;
};

}  // namespace libnet::transport
