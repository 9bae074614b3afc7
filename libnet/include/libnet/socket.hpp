#pragma once

#include <libnet/address.hpp>
#include <libnet/cancel_after.hpp>
#include <libnet/chunk.hpp>
#include <libnet/detail/asio/build_facts.hpp>
#include <libnet/detail/executor_source.hpp>
#include <libnet/detail/initiate.hpp>
#include <libnet/detail/listener_table.hpp>
#include <libnet/detail/receiver.hpp>
#include <libnet/detail/requests.hpp>
#include <libnet/encoding.hpp>
#include <libnet/error.hpp>
#include <libnet/event.hpp>
#include <libnet/event_calls.hpp>
#include <libnet/optional_listener.hpp>
#include <libnet/options.hpp>
#include <libnet/payload.hpp>
#include <libnet/use_awaitable.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace libnet::core {
class Connection;  // not exported
}

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

class Corked;
class Server;

enum class ReadyState : std::uint8_t { opening, open, read_only, write_only, closed };

/// One end of a byte stream: TCP or a Unix-domain socket.
///
/// A cheap handle to shared state: copy it into listeners and coroutines freely. When the last handle goes and nobody
/// listens, what is queued is flushed, the end is sent, and the socket closes; with listeners it lives until 'close'.
/// Every operation comes twice: `verb()` reports by events and an optional callback, `async_verb()` takes any completion
/// token and is awaitable by default. No listener and no handler ever runs inside the call that causes it.
///
/// Thread safety: none; use a socket from its executor only (one io_context per thread, or a strand). Two threads that are
/// found inside one loop at once end the program, in every build; debug builds also trap a call from a wrong thread.
/// A handle may outlive its io_context: its calls are then harmless.
class Socket : public EventCalls<Socket, SocketEvent, SocketTag, SocketEvent::data> {
 public:
  using executor_type = boost::asio::any_io_executor;

  /// @name Making
  /// @{

  /// No socket: every call is harmless, the state reads as closed. An operation started on it never completes: its
  /// handler is destroyed.
  Socket() noexcept = default;

  /// A socket that is not connected yet.
  /// @param executor  An executor of an io_context or a strand of one, of whatever type of Asio's and in any nesting, or
  ///                  anything that has such an executor.
  /// @throws std::invalid_argument for another executor; SystemError for `options.fd` that is no stream socket.
  template <class Executor>
    requires(!std::is_same_v<std::remove_cvref_t<Executor>, Socket> && detail::ExecutorSource<Executor>)
  explicit Socket(Executor&& executor, const SocketOptions& options = {}) : Socket() {
    open(detail::executor_of(executor), options);
  }

