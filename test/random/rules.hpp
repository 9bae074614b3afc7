#pragma once

namespace libnet::test::random {

/// What the statements from B257 on ask for beyond what version 0.1 did. All that the oracle expects differently with them
/// stands here: `--tightened` switches it on, and so does the default once the library keeps it.
struct Rules {
  bool offered_before_destroy = false;  ///< B280: what write() accepted is offered once before destroy() takes effect.
  bool refused_writes_in_order =
      false;                         ///< B281: a write after the end completes behind those that were made before it.
  bool full_is_asked_again = false;  ///< B282: false from write() means that the queue is at the mark afterwards.
  bool unconnected_write_ends = false;  ///< B283: 'error' and 'close' follow a write on a socket that never connected.
  bool written_never_shrinks = false;   ///< B284: cancelled bytes stay counted in bytes_written().
  bool error_is_kept = false;           ///< B289: an error that nobody received is the next operation's.
  bool text_reader_gets_text = false;   ///< B303: raw readers that come and go take nothing from a decoder.
  bool state_in_close = false;          ///< B309: a read in 'close' is not busy.

  static constexpr Rules all() { return {true, true, true, true, true, true, true, true}; }
};

inline Rules rules{};

}  // namespace libnet::test::random
