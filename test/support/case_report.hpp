#pragma once

/// What each case proved, for docs/behaviours.md.
namespace libnet::test {

/// Prints, for each case that passed, how many assertions held and in which style:
/// "CASE <name> <assertions> <listener|awaited|both>". scripts/behaviours reads it.
void start_case_report();

/// The case that runs has run a coroutine: it proves something for the awaited style. One that is named "…_awaited" proves
/// nothing for listeners.
void note_coroutine();

}  // namespace libnet::test
