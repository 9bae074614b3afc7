#include "core/connection.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <string>
#include <tuple>
#include <utility>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/post.hpp>

#include "core/kept_options.hpp"
#include "core/listen_session.hpp"
#include "core/log.hpp"
#include "core/operation_name.hpp"
#include "core/pipe.hpp"
#include "core/thrown_error.hpp"
#include "libnet/auto_select_family.hpp"
#include "libnet/detail/receiver.hpp"
#include "libnet/detail/recycling.hpp"
#include "reactor/fairness.hpp"

namespace libnet::core {

// Each idle connection pays for what stands here.
static_assert(sizeof(void*) != 8 || sizeof(Connection) <= 432);

namespace {

// From this size on a view is offered to the kernel before it is copied: what the kernel takes need not be copied. [bytes]
constexpr std::size_t large_write = 16 * 1024;

error_code broken_pipe() { return {EPIPE, boost::system::system_category()}; }

bool is_heard(const Operation& operation) noexcept {
  return operation.kind != Operation::Kind::pipe || static_cast<const detail::PipeOperation&>(operation).is_heard;
}

/// Who waits for 'close' only learns that there was an error, and the sockets of a pipe have their errors for themselves.
bool hears_errors(const Operation& operation) noexcept {
  switch (operation.kind) {
    case Operation::Kind::event:
      return static_cast<const detail::EventOperation&>(operation).event !=
             static_cast<std::uint8_t>(SocketEvent::close);
    case Operation::Kind::close: return static_cast<bool>(operation.result);  // else it came after the cause
    case Operation::Kind::pipe:
    case Operation::Kind::writable: return false;
    default: return true;
  }
}

/// What is due at most once per connection and can be waited for when it has happened already.
bool happens_once(SocketEvent event) noexcept {
  switch (event) {
    case SocketEvent::connect:
    case SocketEvent::ready:
    case SocketEvent::end:
    case SocketEvent::finish:
    case SocketEvent::close: return true;
    default: return false;
  }
}

bool says_peer_is_gone(const error_code& code) noexcept {
  using boost::system::errc::connection_reset;
  using boost::system::errc::not_connected;
  return code == connection_reset || code == not_connected || code == boost::system::errc::broken_pipe;
}

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Connection::Connection(std::shared_ptr<reactor::Loop> loop, const SocketOptions& options)
    : Connection(std::move(loop), std::make_shared<const Kept<SocketOptions>>(options)) {}

Connection::Connection(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<const SocketOptions> options)
    : EventSource(std::move(loop)),
      half_open_(options->allow_half_open.value_or(false)),
      options_(std::move(options)),
      id_(next_id()) {
  if (this->options().timeout.count() > 0) set_timeout(this->options().timeout);
}

Connection::~Connection() {
  log_unheard();
  if (transport_) transport_->observe(nullptr);
}

void Connection::abandon() noexcept {
  log_unheard();
  phase_ = Phase::closed;
  due_.abandon();
  if (connect_) connect_->give_up();
  idle_timer_.reset();
  closing_.stop_time();
  if (receiving_.has_reader()) receiving_.take_reader().abandon();
  while (detail::WriteOperation* write = sending_.pop_any()) write->abandon();
  sending_.drop_data();
  close_transport();
  if (session_) session_->connection_gone(*this);
}

/// In a child process.
error_code Connection::on_fork() {
  const error_code of_attempts = connect_ ? connect_->after_fork() : error_code();
  const error_code of_transport = connected() ? transport_->after_fork() : error_code();
  if (connecting() || connected()) leave_output_to_parent();
  return of_attempts ? of_attempts : of_transport;
}

/// Bytes are sent once: those that were queued at the fork are the parent's to send, with the end that may follow them.
void Connection::leave_output_to_parent() {
  if (closing_.lingers()) return enter_closing();
  fail_writes(asio::error::operation_aborted);
  sending_.leave_to_parent();
  finish_waiting(Operation::Kind::end, asio::error::operation_aborted);
  if (receiving_.has_reader() && receiving_.reader()->kind == Operation::Kind::pipe) {
    static_cast<detail::PipeOperation&>(*receiving_.reader()).pipe->forget_shortcut();
  }
  mark(Due::flush);  // a drain may be due
}

// --- steps ---------------------------------------------------------------------------------------------------------

void Connection::step() {
  if (due_.contains(Due::automatic_end) && completed_.empty()) end_behind_posted_handlers();
  deliver_all();
  if (!loop_->may_complete_more()) return;  // a read that completes has to be delivered in its step
  if (due_.take(Due::input)) handle_input();
  deliver_all();
  flush();
  deliver_all();
  if (receiving_.has_ended() && sending_.has_finished()) close_if_told();
}

/// A socket that nobody holds, listens to or waits for ends by itself.
void Connection::after_step() noexcept {
  if (idle_timer_) idle_timer_->end_step();
  if (has_handles()) return;
  if (phase_ == Phase::fresh && !waiting_.empty()) return destroy({});  // nobody can connect it any more
  if (!listeners_.empty() || !waiting_.empty() || receiving_.has_reader()) return;
  if (phase_ == Phase::connecting) destroy({});
  if (phase_ == Phase::open) handler_returned();
}

/// What the step was about to do is lost, and so is the connection: nothing may follow the gap. Nor may its peer take what
/// was sent for the whole.
void Connection::memory_ran_out() noexcept {
  if (phase_ == Phase::fresh || destroyed()) return;
  if (buffered() != 0) sending_.abort();
  fail_now(Error(detail::out_of_memory()));
}

/// Contract 12.
bool Connection::counts_as_work() const noexcept {
  if (phase_ == Phase::connecting || phase_ == Phase::failing) return true;
  return connected() &&
         (!receiving_.paused() || receiving_.has_reader() || sending_.buffered() != 0 || sending_.is_ending());
}

// --- the order of delivery -----------------------------------------------------------------------------------------

/// Whether `deliver_next` is worth asking: most steps only move bytes.
inline bool Connection::may_deliver() const noexcept {
  constexpr DueSet<Due> events{Due::connect, Due::drain, Due::timeout, Due::error, Due::close};
  return due_.contains_any(events) || !completed_.empty() || sending_.finish_is_due() || receiving_.end_is_due() ||
         connector_has_news();
}

void Connection::deliver_due() {
  while (loop_->may_complete_more() && deliver_next() && may_deliver()) {
  }
}

bool Connection::deliver_next() {
  if (due_.take(Due::connect)) {
    deliver_connect();
  } else if (due_.take(Due::drain)) {
    deliver_drain();
  } else if (!completed_.empty()) {
    complete_next();
  } else if (connector_has_news()) {
    deliver_connector_news();
  } else if (sending_.finish_is_due()) {
    deliver_finish();
  } else if (due_.take(Due::timeout)) {
    if (idle_timer_ && idle_timer_->is_idle()) emit(SocketEvent::timeout);
  } else if (receiving_.end_is_due() && !receiving_.paused()) {
    deliver_end();
  } else if (due_.take(Due::error)) {
    deliver_error();
  } else if (due_.contains(Due::close) && phase_ == Phase::closing && close_round_ != round()) {
    due_.take(Due::close);
    deliver_close();
  } else {
    return false;
  }
  return true;
}

/// Who stops the connecting before this has stopped it.
void Connection::deliver_connect() {
  if (connect_) {
    if (connect_->stop.stop_requested()) return stop_connecting(asio::error::operation_aborted);
    connect_->stop = {};
    connect_->callback.reset();
    finish_waiting(Operation::Kind::connect, {});
  }
  emit(SocketEvent::connect);
  if (loop_->alive() && connected()) emit(SocketEvent::ready);
}

void Connection::deliver_drain() {
  if (phase_ == Phase::open && sending_.is_open()) emit(SocketEvent::drain);
}

void Connection::deliver_finish() {
  sending_.note_finish_told();
  emit(SocketEvent::finish);
}

void Connection::deliver_end() {
  receiving_.note_end_told();
  if (closing_.has_discarded_nothing(bytes_read())) emit(SocketEvent::end);
  if (!loop_->alive()) return;
  if (!half_open_ && sending_.is_open() && connected()) due_.add(Due::automatic_end);
}

/// A fault of the program's is logged at once, if nobody hears of it. Any other error may still be heard by whoever uses the
/// socket next.
void Connection::deliver_error() {
  outcome_.note_heard_if(listens(index(SocketEvent::error)) || somebody_waits_for_error());
  const Error error = outcome_.error();
  if (error.code() == Errc::listener_threw) log_unheard();
  emit(SocketEvent::error, error);
}

void Connection::deliver_close() {
  phase_ = Phase::closed;
  receiving_.stop_discarding();
  move_operations(waiting_, completed_, [](Operation& operation) { return operation.kind == Operation::Kind::close; });
  const bool any = finish_waiting(outcome_.code_at_close(), [](Operation& operation) {
    if (operation.kind == Operation::Kind::pipe) return false;  // it waits for its destination
    return operation.kind != Operation::Kind::event ||
           static_cast<detail::EventOperation&>(operation).event != index(SocketEvent::close);
  });
  outcome_.note_heard_if(any && outcome_.failed());
  emit(SocketEvent::close, outcome_.failed());
  if (!loop_->alive()) return;
  if (phase_ == Phase::closed) listeners_.clear();
}

/// Behind whatever was posted from inside 'end' or by who awaited it: a handler of that kind can still write.
void Connection::end_behind_posted_handlers() {
  const auto come_back = [socket = handle()] {
    if (of(socket).loop_->alive()) of(socket).end_automatically();
  };
  asio::post(loop_->executor(), asio::bind_allocator(detail::RecyclingAllocator<void>(), come_back));
  due_.take(Due::automatic_end);
  if (automatic_end_ == AutomaticEnd::none) automatic_end_ = AutomaticEnd::promised;
}

/// What was posted by such handlers comes behind our end and before the close: it is told that both sides have ended.
void Connection::end_automatically() {
  if (phase_ != Phase::open || automatic_end_ == AutomaticEnd::none) return;
  const bool makes_it = automatic_end_ == AutomaticEnd::promised && sending_.is_open();
  automatic_end_ = makes_it ? AutomaticEnd::made : AutomaticEnd::none;
  if (!makes_it) return mark(Due::flush);
  end({}, nullptr);
  try {
    end_behind_posted_handlers();
  } catch (const std::bad_alloc&) {
    automatic_end_ = AutomaticEnd::none;
  }
}

/// The program hears of the error by this operation, which gets `code`.
void Connection::hear(const Operation& operation, const error_code& code) noexcept {
  outcome_.note_heard_if(outcome_.failed() && code == outcome_.code() && is_heard(operation));
}

/// Completes an operation on a connection that fails or is over: it may be the first to hear why.
void Connection::finish_late(Operation& operation, const error_code& code) {
  hear(operation, code);
  finish(operation, code);
}

/// An error that nobody has received goes to the log when there is nobody left who could.
void Connection::log_unheard() noexcept try {
  if (!outcome_.unheard()) return;
  const Error error = outcome_.error();
  const LogLevel level = level_of(error);
  outcome_.note_logged();
  if (!logs(level)) return;
  const std::string line = log_name() + ": unhandled error: " + error.message();
  const bool thrown = error.code() == Errc::listener_threw;
  log(level, thrown ? LogKind::listener_threw : LogKind::socket_error, line);
} catch (...) {
  return;
}

// --- events and operations -----------------------------------------------------------------------------------------

ListenerId Connection::add_listener(SocketEvent event, std::unique_ptr<detail::Callable> listener,
                                    detail::ListenerTable::Place place, bool once) {
  if (event == SocketEvent::data && (receiving_.has_reader() || listens(receiving_kind))) {
    throw SystemError(make_error(Errc::busy, "read"));
  }
  const ListenerId id = listeners_.add(index(event), std::move(listener), place, once);
  if (event == SocketEvent::data) receiving_.stop_discarding();
  if (event == SocketEvent::data || event == SocketEvent::end) mark(Due::input);
  return id;
}

void Connection::start_wait(detail::EventOperation& operation, SocketEvent event) {
  operation.event = index(event);
  if (happened(index(event)) && happens_once(event)) {
    const std::tuple<> nothing;
    const std::tuple<bool> had_error(outcome_.failed());
    operation.set_arguments(event == SocketEvent::close ? static_cast<const void*>(&had_error) : &nothing);
    finish(operation, {});
  } else if (phase_ == Phase::closed) {
    finish_late(operation, outcome_.code_when_over());
  } else {
    wait(operation);
    if (event == SocketEvent::end) mark(Due::input);  // of a half-open socket nobody may have looked for it so far
  }
}

/// All that still wait get the error, at 'close' at the latest.
bool Connection::somebody_waits_for_error() {
  bool found = false;
  waiting_.for_each([&](Operation& operation) { found = found || hears_errors(operation); });
  return found;
}

bool Connection::finish_waiters(const error_code& result) {
  const bool heard_by_pipe = break_pipes();
  const bool any = finish_waiting(result, [](Operation& operation) {
    return operation.kind == Operation::Kind::connect || operation.kind == Operation::Kind::drain ||
           operation.kind == Operation::Kind::end;
  });
  return any || heard_by_pipe;
}

/// What a slot or a time limit does to an operation whose handler was not called yet. A read that has its bytes is past
/// that: its handler is called in the step that read them.
void Connection::cancel(Operation& operation, asio::cancellation_type type, error_code reason) {
  if (&operation == receiving_.reader()) return complete_reader(reason);
  if (operation.kind == Operation::Kind::write) {
    return cancel_write(static_cast<detail::WriteOperation&>(operation), type, reason);
  }
  if (stop_telling(operation, reason)) return;
  if (operation.kind == Operation::Kind::connect) return stop_connecting(reason);
  stop_waiting(operation);
  if (operation.kind == Operation::Kind::pipe) {
    return finish_pipe(static_cast<detail::PipeOperation&>(operation), reason);
  }
  finish(operation, reason);
}

// --- connecting ----------------------------------------------------------------------------------------------------

ConnectState& Connection::connect_state() {
  if (!connect_) connect_ = std::make_unique<ConnectState>();
  return *connect_;
}

/// From what the caller gives, or from what the socket was made with.
void Connection::connect(detail::ConnectRequest request, bool half_open_by_default) {
  if (!request.bound && phase_ == Phase::fresh && connect_) request.bound = connect_->source;
  prefer_source_family(request);
  const auto refuse = [this](error_code code) { throw SystemError(make_error(code, "connect")); };
  if (phase_ == Phase::connecting || connected()) refuse(Errc::already_connected);
  if (phase_ == Phase::closing) refuse(outcome_.destroyed() ? Errc::destroyed : Errc::closed);
  check_connect_request(request);
  if (!request.auto_select_family) request.auto_select_family = default_auto_select_family();
  const auto time = request.attempt_timeout.value_or(default_auto_select_family_attempt_timeout());
  request.attempt_timeout = std::max(time, shortest_attempt);
  ConnectState& state = connect_state();
  if (request.bound) state.source = request.bound;
  const std::stop_token stop = request.stop;
  state.connector = std::make_unique<Connector>(loop_, std::move(request), options().block_list,
                                                static_cast<Connector::Client&>(*this));
  state.attempted.clear();
  state.resets_when_connected = false;
  state.stop = stop;
  state.callback.reset();
  log_unheard();
  half_open_ = options().allow_half_open.value_or(half_open_by_default);
  outcome_ = {};
  transport_.reset();
  sending_.reset();
  receiving_.reset();
  closing_.reset();
  happened_ = 0;
  due_.abandon();
  automatic_end_ = AutomaticEnd::none;
  phase_ = Phase::connecting;
  touch();
  wake();
}

void Connection::start_connect(detail::VoidOperation& operation, const detail::ConnectRequest& request) {
  watch_operation(operation, *this, *loop_);
  try {
    connect(request, true);
  } catch (const SystemError& refused) {
    return finish(operation, refused.code());
  }
  begin_waiting(operation, waiting_);
}

void Connection::deliver_connector_news() {
  Connector::News news = connect_->connector->take_news();
  std::visit([this](auto& some) { tell(some); }, news);
}

void Connection::tell(const LookupResult& result) { emit(SocketEvent::lookup, result); }

void Connection::tell(const Connector::AttemptStarted& attempt) {
  if (connect_->connector->tries_all()) {
    connect_->attempted.push_back(attempt.address.address() + ':' + std::to_string(attempt.address.port()));
  }
  emit(SocketEvent::connection_attempt, attempt.address);
}

void Connection::tell(const Connector::AttemptFailed& attempt) {
  emit(SocketEvent::connection_attempt_failed, attempt.address, attempt.error);
}

void Connection::tell(const Connector::AttemptTimedOut& attempt) {
  emit(SocketEvent::connection_attempt_timeout, attempt.address);
}

void Connection::tell(const Error& failure) {
  connect_->stop.stop_requested() ? stop_connecting(asio::error::operation_aborted) : fail(failure);
}

void Connection::tell(Connector::Connected& transport) {
  connect_->connector.reset();
  connect_->written_before = bytes_written();
  opened(std::move(transport));
  if (!connect_->resets_when_connected) return;
  finish_waiting(Operation::Kind::connect, {});
  due_.take(Due::connect);
  if (!transport_->can_reset()) return fail_now(make_error(Errc::invalid_handle, "reset"));
  reset();
}

// --- transports ----------------------------------------------------------------------------------------------------

void Connection::opened(std::unique_ptr<transport::Transport> transport) {
  transport_ = std::move(transport);
  transport_->observe(this);
  sending_.attach(*transport_);
  phase_ = Phase::open;
  options_.apply(*transport_);
  touch();
  if (closing_.lingers()) restart_linger_time();
  if (closing_.lingers() && others_go_on()) sending_.leave();
  mark(Due::connect);
  mark(Due::input);
  mark(Due::flush);
}

/// The system may have connected already: nobody knows of it.
void Connection::stop_connecting(const error_code& reason) {
  due_.take(Due::connect);
  const auto remote = remote_address();
  fail_now(described(reason, {.operation = "connect", .remote_address = remote ? &*remote : nullptr}));
}

void Connection::adopt(std::unique_ptr<transport::Transport> transport) { opened(std::move(transport)); }

void Connection::adopt_accepted(std::unique_ptr<transport::Transport> transport, std::shared_ptr<ListenSession> session,
                                bool half_open_by_default) {
  session_ = std::move(session);
  half_open_ = options().allow_half_open.value_or(half_open_by_default);
  opened(std::move(transport));
}

error_code Connection::replace_transport(std::unique_ptr<Replacement> replacement) {
  if (sending_.has_barrier()) return Errc::busy;
  if (const error_code code = refusal()) return code;
  sending_.append_barrier(std::move(replacement));
  mark(Due::flush);
  return {};
}

/// All that was written before has left. False if that was the end of the connection.
bool Connection::replace_now() {
  const std::unique_ptr<Replacement> replacement = sending_.pass_barrier();
  transport_->observe(nullptr);
  Error failure;
  try {
    std::string unread = receiving_.take_unread();
    replacement->replace(transport_, unread);
    receiving_.give_unread(std::move(unread));
  } catch (...) {
    failure = error_of(std::current_exception(), Errc::listener_threw, "replace");
  }
  transport_->observe(this);
  sending_.attach(*transport_);
  if (failure) fail_now(failure);
  mark(Due::input);
  mark(Due::flush);
  return !failure;
}

transport::Progress Connection::progress() const noexcept {
  if (!transport_) return transport::Progress::plain;
  return sending_.has_barrier() ? transport::Progress::draining : transport_->progress();
}

// --- reading -------------------------------------------------------------------------------------------------------

/// Whether the operation becomes the reader; if not, it was completed.
bool Connection::accept_reader(Operation& operation) {
  if (!may_still_read()) {
    read_late(operation);
    return false;
  }
  if (receiving_.has_reader() || listeners_consume()) {
    finish(operation, Errc::busy);
    return false;
  }
  receiving_.end_lease();
  return true;
}

/// Whoever else consumes, or did: there is nothing left to be shared.
void Connection::read_late(Operation& operation) {
  receiving_.end_lease();
  const bool ended = receiving_.end_is_told() || (!receiving_.is_open() && !outcome_.failed());
  const error_code code = outcome_.code_of_late_read(ended);
  code == asio::error::eof ? reader_at_end(operation) : finish_late(operation, code);
}

bool Connection::may_still_read() const noexcept {
  const bool moves_bytes = phase_ == Phase::connecting || (connected() && !closing_.lingers());
  return moves_bytes && (receiving_.is_open() || phase_ == Phase::failing);
}

void Connection::start_read(detail::ReadOperation& operation) {
  if (accept_reader(operation)) begin_reading(operation, receiving_.has_put_back());
}

void Connection::start_read_some(detail::ReadSomeOperation& operation) {
  if (operation.buffers.total == 0 && !destroyed()) return finish(operation, {});
  if (accept_reader(operation)) begin_reading(operation, receiving_.has_kept(Receiving::Consumer::read_some));
}

/// @param kept  Bytes that were received before are for it.
void Connection::begin_reading(Operation& operation, bool kept) {
  watch_operation(operation, *this, *loop_);
  receiving_.set_reader(operation);
  if (kept || (transport_ && transport_->ready_to_read())) mark(Due::input);
  if (!counted()) wake();
}

void Connection::pause() {
  if (closing_.lingers()) return;
  receiving_.pause();
  wake();
}

/// What is thrown away because nobody consumes is that of one connection.
void Connection::resume() {
  if (closing_.lingers()) return;
  listeners_consume() || receiving_.has_reader() || destroyed() ? receiving_.flow_freely() : receiving_.discard();
  mark(Due::input);
}

void Connection::unshift(std::span<const std::byte> bytes) {
  if (bytes.empty() || destroyed()) return;
  receiving_.put_back(bytes);
  mark(Due::input);
}

void Connection::set_encoding(Encoding encoding) {
  if (receiving_.set_encoding(encoding)) mark(Due::input);
}

ListenerId Connection::start_receiving(std::unique_ptr<detail::Callable> receiver, bool may_lack_memory) {
  if (receiving_.has_reader() || listens(index(SocketEvent::data))) throw SystemError(make_error(Errc::busy, "read"));
  detail::Reception first;
  const std::tuple<detail::Reception*> arguments(&first);
  receiver->call(&arguments);
  if (first.memory.empty() && !may_lack_memory) throw SystemError(Error(Errc::invalid_argument, "read"));
  const ListenerId replaced = receiving_.receiver();
  receiving_.prepare_receiver();
  const ListenerId added =
      listeners_.add(receiving_kind, std::move(receiver), detail::ListenerTable::Place::back, false);
  receiving_.set_receiver(added, first.memory);
  mark(Due::input);
  listeners_.remove(replaced);
  return added;
}

/// While a replacement is due nothing is read: what comes now is for the new transport.
void Connection::handle_input() {
  if (!connected() || sending_.has_barrier()) return;
  if (!receiving_.is_open()) return watch_behind_end();
  if (closing_.lingers()) return sending_.is_leaving() ? static_cast<void>(0) : discard_input();
  const auto consumer = receiving_.consumer(listens(index(SocketEvent::data)), listens(receiving_kind));
  consumer != Receiving::Consumer::nobody ? read_once(consumer) : watch_input();
}

/// One block a step is fair to the other sockets.
void Connection::read_once(Receiving::Consumer consumer) {
  using Consumer = Receiving::Consumer;
  const bool by_listeners = consumer == Consumer::listeners || consumer == Consumer::discarded;
  if (receiving_.has_put_back() && by_listeners) return deliver_put_back();
  if (!may_have_input() && !receiving_.has_kept(consumer)) return;
  if (phase_ == Phase::failing) closing_.stop_time();  // somebody consumes
  const std::uint64_t before = bytes_read();
  switch (consumer) {
    case Consumer::read:
    case Consumer::read_some: read_for_reader(); break;
    case Consumer::pipe: read_for_pipe(static_cast<detail::PipeOperation&>(*receiving_.reader())); break;
    case Consumer::receiver: read_for_receiver(); break;
    case Consumer::listeners:
    case Consumer::discarded: read_for_listeners(consumer); break;
    case Consumer::nobody: break;
  }
  if (bytes_read() != before) touch();
}

void Connection::deliver_put_back() {
  const std::unique_ptr<std::string> bytes = receiving_.take_put_back();
  mark(Due::input);
  if (receiving_.flow() == Receiving::Flow::automatic) emit(SocketEvent::data, Chunk(*bytes));
}

void Connection::read_for_reader() {
  Operation& reader = *receiving_.reader();
  const transport::Result result =
      reader.kind == Operation::Kind::read
          ? receiving_.read_for(*transport_, static_cast<detail::ReadOperation&>(reader))
          : receiving_.read_for(*transport_, static_cast<detail::ReadSomeOperation&>(reader));
  if (result.bytes != 0) complete_reader({});
  after_read(result);
}

void Connection::read_for_listeners(Receiving::Consumer consumer) {
  Block block = Block::take();
  const transport::Result result = receiving_.read_block(*transport_, block);
  if (result.bytes != 0 && consumer == Receiving::Consumer::listeners) {
    emit(SocketEvent::data, Chunk(block.data(), result.bytes));
  }
  after_read(result);
}

void Connection::read_for_receiver() {
  if (receiving_.receiver_memory().empty()) tell_receiver(0);
  if (!loop_->alive() || !connected() || receiving_.paused() || !listens(receiving_kind)) return;
  const transport::Result result = receiving_.read_into(*transport_, receiving_.receiver_memory());
  if (result.bytes != 0) tell_receiver(result.bytes);
  after_read(result);
}

/// Hands over what was read, and gets memory for the next read; without it nothing is read until `resume()`.
void Connection::tell_receiver(std::size_t bytes) {
  detail::Reception reception{.memory = receiving_.receiver_memory(), .bytes = bytes};
  const ListenerId told = receiving_.receiver();
  EventSource::emit(receiving_kind, &reception);
  if (!loop_->alive() || receiving_.receiver() != told) return;
  receiving_.set_receiver_memory(reception.memory);
  if (!reception.go_on || reception.memory.empty()) pause();
}

/// Goes on with the next step if there is more.
void Connection::after_read(const transport::Result& result) {
  using transport::Status;
  if (!loop_->alive() || !connected() || !receiving_.is_open()) return;
  if (result.bytes == 0 && result.status == Status::end) return input_ended();
  if (result.bytes == 0 && result.status == Status::error) return input_failed(result.error);
  if (result.bytes == 0 && result.status == Status::would_block && phase_ == Phase::failing) {
    if (receiving_.flush_held()) return mark(Due::input);
    return enter_closing();  // nothing more can be read
  }
  const bool more = result.status != Status::would_block || receiving_.has_put_back() || transport_->ready_to_read();
  if (more || phase_ == Phase::failing) mark(Due::input);  // who reads on gets the error itself
}

/// Of a failing connection only a try tells: the write that failed may have been faster than the news of the last bytes.
bool Connection::may_have_input() { return phase_ == Phase::failing || transport_->ready_to_read(); }

/// Nobody consumes: see the end or an error of a connection on which nothing waits unread.
void Connection::watch_input() {
  using transport::Waiting;
  const bool kept = receiving_.has_put_back() || receiving_.holds();  // as text or as bytes: who consumes decides
  const transport::Peek peek =
      !kept && may_have_input() ? transport_->peek_end() : transport::Peek{kept ? Waiting::data : Waiting::nothing, {}};
  switch (peek.waiting) {
    case Waiting::data:
      if (phase_ == Phase::failing) limit_wait_for_reader();
      break;
    case Waiting::nothing:
      if (phase_ == Phase::failing) return enter_closing();
      static_cast<void>(transport_->ready_to_read());
      break;
    case Waiting::end:
      if (phase_ == Phase::failing) return input_ended();
      if (!receiving_.paused() && (!half_open_ || somebody_hears_the_end())) return input_ended();
      if (const error_code code = transport_->error_behind_end()) input_failed(code);
      break;
    case Waiting::error: input_failed(peek.error); break;
  }
}

/// Behind the peer's end an error may still come. It is none any more when our side has ended, or is about to.
void Connection::watch_behind_end() {
  const bool ends_by_itself = !half_open_ && receiving_.has_ended();
  if (phase_ != Phase::open || !sending_.is_open() || ends_by_itself) return;
  if (const error_code code = transport_->error_behind_end()) input_failed(code);
}

void Connection::input_ended() {
  if (receiving_.flush_held()) return mark(Due::input);
  if (phase_ == Phase::failing) return enter_closing();  // an error never becomes a clean end
  receiving_.end();
  mark(Due::input);
  if (receiving_.has_reader()) reader_at_end(receiving_.take_reader());
}

void Connection::reader_at_end(Operation& operation) {
  receiving_.note_end_known();
  if (operation.kind == Operation::Kind::pipe) return end_pipe(static_cast<detail::PipeOperation&>(operation));
  finish(operation, operation.kind == Operation::Kind::read_some ? asio::error::eof : error_code());
}

void Connection::input_failed(const error_code& code) {
  if (receiving_.flush_held()) return mark(Due::input);
  if (phase_ == Phase::failing) return enter_closing();
  if (closing_.lingers() && sending_.has_finished()) return enter_closing();  // all was sent
  receiving_.reopen();
  fail_now(transport_error(code, Operation::Kind::read));
}

void Connection::complete_reader(const error_code& code) {
  Operation& operation = receiving_.take_reader();
  if (operation.kind == Operation::Kind::pipe) {
    return finish_pipe(static_cast<detail::PipeOperation&>(operation), code);
  }
  finish(operation, code);
}

bool Connection::somebody_hears_the_end() {
  return listens(index(SocketEvent::end)) || somebody_waits_for(index(SocketEvent::end));
}

/// Lingering: whatever still comes is thrown away, within bounds, so that the peer can read what was sent to it.
void Connection::discard_input() {
  if (!transport_->ready_to_read()) return;
  const transport::Result result = receiving_.discard_block(*transport_);
  if (closing_.has_discarded_more_than(options().linger_bytes, bytes_read())) return enter_closing();
  after_read(result);
}

// --- the source of a pipe ------------------------------------------------------------------------------------------

error_code Connection::refuse_pipe(const Socket& destination) const {
  if (may_still_read() && (receiving_.has_reader() || listeners_consume())) return Errc::busy;
  return destination.get_executor() == loop_->executor() ? error_code() : error_code(Errc::invalid_argument);
}

void Connection::start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options) {
  if (const error_code code = refuse_pipe(destination)) return finish(operation, code);
  operation.pipe.reset(new detail::Pipe(*this, operation, destination, options));
  if (const error_code code = of(destination).refusal()) {
    of(destination).hear(operation, code);
    return finish_pipe(operation, code);
  }
  if (receiving_.paused()) receiving_.flow_freely();  // or its end would never be told
  if (!accept_reader(operation)) {
    if (operation.waits) watch_operation(operation, *this, *loop_);
    return;
  }
  of(destination).tell_when_writable(*operation.pipe);
  begin_reading(operation, receiving_.has_kept(Receiving::Consumer::pipe));
}

void Connection::unpipe() {
  if (receiving_.has_reader() && receiving_.reader()->kind == Operation::Kind::pipe) {
    complete_reader(asio::error::operation_aborted);
  }
  finish_ended_pipes(asio::error::operation_aborted);
}

/// Those whose source has ended, and that wait for their destination.
void Connection::finish_ended_pipes(const error_code& code) {
  OperationList ended;
  move_operations(waiting_, ended, [](Operation& operation) { return operation.kind == Operation::Kind::pipe; });
  while (!ended.empty()) finish_pipe(static_cast<detail::PipeOperation&>(ended.front()), code);
}

void Connection::finish_pipe(detail::PipeOperation& operation, error_code code) {
  receiving_.forget_reader(operation);
  if (operation.linked()) stop_waiting(operation);
  operation.pipe.reset();
  finish(operation, code);
  mark(Due::input);  // nobody may have looked at the input while the pipe waited
}

void Connection::read_for_pipe(detail::PipeOperation& operation) {
  detail::Pipe& pipe = *operation.pipe;
  if (const error_code code = pipe.refusal()) return finish_pipe(operation, code);
  if (pipe.destination().queued() != 0) {
    pipe.want_empty_queue();
    return watch_unread();
  }
  const transport::Result result = pipe.pass_on(receiving_, *transport_);
  std::get<0>(operation.results) += result.bytes;
  after_read(result);
}

/// The pipe takes nothing while its destination has bytes queued. With nothing unread an error is told all the same, and a
/// connection that failed does not wait for ever.
void Connection::watch_unread() {
  if (phase_ == Phase::failing) return limit_wait_for_reader();
  if (receiving_.has_put_back()) return;
  const transport::Peek peek = transport_->peek_end();
  if (peek.waiting == transport::Waiting::error) return input_failed(peek.error);
  if (peek.waiting == transport::Waiting::nothing) static_cast<void>(transport_->ready_to_read());
  if (peek.waiting != transport::Waiting::end) return;
  if (const error_code code = transport_->error_behind_end()) input_failed(code);
}

/// The source has ended: what is left to wait for is that all has left the destination, and its end with it.
void Connection::end_pipe(detail::PipeOperation& operation) {
  detail::Pipe& pipe = *operation.pipe;
  begin_waiting(operation, waiting_);
  if (const error_code code = pipe.refusal()) return finish_pipe(operation, code);
  if (pipe.ends_destination()) pipe.destination().end({}, nullptr);
  pipe.want_all_sent();
  pipe.destination().tell_when_writable(pipe);
  pipe.destination().flush_soon();
}

// --- the destination of pipes --------------------------------------------------------------------------------------

void Connection::tell_when_writable(detail::Pipe& pipe) {
  if (!pipe.linked()) wait(pipe);
}

void Connection::tell_writable() {
  if (queued() != 0) return;
  finish_waiting({}, [all_sent = buffered() == 0](Operation& operation) {
    return operation.kind == Operation::Kind::writable && static_cast<detail::Pipe&>(operation).take_writable(all_sent);
  });
}

/// Nothing can be written here any more. True if somebody hears of it that way.
bool Connection::break_pipes() {
  bool heard = false;
  finish_waiting(outcome_.code_at_close(), [&](Operation& operation) {
    if (operation.kind != Operation::Kind::writable) return false;
    heard = heard || static_cast<detail::Pipe&>(operation).is_heard();
    return true;
  });
  return heard;
}

/// What a pipe passes on is no write of the user's: it asks for no 'drain'.
void Connection::take_over(std::span<const std::byte> bytes) {
  if (bytes.size() >= large_write && may_write_through(bytes.size())) {
    write_through(bytes, nullptr);
  } else {
    sending_.append_copy(bytes);
  }
  send_soon(false);
}

void Connection::take_over(std::shared_ptr<transport::KernelPipe> pipe) {
  sending_.append_piped(std::move(pipe));
  send_soon(false);
}

// --- writing -------------------------------------------------------------------------------------------------------

error_code Connection::refusal() const noexcept {
  if (accepts_writes()) return {};
  if (destroyed()) return outcome_.code_when_over();
  if (phase_ == Phase::failing) return outcome_.code();
  if (sending_.is_open()) return Errc::closed;
  return receiving_.has_ended() ? broken_pipe() : error_code(Errc::write_after_end);
}

/// A write that ends the connection completes behind those before it, which get their chance first.
void Connection::refused(detail::WriteOperation* operation) {
  const error_code code = refusal();
  if (refusal_ends_connection()) {
    if (may_offer()) send_now();
    outcome_.note_heard_if(operation != nullptr && !outcome_.failed());
    const bool both_ended = code == broken_pipe();
    fail(make_error(code, "write", both_ended ? "this socket has been ended by the other party" : ""));
  }
  if (operation != nullptr) finish_late(*operation, code);
}

/// So does a write on a socket that was never connected.
bool Connection::refusal_ends_connection() const noexcept {
  if (phase_ == Phase::fresh) return true;
  return (phase_ == Phase::open || phase_ == Phase::connecting) && !sending_.is_open() && !closing_.lingers();
}

/// The queue is full: the write fails, and may be tried again after 'drain'; or the connection does.
void Connection::overflow(Operation* operation) {
  if (options().on_overflow == OverflowPolicy::destroy) {
    outcome_.note_heard_if(operation != nullptr);
    fail_now(make_error(Errc::overflow, "write"));
  } else {
    sending_.owe_drain();
    if (operation == nullptr) {
      log(LogLevel::warning, LogKind::dropped_write,
          [&] { return log_name() + ": a write was dropped, max_buffered bytes are queued"; });
    }
  }
  if (operation != nullptr) finish(*operation, Errc::overflow);
}

/// Text that is not hex or base64: a `verb()` throws, its twin completes with the error. Nothing else happens.
void Connection::refuse_invalid(Operation* operation, const char* verb) {
  const bool throws = operation == nullptr || operation->is_callback;
  if (!throws) return finish(*operation, Errc::invalid_argument);
  throw SystemError(make_error(Errc::invalid_argument, verb));
}

/// Sees to it that what was written since `begin` leaves; tells whether there is room for more. Most writes of a step only
/// join the first one, below the mark.
inline bool Connection::has_room_after_write(std::uint64_t begin) {
  if (first_of_step() || !sending_.is_below(options().high_water_mark)) return has_room_at_mark_or_first(begin);
  touch();
  return true;
}

bool Connection::write(Payload&& data, detail::WriteOperation* operation, Views views) {
  if (!data.valid() || !accepts_writes() || full()) return refuse_write(data, operation);
  if (operation != nullptr) watch_operation(*operation, *this, *loop_);
  const std::uint64_t begin = sending_.appended();
  if (data.size() >= large_write && data.is_view() && views == Views::copied && may_write_through(data.size())) {
    write_through(data.view(), operation);
  } else {
    sending_.append(std::move(data), views);
    if (operation != nullptr) sending_.await_bytes(*operation, begin, sending_.appended());
  }
  return has_room_after_write(begin);
}

/// Always false: what `write` then returns.
bool Connection::refuse_write(const Payload& data, detail::WriteOperation* operation) {
  if (!data.valid()) {
    refuse_invalid(operation, "write");
  } else if (!accepts_writes()) {
    refused(operation);
  } else {
    overflow(operation);
  }
  return false;
}

void Connection::start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers) {
  if (!accepts_writes()) return refused(&operation);
  if (full()) return overflow(&operation);
  watch_operation(operation, *this, *loop_);
  const std::uint64_t begin = sending_.appended();
  sending_.append_borrowed(buffers);
  sending_.await_bytes(operation, begin, sending_.appended());
  has_room_after_write(begin);
}