  Socket(const Socket& other) noexcept : EventCalls(), connection_(other.connection_) {
    if (connection_ != nullptr) add_handle();
  }
  Socket(Socket&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Socket& operator=(Socket other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
  }
  ~Socket() {
    if (connection_ != nullptr) release_handle();
  }

  /// @}
  /// @name Connecting
  /// @{

  /// Starts to connect. Later comes 'connect', directly followed by 'ready', or 'error' and then 'close'.
  /// @param options     Copied before the call returns.
  /// @param on_connect  Called once, as a listener of 'connect'.
  /// @throws SystemError: Errc::already_connected while connecting or connected, Errc::bad_port, Errc::invalid_address
  ///         (also for a host that contains NUL), Errc::invalid_argument if there is neither port nor path. Failures of the system or of the network are never
  ///         thrown: they are 'error' events.
  /// Source: Node net `socket.connect`.
  Socket& connect(const ConnectOptions& options, OptionalListener<void()> on_connect = {});
  /// The short forms of Node: `connect(port, f)`, `connect(path, f)`; and an address, as `Server::address` gives it. A path
  /// that is a whole decimal number is a port.
  Socket& connect(const ConnectTarget& where, OptionalListener<void()> on_connect = {});
  Socket& connect(int port, std::string_view host, OptionalListener<void()> on_connect = {});

  /// Connects. The socket is half-open afterwards unless its options say otherwise.
  ///
  /// @param options  Copied when called.
  /// @param token    Completion token; signature void(error_code).
  /// Errors: what `connect` throws, system errors of connect(2), Asio's resolver errors, Errc::timed_out.
  /// Cancellation: any type ends the connection, with operation_aborted.
  /// Source: RFC 9293 section 3.10.1.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_connect(const ConnectOptions& options, Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::connect, &Socket::start_connect>(
        *this, token, detail::ConnectRequest(options));
  }

  /// For the free function: completes with (error_code, Socket).
  template <class Token>
  [[nodiscard]] auto async_connect_made(const ConnectOptions& options, Token& token) {
    return detail::initiate_made<detail::VoidOperation, Kind::connect, &Socket::start_connect>(
        *this, token, detail::ConnectRequest(options));
  }

  /// @}
  /// @name Reading
  /// @{

  /// Reads what has arrived, at least one byte and at most one block (64 KiB).
  ///
  /// Completes when bytes arrived, the peer ended (an empty chunk, every time it is asked), the operation was cancelled, or
  /// the connection failed. Reads also while the flow of events is paused.
  /// @param token  Completion token; signature void(error_code, Chunk).
  /// @return       The chunk [bytes], valid until the next read on this socket starts or its last handle goes.
  /// @throws       nothing from the call; co_await with the default token throws SystemError.
  /// Errors: Errc::busy (another read or a 'data' listener is active), Errc::destroyed, Errc::closed, errors of recv(2). The
  /// first operation after an error that nobody received gets that error.
  /// Cancellation: total. No byte is lost: what had arrived is delivered by the next read.
  /// Allocation: none in steady state.
  /// Source: Node net 'data'; RFC 9293 section 3.10.3.
  template <detail::TokenFor<void(error_code, Chunk)> Token = use_awaitable_t>
  [[nodiscard]] auto async_read(Token&& token = {}) {
    return detail::initiate<detail::ReadOperation, Kind::read, &Socket::start_read>(*this, token);
  }

  /// Reads into the caller's buffers, at least one byte: Asio's AsyncReadStream.
  ///
  /// @param buffers  Memory stays the caller's and must live until the completion; empty buffers complete with 0.
  /// @param token    Completion token; signature void(error_code, std::size_t) [bytes].
  /// Errors: boost::asio::error::eof after the peer's end; else as `async_read`.
  /// Cancellation: total. No byte is lost.
  template <class MutableBufferSequence, detail::TokenFor<void(error_code, std::size_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_read_some(const MutableBufferSequence& buffers, Token&& token = {}) {
    return detail::initiate<detail::ReadSomeOperation, Kind::read_some, &Socket::start_read_some>(
        *this, token, detail::ReadBuffers::from(buffers, SIZE_MAX));
  }

  /// Stops 'data' and 'end' until `resume()`. Unread bytes stay in the kernel and hold the peer back.
  Socket& pause();
  /// Lets the flow go on. If nobody consumes, what arrives on this connection is discarded, as in Node.
  Socket& resume();
  [[nodiscard]] bool is_paused() const noexcept;
  /// Puts bytes back: the next read or 'data' gets them first. The bytes are copied.
  void unshift(std::span<const std::byte> bytes);
  void unshift(std::string_view text) { unshift(std::as_bytes(std::span(text))); }

  /// From now on 'data' and `async_read` give text, in UTF-8, that the received bytes stand for; Encoding::bytes goes back.
  ///
  /// What is no whole character or group yet is held for the next chunk; at the end of the input, also of a connection that
  /// fails, it is delivered as U+FFFD, or as the last group of base64. A piece that decodes to nothing is not delivered.
  /// With another encoding, held bytes are decoded by that; Encoding::bytes, and what `async_read_some`, `on_read` and
  /// `pipe` read next, which is the bytes themselves, begin with them. Bytes that are put back come again as they are. `bytes_read()` counts bytes.
  /// Legal in every state; a socket that connects again keeps its encoding.
  /// Allocation: none per message.
  /// Source: Node stream `readable.setEncoding`.
  Socket& set_encoding(Encoding encoding);

  /// Receives into the caller's memory, in place of 'data' events; 'end' and all others come as ever.
  ///
  /// @param buffer  Where bytes are put, from its beginning, for each read: a std::span<std::byte> or an
  ///                asio::mutable_buffer. Stays the caller's, and must live until the listener is removed or 'close' came.
  /// @param f       Called after each read with (nread [bytes], buffer as std::span<std::byte>). Returns nothing, or a
  ///                bool: false stops the reading, as `pause()` does, until `resume()`.
  /// @return        Names the listener for `off`. A further call of `on_read` takes the place of the first.
  /// @throws SystemError: Errc::busy while a read waits or with 'data' listeners; Errc::invalid_argument for an empty
  ///         buffer.
  /// Allocation: none per message.
  /// Source: Node net `new net.Socket({ onread })`.
  template <detail::Memory M, detail::ReceiverFunction F>
  ListenerId on_read(M&& buffer, F&& f) {
    const std::span<std::byte> memory = detail::as_memory(std::forward<M>(buffer));
    return start_receiving(receiver([memory] { return memory; }, std::forward<F>(f)), false);
  }
  /// The same with a buffer for each read: the factory is called once in this call, and once after each read. An empty
  /// buffer means that there is none now: the reading stops, and `resume()` lets the factory be asked again.
  template <detail::MemoryFactory Factory, detail::ReceiverFunction F>
  ListenerId on_read(Factory&& buffer_factory, F&& f) {
    return start_receiving(receiver(std::forward<Factory>(buffer_factory), std::forward<F>(f)), true);
  }

  /// @}
  /// @name Writing
  /// @{

  /// Queues data; all that is queued in one turn of the loop leaves in one gathered write.
  ///
  /// @param data        Views are copied before the call returns, strings and vectors adopted, Bytes shared.
  /// @param on_written  Called once when the last byte is in the kernel, or with the error: (error_code, std::size_t),
  ///                    (error_code) or ().
  /// @return false if the queue is at or above the high-water mark after it: wait for 'drain' before writing more. The write
  ///         that reaches the mark is offered to the kernel in the call, unless the socket is corked or the kernel full.
  /// Errors: Errc::write_after_end, EPIPE (both sides ended), Errc::overflow, Errc::destroyed, Errc::closed, system errors.
  /// On a socket that was never connected: Errc::closed, which also ends it with 'error' and 'close'.
  /// Source: Node net `socket.write`.
  bool write(Payload data);
  template <detail::CallbackFor<std::size_t> F>
  bool write(Payload data, F&& on_written) {
    return start_callback_write(detail::make_callback<detail::WriteOperation>(executor(), std::forward<F>(on_written)),
                                std::move(data));
  }

  /// The same for the bytes that `text` stands for; see Encoding.
  /// @throws SystemError Errc::invalid_argument for text that is not hex or base64; nothing is sent then.
  bool write(std::string_view text, Encoding encoding) { return write(Payload(text, encoding)); }
  template <detail::CallbackFor<std::size_t> F>
  bool write(std::string_view text, Encoding encoding, F&& on_written) {
    return write(Payload(text, encoding), std::forward<F>(on_written));
  }

  /// Writes and completes when the last byte is in the kernel.
  ///
  /// @param data   Views are borrowed until the completion, strings and vectors adopted, Bytes shared.
  /// @param token  Completion token; signature void(error_code, std::size_t) [bytes that reached the kernel].
  /// Errors: as `write`.
  /// Cancellation: a write that has not started is taken out of the queue and the stream stays usable (total, partial,
  /// terminal). Of a partly sent write `total` is ignored, `partial` and `terminal` fail the connection.
  /// Allocation: none in steady state.
  template <detail::TokenFor<void(error_code, std::size_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_write(Payload data, Token&& token = {}) {
    return detail::initiate<detail::WriteOperation, Kind::write, &Socket::start_write>(*this, token, std::move(data));
  }
  /// The same for the bytes that `text` stands for; the count is that of the bytes. The text is borrowed as a view is.
  /// Errors: also Errc::invalid_argument for text that is not hex or base64; nothing is sent then.
  template <detail::TokenFor<void(error_code, std::size_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_write(std::string_view text, Encoding encoding, Token&& token = {}) {
    return async_write(Payload(text, encoding), std::forward<Token>(token));
  }

  /// Writes from the caller's buffers, at most 64 KiB: Asio's AsyncWriteStream.
  ///
  /// @param buffers  Memory stays the caller's and must live until the completion.
  /// @param token    Completion token; signature void(error_code, std::size_t) [bytes that reached the kernel].
  /// Errors and cancellation: as `async_write`.
  template <class ConstBufferSequence, detail::TokenFor<void(error_code, std::size_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_write_some(const ConstBufferSequence& buffers, Token&& token = {}) {
    return detail::initiate<detail::WriteOperation, Kind::write, &Socket::start_write_some>(
        *this, token, detail::WriteBuffers::from(buffers, 64 * 1024));
  }

  /// Completes when there is room: at once if no drain is needed, else with the next 'drain'; after `end()` when all is
  /// flushed. Signature void(error_code). Cancelling only stops the waiting.
  /// Errors: Errc::destroyed, Errc::closed, the connection's error, operation_aborted at `destroy()`.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_drain(Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::drain, &Socket::start_drain>(*this, token);
  }

  /// Holds writes back until `uncork()` or `end()`. Nests.
  void cork();
  void uncork();
  /// Corks until the end of the scope.
  [[nodiscard]] Corked corked();

  /// @}
  /// @name Piping
  /// @{

  /// Passes all that arrives here on to `destination`, and the end as well: what `on(data)`, `write`, `pause`, `resume` and
  /// `end` would do, with nothing in between. It reads when the destination has nothing queued, so memory is bounded by
  /// one block. Between two sockets of the system a bulk stream moves inside the kernel, without being copied (splice).
  ///
  /// Takes the place of other readers, and lets a paused flow go on; bytes that were put back come first, and an encoding
  /// does not apply. Several sockets may pipe into one, and one may write to it beside them. Errors stay with
  /// their socket: what becomes of the other one is yours to decide.
  /// @param destination  Lives as long as the pipe. It may be this socket: an echo. It needs the same executor.
  /// @param on_piped     Called once when the source has ended and all has left the destination, or with the error that
  ///                     ended the pipe: (error_code, std::uint64_t [bytes]), (error_code) or ().
  /// @return The destination, to be piped on.
  /// @throws SystemError: Errc::busy if there is another reader or a 'data' listener; Errc::invalid_argument if the
  ///         destination has another executor.
  /// Errors: as `async_pipe`.
  /// Source: Node stream `readable.pipe`.
  Socket pipe(const Socket& destination, const PipeOptions& options = {});
  template <detail::CallbackFor<std::uint64_t> F>
  Socket pipe(const Socket& destination, const PipeOptions& options, F&& on_piped) {
    start_callback_pipe(detail::make_callback<detail::PipeOperation>(executor(), std::forward<F>(on_piped), Kind::pipe),
                        destination, options);
    return destination;
  }
  template <detail::CallbackFor<std::uint64_t> F>
  Socket pipe(const Socket& destination, F&& on_piped) {
    return pipe(destination, PipeOptions(), std::forward<F>(on_piped));
  }
  /// Ends the pipe from here, if there is one, with operation_aborted. What was read leaves the destination all the same.
  Socket& unpipe();

  /// The same, awaited: completes when the source has ended and all has left the destination.
  ///
  /// @param options  Copied when called.
  /// @param token    Completion token; signature void(error_code, std::uint64_t) [bytes read and passed on].
  /// Errors: Errc::busy, Errc::invalid_argument, Errc::destroyed, Errc::closed, the error that ended the source or the
  ///         destination, operation_aborted if one of them is destroyed, Errc::write_after_end and EPIPE if the destination
  ///         was ended meanwhile.
  /// Cancellation: total. No byte is lost: what was read is in the destination, the rest is for the next reader.
  /// Allocation: none for what leaves at once; else one for the rest of a block.
  template <detail::TokenFor<void(error_code, std::uint64_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_pipe(const Socket& destination, const PipeOptions& options, Token&& token = {}) {
    return detail::initiate<detail::PipeOperation, Kind::pipe, &Socket::start_pipe>(*this, token, destination,
                                                                                    PipeOptions(options));
  }
  template <detail::TokenFor<void(error_code, std::uint64_t)> Token = use_awaitable_t>
    requires(!std::is_convertible_v<Token, PipeOptions>)
  [[nodiscard]] auto async_pipe(const Socket& destination, Token&& token = {}) {
    return async_pipe(destination, PipeOptions(), std::forward<Token>(token));
  }

  /// @}
  /// @name Ending
  /// @{

  /// Writes `data`, flushes, and sends the end of our side. Reading goes on. Legal in every state; of several calls the
  /// first one ends.
  /// @param data       Views are copied before the call returns, strings and vectors adopted, Bytes shared.
  /// @param on_finish  Called once, just before 'finish', or with the error: (error_code) or ().
  Socket& end(Payload data = {});
  template <detail::CallbackFor<> F>
  Socket& end(Payload data, F&& on_finish) {
    start_end(detail::make_callback<detail::VoidOperation>(executor(), std::forward<F>(on_finish), Kind::end),
              std::move(data));
    return *this;
  }
  template <detail::CallbackFor<> F>
    requires(!std::is_convertible_v<F, Payload>)
  Socket& end(F&& on_finish) {
    return end(Payload(), std::forward<F>(on_finish));
  }
  /// With the bytes that `text` stands for; see Encoding.
  /// @throws SystemError Errc::invalid_argument for text that is not hex or base64; nothing is sent or ended then.
  Socket& end(std::string_view text, Encoding encoding) { return end(Payload(text, encoding)); }
  template <detail::CallbackFor<> F>
  Socket& end(std::string_view text, Encoding encoding, F&& on_finish) {
    return end(Payload(text, encoding), std::forward<F>(on_finish));
  }

  /// The same, awaited: completes when everything is flushed and the end is sent; at once if it was.
  /// Signature void(error_code). Cancelling only stops the waiting. Views in `data` are copied when it starts.
  /// Errors: Errc::destroyed, the connection's error, operation_aborted at `destroy()`.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_end(Payload data, Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::end, &Socket::start_end>(*this, token, std::move(data));
  }
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
    requires(!std::is_convertible_v<Token, Payload>)
  [[nodiscard]] auto async_end(Token&& token = {}) {
    return async_end(Payload(), std::forward<Token>(token));
  }
  /// With the bytes that `text` stands for. Errors: also Errc::invalid_argument for text that is not hex or base64;
  /// nothing is sent or ended then.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_end(std::string_view text, Encoding encoding, Token&& token = {}) {
    return async_end(Payload(text, encoding), std::forward<Token>(token));
  }

  /// Closes at once. What was written is offered to the kernel once, and succeeds if that takes it; the rest is dropped, as
  /// are corked bytes. What waits gets operation_aborted, 'close' follows. Harmless when repeated. A destroyed socket may
  /// connect again after 'close'.
  Socket& destroy();
  /// The same with an error of your own: 'error' with it, then 'close'(true).
  Socket& destroy(const Error& error);
  /// Ends, flushes, lets the peer read what was sent (discarding its input within the linger bounds), then closes.
  /// A waiting read gets operation_aborted. If what is queued cannot be sent in time, 'error' is Errc::timed_out.
  void destroy_soon();
  /// As `destroy()`, but the peer gets ECONNRESET behind what was sent. While connecting, waits for the connection first. On a socket that never
  /// connected: 'error' Errc::closed, then 'close'.
  /// @throws SystemError Errc::invalid_handle on a Unix-domain socket.
  Socket& reset();

  /// As `destroy_soon()`; completes after 'close', at once on a closed socket. Signature void(error_code).
  /// Errors: the connection's, if it fails meanwhile; operation_aborted at `destroy()`.
  /// Cancellation: only stops the waiting; the socket closes all the same.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_close(Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::close, &Socket::start_close>(*this, token);
  }

  /// @}
  /// @name Events
  /// @{

  /// `on`, `once`, `prepend`, `off`, `scoped`, `listener_count`, `remove_all` and `async_wait`: see EventCalls.

  /// @}
  /// @name Time and options
  /// @{

  /// After this long without traffic 'timeout' fires and nothing else happens. It fires again only after more traffic.
  /// @param duration    [ms], at least, from now on; 0 cancels, and forgets the listeners that earlier calls brought; after
  ///                    the longest duration it never fires.
  /// @param on_timeout  Called once, as a listener of 'timeout'.
  /// @throws SystemError Errc::out_of_range for a negative duration.
  Socket& set_timeout(Milliseconds duration, OptionalListener<void()> on_timeout = {});
  [[nodiscard]] std::chrono::milliseconds timeout() const noexcept;

  /// TCP_NODELAY. Set before the connection exists it is kept and applied once. Ignored by Unix-domain sockets.
  Socket& set_no_delay(bool enable = true);
  /// TCP keep-alive, with the kernel's values where none is given; repeating what is set makes no system call.
  /// @throws SystemError Errc::out_of_range for a negative interval or count.
  Socket& set_keep_alive(const KeepAlive& keep_alive);
  Socket& set_keep_alive(bool enable = false, std::chrono::milliseconds initial_delay = {}) {
    return set_keep_alive({.enable = enable, .initial_delay = initial_delay});
  }
  /// IP_TOS, and IPV6_TCLASS where the connection is IPv6. Set before the connection exists it is kept and applied once;
  /// of a TCP connection the kernel keeps the lowest two bits, ECN, to itself. Ignored by Unix-domain sockets.
  /// @throws SystemError Errc::out_of_range outside 0..255.
  /// Source: Node net `socket.setTypeOfService`; RFC 2474.
  Socket& set_type_of_service(int type_of_service);
  /// What the kernel says; what was set, or 0, where there is no connection to ask.
  [[nodiscard]] int type_of_service() const noexcept;
  /// Whether an open connection keeps `run()` from returning (it does by default).
  Socket& ref();
  Socket& unref();

  /// @}
  /// @name State
  /// @{

  [[nodiscard]] executor_type get_executor() const noexcept;
  [[nodiscard]] bool connecting() const noexcept;
  /// From 'connect' until the connection is over, whatever its sides have ended.
  [[nodiscard]] bool connected() const noexcept;
  /// Not connected: before connect, while connecting, and again after the close.
  [[nodiscard]] bool pending() const noexcept;
  [[nodiscard]] ReadyState ready_state() const noexcept;
  /// The peer's end was not told yet, be it by a read or by 'end', and the connection is not over.
  [[nodiscard]] bool readable() const noexcept;
  /// `end()` was not called, and the connection has not failed. True for a socket that is not connected yet.
  [[nodiscard]] bool writable() const noexcept;
  /// The connection is over, for whatever reason; 'close' was delivered or will be.
  [[nodiscard]] bool destroyed() const noexcept;
  [[nodiscard]] bool allow_half_open() const noexcept;
  /// [bytes] of this connection.
  [[nodiscard]] std::uint64_t bytes_read() const noexcept;
  /// [bytes] of this connection, those included that are queued, and those that were cancelled or dropped.
  [[nodiscard]] std::uint64_t bytes_written() const noexcept;
  /// [bytes] queued in user space only.
  [[nodiscard]] std::size_t buffered() const noexcept;
  [[nodiscard]] std::size_t high_water_mark() const noexcept;
  /// A `write()` returned false, and 'drain' is still to come.
  [[nodiscard]] bool need_drain() const noexcept;
  /// Addresses stay available until the socket connects again; nothing on Unix-domain sockets.
  [[nodiscard]] std::optional<SocketAddress> local_address() const;
  [[nodiscard]] std::optional<SocketAddress> remote_address() const;
  [[nodiscard]] std::optional<SocketAddress> address() const { return local_address(); }
  /// What `connect` tried, in order, each as "address:port"; empty if no choice of addresses was wanted.
  /// Source: Node net `socket.autoSelectFamilyAttemptedAddresses`.
  [[nodiscard]] std::vector<std::string> attempted_addresses() const;
  /// The server that accepted this socket; nothing if there was none or it is gone.
  [[nodiscard]] std::optional<Server> server() const;
  /// The error that ended the connection, with its whole detail; none if there was none. A new `connect` clears it.
  [[nodiscard]] Error error() const;
  /// The descriptor, or -1. It stays the socket's.
  [[nodiscard]] int native_handle() const noexcept;
  /// A number for logs, unique in the process.
  [[nodiscard]] std::uint64_t id() const noexcept;

  friend bool operator==(const Socket& left, const Socket& right) noexcept {
    return left.connection_ == right.connection_;
  }

  /// @}

 private:
  friend class core::Connection;
  friend class Corked;
  friend EventCalls;
  template <class, class, detail::Operation::Kind, auto>
  friend class detail::Initiation;

  using Kind = detail::Operation::Kind;

  explicit Socket(core::Connection& connection) noexcept;
  void add_handle() const noexcept;
  void release_handle() const noexcept;
  const executor_type& executor() const noexcept;
  /// Whether these coroutines are the handler that `serve` runs for this connection: they run on its executor.
  bool served_by(detail::ChainId coroutines) const noexcept;
  void open(const executor_type& executor, const SocketOptions& options);

  template <class Factory, class F>
  static std::unique_ptr<detail::Callable> receiver(Factory&& factory, F&& function) {
    return std::make_unique<detail::Receiver<std::decay_t<Factory>, std::decay_t<F>>>(std::forward<Factory>(factory),
                                                                                      std::forward<F>(function));
  }

  void start_connect(detail::VoidOperation& operation, const detail::ConnectRequest& request);
  void start_read(detail::ReadOperation& operation);
  void start_read_some(detail::ReadSomeOperation& operation, const detail::ReadBuffers& buffers);
  void start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options);
  void start_callback_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options);
  void start_write(detail::WriteOperation& operation, Payload data);
  void start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers);
  bool start_callback_write(detail::WriteOperation& operation, Payload data);
  void start_drain(detail::VoidOperation& operation);
  void start_end(detail::VoidOperation& operation, Payload data);
  void start_close(detail::VoidOperation& operation);
  void start_wait(detail::EventOperation& operation, SocketEvent event);

  ListenerId start_receiving(std::unique_ptr<detail::Callable> receiver, bool may_lack_memory);
  ListenerId add_listener(SocketEvent event, std::unique_ptr<detail::Callable> listener,
                          detail::ListenerTable::Place place, bool once);
  bool remove_listener(ListenerId id);
  std::size_t count_listeners(SocketEvent event) const noexcept;
  void remove_listeners(SocketEvent event);
  Error describe(const error_code& code, Kind kind) const;

  core::Connection* connection_ = nullptr;
};

/// Holds a socket's writes back until the end of its scope; see Socket::corked.
class Corked {
 public:
  explicit Corked(Socket socket) : socket_(std::move(socket)) { socket_.cork(); }
  Corked(const Corked&) = delete;
  Corked& operator=(const Corked&) = delete;
  ~Corked() { socket_.uncork(); }

 private:
  Socket socket_;
};

inline Corked Socket::corked() { return Corked(*this); }

}  // namespace libnet

#pragma GCC visibility pop
