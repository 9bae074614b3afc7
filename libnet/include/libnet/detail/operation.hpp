#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_type.hpp>

#include "libnet/detail/intrusive_list.hpp"
#include "libnet/errc.hpp"

/// What waits for a completion: an asynchronous operation with its handler's type erased.
namespace libnet::detail {

namespace asio = boost::asio;

class Operation;

/// Whoever holds waiting operations. Reached by cancellation slots and by deadlines.
class OperationOwner {
 public:
  /// Ends a waiting operation with `reason`, if it still waits and its kind allows.
  virtual void cancel(Operation& operation, asio::cancellation_type type, error_code reason) = 0;

 protected:
  ~OperationOwner() = default;
};

/// A timer of one operation; lives in the compiled library.
class Deadline;
struct DeadlineDeleter {
  void operator()(Deadline* deadline) const noexcept;
};

/// One waiting operation. It is in exactly one list: waiting or completed.
class Operation : public ListNode<Operation> {
 public:
  enum class Kind : std::uint8_t { read, read_some, write, connect, drain, end, close, event, accept, listen, count };

  explicit Operation(Kind which) noexcept : kind(which) {}

  /// Frees the operation and calls its handler with `result` and what the kind adds to it.
  virtual void complete() = 0;

  /// Frees the operation without calling the handler.
  virtual void abandon() noexcept = 0;

  const Kind kind;
  bool is_callback = false;  ///< A callback of a `verb()`: its exceptions are those of a listener.
  error_code result;

 protected:
  ~Operation() = default;
};

using OperationList = List<Operation>;

/// A write: the bytes [begin, end) of all that was ever queued on the connection.
class WriteOperation : public Operation {
 public:
  WriteOperation() noexcept : Operation(Kind::write) {}

  std::uint64_t begin = 0;  ///< [bytes, counted from the start of the connection]
  std::uint64_t end = 0;    ///< [bytes]
  std::size_t transferred = 0;

 protected:
  ~WriteOperation() = default;
};

}  // namespace libnet::detail