bool Connection::may_write_through(std::size_t size) const {
  const bool at_once = first_of_step() || size >= options().high_water_mark;
  return at_once && can_send() && sending_.is_bare() && transport_->ready_to_write();
}

/// Offers a large write to the transport at once: what the transport takes need not be copied.
void Connection::write_through(std::span<const std::byte> bytes, detail::WriteOperation* operation) {
  const std::uint64_t begin = sending_.appended();
  const transport::Result result = sending_.write_through(*transport_, bytes);
  if (operation != nullptr) sending_.await_bytes(*operation, begin, begin + bytes.size());
  if (result.bytes != 0) note_moved_output();
  if (result.status == transport::Status::error) output_failed(result.error);
}

/// Of a write that is the first of its step, or may be at the mark.
bool Connection::has_room_at_mark_or_first(std::uint64_t begin) {
  const std::size_t mark = options().high_water_mark;
  const bool below_mark = buffered() < mark;
  send_soon(!below_mark && reaches_mark(begin));
  if (below_mark && sending_.unsent() == 0) return true;  // else an encoding transport may have made more of it
  const std::size_t waiting = buffered();
  if (waiting == 0 || waiting < mark || buffered_in_user_space() < mark) return true;
  sending_.owe_drain();
  return false;
}

/// Whether what was written since `begin` has brought the queue from below the mark to it: the kernel may still have room.
bool Connection::reaches_mark(std::uint64_t begin) const noexcept {
  const std::size_t waiting = buffered_in_user_space();
  const std::uint64_t written = sending_.appended() - begin;
  const std::size_t high_water_mark =
      std::max<std::size_t>(options().high_water_mark, 1);  // an empty queue is below any
  return waiting >= high_water_mark && waiting < high_water_mark + written;
}

