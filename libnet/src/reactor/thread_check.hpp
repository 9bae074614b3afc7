#pragma once

#include "reactor/loop.hpp"

namespace libnet::reactor {

/// Ends the program with a message that names the function, if the calling thread must not use the loop's objects.
[[noreturn]] void trap_wrong_thread(const char* function);

/// Ends the program with a message: two threads are inside one loop.
[[noreturn]] void end_for_second_thread() noexcept;

/// In debug builds: traps a call from the wrong thread.
inline void check_thread([[maybe_unused]] const Loop& loop, [[maybe_unused]] const char* function) {
#ifndef NDEBUG
  if (!loop.on_right_thread()) trap_wrong_thread(function);
#endif
}

}  // namespace libnet::reactor
