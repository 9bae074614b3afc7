#pragma once

/// How much one may do before the others get their turn. All limits stand here; the words are:
///
/// * **step**: one run of an object's task. That of a socket makes one read call that yields data: a block at most, or the
///   caller's buffer;
/// * **round**: one pass over the ready list; what is scheduled during it runs in a later round;
/// * **turn**: the timers that have expired, then rounds;
/// * **wake-up**: from Asio's call of a handler of ours to the return to it. Asio's own handlers and timers, and the
///   sockets that have become ready meanwhile, come between two wake-ups.
namespace libnet::reactor {

/// A step of a socket makes so many gathered writes.
inline constexpr int flushes_per_step = 16;

/// A step of a server accepts so many connections; those that were gone before they could be taken count as well.
inline constexpr int accepts_per_step = 32;

/// Two objects that answer each other at once would keep a turn busy for ever. What is due after these rounds gets a turn
/// of its own, in another wake-up.
inline constexpr int rounds_per_turn = 8;

/// After a busy turn the epoll reactor looks for more events itself, for so many turns in all.
inline constexpr int turns_per_wake_up = 4;

/// Coroutines and other handlers that start operations whose results are known at once (a read after the end) go on
/// without waiting. All objects of a loop together may have so many such results in one wake-up.
inline constexpr int known_results_per_wake_up = 128;

}  // namespace libnet::reactor