/// With the end of the step; at once if that is wanted, or if it is large and the first.
inline void Connection::send_soon(bool at_once) {
  touch();
  if (!at_once && !first_of_step()) return;
  if ((at_once || sending_.queued() >= large_write) && can_send()) send_now();
  mark(Due::flush);
}

/// All that is queued, once.
void Connection::send_now() {
  error_code error;
  const Sending::Flushed flushed = sending_.offer(*transport_, error);
  if (flushed.moved) note_moved_output();
  if (flushed.failed) output_failed(error);
}

/// Whether something may wait that was accepted while the connection could send it: that is owed one try.
bool Connection::may_offer() const noexcept {
  const std::uint64_t written_before = connect_ ? connect_->written_before : 0;
  return can_send() && !sending_.is_aborted() && bytes_written() != written_before;
}

/// Before the program cuts the connection. How that goes makes no difference any more.
void Connection::offer_last() {
  error_code ignored;
  if (may_offer()) sending_.offer(*transport_, ignored);
}

void Connection::flush() {
  due_.take(Due::flush);
  if (!can_send()) return finish_unconnected_end();
  error_code error;
  const Sending::Flushed flushed = sending_.flush(*transport_, reactor::flushes_per_step, error);
  if (flushed.moved) note_moved_output();
  if (flushed.failed) return output_failed(error);
  if (flushed.more) mark(Due::flush);
  if (sending_.has_operations()) complete_writes();
  if (sending_.owes_drain()) note_drained();
  if (sending_.is_at_barrier() && !replace_now()) return;
  if (sending_.is_ending()) send_end();
  if (!waiting_.empty()) tell_writable();
}

