#include "interruption.hpp"

#include <csignal>

namespace bench {

namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note(int number) { noted = number; }

}  // namespace

void note_interruptions() {
  struct sigaction action{};
  action.sa_handler = note;  // without SA_RESTART: what waits returns
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

void throw_if_interrupted() {
  if (noted != 0) throw Interrupted(noted);
}

}  // namespace bench
