#include <boost/asio/error.hpp>

#include <algorithm>

#include "random/session.hpp"

/// What libnet tells: events, bytes, completions. All of it passes here, and is shown to the oracle.
namespace libnet::test::random {

// --- events ----------------------------------------------------------------------------------------------------------

void Session::told(Side& side, Where event, const std::function<void(Life&)>& note) {
  const Entry entry(*this);
  told_something_ = true;
  require(calling() == 0, "inside", side.name + ": a listener runs inside a call");
  sync_pipes();
  note(*side.life);
  run_armed(side, event);
  side.last_bytes.clear();
}

void Session::told_data(Side& side, const Chunk& chunk) {
  told(side, Where::on_data, [&](Life& life) { deliver(side, life, chunk, side.encoding, true); });
}

/// Into the memory of on_read.
void Session::told_memory(Side& side, std::string_view bytes) {
  told(side, Where::on_data, [&](Life& life) { deliver(side, life, bytes, Encoding::bytes, true); });
}

/// All listeners go with it, unless one of them connects again.
void Session::told_close(Side& side, bool had_error) {
  told(side, Where::on_close, [&](Life& life) { life.told_close(had_error); });
}

/// The steps that were to be made inside this listener.
void Session::run_armed(Side& side, Where event) {
  auto& armed = side.armed[event];
  if (armed.empty()) return;
  const std::size_t step = armed.front();
  armed.pop_front();
  try {
    execute(step, By::listener);
  } catch (const StepThrew&) {
    if (side.dropped || !side.socket.destroyed()) side.life->note_cut(Errc::listener_threw);
    side.last_bytes.clear();
    throw;
  }
}

void Session::deliver(Side& side, Life& life, std::string_view bytes, Encoding encoding, bool by_event) {
  life.told_bytes(bytes, encoding, by_event, side.paused);
  side.last_bytes = bytes;
}

// --- completions -----------------------------------------------------------------------------------------------------

void Session::completed(Call& call, const error_code& code, const Result& result) {
  const Entry entry(*this);
  told_something_ = true;
  require(calling() == 0, "inside", call.text + " completes inside a call");
  if (!faults_.require(!call.done, "completions", call.text + " completes twice")) return;
  call.done = true;
  call.memory.assign(call.memory.size(), '#');  // nobody needs it any more
  sync_pipes();
  if (call.life != nullptr) {
    require(call.life->permits(call, code), "codes",
            call.life->name() + ": " + call.text + " completes with " + text_of(code));
  } else if (!call.only.empty()) {
    require(code == call.only.front() || code == asio::error::operation_aborted || code == Errc::timed_out, "codes",
            call.text + " completes with " + text_of(code));
  }
  if (call.life != nullptr && !call.comes_too_late_to_hear) note_heard(*call.side, *call.life, code);
  switch (call.verb) {
    case Verb::read:
    case Verb::read_some: completed_read(call, code, result); break;
    case Verb::write: call.life->completed_write(call, code, result.count); break;
    case Verb::pipe: completed_pipe(call, code, result); break;
    case Verb::accept:
      if (!code) arrived(*call.side->line, result.socket, call.generation);
      break;
    default: break;
  }
  if (call.then) execute(*call.then, By::handler);
  call.side->last_bytes.clear();
}

/// Its own time limit and the like are no error of the connection.
void Session::note_heard(const Side& side, Life& life, const error_code& code) {
  if (code && side.life == &life && !side.dropped && side.socket.error().code() == code) life.note_heard();
}

void Session::completed_read(Call& call, const error_code& code, const Result& result) {
  if (call.counted) --call.side->readers;
  const bool some = call.verb == Verb::read_some;
  const std::string_view bytes = some ? std::string_view(call.received).substr(0, result.count) : result.bytes;
  if (!bytes.empty())
    return deliver(*call.side, *call.life, bytes, some ? Encoding::bytes : call.side->encoding, false);
  if (some ? code == asio::error::eof : !code) call.life->told_end(false);
}

void Session::completed_pipe(Call& call, const error_code& code, const Result& result) {
  if (call.counted) --call.side->readers;
  std::erase_if(pipings_, [&](const Piping& piping) {
    if (piping.call != &call) return false;
    piping.destination->has_pipe = false;
    note_heard(*piping.destination, *piping.to, code);
    return true;
  });
  require(result.count == call.piped, "bytes",
          call.text + " says " + std::to_string(result.count) + " bytes, but passed on " + std::to_string(call.piped));
}

// --- pipes -----------------------------------------------------------------------------------------------------------

/// One pipe may pass on what another one does.
void Session::sync_pipes() {
  while (std::ranges::any_of(pipings_, [this](const Piping& piping) { return sync(piping); })) {
  }
}

/// What the destination says to have written beyond what the session wrote came out of the pipe.
/// @return  Whether something did.
bool Session::sync(const Piping& piping) {
  const Side& destination = *piping.destination;
  if (destination.life != piping.to || destination.dropped) return false;
  const std::uint64_t written = destination.socket.bytes_written();
  if (written <= piping.to->out.written()) return false;
  const std::string bytes = piping.from->take(written - piping.to->out.written());
  piping.call->piped += bytes.size();
  piping.to->wrote(bytes, nullptr, false);
  return !bytes.empty();
}

}  // namespace libnet::test::random