inline void Connection::note_moved_output() {
  touch();
  if (closing_.lingers()) restart_linger_time();
}

void Connection::output_failed(const error_code& code) { fail(transport_error(code, Operation::Kind::write)); }

void Connection::complete_writes() {
  while (detail::WriteOperation* operation = sending_.pop_completed()) finish(*operation, {});
}

void Connection::note_drained() {
  const bool keeps = sending_.unsent() != 0 && transport_->ready_to_write();
  if (!sending_.take_drain(options().low_water_mark, keeps)) return;
  if (sending_.is_open()) mark(Due::drain);
  finish_waiting(Operation::Kind::drain, {});
}

void Connection::start_drain(detail::VoidOperation& operation) {
  if (destroyed()) return finish_late(operation, outcome_.code_when_over());
  if (phase_ == Phase::failing) return finish_late(operation, outcome_.code());
  const bool flushing = sending_.is_ending() && buffered() != 0;
  if (!sending_.owes_drain() && !flushing) return finish(operation, {});
  sending_.owe_drain();
  wait(operation);
}

void Connection::uncork() {
  if (sending_.uncork()) mark(Due::flush);
}

/// True if there were any. What has been sent as a whole did not fail.
bool Connection::fail_writes(const error_code& code) {
  if (connected()) complete_writes();
  bool any = false;
  while (detail::WriteOperation* operation = sending_.pop_any()) {
    finish(*operation, code);
    any = true;
  }
  sending_.drop_data();
  return any;
}

