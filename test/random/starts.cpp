#include "random/starts.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <vector>

/// Operations: what each call has to expect, and the call.
namespace libnet::test::random {

namespace {

error_code broken_pipe() { return {EPIPE, boost::system::system_category()}; }

std::string in_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += {digits[value >> 4U], digits[value & 15U]};
  }
  return text;
}

std::string in_base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(byte);
    for (count += 8; count >= 6; count -= 6) text += digits[(bits >> static_cast<unsigned>(count - 6)) & 63U];
  }
  if (count != 0) text += digits[(bits << static_cast<unsigned>(6 - count)) & 63U];
  return text;
}

/// What is written, as one of the overloads takes it.
Payload payload(const Call& call, Data data) {
  switch (data) {
    case Data::string: return std::string(call.memory);
    case Data::vector: {
      const auto bytes = std::as_bytes(std::span(call.memory));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    }
    case Data::bytes: return Bytes(std::string_view(call.memory));
    case Data::hex: return {in_hex(call.memory), Encoding::hex};
    case Data::base64: return {in_base64(call.memory), Encoding::base64};
    default: return std::string_view(call.memory);
  }
}

bool has_twin(Form form) { return form != Form::plain && form != Form::callback; }

}  // namespace

// --- connecting ------------------------------------------------------------------------------------------------------

/// A socket that nobody listens to is connected once, for nobody would tell when it has closed; then there is a new one.
Call* Session::connect(Side& side, const Step& step) {
  const bool refusing = step.verb == Verb::connect_refused;
  Line& line = *side.line;
  if (!side.is_client || (!side.dropped && !side.listens && side.socket.connecting())) return nullptr;
  if (side.dropped || (!side.listens && side.socket.destroyed())) {
    if (side.readers != 0 || side.has_pipe) return nullptr;
    retire(line.client);
    make_client(line);
    return connect(*line.client, step);
  }
  if (!refusing && !strands() && (!line.listening || line.unpaired[line.generation] != nullptr)) {
    if (line.listening) close_server(line, {.verb = Verb::close_server});
    listen(line);
  }
  if (!refusing && (!line.where || line.unpaired[line.generation] != nullptr)) return nullptr;
  const ConnectOptions where = refusing ? world_->refusing_options() : *line.where;
  Call& call = new_call(side, step);
  const auto begin = [this, &call, &side, refusing] {
    begin_connect(call, side, refusing);
    return true;
  };
  if (has_twin(step.form)) {
    return start(call, step, executor(true), begin,
                 [socket = side.socket, where](auto token) mutable { return socket.async_connect(where, token); });
  }
  begin();
  call.done = true;
  const Calling inside(*this);
  const error_code code =
      thrown_by([&] { step.form == Form::callback ? side.socket.connect(where, [] {}) : side.socket.connect(where); });
  const bool right = call.only.empty() ? !code : std::ranges::find(call.only, code) != call.only.end();
  require(right, "codes", call.text + " throws " + text_of(code));
  return nullptr;
}

void Session::begin_connect(Call& call, Side& side, bool refusing) {
  const State state = state_of(side);
  call.life = side.life;
  if (state.connecting || (!state.fresh && !state.over)) {
    call.only = {Errc::already_connected};
  } else if (state.over && !side.life->closed()) {
    expect_late(call, state);
  } else {
    const bool listeners_gone = side.socket.listener_count(event::close) == 0;
    Life* const fresh = state.fresh ? side.life : nullptr;
    call.life = &begin_life(side, side.name);
    for (const auto& other : calls_) {  // what waits on a fresh socket is the connection's
      if (fresh != nullptr && other->life == fresh && !other->done) other->life = call.life;
    }
    side.corks = 0;
    if (listeners_gone) side.data.reset();
    if (listeners_gone) side.receiver.reset();
    if (listeners_gone && side.listens) listen_to(side);
    if (call.limited) call.life->may_fail_with(Errc::timed_out);
    Line& line = *side.line;
    if (refusing || !line.listening) {
      call.life->may_fail_with(asio::error::connection_refused);
      call.life->may_fail_with(error_code(ENOENT, boost::system::system_category()));
    } else {
      line.unpaired[line.generation] = call.life;
    }
  }
}

// --- reading ---------------------------------------------------------------------------------------------------------

Call* Session::read(Side& side, const Step& step) {
  const bool some = step.verb == Verb::read_some;
  Call& call = new_call(side, step);
  call.received.resize(some ? step.amount : 0);
  const auto begin = [this, &call, &side] {
    if (side.dropped) return false;
    begin_read(call, side);
    return true;
  };
  if (!some) {
    return start(call, step, executor(side.is_client), begin,
                 [socket = side.socket](auto token) mutable { return socket.async_read(token); });
  }
  const std::size_t first = step.amount / 2;
  const std::array<asio::mutable_buffer, 2> buffers{asio::buffer(call.received.data(), first),
                                                    asio::buffer(call.received.data() + first, step.amount - first)};
  return start(call, step, executor(side.is_client), begin,
               [socket = side.socket, buffers](auto token) mutable { return socket.async_read_some(buffers, token); });
}

