#pragma once

#include <libnet/chunk.hpp>
#include <libnet/detail/intrusive_list.hpp>
#include <libnet/errc.hpp>
#include <libnet/error_code.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

/// What lives in the compiled library, which does not export it.
namespace libnet::detail {
class Deadline;  ///< The timer of one operation.
class Pipe;      ///< What a pipe is while it runs.
}  // namespace libnet::detail

#pragma GCC visibility push(default)  // a shared library exports this

/// What waits for a completion: an asynchronous operation whose handler's type is erased.
namespace libnet::detail {

namespace asio = boost::asio;

class Operation;

/// The code of what failed because libnet found no memory; that of a system call which found none is the system's own. With
/// the default token `co_await` throws std::bad_alloc.
inline error_code out_of_memory() noexcept {
  return boost::system::errc::make_error_code(boost::system::errc::not_enough_memory);
}

/// Whoever holds waiting operations. Cancellation slots and deadlines reach it.
class OperationOwner {
 public:
  /// Ends a waiting operation with `reason`, if it still waits and its kind allows.
  virtual void cancel(Operation& operation, asio::cancellation_type type, error_code reason) = 0;

 protected:
  ~OperationOwner() = default;
};

inline constexpr std::chrono::nanoseconds no_time_limit{-1};

/// Deletes in the compiled library.
struct DeadlineDeleter {
  void operator()(Deadline* deadline) const noexcept;
};

/// One operation: in the list of those that wait or of those that completed.
class Operation : public ListNode<Operation> {
 public:
  enum class Kind : std::uint8_t {
    read,
    read_some,
    pipe,
    write,
    connect,
    drain,
    end,
    close,
    event,
    accept,
    listen,
    count,
    writable,  // of a pipe, at its destination
  };

  explicit Operation(Kind which) noexcept : kind(which) {}

  /// Lets the handler's cancellation slot reach the owner; called when the operation has to wait.
  /// @return  The time limit that the handler asks for; negative: none.
  virtual std::chrono::nanoseconds watch_cancellation(OperationOwner& owner) = 0;

  /// Frees the operation, then calls its handler with `result` and what the kind adds to it.
  virtual void complete() = 0;

  /// Frees the operation without calling the handler.
  virtual void abandon() noexcept = 0;

  /// Called on a handle of nothing: completes with Errc::closed if the handler brought an executor to run on, as that of
  /// an awaiting coroutine does; else abandons.
  virtual void refuse() = 0;

  const Kind kind;
  bool is_callback = false;  ///< Given to a `verb()`: what it throws is what a listener throws.
  bool waits = false;        ///< Waits for an event or a connection, and has no result yet.
  error_code result;
  std::unique_ptr<Deadline, DeadlineDeleter> deadline;

 protected:
  virtual ~Operation() = default;
};

using OperationList = List<Operation>;

/// An operation that completes with (error_code, Results...).
template <class... Results>
class ResultOperation : public Operation {
 public:
  using Signature = void(error_code, Results...);

  explicit ResultOperation(Kind which) noexcept : Operation(which) {}

  std::tuple<Results...> take_results() { return std::move(results); }

  std::tuple<Results...> results;
};

using VoidOperation = ResultOperation<>;

class ReadOperation : public ResultOperation<Chunk> {
 public:
  using ResultOperation::ResultOperation;
};

/// The pieces of a caller's buffer sequence; what does not fit is left for the next operation.
template <class Pointer>
struct Buffers {
  struct Piece {
    Pointer data;
    std::size_t size;
  };

  using Buffer =
      std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, asio::const_buffer, asio::mutable_buffer>;

  /// Iterators of a sequence give what converts to a buffer, and need not have `operator->`.
  template <class Sequence>
  static Buffers from(const Sequence& sequence, std::size_t limit) {
    Buffers buffers;
    for (auto it = asio::buffer_sequence_begin(sequence); it != asio::buffer_sequence_end(sequence); ++it) {
      if (buffers.count == buffers.pieces.size() || limit == 0) break;
      const Buffer buffer(*it);
      const std::size_t size = buffer.size() < limit ? buffer.size() : limit;
      if (size == 0) continue;
      limit -= size;
      buffers.total += size;
      buffers.pieces[buffers.count++] = {buffer.data(), size};
    }
    return buffers;
  }

  std::array<Piece, 16> pieces;
  std::size_t count = 0;
  std::size_t total = 0;  ///< [bytes]
};

using ReadBuffers = Buffers<void*>;
using WriteBuffers = Buffers<const void*>;

class ReadSomeOperation : public ResultOperation<std::size_t> {
 public:
  using ResultOperation::ResultOperation;

  ReadBuffers buffers;
};

/// Deletes in the compiled library.
struct PipeDeleter {
  void operator()(Pipe* pipe) const noexcept;
};

/// Passes on what one socket receives to another one.
class PipeOperation : public ResultOperation<std::uint64_t> {
 public:
  using ResultOperation::ResultOperation;

  bool is_heard = true;  ///< Somebody gets the result; without, errors of the two sockets are theirs alone.
  std::unique_ptr<Pipe, PipeDeleter> pipe;
};

/// A write: the bytes [begin, end) of all that was ever queued on the connection, whether they were sent or taken out.
class WriteOperation : public Operation {
 public:
  using Signature = void(error_code, std::size_t);

  explicit WriteOperation(Kind which = Kind::write) noexcept : Operation(which) {}

  std::tuple<std::size_t> take_results() const noexcept { return {transferred}; }

  std::uint64_t begin = 0;      ///< [bytes since the start of the connection]
  std::uint64_t end = 0;        ///< [bytes since the start of the connection]
  std::size_t transferred = 0;  ///< [bytes] that reached the kernel
  std::uint64_t gap = 0;        ///< [bytes] taken out between this write and the next one that waits
  void* last_segment;           ///< Where the write queue has its last bytes, while none of them has left.
};

/// Waits for the next emission of one event.
class EventOperation : public Operation {
 public:
  explicit EventOperation(Kind which = Kind::event) noexcept : Operation(which) {}

  /// Keeps a copy of the event's arguments; `arguments` points to a std::tuple of them.
  virtual void set_arguments(const void* arguments) = 0;

  std::uint8_t event = 0;
};

template <class... Arguments>
class TypedEventOperation : public EventOperation {
 public:
  using Signature = void(error_code, Arguments...);
  using EventOperation::EventOperation;

  void set_arguments(const void* arguments) override {
    results = *static_cast<const std::tuple<Arguments...>*>(arguments);
  }
  std::tuple<Arguments...> take_results() { return std::move(results); }

  std::tuple<Arguments...> results;
};

}  // namespace libnet::detail

#pragma GCC visibility pop