/// Contract 7: what has not started is taken out; what is partly sent cannot be taken back; what is sent succeeds.
void Connection::cancel_write(detail::WriteOperation& operation, asio::cancellation_type type,
                              const error_code& reason) {
  using asio::cancellation_type;
  if (!sending_.contains(operation)) return;
  if (!sending_.has_started(operation)) {
    sending_.remove(operation);
    finish(operation, reason);
    mark(Due::flush);  // a drain may be due now
  } else if (!sending_.has_sent(operation) &&
             (type & (cancellation_type::partial | cancellation_type::terminal)) != cancellation_type::none) {
    fail(make_error(reason, "write"));
  }
}

// --- the end of our side -------------------------------------------------------------------------------------------

void Connection::end(Payload&& data, detail::VoidOperation* operation) {
  if (!data.valid()) return refuse_invalid(operation, "end");
  const bool last_write = data.size() != 0;
  if (last_write && accepts_writes() && full()) return overflow(operation);  // an end without its data would be a lie
  if (last_write) write(std::move(data), nullptr, Views::copied);
  if (sending_.is_open() && !destroyed() && phase_ != Phase::failing) sending_.end();
  mark(Due::flush);
  if (operation == nullptr) return;
  if (destroyed()) return finish_late(*operation, outcome_.code_of_late_end());
  if (phase_ == Phase::failing) return finish_late(*operation, outcome_.code());
  if (sending_.end_is_sent()) return finish(*operation, {});
  wait(*operation);
}