void Session::begin_read(Call& call, Side& side) {
  const State state = state_of(side);
  call.life = side.life;
  call.may_be_busy = side.readers != 0 || (state.consumed && state.over && !side.life->closed());
  if (state.fresh) {
    call.only = {Errc::closed};
  } else if (side.life->lingers() && !state.over) {
    call.only = {Errc::closed, asio::error::operation_aborted, asio::error::eof, error_code()};
    if (state.error) call.only.push_back(state.error);
    if (call.limited) call.only.emplace_back(Errc::timed_out);
    if (state.consumed || side.readers != 0) call.only.emplace_back(Errc::busy);
  } else if (state.consumed && !state.over) {
    call.only = {Errc::busy};
    if (side.life->peer_may_have_ended()) call.only.insert(call.only.end(), {error_code(), asio::error::eof});
  } else if (state.over) {
    expect_late(call, state);
    if (call.may_be_busy) call.only.emplace_back(Errc::busy);
    if (!side.life->destroyed()) call.only.insert(call.only.end(), {error_code(), asio::error::eof});
  }
  if (!state.over) side.discarding = false;
  call.counted = true;
  ++side.readers;
}

// --- writing ---------------------------------------------------------------------------------------------------------

/// Whether the write is accepted; if not, its code is certain.
bool Session::begin_write(Call& call, Side& side, const Step& step) {
  const State state = state_of(side);
  call.life = side.life;
  call.while_connecting = state.connecting;
  const bool refused = state.fresh || state.over || !state.writable;
  if (refused || state.buffered >= case_.setup.max_buffered) {
    note_refused_write(call, side, state);
    return false;
  }
  const bool removable = case_.setup.cancels_writes != 0 && (call.limited || step.form == Form::slot);
  side.life->wrote(call.memory, call.by_libnet ? &call : nullptr, removable);
  if (call.limited) side.life->may_fail_with(Errc::timed_out);
  if (state.buffered + call.size >= case_.setup.high_water) side.life->may_owe_drain();
  return true;
}

void Session::note_refused_write(Call& call, Side& side, const State& state) {
  Life& life = *side.life;
  if (state.over) {
    expect_late(call, state);
  } else if (state.fresh && state.writable) {
    call.only = {Errc::closed};
    life.may_fail_with(Errc::closed);
    life.note_must_close();
    if (call.by_libnet) life.note_heard();
  } else if (!state.writable && state.error) {
    call.only = {state.error};
  } else if (!state.writable) {
    call.only = {Errc::write_after_end, broken_pipe(), Errc::closed};
    if (!life.lingers()) life.may_fail_with(Errc::write_after_end);
    if (!life.lingers()) life.may_fail_with(broken_pipe());
    if (!life.lingers() && call.by_libnet) life.queue_refused(call);
    if (!life.lingers() && call.by_libnet) life.note_heard();
  } else {
    call.only = {Errc::overflow};
    if (case_.setup.overflow_destroys != 0) life.may_fail_with(Errc::overflow);
    life.owe_drain();
  }
}

Call* Session::write(Side& side, const Step& step) {
  Call& call = new_call(side, step);
  const bool some = step.data == Data::some && has_twin(step.form);
  call.size = some ? std::min<std::size_t>(step.amount, 64 * 1024) : step.amount;
  call.memory = side.life->out.content(call.size);
  call.by_libnet = step.form != Form::plain;
  const auto begin = [this, &call, &side, step] {
    if (side.dropped) return false;
    begin_write(call, side, step);
    return true;
  };
  if (!has_twin(step.form)) return write_at_once(call, side, step, begin());
  if (some) {
    const std::size_t first = call.size / 2;
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(call.memory.data(), first),
                                                    asio::buffer(call.memory.data() + first, call.size - first)};
    return start(call, step, executor(side.is_client), begin, [socket = side.socket, buffers](auto token) mutable {
      return socket.async_write_some(buffers, token);
    });
  }
  return start(call, step, executor(side.is_client), begin,
               [socket = side.socket, &call, data = step.data](auto token) mutable {
                 return socket.async_write(payload(call, data), token);
               });
}

