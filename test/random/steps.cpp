#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include <algorithm>
#include <span>

#include "random/session.hpp"

/// What a step does; operations are started in starts.cpp.
namespace libnet::test::random {

Side* Session::side_of(std::uint32_t who) {
  Line& line = *lines_[who / 2];
  return who % 2 == 0 ? line.client.get() : line.accepted.get();
}

/// A step, and those behind it that belong to it.
void Session::execute(std::size_t index, By by) {
  while (true) {
    Call* const call = perform(case_.steps[index], by);
    if (++index == case_.steps.size()) return;
    const Where where = case_.steps[index].where;
    if (where == Where::then && call != nullptr && !call->done) {
      call->then = index;
      return;
    }
    if (where != Where::with && where != Where::then) return;
  }
}

Call* Session::perform(const Step& step, By by) {
  sync_pipes();
  Line& line = *lines_[step.who / 2];
  switch (step.verb) {
    case Verb::accept: return accept(line, step);
    case Verb::close_server: return close_server(line, step);
    case Verb::listen: listen(line); return nullptr;
    case Verb::serve_return:
    case Verb::serve_throw:
      if (!line.accepted || line.accepted->gate == nullptr) return nullptr;
      line.accepted->gate_throws = step.verb == Verb::serve_throw;
      line.accepted->gate->cancel();
      return nullptr;
    case Verb::throw_here:
      if (by == By::listener) throw StepThrew();
      return nullptr;
    case Verb::advance: return nullptr;  // between the handlers only: see run_step
    default: break;
  }
  Side* const side = side_of(step.who);
  if (side == nullptr || (side->dropped && step.verb != Verb::connect)) return nullptr;
  return perform_on_socket(*side, step);
}

Call* Session::perform_on_socket(Side& side, const Step& step) {
  switch (step.verb) {
    case Verb::connect:
    case Verb::connect_refused: return connect(side, step);
    case Verb::write: return write(side, step);
    case Verb::end: return end(side, step);
    case Verb::destroy:
    case Verb::destroy_with_error:
    case Verb::destroy_soon:
    case Verb::reset: destroy(side, step); return nullptr;
    case Verb::close: return close(side, step);
    case Verb::drop: drop(side); return nullptr;
    case Verb::read:
    case Verb::read_some: return read(side, step);
    case Verb::pipe: return pipe(side, step);
    case Verb::drain: return drain(side, step);
    case Verb::wait: return wait(side, step);
    case Verb::cancel: cancel(side, step.amount); return nullptr;
    default: adjust(side, step); return nullptr;
  }
}

/// What starts no operation.
void Session::adjust(Side& side, const Step& step) {
  const Calling inside(*this);
  switch (step.verb) {
    case Verb::data_on: return data_on(side);
    case Verb::data_off: return data_off(side);
    case Verb::on_read: return on_read(side, step);
    case Verb::pause:
      if (!side.life->lingers()) side.paused = true;
      side.discarding = false;
      side.socket.pause();
      return;
    case Verb::resume: return resume(side, step);
    case Verb::unshift: return unshift(side, step.amount);
    case Verb::cork: ++side.corks; return side.socket.cork();
    case Verb::uncork: side.corks = std::max(side.corks - 1, 0); return side.socket.uncork();
    case Verb::encoding: return set_encoding(side, step.amount);
    case Verb::timeout: side.socket.set_timeout(std::chrono::milliseconds(step.amount)); return;
    case Verb::unpipe: side.socket.unpipe(); return;
    default: return;
  }
}

State Session::state_of(const Side& side) const {
  const Socket& socket = side.socket;
  const bool listens = socket.listener_count(event::data) != 0 || side.receiver.has_value();
  return {.fresh = socket.pending() && !socket.connecting() && !socket.destroyed(),
          .connecting = socket.connecting(),
          .over = socket.destroyed(),
          .writable = socket.writable(),
          .consumed = listens,
          .buffered = socket.buffered(),
          .error = socket.error().code()};
}

Call& Session::new_call(Side& side, const Step& step) {
  Call& call = *calls_.emplace_back(std::make_unique<Call>());
  call.verb = step.verb;
  call.side = &side;
  call.life = side.life;
  call.text = side.name + " call " + std::to_string(calls_.size()) + " (" + name_of(step) + ")";
  return call;
}

/// Whether another operation of this life is still to complete that hears of its error.
bool Session::others_hear(const Call& late) const {
  return std::ranges::any_of(calls_, [&](const std::unique_ptr<Call>& call) {
    return call.get() != &late && call->life == late.life && !call->done && call->by_libnet &&
           !call->comes_too_late_to_hear;
  });
}

/// What an operation gets that is started on a socket which is over.
void Session::expect_late(Call& call, const State& state) const {
  if (call.life->destroyed()) {
    call.only = {Errc::destroyed};
  } else if (state.error && !call.life->resets() && call.verb != Verb::connect) {
    call.only = {call.life->heard() || !call.by_libnet ? error_code(Errc::closed) : state.error};
    if (others_hear(call)) call.only.emplace_back(Errc::closed);
  } else {
    call.only = {Errc::closed};
    if (call.life->resets()) call.only.push_back(Errc::destroyed);
    if (state.error) call.only.push_back(state.error);
  }
}

void Session::cancel(Side& side, std::uint32_t choice) {
  std::vector<Call*> pending;
  for (const auto& call : calls_) {
    const bool elsewhere = strands() && call->life == nullptr;  // of the server
    if (call->side == &side && call->signal && !call->done && !elsewhere) pending.push_back(call.get());
  }
  if (pending.empty()) return;
  constexpr std::array types{asio::cancellation_type::total, asio::cancellation_type::partial,
                             asio::cancellation_type::terminal};
  Call& call = *pending[choice % pending.size()];
  const auto type = types[choice % types.size()];
  call.cancelled = true;
  if (call.life != nullptr && (call.verb == Verb::connect || call.verb == Verb::connect_refused ||
                               (call.verb == Verb::write && type != asio::cancellation_type::total))) {
    call.life->may_fail_with(asio::error::operation_aborted);
  }
  const Calling inside(*this);
  call.signal->emit(type);
}

void Session::data_on(Side& side) {
  if (side.data || side.socket.destroyed()) return;
  const bool receives = side.receiver.has_value();
  const error_code code = thrown_by(
      [&] { side.data = side.socket.on(event::data, [this, &side](const Chunk& chunk) { told_data(side, chunk); }); });
  if (code)
    return require(code == Errc::busy && (receives || side.readers != 0), "codes", "on(data): " + text_of(code));
  require(!receives, "codes", "on(data) beside on_read");
  side.discarding = false;
}

void Session::data_off(Side& side) {
  if (side.data) side.socket.off(*side.data);
  if (side.receiver) side.socket.off(*side.receiver);
  side.data.reset();
  side.receiver.reset();
}

void Session::on_read(Side& side, const Step& step) {
  if (side.socket.destroyed()) return;
  std::string& memory = memories_.emplace_back(step.amount, '#');
  const auto receive = [this, &side](std::size_t size, std::span<std::byte> bytes) {
    told_memory(side, {reinterpret_cast<const char*>(bytes.data()), size});
  };
  const error_code code =
      thrown_by([&] { side.receiver = side.socket.on_read(std::as_writable_bytes(std::span(memory)), receive); });
  if (code)
    return require(code == Errc::busy && (side.data || side.readers != 0), "codes", "on_read: " + text_of(code));
  side.discarding = false;
}

/// With nobody who consumes this discards: rarely, for then nothing can be said about the bytes any more.
void Session::resume(Side& side, const Step& step) {
  const bool discards = !side.data && !side.receiver;
  if (discards && (step.form != Form::plain || side.readers != 0 || side.encoding != Encoding::bytes)) return;
  if (!side.life->lingers()) side.paused = false;
  if (discards) side.discarding = side.life->out_of_sync = true;
  side.socket.resume();
}

/// Some of the bytes that have just come.
void Session::unshift(Side& side, std::uint32_t size) {
  if (side.last_bytes.empty() || side.socket.destroyed() || side.life->lingers()) return;
  const std::string bytes =
      side.last_bytes.substr(side.last_bytes.size() - std::min<std::size_t>(size, side.last_bytes.size()));
  side.life->put_back.insert(0, bytes);
  side.socket.unshift(bytes);
  side.last_bytes.clear();
}

/// Only where it is certain what comes: the text is worked out from that.
void Session::set_encoding(Side& side, std::uint32_t choice) {
  if (case_.setup.cancels_writes != 0 || side.readers != 0 || side.receiver || side.life->out_of_sync) return;
  side.encoding = static_cast<Encoding>(choice % (static_cast<std::uint32_t>(Encoding::utf16le) + 1));
  side.socket.set_encoding(side.encoding);
}

}  // namespace libnet::test::random