/// After a reset the system knows no connection to shut down; the reset itself is the better story. A peer that has ended
/// and is gone does not miss our end, if all else is on its way.
void Connection::send_end() {
  if (sending_.is_leaving()) return sending_.has_left() ? enter_closing() : static_cast<void>(0);
  if (const error_code code = sending_.send_end(*transport_)) {
    const transport::Peek peek = transport_->peek_end();
    const error_code failure = peek.waiting == transport::Waiting::error ? peek.error : code;
    const bool moot = receiving_.has_ended() && buffered() == 0 && says_peer_is_gone(failure);
    if (!moot) return output_failed(failure);
  }
  if (!sending_.take_end_sent()) return;
  finish_waiting(Operation::Kind::end, {});
  if (!closing_.lingers()) return;
  closing_.note_end_sent(bytes_read());
  restart_linger_time();
  mark(Due::input);
}

void Connection::finish_unconnected_end() {
  if (phase_ == Phase::fresh && sending_.end_unconnected()) finish_waiting(Operation::Kind::end, {});
}

// --- the end of the connection -------------------------------------------------------------------------------------

/// Contract 8: the writes fail now; what can still be read is delivered first, then 'error' and 'close'.
void Connection::fail(const Error& error) {
  if (destroyed() || outcome_.failed()) return;
  outcome_.keep(error);
  outcome_.note_heard_if(fail_writes(error.code()));
  outcome_.note_heard_if(finish_waiters(error.code()));
  if (phase_ != Phase::open || !receiving_.is_open()) return enter_closing();
  phase_ = Phase::failing;
  if (!closing_.lingers()) closing_.stop_time();
  mark(Due::input);
}

