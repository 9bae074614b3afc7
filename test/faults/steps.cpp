#include <span>

#include "steps.hpp"
#include "trial.hpp"

namespace libnet::faults {

/// Each does one thing that programs do, with what can be seen of it checked. A step that a fault has ended leaves its
/// objects to the trial.
std::span<const NamedStep> steps() noexcept {
  static constexpr NamedStep all[] = {
      {"beginning", &beginning, true},
      {"echo_listeners", &echo_with_listeners},
      {"echo_awaited", &echo_awaited},
      {"bulk_listeners", &bulk_with_listeners},
      {"bulk_awaited", &bulk_awaited},
      {"text", &text},
      {"unshift", &unshift},
      {"pipe_copied", &pipe_copied},
      {"pipe_spliced", &pipe_spliced},
      {"pipe_awaited", &pipe_awaited},
      {"half_close", &half_close},
      {"idle_timeout", &idle_timeout},
      {"time_limits", &time_limits},
      {"five_accepts", &five_accepts},
      {"lookup_listeners", &lookup_with_listeners},
      {"lookup_awaited", &lookup_awaited},
      {"unix_path", &unix_path},
      {"lingering_end", &lingering_end},
      {"reset", &reset},
      {"refused", &refused},
      {"refused_awaited", &refused_awaited},
      {"server_close", &server_close},
      {"handler_throws", &handler_throws},
      {"options", &options},
      {"given_sockets", &given_sockets},
      {"other_thread", &other_thread},
  };
  return all;
}

}  // namespace libnet::faults