/// write() itself: what it returns is certain, and a view is free again.
Call* Session::write_at_once(Call& call, Side& side, const Step& step, bool begun) {
  if (!begun) return nullptr;
  const bool refused = !call.only.empty();
  const std::size_t before = side.socket.buffered();
  const bool fits = wire_has_room(side) && (before == 0 || before < case_.setup.high_water);
  bool returned = false;
  {
    const Calling inside(*this);
    returned = step.form == Form::plain ? side.socket.write(payload(call, step.data))
                                        : side.socket.write(payload(call, step.data), note(call));
  }
  call.memory.assign(call.memory.size(), '#');
  const std::size_t buffered = side.socket.buffered();
  const bool room = !refused && (buffered == 0 || buffered < case_.setup.high_water);
  const bool may_differ = !refused && buffered == 0;  // a pipe of the kernel counts, and is no memory
  require(
      returned == room || may_differ, "return value",
      call.text + " returns " + (returned ? "true" : "false") + " with " + std::to_string(buffered) + " bytes queued");
  require(returned || refused || !fits, "return value", call.text + " returns false, though there was room");
  if (!returned && !refused) side.life->owe_drain();
  call.done = !call.by_libnet;
  return call.by_libnet ? &call : nullptr;
}

// --- the end ---------------------------------------------------------------------------------------------------------

Call* Session::end(Side& side, const Step& step) {
  Call& call = new_call(side, step);
  call.memory = side.life->out.content(step.amount);
  const auto begin = [this, &call, &side] {
    if (side.dropped) return false;
    begin_end(call, side);
    return true;
  };
  if (has_twin(step.form)) {
    return start(call, step, executor(side.is_client), begin,
                 [socket = side.socket, &call, data = step.data](auto token) mutable {
                   return socket.async_end(payload(call, data), token);
                 });
  }
  call.by_libnet = step.form != Form::plain;
  begin();
  const Calling inside(*this);
  if (step.form == Form::plain) {
    call.done = true;
    side.socket.end(payload(call, step.data));
    return nullptr;
  }
  side.socket.end(payload(call, step.data), note(call));
  return &call;
}

void Session::begin_end(Call& call, Side& side) {
  const State state = state_of(side);
  Life& life = *side.life;
  call.life = &life;
  call.while_connecting = state.connecting;
  if (state.over) {
    expect_late(call, state);
    if (!life.destroyed()) call.only.emplace_back();
    return;
  }
  const bool accepts = !state.fresh && state.writable;
  if (!call.memory.empty()) {
    if (accepts && state.buffered >= case_.setup.max_buffered) return note_refused_write(call, side, state);
    if (accepts) life.wrote(call.memory, nullptr, false);
    if (!accepts && !state.error) {
      life.may_fail_with(Errc::write_after_end);
      life.may_fail_with(broken_pipe());
      if (state.fresh) life.may_fail_with(Errc::closed);
    }
  }
  life.note_ended();
  side.corks = 0;
}

/// Nobody reads any more: that ends a pause.
void Session::note_lingers(Side& side) {
  side.life->note_lingers();
  side.paused = false;
}

Call* Session::close(Side& side, const Step& step) {
  Call& call = new_call(side, step);
  const auto begin = [this, &call, &side] {
    if (side.dropped) return false;
    const State state = state_of(side);
    call.life = side.life;
    call.comes_too_late_to_hear = state.over || state.error;
    if (!state.over) note_lingers(side);
    return true;
  };
  if (has_twin(step.form)) {
    return start(call, step, executor(side.is_client), begin,
                 [socket = side.socket](auto token) mutable { return socket.async_close(token); });
  }
  call.done = true;
  destroy(side, {.verb = Verb::destroy_soon});
  return nullptr;
}

Call* Session::drain(Side& side, const Step& step) {
  Call& call = new_call(side, step);
  const auto begin = [this, &call, &side] {
    if (side.dropped) return false;
    const State state = state_of(side);
    call.life = side.life;
    if (state.over) expect_late(call, state);
    return true;
  };
  return start(call, step, executor(side.is_client), begin,
               [socket = side.socket](auto token) mutable { return socket.async_drain(token); });
}

Call* Session::wait(Side& side, const Step& step) {
  Call& call = new_call(side, step);
  const auto begin = [&call, &side] {
    if (side.dropped) return false;
    call.life = side.life;
    if (side.life->destroyed()) call.may_be_destroyed = true;
    return true;
  };
  const auto start_waiting = [&](const auto& tag) {
    return start(call, step, executor(side.is_client), begin,
                 [socket = side.socket, tag](auto token) mutable { return socket.async_wait(tag, token); });
  };
  switch (step.amount % 4) {
    case 0: return start_waiting(event::end);
    case 1: return start_waiting(event::drain);
    case 2: return start_waiting(event::finish);
    default: return start_waiting(event::connect);
  }
}

