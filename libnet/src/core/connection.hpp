#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/closing.hpp"
#include "core/connect_state.hpp"
#include "core/due_set.hpp"
#include "core/event_source.hpp"
#include "core/outcome.hpp"
#include "core/receiving.hpp"
#include "core/replacement.hpp"
#include "core/sending.hpp"
#include "core/stream_options.hpp"
#include "core/time_limits.hpp"
#include "libnet/bound_socket.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/socket.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

class ListenSession;

/// The state of one socket: how far it is, which transport moves its bytes, and in which order what happens is delivered.
/// docs/design/0003 draws it. What there is to deliver is decided by the parts below: sending, receiving, closing, outcome.
///
/// Every call only changes the state and marks what is due; what is due is delivered by `run_task`, one step of the loop,
/// in a fixed order. So nothing ever runs inside the call that caused it, and both styles see the same sequence.
class Connection final : public EventSource,
                         public detail::ListNode<Connection>,  // of its server's connections
                         private transport::Transport::Observer,
                         private Connector::Client,
                         private TimeLimitClient {
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
  using Views = Sending::Views;

  Connection(std::shared_ptr<reactor::Loop> loop, const SocketOptions& options);
  /// The sockets that one server accepts share its options.
  Connection(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<const SocketOptions> options);

  /// @name Handles
  /// @{
  static Connection& of(const Socket& socket) { return *socket.connection_; }
  Socket handle() { return Socket(*this); }
  /// @}

  /// @name Transports
  /// @{
  /// What of taking something over can fail: after this neither `adopt` nor `connect_from` does.
  void prepare_to_adopt() { connect_state(); }
  /// Takes over a transport that is connected.
  void adopt(std::unique_ptr<transport::Transport> transport);
  /// Takes over an accepted transport: counted by `session` until it closes.
  void adopt_accepted(std::unique_ptr<transport::Transport> transport, std::shared_ptr<ListenSession> session,
                      bool half_open_by_default);
  /// Puts another transport in the place of this one, in the middle of the stream. What was written before leaves through the
  /// old one first; what is written from now on waits, and leaves through the new one. Nothing is read meanwhile.
  /// Errors: Errc::busy while another replacement is due; what a write gets now.
  error_code replace_transport(std::unique_ptr<Replacement> replacement);
  transport::Progress progress() const noexcept;
  const transport::Security* security() const noexcept { return transport_ ? transport_->security() : nullptr; }
  /// @}

  /// @name Serving
  /// @{
  const std::shared_ptr<ListenSession>& session() const noexcept { return session_; }
  /// The coroutines of `serve` that handle this connection, if there are any: they run on its executor.
  detail::ChainId served_by() const noexcept { return served_by_.load(std::memory_order_relaxed); }
  void set_served_by(detail::ChainId coroutines) noexcept { served_by_.store(coroutines, std::memory_order_relaxed); }
  /// @}

  /// @name Connecting
  /// @{
  /// The next connect() uses this socket.
  void connect_from(const BoundSocket& source) { connect_state().source = source; }
  void connect(detail::ConnectRequest request, bool half_open_by_default);
  /// It goes with this attempt to connect.
  void remember_connect_listener(ListenerId id) { connect_state().callback = id; }
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

  /// @name The source of a pipe
  /// @{
  /// Why a pipe to the destination cannot start now, for reasons that the caller could have checked.
  error_code refuse_pipe(const Socket& destination) const;
  void start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options);
  void unpipe();
  bool reads_for(const detail::PipeOperation& operation) const noexcept { return receiving_.reader() == &operation; }
  /// Nothing is queued any more at the destination of the pipe that reads here.
  void go_on_piping() { mark(Due::input); }
  /// The code comes by value: it may be that of the pipe, which ends here.
  void finish_pipe(detail::PipeOperation& operation, error_code code);
  /// @}

  /// @name The destination of pipes
  /// @{
  /// A pipe that waits here is told when nothing is queued, if it wants to know, and when the socket dies.
  void tell_when_writable(detail::Pipe& pipe);
  void take_over(std::span<const std::byte> bytes);
  void take_over(std::shared_ptr<transport::KernelPipe> pipe);
  bool can_splice() const noexcept { return transport_ && !sending_.has_barrier() && transport_->can_splice(); }
  void flush_soon() { mark(Due::flush); }
  /// Why nothing can be written now; no error if it can.
  error_code refusal() const noexcept;
  /// @}

  /// @name Writing
  /// @{
  bool write(Payload&& data, detail::WriteOperation* operation, Views views);
  void start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers);
  void start_drain(detail::VoidOperation& operation);
  void cork() noexcept { sending_.cork(); }
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
  void listener_threw(std::exception_ptr exception) noexcept override;
  /// A `serve` handler ended with an exception.
  void handler_failed(const std::exception_ptr& exception) noexcept;
  /// It ended: as `destroy_soon`.
  void handler_returned() noexcept;
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
  void set_no_delay(bool enable) { options_.set_no_delay(enable, connected_transport()); }
  void set_keep_alive(const KeepAlive& wanted) { options_.set_keep_alive(wanted, connected_transport()); }
  void set_type_of_service(int value) { options_.set_type_of_service(value, connected_transport()); }
  int type_of_service() const noexcept { return options_.type_of_service(connected_transport()); }
  /// @}

  /// @name State
  /// @{
  Phase phase() const noexcept { return phase_; }
  ReadyState ready_state() const noexcept;
  bool connecting() const noexcept { return phase_ == Phase::connecting; }
  bool readable() const noexcept { return !destroyed() && !receiving_.end_is_told(); }
  bool writable() const noexcept { return !destroyed() && phase_ != Phase::failing && sending_.is_open(); }
  bool destroyed() const noexcept { return phase_ == Phase::closing || phase_ == Phase::closed; }
  bool connected() const noexcept { return phase_ == Phase::open || phase_ == Phase::failing; }
  bool paused() const noexcept { return receiving_.paused(); }
  bool half_open() const noexcept { return half_open_; }
  bool need_drain() const noexcept { return sending_.owes_drain(); }
  std::uint64_t bytes_read() const noexcept { return receiving_.bytes_read(); }
  std::uint64_t bytes_written() const noexcept { return sending_.appended(); }
  std::size_t queued() const noexcept { return sending_.queued(); }
  std::size_t buffered() const noexcept { return sending_.buffered(); }
  std::size_t buffered_in_user_space() const noexcept { return sending_.buffered_in_user_space(); }
  const SocketOptions& options() const noexcept { return options_.given(); }
  std::optional<SocketAddress> local_address() const;
  std::optional<SocketAddress> remote_address() const;
  std::vector<std::string> attempted_addresses() const;
  Error error() const { return outcome_.error(); }
  Error describe(const error_code& code, Operation::Kind kind) const;
  int native_handle() const noexcept;
  std::uint64_t id() const noexcept { return id_; }
  /// How the log calls this socket.
  std::string log_name() const;
  /// @}

 private:
  /// How far the end is that a socket makes by itself because its peer has ended.
  enum class AutomaticEnd : std::uint8_t {
    none,
    promised,  ///< Handlers that were posted before come first.
    made,      ///< Handlers that those have posted come before the close.
  };

  /// What the next step does or delivers. The order of delivery is that of `deliver_next`.
  enum class Due : std::uint8_t {
    connect,
    drain,
    timeout,
    automatic_end,  // 'end' was told
    input,
    error,
    close,
    flush,
  };

  ~Connection() override;

  /// The kind of listener that `on_read` adds; no event.
  static constexpr std::uint8_t receiving_kind = detail::ListenerTable::kinds - 1;

  static std::uint8_t index(SocketEvent event) noexcept { return static_cast<std::uint8_t>(event); }

  // Steps
  void step() override;
  void after_step() noexcept override;
  void memory_ran_out() noexcept override;
  bool anything_due() const noexcept override { return !due_.empty() || connector_has_news(); }
  bool connector_has_news() const noexcept { return connect_ && connect_->has_news(); }
  bool at_rest() const noexcept override { return phase_ == Phase::fresh || phase_ == Phase::closed; }
  bool counts_as_work() const noexcept override;
  void abandon() noexcept override;
  error_code on_fork() override;
  void leave_output_to_parent();
  void cancel(Operation& operation, asio::cancellation_type type, error_code reason) override;
  void on_transport_ready() override { mark(Due::input); }
  void mark(Due due) {
    due_.add(due);
    wake();
  }

  // Delivery
  bool may_deliver() const noexcept;
  void deliver_all() {
    if (may_deliver()) deliver_due();
  }
  void deliver_due();
  bool deliver_next();
  void deliver_connect();
  void deliver_drain();
  void deliver_end();
  void deliver_finish();
  void deliver_error();
  void deliver_close();
  void end_behind_posted_handlers();
  void end_automatically();
  template <class... Arguments>
  void emit(SocketEvent event, const Arguments&... arguments) {
    EventSource::emit(index(event), arguments...);
  }
  bool finish_waiters(const error_code& result);
  bool somebody_waits_for_error();
  void hear(const Operation& operation, const error_code& code) noexcept;
  void finish_late(Operation& operation, const error_code& code);
  void log_unheard() noexcept;

  // Connecting
  ConnectState& connect_state();
  void on_connector_news() override { wake(); }
  void deliver_connector_news();
  void tell(const LookupResult& result);
  void tell(const Connector::AttemptStarted& attempt);
  void tell(const Connector::AttemptFailed& attempt);
  void tell(const Connector::AttemptTimedOut& attempt);
  void tell(Connector::Connected& transport);
  void tell(const Error& failure);
  void opened(std::unique_ptr<transport::Transport> transport);
  void stop_connecting(const error_code& reason);
  bool replace_now();

  // Reading
  bool listeners_consume() const noexcept { return listens(index(SocketEvent::data)) || listens(receiving_kind); }
  bool accept_reader(Operation& operation);
  bool may_still_read() const noexcept;
  void read_late(Operation& operation);
  void begin_reading(Operation& operation, bool kept);
  void handle_input();
  void read_once(Receiving::Consumer consumer);
  void deliver_put_back();
  void read_for_reader();
  void read_for_listeners(Receiving::Consumer consumer);
  void read_for_receiver();
  void tell_receiver(std::size_t bytes);
  void read_for_pipe(detail::PipeOperation& operation);
  void watch_unread();
  void discard_input();
  bool may_have_input();
  void watch_input();
  void watch_behind_end();
  void after_read(const transport::Result& result);
  void input_ended();
  void input_failed(const error_code& code);
  void reader_at_end(Operation& operation);
  void complete_reader(const error_code& code);
  bool somebody_hears_the_end();

  // Pipes
  void end_pipe(detail::PipeOperation& operation);
  void finish_ended_pipes(const error_code& code);
  void tell_writable();
  bool break_pipes();

  // Writing
  void refuse_invalid(Operation* operation, const char* verb);
  bool accepts_writes() const noexcept {
    return (phase_ == Phase::open || phase_ == Phase::connecting) && sending_.is_open();
  }
  /// What a pipe of the kernel holds is no memory, and nobody's write.
  bool full() const noexcept {
    const std::size_t most = *options().max_buffered;  // kept options have one
    return buffered() >= most && buffered_in_user_space() >= most;
  }
  void refused(detail::WriteOperation* operation);
  bool refusal_ends_connection() const noexcept;
  void overflow(Operation* operation);
  bool refuse_write(const Payload& data, detail::WriteOperation* operation);
  bool may_write_through(std::size_t size) const;
  void write_through(std::span<const std::byte> bytes, detail::WriteOperation* operation);
  bool has_room_after_write(std::uint64_t begin);
  bool has_room_at_mark_or_first(std::uint64_t begin);
  bool reaches_mark(std::uint64_t begin) const noexcept;
  void send_soon(bool at_once);
  void send_now();
  bool may_offer() const noexcept;
  void offer_last();
  bool can_send() const noexcept { return phase_ == Phase::open && !sending_.is_corked(); }
  /// No write waits for the flush of this step: later ones join the first, whatever their size.
  bool first_of_step() const noexcept { return !due_.contains(Due::flush); }
  void flush();
  void note_moved_output();
  void output_failed(const error_code& code);
  void complete_writes();
  void note_drained();
  void send_end();
  void finish_unconnected_end();
  bool fail_writes(const error_code& code);
  void cancel_write(detail::WriteOperation& operation, asio::cancellation_type type, const error_code& reason);

  // Ending
  void fail_now(const Error& error);
  void cut(const Error& error);
  void forget_callbacks();
  void linger();
  bool others_go_on() const noexcept;
  void close_if_told();
  void enter_closing();
  void close_transport() noexcept;
  /// 32 bits will do: it is only compared for equality, within a few rounds.
  std::uint32_t round() const noexcept { return static_cast<std::uint32_t>(loop_->round()); }

  // Time
  void restart_linger_time() { closing_.restart_time(*loop_, *this, options().linger_time); }
  void limit_wait_for_reader() { closing_.start_time_once(*loop_, *this, options().linger_time); }
  void on_linger_time_up() override;
  void on_idle() override { mark(Due::timeout); }
  /// Bytes moved.
  void touch() {
    if (idle_timer_) in_step() ? idle_timer_->touch_in_step() : idle_timer_->touch();
  }

  // Errors
  transport::Transport* connected_transport() const noexcept { return connected() ? transport_.get() : nullptr; }
  Error make_error(const error_code& code, const char* operation, std::string_view text = {}) const noexcept;
  Error transport_error(const error_code& code, Operation::Kind kind) const noexcept;

  std::unique_ptr<transport::Transport> transport_;
  [[no_unique_address]] Outcome outcome_;  // the next four lie in its padding
  Phase phase_ = Phase::fresh;
  bool half_open_;
  DueSet<Due> due_;
  AutomaticEnd automatic_end_ = AutomaticEnd::none;
  Sending sending_;
  [[no_unique_address]] Receiving receiving_;  // the next one lies in its padding
  std::uint32_t close_round_ = 0;              // of the loop, in which closing began
  Closing closing_;
  StreamOptions options_;
  std::unique_ptr<ConnectState> connect_;  // of a socket that connects
  std::unique_ptr<IdleTimer> idle_timer_;
  std::shared_ptr<ListenSession> session_;
  std::atomic<detail::ChainId> served_by_ = nullptr;  // a coroutine may end on another thread
  std::uint64_t id_;
};

}  // namespace libnet::core
