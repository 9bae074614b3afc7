#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/block_pool.hpp"
#include "core/connector.hpp"
#include "core/event_source.hpp"
#include "core/kept_error.hpp"
#include "core/write_queue.hpp"
#include "libnet/bound_socket.hpp"
#include "libnet/detail/listener_table.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/socket.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

class ListenSession;
struct InputFilter;

/// The state of one socket: opens, flows, ends, fails and closes. docs/design/0003 draws it.
///
/// Every call only changes the state and marks what is due; what is due is delivered by `run_task`, one step of the loop,
/// in a fixed order. So nothing ever runs inside the call that caused it, and both styles see the same sequence.
class Connection final : public EventSource,
                         public detail::ListNode<Connection>,  // of its server's connections
                         private transport::Transport::Observer,
                         private Connector::Client {
 public:
  /// How far the connection is. A closed connection may connect again.
  enum class Phase : std::uint8_t {
    fresh,       ///< never connected
    connecting,  ///< a connector runs
    open,        ///< a transport moves bytes
    failing,     ///< an error is certain; what can still be read is delivered before it
    closing,     ///< the transport is closed; 'error' and 'close' are due
    closed,      ///< 'close' was delivered
  };
  enum class ReadSide : std::uint8_t { open, ending /* 'end' is due */, ended };
  enum class WriteSide : std::uint8_t {
    open,
    aborted /* cut with bytes unsent: the peer gets a reset, not an end */,
    ending,
    shut /* the end is encoded */,
    flushed /* 'finish' is due */,
    finished
  };
  enum class Flow : std::uint8_t { automatic, paused, discarding /* resume() with nobody consuming */, lingering };

  Connection(std::shared_ptr<reactor::Loop> loop, const SocketOptions& options);
  /// The sockets that one server accepts share its options.
  Connection(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<const SocketOptions> options);

  /// @name Handles
  /// @{
  static Connection& of(const Socket& socket) { return *socket.connection_; }
  Socket handle() { return Socket(*this); }
  /// @}

  /// Takes over a transport that is connected.
  void adopt(std::unique_ptr<transport::Transport> transport);
  /// Takes over an accepted transport: counted by `session` until it closes.
  void adopt_accepted(std::unique_ptr<transport::Transport> transport, std::shared_ptr<ListenSession> session,
                      bool half_open_by_default);
  const std::shared_ptr<ListenSession>& session() const noexcept { return session_; }
  /// The coroutines of `serve` that handle this connection, if there are any: they run on its executor.
  detail::ChainId served_by() const noexcept { return served_by_.load(std::memory_order_relaxed); }
  void set_served_by(detail::ChainId coroutines) noexcept { served_by_.store(coroutines, std::memory_order_relaxed); }

  /// @name Connecting
  /// @{
  /// The next connect() uses this socket.
  void connect_from(const BoundSocket& source) { source_ = std::make_unique<BoundSocket>(source); }
  void connect(detail::ConnectRequest request, bool half_open_by_default);
  void start_connect(detail::VoidOperation& operation, const detail::ConnectRequest& request);
  /// @}

  /// @name Reading
  /// @{
  void start_read(detail::ReadOperation& operation);
  void start_read_some(detail::ReadSomeOperation& operation);
  void pause();
  void resume();
  void unshift(std::span<const std::byte> bytes);
  void set_encoding(Encoding encoding);
  ListenerId start_receiving(std::unique_ptr<detail::Callable> receiver, bool may_lack_memory);
  /// @}

  /// @name Piping
  /// @{
  /// Why a pipe to the destination cannot start now, for reasons that the caller could have checked.
  error_code refuse_pipe(const Socket& destination) const;
  void start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options);
  void unpipe();
  bool reads_for(const detail::PipeOperation& operation) const noexcept { return reader_ == &operation; }
  /// The destination of the pipe that reads here has room.
  void go_on_piping() { mark(due_input); }
  /// The code comes by value: it may be that of the pipe, which ends here.
  void finish_pipe(detail::PipeOperation& operation, error_code code);
  /// @}

  /// @name The destination of pipes
  /// @{
  /// A pipe that waits here is told when nothing is queued, if it wants to know, and when the socket dies.
  void watch_room(detail::Pipe& pipe);
  void take_over(std::span<const std::byte> bytes);
  void take_over(std::shared_ptr<transport::KernelPipe> pipe);
  bool can_splice() const noexcept { return transport_ && transport_->can_splice(); }
  /// Why nothing can be written now; no error if it can.
  error_code refusal() const noexcept;
  /// @}

  /// @name Writing
  /// @{
  enum class Views : std::uint8_t { copied, borrowed };
  bool write(Payload&& data, detail::WriteOperation* operation, Views views);
  void start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers);
  void start_drain(detail::VoidOperation& operation);
  void cork() noexcept { ++corks_; }
  void uncork();
  /// @}

  /// @name Ending
  /// @{
  /// Views in `data` are copied: cancelling the operation only stops the waiting.
  void end(Payload&& data, detail::VoidOperation* operation);
  void destroy(const Error& error);
  void destroy_soon();
  void reset();
  void start_close(detail::VoidOperation& operation);
  /// Ends the connection with an error; bytes that can still be read come first.
  void fail(const Error& error);
  /// Contract 10: what a listener threw costs this socket, and nothing else.
  void listener_threw(std::exception_ptr exception) override;
  /// A `serve` handler ended with an exception.
  void handler_failed(const std::exception_ptr& exception);
  /// @}

  /// @name Events
  /// @{
  ListenerId add_listener(SocketEvent event, std::unique_ptr<detail::Callable> listener,
                          detail::ListenerTable::Place place, bool once);
  void start_wait(detail::EventOperation& operation, SocketEvent event);
  /// @}

  /// @name Time and options
  /// @{
  void set_timeout(std::chrono::milliseconds duration);
  void remember_timeout_listener(ListenerId id);
  std::chrono::milliseconds timeout() const noexcept;
  void set_no_delay(bool enable);
  void set_keep_alive(const KeepAlive& keep_alive);
  void set_type_of_service(int value);
  int type_of_service() const noexcept;
  /// @}

  /// @name State
  /// @{
  Phase phase() const noexcept { return phase_; }
  ReadyState ready_state() const noexcept;
  bool connecting() const noexcept { return phase_ == Phase::connecting; }
  bool readable() const noexcept;
  bool writable() const noexcept;
  bool destroyed() const noexcept { return phase_ == Phase::closing || phase_ == Phase::closed; }
  bool connected() const noexcept { return phase_ == Phase::open || phase_ == Phase::failing; }
  bool paused() const noexcept { return flow_ == Flow::paused; }
  bool half_open() const noexcept { return half_open_; }
  bool need_drain() const noexcept { return need_drain_; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_written() const noexcept { return queue_.appended(); }
  /// Queued, wherever the bytes are.
  std::size_t buffered() const noexcept { return queue_.size() + unsent(); }
  std::size_t buffered_in_user_space() const noexcept {
    const transport::KernelPipe* const pipe = queue_.front_pipe();  // one stands in front of all else
    return buffered() - (pipe != nullptr ? pipe->size() : 0);
  }
  const SocketOptions& options() const noexcept { return *options_; }
  std::optional<SocketAddress> local_address() const;
  std::optional<SocketAddress> remote_address() const;
  std::vector<std::string> attempted_addresses() const;
  Error error() const { return error_.get(); }
  Error describe(const error_code& code, Operation::Kind kind) const;
  /// An error of this connection, with its addresses.
  Error failure(const error_code& code, const char* operation, std::string_view text = {}) const;
  int native_handle() const noexcept {
    return transport_ ? transport_->native_handle() : source_ ? source_->native_handle() : -1;
  }
  std::uint64_t id() const noexcept { return id_; }
  /// How the log calls this socket.
  std::string log_name() const;
  /// @}

 private:
  class IdleTimer;
  class LingerTimer;

  /// What setters put in place of the options.
  struct Changed {
    std::optional<KeepAlive> keep_alive;
    std::optional<int> type_of_service;
  };

  /// What the next step delivers. The order of delivery is that of `deliver_next`.
  enum Due : std::uint8_t {
    due_connect = 1 << 0,
    due_drain = 1 << 1,
    due_timeout = 1 << 2,
    due_auto_end = 1 << 3,  // one turn after 'end'
    due_input = 1 << 4,
    due_error = 1 << 5,
    due_close = 1 << 6,
    due_flush = 1 << 7,
  };

  ~Connection() override;

  /// The kind of listener that `on_read` adds; no event.
  static constexpr std::uint8_t receiving = detail::ListenerTable::kinds - 1;

  static std::uint8_t index(SocketEvent event) noexcept { return static_cast<std::uint8_t>(event); }

  // connection.cpp
  void step() override;
  void after_step() override;
  bool anything_due() const noexcept override { return due_ != 0 || connector_has_news(); }
  bool connector_has_news() const noexcept { return connector_ && connector_->has_news(); }
  bool at_rest() const noexcept override { return phase_ == Phase::fresh || phase_ == Phase::closed; }
  bool counts_as_work() const noexcept override;
  void abandon() noexcept override;
  void on_transport_ready() override { mark(due_input); }
  void cancel(Operation& operation, asio::cancellation_type type, error_code reason) override;
  void mark(int due);
  bool take(Due due) noexcept {
    if ((due_ & due) == 0) return false;
    due_ = static_cast<std::uint8_t>(due_ & ~due);
    return true;
  }
  /// Whether `deliver_next` is worth asking: most steps only move bytes.
  bool may_deliver() const noexcept {
    constexpr int events = due_connect | due_drain | due_timeout | due_error | due_close;
    return (due_ & events) != 0 || !completed_.empty() || write_side_ == WriteSide::flushed ||
           read_side_ == ReadSide::ending || connector_has_news();
  }
  void deliver_all() {
    if (may_deliver()) deliver_due();
  }
  void deliver_due();
  bool deliver_next();
  void deliver_connect();
  void deliver_error();
  void deliver_close();
  template <class... Arguments>
  void emit(SocketEvent event, const Arguments&... arguments) {
    EventSource::emit(index(event), arguments...);
  }
  bool finish_waiters(const error_code& result);
  bool somebody_waits_for_error();
  static bool is_heard(const Operation& operation) noexcept {
    return operation.kind != Operation::Kind::pipe || static_cast<const detail::PipeOperation&>(operation).is_heard;
  }
  error_code dead_code() const noexcept;

  // connection_open.cpp
  void choose_source(detail::ConnectRequest& request);
  void check_connectable(const detail::ConnectRequest& request) const;
  void on_connector_news() override { wake(); }
  void deliver_connector_news();
  void tell(const LookupResult& result);
  void tell(const Connector::AttemptStarted& attempt);
  void tell(const Connector::AttemptFailed& attempt);
  void tell(const Connector::AttemptTimedOut& attempt);
  void tell(Connector::Connected& transport);
  void tell(const Error& failure);
  void opened(std::unique_ptr<transport::Transport> transport);
  void apply_options();
  Changed& changed();
  KeepAlive current_keep_alive() const noexcept;
  std::optional<int> wanted_type_of_service() const noexcept;
  void apply_keep_alive() noexcept;
  void apply_type_of_service() noexcept;
  void set_option(int level, int name, int value) noexcept;

  // connection_input.cpp
  bool listeners_consume() const noexcept;
  bool accept_reader(Operation& operation);
  bool may_still_read() const noexcept;
  error_code nothing_to_read() const noexcept;
  void begin_reading(Operation& operation);
  void handle_input();
  void read_once();
  transport::Result read_into(std::span<std::byte> memory);
  transport::Result read_piece(Block& block);
  void read_for_operation(detail::ReadOperation& operation);
  void read_for_operation(detail::ReadSomeOperation& operation);
  void read_for_listeners();
  void reader_at_end(Operation& operation);
  void deliver_pushed_back();
  std::size_t take_pushed_back(std::span<std::byte> into);
  void discard_input();
  bool may_have_input();
  void watch_input();
  void count_input(std::size_t bytes) noexcept;
  void after_read(const transport::Result& result);
  void input_ended();
  void input_failed(const error_code& code);
  void fail_reading(const error_code& code);
  void complete_reader(const error_code& code);
  bool end_may_be_told() const noexcept;
  bool somebody_hears_the_end();
  void deliver_end();

  // connection_intake.cpp
  InputFilter& filter();
  bool decodes() const noexcept;
  void put_behind(std::span<const std::byte> bytes);
  void release_held();
  bool flush_held();
  transport::Result read_text(Block& text);
  void read_for_receiver();
  void tell_receiver(std::size_t bytes);

  // connection_pipe.cpp
  void read_for_pipe(detail::PipeOperation& operation);
  transport::Result pass_on(detail::Pipe& pipe);
  transport::Result pass_on_uncopied(detail::Pipe& pipe);
  void watch_unread();
  void end_pipe(detail::PipeOperation& operation);
  void finish_ended_pipes(const error_code& code);
  void tell_room();
  bool break_pipes();

  // connection_output.cpp
  void refuse_invalid(Operation* operation, const char* verb);
  bool accepts_writes() const noexcept {
    return (phase_ == Phase::open || phase_ == Phase::connecting) && write_side_ == WriteSide::open;
  }
  /// What a pipe of the kernel holds is no memory, and nobody's write.
  bool full() const noexcept {
    return buffered() >= *options_->max_buffered && buffered_in_user_space() >= *options_->max_buffered;
  }
  void refused(detail::WriteOperation* operation);
  void overflow(Operation* operation);
  bool refuse_write(const Payload& data, detail::WriteOperation* operation);
  void append(Payload&& data, Views views);
  bool may_write_through() const;
  void write_through(std::span<const std::byte> bytes, detail::WriteOperation* operation);
  void wait_for_bytes(detail::WriteOperation& operation, std::uint64_t begin);
  bool queued();
  void send_soon();
  bool can_send() const noexcept;
  /// No write waits for the flush of this step: later ones join the first, whatever their size.
  bool first_of_step() const noexcept { return (due_ & due_flush) == 0; }
  std::size_t unsent() const noexcept { return holds_back_ && connected() ? transport_->unsent() : 0; }
  void flush();
  bool flush_some();
  transport::Result write_front();
  bool took(const transport::Result& result);
  void moved_output();
  void output_failed(const error_code& code);
  bool sent(const detail::WriteOperation& operation) const noexcept;
  void complete_writes();
  void note_room();
  void deliver_drain();
  void send_end();
  void end_failed(const error_code& code);
  void end_sent();
  void finish_unconnected_end();
  void deliver_finish();
  bool fail_writes(const error_code& code);
  void cancel_write(detail::WriteOperation& operation, asio::cancellation_type type, const error_code& reason);

  // connection_end.cpp
  void fail_now(const Error& error);
  void tell_no_more();
  void linger();
  void close_if_done();
  void decide_closers(const error_code& result);
  void enter_closing();
  void start_linger_timer();
  void linger_time_is_up();
  void touch() {
    if (idle_timer_) note_activity();
  }
  void note_activity();
  void idle_time_is_up();

  std::unique_ptr<transport::Transport> transport_;
  WriteQueue queue_;
  Operation* reader_ = nullptr;
  Block lease_;  // what the last async_read gave
  std::unique_ptr<std::string> pushed_back_;
  std::unique_ptr<InputFilter> filter_;  // of a socket with an encoding or a receiver
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<BoundSocket> source_;  // what it connects from, or did: its file lasts as long
  std::unique_ptr<IdleTimer> idle_timer_;
  std::unique_ptr<LingerTimer> linger_timer_;
  std::shared_ptr<ListenSession> session_;
  std::atomic<detail::ChainId> served_by_ = nullptr;  // a coroutine may end on another thread
  KeptError error_;
  std::shared_ptr<const SocketOptions> options_;
  std::unique_ptr<std::vector<std::string>> attempted_;  // unless no choice of addresses was wanted
  std::unique_ptr<Changed> changed_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t linger_began_at_ = 0;  // in bytes read
  std::uint64_t sent_end_at_ = 0;      // in bytes read, while lingering
  std::uint64_t close_round_ = 0;      // of the loop, in which closing began
  std::uint64_t id_;
  std::uint32_t corks_ = 0;
  Phase phase_ = Phase::fresh;
  ReadSide read_side_ = ReadSide::open;
  WriteSide write_side_ = WriteSide::open;
  Flow flow_ = Flow::automatic;
  std::uint8_t due_ = 0;
  bool half_open_ = false;
  bool no_delay_;
  bool holds_back_ = false;  // the transport may: asked once, since most cannot
  bool need_drain_ = false;
  bool moved_ = false;      // bytes, in this step, and the idle timer does not know yet
  bool destroyed_ = false;  // by the user: later calls say so
  bool handled_ = false;    // an operation or callback received the error
  bool reset_on_connect_ = false;
};

}  // namespace libnet::core