/// Whether all that was written fits into the wire, so that one offer is enough. The record protocol waits for its peer.
bool Session::wire_has_room(const Side& side) const {
  const Life& life = *side.life;
  const bool plain = case_.setup.wire != static_cast<std::uint64_t>(Wire::record) && case_.setup.most_moved == 0;
  const bool up = life.connected() && !side.socket.pending() && life.peer != nullptr && !life.peer->may_be_gone();
  return plain && up && side.corks == 0 && life.out.written() - life.out.received() <= 32 * 1024;
}

void Session::destroy(Side& side, const Step& step) {
  const State state = state_of(side);
  Life& life = *side.life;
  const error_code given(EXFULL, boost::system::system_category());
  const bool soon = step.verb == Verb::destroy_soon;
  const bool refused =
      step.verb == Verb::reset && world_->is_unix() && !state.fresh && !state.connecting && !state.over;
  if (state.over || refused) {
    const bool by_name = step.verb == Verb::destroy || step.verb == Verb::destroy_with_error;
    if (state.error && by_name) life.note_destroyed_late();  // else nothing happens
  } else if (soon && !state.fresh) {
    note_lingers(side);
  } else if (step.verb == Verb::reset && state.fresh) {
    life.may_fail_with(Errc::closed);
  } else if (step.verb == Verb::reset && state.connecting) {
    life.note_resets();
    life.may_fail_with(Errc::invalid_handle);
  } else {
    const bool offered = !life.lingers() && !state.error && wire_has_room(side);
    life.note_destroyed(step.verb == Verb::destroy_with_error ? given : error_code(), offered);
  }
  const Calling inside(*this);
  const error_code thrown = thrown_by([&] {
    switch (step.verb) {
      case Verb::destroy: side.socket.destroy(); break;
      case Verb::destroy_with_error: side.socket.destroy(Error(given, "the case")); break;
      case Verb::destroy_soon: side.socket.destroy_soon(); break;
      default: side.socket.reset(); break;
    }
  });
  require(refused ? thrown == Errc::invalid_handle : !thrown, "codes",
          side.name + ": destroying throws " + text_of(thrown));
}

/// With listeners it lives on. Else it flushes and ends; while it connects it is destroyed.
void Session::drop(Side& side) {
  if (side.has_pipe || side.gate != nullptr) return;  // then it is not the last handle
  const State state = state_of(side);
  if (!state.over && state.connecting) side.life->note_destroyed();
  if (!state.over) side.life->note_dropped();
  side.dropped = true;
  const Calling inside(*this);
  side.socket = Socket();
}

// --- pipes -----------------------------------------------------------------------------------------------------------

Call* Session::pipe(Side& side, const Step& step) {
  const std::uint32_t who = strands() ? step.amount % 2 * 2 + (side.is_client ? 0 : 1) : step.amount % 4;
  Side* const destination = side_of(who);
  if (destination == nullptr || destination->dropped || destination->has_pipe) return nullptr;
  if (side.encoding != Encoding::bytes) return nullptr;  // how much text becomes of the bytes is not followed
  if (case_.setup.cancels_writes != 0 || side.life->out_of_sync) return nullptr;
  Call& call = new_call(side, step);
  const PipeOptions options{.end = step.data != Data::view};
  const auto begin = [this, &call, &side, destination, options] {
    if (side.dropped || destination->dropped || destination->has_pipe) return false;
    if (would_go_round(side, *destination)) return false;
    // Each direction of a connection of records waits for the other one.
    if (&side == destination && case_.setup.wire == static_cast<std::uint64_t>(Wire::record)) return false;
    begin_pipe(call, side, *destination, options.end);
    return true;
  };
  return start(call, step, executor(side.is_client), begin,
               [socket = side.socket, to = destination->socket, options](auto token) mutable {
                 return socket.async_pipe(to, options, token);
               });
}

/// Whether what the source receives would come back to it, for ever.
bool Session::would_go_round(const Side& source, const Side& destination) const {
  const Side* next = &destination;
  for (std::size_t pipes = 0; pipes <= pipings_.size(); ++pipes) {
    const Side* const receiver = next->is_client ? next->line->accepted.get() : next->line->client.get();
    if (receiver == &source) return true;
    const auto onward = std::ranges::find_if(pipings_, [&](const Piping& piping) { return piping.source == receiver; });
    if (onward == pipings_.end()) return false;
    next = onward->destination;
  }
  return true;
}

void Session::begin_pipe(Call& call, Side& side, Side& destination, bool ends) {
  call.life = side.life;
  call.may_be_busy = side.readers != 0 || state_of(side).consumed;
  call.may_be_destroyed = true;
  call.counted = true;
  ++side.readers;
  side.paused = side.discarding = false;
  destination.has_pipe = true;
  if (ends) destination.life->note_pipe_may_end();
  pipings_.push_back({&call, side.life, destination.life, &side, &destination});
}

}  // namespace libnet::test::random
