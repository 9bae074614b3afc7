#include "core/closing.hpp"

namespace libnet::core {

Closing::State& Closing::state(TimeLimitClient& client) {
  if (!state_) state_ = std::make_unique<State>(client);
  return *state_;
}

void Closing::linger(TimeLimitClient& client, std::uint64_t bytes_read) {
  State& lingering = state(client);
  lingering.lingers = true;
  lingering.began_at = bytes_read;
}

void Closing::note_end_sent(std::uint64_t bytes_read) noexcept {
  if (!lingers()) return;
  state_->counts = true;
  state_->end_sent_at = bytes_read;
}

bool Closing::has_discarded_more_than(std::size_t bound, std::uint64_t bytes_read) const noexcept {
  return lingers() && state_->counts && bytes_read - state_->end_sent_at > bound;
}

bool Closing::has_discarded_nothing(std::uint64_t bytes_read) const noexcept {
  return !lingers() || bytes_read == state_->began_at;
}

void Closing::restart_time(reactor::Loop& loop, TimeLimitClient& client, std::chrono::milliseconds linger_time) {
  loop.start(state(client), reactor::later(loop.precise_now(), linger_time));
}

void Closing::start_time_once(reactor::Loop& loop, TimeLimitClient& client, std::chrono::milliseconds linger_time) {
  if (!state(client).armed()) restart_time(loop, client, linger_time);
}

void Closing::stop_time() noexcept {
  if (state_) state_->stop();
}

}  // namespace libnet::core
