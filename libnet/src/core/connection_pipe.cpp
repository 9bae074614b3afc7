#include "core/connection.hpp"
#include "core/pipe.hpp"

/// Piping: what one socket receives is queued at another one, a block at a time, each when the last has left.
namespace libnet::detail {

void PipeDeleter::operator()(Pipe* pipe) const noexcept { delete pipe; }

void Pipe::complete() {
  if (result || !source_.reads_for(operation_)) return source_.finish_pipe(operation_, result);  // frees this
  destination().watch_room(*this);
  source_.go_on_piping();
}

}  // namespace libnet::detail

namespace libnet::core {

namespace {

// What moves fewer bytes at once is better copied: a pipe of the kernel costs two descriptors. [bytes]
constexpr std::size_t small_splice = 16 * 1024;

}  // namespace

// --- the source ----------------------------------------------------------------------------------------------------

error_code Connection::refuse_pipe(const Socket& destination) const {
  if (reader_ != nullptr || listeners_consume()) return Errc::busy;
  return destination.get_executor() == loop_->executor() ? error_code() : error_code(Errc::invalid_argument);
}

void Connection::start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options) {
  if (const error_code code = refuse_pipe(destination)) return finish(operation, code);
  operation.pipe.reset(new detail::Pipe(*this, operation, destination, options));
  if (const error_code code = of(destination).refusal()) return finish_pipe(operation, code);
  if (flow_ == Flow::paused) flow_ = Flow::automatic;  // or its end would never be told
  if (!accept_reader(operation)) {
    if (contains(waiting_, operation)) watch_operation(operation, *this, *loop_);
    return;
  }
  of(destination).watch_room(*operation.pipe);
  release_held();
  begin_reading(operation);
}

void Connection::unpipe() {
  if (reader_ != nullptr && reader_->kind == Operation::Kind::pipe) complete_reader(asio::error::operation_aborted);
  finish_ended_pipes(asio::error::operation_aborted);
}

/// Those whose source has ended, and that wait for their destination.
void Connection::finish_ended_pipes(const error_code& code) {
  OperationList ended;
  move_operations(waiting_, ended, [](Operation& operation) { return operation.kind == Operation::Kind::pipe; });
  while (!ended.empty()) finish_pipe(static_cast<detail::PipeOperation&>(ended.front()), code);
}

void Connection::finish_pipe(detail::PipeOperation& operation, error_code code) {
  if (reader_ == &operation) {
    reader_ = nullptr;
  } else if (operation.linked()) {
    OperationList::remove(operation);
  }
  operation.pipe.reset();
  finish(operation, code);
  mark(due_input);  // nobody may have looked at the input while the pipe waited for room
}

void Connection::read_for_pipe(detail::PipeOperation& operation) {
  detail::Pipe& pipe = *operation.pipe;
  if (const error_code code = pipe.refusal()) return finish_pipe(operation, code);
  if (pipe.destination().buffered() != 0) {
    pipe.want_room();
    return watch_unread();
  }
  const bool uncopied = pipe.shortcut() && !pushed_back_ && can_splice() && pipe.destination().can_splice();
  const transport::Result result = uncopied ? pass_on_uncopied(pipe) : pass_on(pipe);
  std::get<0>(operation.results) += result.bytes;
  after_read(result);
}

/// The pipe takes nothing before its destination has room. With nothing unread an error is told all the same, and a
/// connection that failed does not wait for ever.
void Connection::watch_unread() {
  if (phase_ == Phase::failing) return start_linger_timer();
  if (pushed_back_) return;
  const transport::Peek peek = transport_->peek_end();
  if (peek.waiting == transport::Waiting::error) return input_failed(peek.error);
  if (peek.waiting == transport::Waiting::nothing) static_cast<void>(transport_->ready_to_read());
}

/// The pipe may be gone afterwards, if it leads back here and the write failed.
transport::Result Connection::pass_on(detail::Pipe& pipe) {
  Block block = Block::take();
  const transport::Result result = read_into({block.data(), block.size()});
  const bool bulk = result.bytes == block.size() && can_splice() && pipe.destination().can_splice();
  if (bulk) pipe.enter_bulk();
  if (!bulk && result.bytes != 0) pipe.leave_bulk();
  if (result.bytes != 0) pipe.destination().take_over({block.data(), result.bytes});
  return result;
}

transport::Result Connection::pass_on_uncopied(detail::Pipe& pipe) {
  const std::shared_ptr<transport::KernelPipe> shortcut = pipe.shortcut();
  const transport::Result result = transport_->splice_in(*shortcut);
  if (result.bytes == 0) return result.status == transport::Status::more ? pass_on(pipe) : result;
  count_input(result.bytes);
  if (result.bytes < small_splice) pipe.leave_bulk();
  pipe.destination().take_over(shortcut);
  return result;
}

/// The source has ended: what is left to wait for is that all has left the destination, and its end with it.
void Connection::end_pipe(detail::PipeOperation& operation) {
  detail::Pipe& pipe = *operation.pipe;
  waiting_.push_back(operation);
  if (const error_code code = pipe.refusal()) return finish_pipe(operation, code);
  if (pipe.ends_destination()) pipe.destination().end({}, nullptr);
  pipe.want_room();
  pipe.destination().watch_room(pipe);
  pipe.destination().mark(due_flush);
}

// --- the destination -----------------------------------------------------------------------------------------------

void Connection::watch_room(detail::Pipe& pipe) {
  if (!pipe.linked()) wait(pipe);
}

void Connection::tell_room() {
  if (waiting_.empty() || buffered() != 0) return;
  finish_waiting({}, [](Operation& operation) {
    return operation.kind == Operation::Kind::room && static_cast<detail::Pipe&>(operation).take_room();
  });
}

/// Nothing can be written here any more. True if somebody hears of it that way.
bool Connection::break_pipes() {
  const error_code code = error_       ? error_.code()
                          : destroyed_ ? asio::error::operation_aborted
                                       : error_code(Errc::closed);
  bool is_heard = false;
  finish_waiting(code, [&](Operation& operation) {
    if (operation.kind != Operation::Kind::room) return false;
    is_heard = is_heard || static_cast<detail::Pipe&>(operation).is_heard();
    return true;
  });
  return is_heard;
}

}  // namespace libnet::core
