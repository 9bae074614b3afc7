#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <sys/uio.h>

#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::test {

/// `size` bytes that depend on `seed` alone.
std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed);

/// Moves bytes through a transport as the state machine of a socket does, and keeps strictly to the interface: it reads
/// and writes only when the transport calls itself ready, and else waits to be told.
class TransportUser final : private transport::Transport::Observer, private reactor::Task {
 public:
  TransportUser(std::shared_ptr<reactor::Loop> loop, transport::Transport& transport, std::uint64_t seed);
  ~TransportUser();

  /// The most bytes of one read, and of one gathered piece.
  void limit_pieces(std::size_t most) noexcept { most_piece_ = most; }

  /// Queues bytes to send; after them comes the end if `then_end`.
  void send(std::vector<std::byte> bytes, bool then_end);

  void pause() noexcept { paused_ = true; }
  void resume();

  const std::vector<std::byte>& received() const noexcept { return received_; }
  std::size_t sent() const noexcept { return sent_; }
  bool all_sent() const noexcept { return sent_ == output_.size() && transport_.unsent() == 0; }
  bool input_over() const noexcept { return input_over_; }
  bool output_over() const noexcept { return output_over_; }
  /// Ended in both directions without an error.
  bool ended_well() const noexcept { return input_over_ && output_over_ && !read_error_ && !write_error_; }
  error_code read_error() const noexcept { return read_error_; }
  error_code write_error() const noexcept { return write_error_; }
  /// How often a ready transport had nothing to give.
  std::size_t vain_reads() const noexcept { return vain_reads_; }
  std::size_t times_told() const noexcept { return times_told_; }

 private:
  void on_transport_ready() override;
  void run_task() override;
  void read_while_ready();
  void write_while_ready();
  transport::Result write_some();
  bool wants_to_write() const noexcept;
  void end_output();
  std::size_t random_size(std::size_t most);

  std::shared_ptr<reactor::Loop> loop_;
  transport::Transport& transport_;
  std::mt19937_64 random_;
  std::size_t most_piece_ = 3000;
  std::vector<std::byte> output_;
  std::vector<std::byte> received_;
  std::size_t sent_ = 0;
  std::size_t vain_reads_ = 0;
  std::size_t times_told_ = 0;
  bool end_wanted_ = false;
  bool end_sent_ = false;
  bool input_over_ = false;
  bool output_over_ = false;
  bool paused_ = false;
  error_code read_error_;
  error_code write_error_;
};

}  // namespace libnet::test