/// The same without waiting for input.
void Connection::fail_now(const Error& error) {
  fail(error);
  if (phase_ == Phase::failing) enter_closing();
}

/// Of a connection that failed before, whoever asks later is told of this in place of the error. One that closed by itself
/// cannot be destroyed any more.
void Connection::destroy(const Error& error) {
  if (!destroyed() || outcome_.failed()) outcome_.note_destroyed();
  if (!destroyed()) cut(error);
}

/// What was about to be told is not told any more: only 'error' and 'close' come.
void Connection::cut(const Error& error) {
  offer_last();
  if (error) outcome_.keep(error);
  const error_code aborted = outcome_.code_in_flight();
  const bool unconnected = phase_ == Phase::connecting && !outcome_.failed();
  const bool failed_writes = fail_writes(unconnected ? error_code(Errc::closed_before_connection) : aborted);
  finish_ended_pipes(aborted);
  const bool received = finish_waiters(aborted) || failed_writes;
  outcome_.note_heard_if(outcome_.failed() && received);
  due_.abandon();
  receiving_.tell_no_end();
  sending_.tell_no_finish();
  enter_closing();
}

void Connection::listener_threw(std::exception_ptr exception) noexcept {
  const auto remote = remote_address();
  const Error error =
      described(Errc::listener_threw,
                {.operation = "listener", .remote_address = remote ? &*remote : nullptr, .exception = &exception});
  const bool reported = session_ && session_->report_handler_error(handle(), exception);
  if (destroyed()) {
    if (!reported) log(LogLevel::error, LogKind::listener_threw, [&] { return log_name() + ": " + error.message(); });
    return;
  }
  outcome_.note_heard_if(reported);
  cut(error);
}

void Connection::handler_returned() noexcept try { destroy_soon(); } catch (const std::bad_alloc&) {
  memory_ran_out();
}

