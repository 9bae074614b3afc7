#pragma once

#include <cstdint>

#include <boost/asio/any_io_executor.hpp>

namespace libnet::reactor {

namespace asio = boost::asio;

/// Where the handlers of an executor run.
///
/// Asio has many types that lead to the same place: executors that block or not, that count as work, that have an
/// allocator, strands over each of them, strands over strands, and all of that again behind any_io_executor.
struct Destination {
  enum class Kind : std::uint8_t { elsewhere, context, strand };

  Kind kind = Kind::elsewhere;
  /// What all copies of a strand share, whatever their types. Null if that cannot be got at: then only executors that
  /// compare equal are known to be the same strand.
  const void* strand = nullptr;
};

Destination destination_of(const asio::any_io_executor& executor);

/// Whether the calling thread is in a handler of the executor: of its strand if it is one.
/// @param otherwise  The answer where that cannot be asked.
bool runs_here(const asio::any_io_executor& executor, bool otherwise) noexcept;

}  // namespace libnet::reactor
