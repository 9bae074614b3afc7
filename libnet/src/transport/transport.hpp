#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <sys/uio.h>

#include "libnet/address.hpp"
#include "libnet/errc.hpp"
#include "libnet/options.hpp"

/// Non-blocking byte pipes behind one small interface.
///
/// A transport never waits: each call does what is possible now and says what is possible next. The state machine above
/// does not know which transport it holds, so a plain connection, an encrypted one and one in memory behave alike.
namespace libnet::transport {

class KernelPipe;

/// What a call says about the next call of the same kind.
enum class Status : std::uint8_t {
  more,         ///< The next call may move bytes at once.
  would_block,  ///< Nothing more for now; ask again once the observer was told.
  end,          ///< The peer ended its side in an orderly way (reading only).
  error,        ///< The transport failed; `Result::error` tells why.
};

/// How many bytes one call moved, and what comes next. Bytes and `would_block` together mean "that was all".
struct Result {
  std::size_t bytes = 0;
  Status status = Status::would_block;
  error_code error = {};
};

/// What waits unread, found without taking it.
enum class Waiting : std::uint8_t { nothing, data, end, error };

struct Peek {
  Waiting waiting = Waiting::nothing;
  error_code error = {};
};

/// How far a transport is on its way to a secure connection. A plain one is always `plain`.
enum class Progress : std::uint8_t {
  plain,        ///< Bytes travel as they are.
  draining,     ///< What was written before still leaves through the transport that is about to be replaced.
  handshaking,  ///< Secrets are being agreed on; no byte of the user's moves.
  secure,       ///< Bytes travel encrypted.
};

/// What a secure transport knows of its connection and its peer.
class Security {
 public:
  /// The version of the protocol, as "TLSv1.3".
  virtual std::string protocol() const = 0;

 protected:
  ~Security() = default;
};

/// The story of an error that a call returned.
struct Failure {
  const char* operation =
      "";              ///< What failed, as "read", "write" or "handshake"; empty: the call that returned the error.
  std::string detail;  ///< What else is known: a library's reason, the result of a verification. Mostly nothing.
};

class Transport {
 public:
  /// Is told, from inside the loop and never from inside a call to the transport, that reading or writing may be
  /// possible again. The observer then asks `ready_to_read()` and `ready_to_write()`.
  class Observer {
   public:
    virtual void on_transport_ready() = 0;
    /// `Transport::progress()` has changed.
    virtual void on_transport_progress(Progress) {}

   protected:
    ~Observer() = default;
  };

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;  // closes

  /// The one who is told; null stops the telling.
  virtual void observe(Observer* observer) = 0;

  /// True if a read may give bytes, the end or an error now. False means that it would block for certain; the transport
  /// then tells its observer, once, as soon as that changes. Only this asks to be told: not a call that would block.
  /// Who is told asks both directions again: either may have become possible.
  virtual bool ready_to_read() = 0;

  /// The same for writing (`try_write` and `flush`).
  virtual bool ready_to_write() = 0;

  /// Reads into `buffer`, which is not empty.
  /// The first error that any call of this transport met is reported in place of a later `end`.
  virtual Result try_read(std::span<std::byte> buffer) = 0;

  /// Writes what it can of the gather list. `bytes` counts what was taken: a transport that encodes may hold the
  /// encoded form (see `unsent` and `sent`); the caller never has to offer the same bytes again.
  virtual Result try_write(std::span<const iovec> buffers) = 0;

  /// Whether its bytes can pass through a pipe of the kernel, uncopied: only then are the next two calls legal.
  virtual bool can_splice() const noexcept { return false; }

  /// As `try_read`, into a pipe that is empty. No bytes and `more` mean that a plain read has to tell what is next.
  virtual Result splice_in(KernelPipe&) { return {0, Status::error, cannot_splice()}; }

  /// As `try_write`, from a pipe that is not.
  virtual Result splice_out(KernelPipe&) { return {0, Status::error, cannot_splice()}; }

  /// Pushes on what was taken but not yet handed to the layer below. After `would_block` the observer is told when it can
  /// go on, if `ready_to_write()` was asked.
  virtual Result flush() { return {0, Status::more, {}}; }

  /// How many bytes are taken but not yet handed to the layer below [bytes, encoded]. A read or a peek may change it: an
  /// acknowledgement may have to go out, or may have found room.
  virtual std::size_t unsent() const noexcept { return 0; }

  /// How many of the bytes it took have wholly left it, in their order: none of their encoded form is held any more.
  /// [plain bytes since the transport was made]
  virtual std::uint64_t sent() const noexcept = 0;

  /// Whether it may hold what it took: false means that `unsent()` is always 0 and that `sent()` counts what was taken. The
  /// same for the whole life of the transport.
  virtual bool holds_back() const noexcept { return false; }

  /// More about the last error that a call returned.
  virtual Failure failure() const { return {}; }

  /// What is known of the peer of a secure connection; null while there is nothing to know.
  virtual const Security* security() const noexcept { return nullptr; }
  virtual Progress progress() const noexcept { return Progress::plain; }

  /// What waits unread, without taking it: so the end of an idle connection is seen without a reader.
  virtual Peek peek_end() = 0;

  /// Where the peer's end is all that a read meets: the error that has come behind it, if there is one. If there is none,
  /// the observer is told as soon as there may be one.
  virtual error_code error_behind_end() { return {}; }

  /// Sends the end of our side, behind what was written. `unsent()` may be positive afterwards: then `flush()`.
  virtual error_code shutdown_write() = 0;

  /// Closes in an orderly way; idempotent. No call but the destructor, `native_handle` and the addresses is legal after it.
  virtual void close() noexcept = 0;

  /// Closes so that the peer sees a reset; a transport that cannot do this closes.
  virtual void reset() noexcept = 0;

  /// Whether `reset()` is more than `close()`.
  virtual bool can_reset() const noexcept { return true; }

  /// @name Processes
  /// After fork() two processes have the same connection.
  /// @{
  /// This is the child. The connection is watched again, and is inherited. One that lies over another passes this on.
  virtual error_code after_fork() { return {}; }
  /// Whether the process that made this one may go on with the connection: then only `shutdown_write` and `reset` act on
  /// it, and what is left to ourselves (lingering) does not. Over when this process has sent the end.
  virtual bool is_inherited() const noexcept { return false; }
  /// @}

  /// @name Options of a connection
  /// What does not exist on this kind of transport is ignored.
  /// @{
  virtual void set_no_delay(bool) noexcept {}
  virtual void set_keep_alive(const KeepAlive&) noexcept {}
  virtual void set_type_of_service(int) noexcept {}
  /// What the system says; nothing where it does not know.
  virtual std::optional<int> type_of_service() const noexcept { return std::nullopt; }
  /// @}

  virtual std::optional<SocketAddress> local_address() const = 0;
  virtual std::optional<SocketAddress> remote_address() const = 0;

  /// The descriptor, or -1 if there is none (any more).
  virtual int native_handle() const noexcept { return -1; }

 private:
  static error_code cannot_splice() noexcept {
    return boost::system::errc::make_error_code(boost::system::errc::operation_not_supported);
  }
};

}  // namespace libnet::transport