void Connection::handler_failed(const std::exception_ptr& exception) noexcept {
  outcome_.note_heard();  // by the server's 'handler_error', or its log
  try {
    std::rethrow_exception(exception);
  } catch (const SystemError& error) {
    destroy(error.error());
  } catch (...) {
    destroy(described(Errc::handler_threw, {.operation = "serve", .exception = &exception}));
  }
}

/// Whether the end of the connection, and what still comes, are another process's business: nobody has ended it here.
bool Connection::others_go_on() const noexcept { return transport_ && transport_->is_inherited(); }

/// Flushes, ends, discards what still comes, closes.
void Connection::linger() {
  if (destroyed() || closing_.lingers()) return;
  closing_.linger(*this, bytes_read());
  receiving_.flow_freely();
  if (receiving_.has_reader()) complete_reader(asio::error::operation_aborted);
  const bool ends = sending_.is_ending() && !sending_.end_is_sent();
  connected() && others_go_on() && !ends ? sending_.leave() : end({}, nullptr);
  mark(Due::flush);
  restart_linger_time();
  if (sending_.end_is_sent()) closing_.note_end_sent(bytes_read());
  mark(Due::input);
}

void Connection::destroy_soon() {
  if (phase_ == Phase::fresh) return destroy({});
  if (phase_ == Phase::failing) return enter_closing();
  linger();
}

void Connection::start_close(detail::VoidOperation& operation) {
  if (phase_ == Phase::closed) return finish(operation, {});
  if (phase_ == Phase::fresh || phase_ == Phase::failing) enter_closing();
  wait(operation);
  linger();
}

void Connection::reset() {
  if (connected() && !transport_->can_reset()) throw SystemError(Error(Errc::invalid_handle, "reset"));
  if (phase_ == Phase::fresh) return fail(make_error(Errc::closed, "reset"));
  if (phase_ == Phase::connecting) {
    connect_->resets_when_connected = true;
  } else if (connected()) {
    offer_last();
    sending_.abort();
    destroy({});
  }
}

/// Both sides have ended: closes once everybody knows.
void Connection::close_if_told() {
  if (!loop_->alive() || phase_ != Phase::open || !completed_.empty()) return;
  if (automatic_end_ != AutomaticEnd::made) enter_closing();
}

void Connection::enter_closing() {
  const error_code code = outcome_.code_in_flight();
  phase_ = Phase::closing;
  forget_callbacks();
  if (connect_) connect_->give_up();
  idle_timer_.reset();
  closing_.stop_time();
  if (receiving_.has_reader()) {
    outcome_.note_heard_if(outcome_.failed() && is_heard(*receiving_.reader()));
    complete_reader(code);
  }
  fail_writes(code);
  close_transport();
  finish_waiters(code);
  waiting_.for_each([result = outcome_.code_of_closers()](Operation& operation) {
    if (operation.kind == Operation::Kind::close) operation.result = result;  // who asks later gets no error
  });
  receiving_.drop_unread();
  if (outcome_.failed()) due_.add(Due::error);
  if (session_) session_->connection_gone(*this);  // its server's 'close' comes before ours
  close_round_ = round();
  mark(Due::close);
  if (!in_step()) wake_last();
}

/// Listeners that calls brought go with the connection for which they were brought.
void Connection::forget_callbacks() {
  if (connect_ && connect_->callback) listeners_.remove(*std::exchange(connect_->callback, std::nullopt));
  if (!idle_timer_) return;
  for (const ListenerId id : std::exchange(idle_timer_->callbacks, {})) listeners_.remove(id);
}

void Connection::close_transport() noexcept {
  sending_.detach();
  if (!transport_) return;
  transport_->observe(nullptr);
  sending_.is_aborted() ? transport_->reset() : transport_->close();
}

// --- time ----------------------------------------------------------------------------------------------------------

void Connection::on_linger_time_up() {
  if (phase_ == Phase::open && !sending_.end_is_sent() && buffered() != 0) {
    if (!sending_.is_leaving()) sending_.abort();  // bytes are lost: let no peer take the end for the whole
    fail_now(make_error(Errc::timed_out, "write"));
  } else if (connected()) {
    enter_closing();
  }
}

void Connection::set_timeout(std::chrono::milliseconds duration) {
  if (duration.count() < 0) throw SystemError(Error(Errc::out_of_range, "set_timeout"));
  if (destroyed()) return;
  if (duration.count() != 0) {
    if (!idle_timer_) idle_timer_ = std::make_unique<IdleTimer>(*loop_, static_cast<TimeLimitClient&>(*this));
    idle_timer_->restart(duration);
  } else if (idle_timer_) {
    for (const ListenerId id : idle_timer_->callbacks) listeners_.remove(id);
    idle_timer_.reset();
  }
}

void Connection::remember_timeout_listener(ListenerId id) {
  if (idle_timer_) idle_timer_->callbacks.push_back(id);
}

std::chrono::milliseconds Connection::timeout() const noexcept {
  return idle_timer_ ? idle_timer_->duration() : std::chrono::milliseconds(0);
}

// --- state ---------------------------------------------------------------------------------------------------------

ReadyState Connection::ready_state() const noexcept {
  if (phase_ == Phase::connecting) return ReadyState::opening;
  if (readable()) return writable() ? ReadyState::open : ReadyState::read_only;
  return writable() ? ReadyState::write_only : ReadyState::closed;
}

std::optional<SocketAddress> Connection::local_address() const {
  return transport_ ? transport_->local_address() : std::nullopt;
}

std::optional<SocketAddress> Connection::remote_address() const {
  return transport_ ? transport_->remote_address() : std::nullopt;
}

std::vector<std::string> Connection::attempted_addresses() const {
  return connect_ ? connect_->attempted : std::vector<std::string>();
}

int Connection::native_handle() const noexcept {
  if (transport_) return transport_->native_handle();
  return connect_ && connect_->source ? connect_->source->native_handle() : -1;
}

/// What came too late says what it came too late for.
Error Connection::describe(const error_code& code, Operation::Kind kind) const {
  if (outcome_.failed() && outcome_.code() == code) return outcome_.error();
  Error error = make_error(code, name_of(kind));
  if (!outcome_.failed() || code != Errc::closed) return error;
  return make_error(code, name_of(kind), error.message() + ": " + outcome_.error().message());
}

/// The message of a failed connect names a local address that was bound by request; nothing else is known before.
Error Connection::make_error(const error_code& code, const char* operation, std::string_view text) const noexcept {
  const auto local = connected() ? local_address() : std::nullopt;
  const auto remote = remote_address();
  return described(code, {.operation = operation,
                          .local_address = local ? &*local : nullptr,
                          .remote_address = remote ? &*remote : nullptr,
                          .text = text});
}

/// With the story that the transport knows.
Error Connection::transport_error(const error_code& code, Operation::Kind kind) const noexcept {
  const transport::Failure failure = transport_->failure();
  return make_error(code, *failure.operation != '\0' ? failure.operation : name_of(kind), failure.detail);
}

std::string Connection::log_name() const {
  const auto remote = remote_address();
  return "socket " + std::to_string(id_) + (remote ? " (" + remote->to_string() + ')' : "");
}

}  // namespace libnet::core
