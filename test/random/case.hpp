#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

/// A session of random calls, checked by an oracle. See session.hpp for how it runs and life.hpp for what must hold.
namespace libnet::test::random {

/// What a step does, to a socket or to a server.
enum class Verb : std::uint8_t {
  connect,
  connect_refused,
  write,
  end,
  destroy,
  destroy_with_error,
  destroy_soon,
  reset,
  close,
  drop,
  data_on,
  data_off,
  read,
  read_some,
  on_read,
  pause,
  resume,
  unshift,
  cork,
  uncork,
  encoding,
  timeout,
  pipe,
  unpipe,
  drain,
  wait,
  cancel,
  throw_here,
  accept,
  serve_return,
  serve_throw,
  listen,
  close_server,
  advance,
};

constexpr bool is_of_server(Verb verb) {
  return verb == Verb::accept || verb == Verb::serve_return || verb == Verb::serve_throw || verb == Verb::listen ||
         verb == Verb::close_server;
}

/// Who makes the call: a handler of its own, the handler of the step before, what completes the step before, or the next
/// listener of an event of the socket.
enum class Where : std::uint8_t {
  tick,
  with,
  then,
  on_connect,
  on_data,
  on_end,
  on_drain,
  on_finish,
  on_error,
  on_close
};

/// In which form an operation is called: a `verb()` without and with a callback; its twin with a handler, with a handler
/// and a cancellation slot, awaited as a tuple, or awaited with what the default token throws.
enum class Form : std::uint8_t { plain, callback, handler, slot, tuple, thrown };

/// Which overload of a write.
enum class Data : std::uint8_t { view, string, vector, bytes, hex, base64, some };

struct Step {
  Where where = Where::tick;
  Verb verb = Verb::write;
  std::uint32_t who = 0;  ///< 0 client, 1 accepted, of the first line; 2 and 3 of the second.
  Form form = Form::plain;
  Data data = Data::view;
  std::uint32_t amount = 0;  ///< Bytes, milliseconds, or a choice.
  std::uint32_t limit = 0;   ///< One more than the time limit of the operation in milliseconds; 0: none.
  std::uint32_t run = 0;     ///< How many handlers run before the next step; `settles`: until none is ready.

  static constexpr std::uint32_t settles = 99;

  friend bool operator==(const Step&, const Step&) = default;
};

/// How the session ends.
enum class Finale : std::uint8_t { graceful, destroy, context };

/// How the connections of a line are accepted.
enum class Accept : std::uint8_t { events, accept, serve };

/// What a session runs on. Numbers only, so that it can be printed and read back.
struct Setup {
  std::uint64_t seed = 0;
  std::uint64_t wire = 1;
  std::uint64_t reactor = 0;
  std::uint64_t strands = 0;         ///< Real wires: the clients on one strand, the servers on another, two threads.
  std::uint64_t accept = 0;          ///< Accept.
  std::uint64_t client_listens = 1;  ///< All events are listened to.
  std::uint64_t accepted_listens = 1;
  std::uint64_t client_half_open = 0;
  std::uint64_t accepted_half_open = 0;
  std::uint64_t high_water = 65536;
  std::uint64_t low_water = 0;
  std::uint64_t max_buffered = 1U << 26U;
  std::uint64_t overflow_destroys = 0;
  std::uint64_t most_moved = 0;      ///< In-memory wires: what one call moves [bytes]; 0: no limit.
  std::uint64_t cancels_writes = 0;  ///< Excludes pipes and encodings: both need to know what was written.
  std::uint64_t finale = 0;          ///< Finale.

  friend bool operator==(const Setup&, const Setup&) = default;
};

struct Case {
  Setup setup;
  std::vector<Step> steps;
};

/// The case that a seed stands for.
/// @param steps    How many steps; 0: the seed chooses.
/// @param strands  The variant on strands.
Case draw(std::uint64_t seed, std::size_t steps, bool strands);

/// One line for each number of the setup that differs from its default, and one for each step.
std::ostream& operator<<(std::ostream& out, const Case& value);
/// What `<<` writes. Lines that begin with '#' are passed over.
/// @throws std::runtime_error that names a line which is none.
Case parse_case(std::istream& in);

std::string name_of_side(std::uint32_t who);
/// As a case prints it.
std::string name_of(const Step& step);

}  // namespace libnet::test::random
