#include "core/stream_options.hpp"

namespace libnet::core {

StreamOptions::Overrides& StreamOptions::overrides() {
  if (!overrides_) overrides_ = std::make_unique<Overrides>();
  return *overrides_;
}

bool StreamOptions::no_delay() const noexcept {
  return overrides_ ? overrides_->no_delay.value_or(given_->no_delay) : given_->no_delay;
}

KeepAlive StreamOptions::keep_alive() const noexcept {
  if (overrides_ && overrides_->keep_alive) return *overrides_->keep_alive;
  return {.enable = given_->keep_alive, .initial_delay = given_->keep_alive_initial_delay};
}

std::optional<int> StreamOptions::wanted_type_of_service() const noexcept {
  return overrides_ && overrides_->type_of_service ? overrides_->type_of_service : given_->type_of_service;
}

void StreamOptions::apply(transport::Transport& transport) const noexcept {
  if (no_delay()) transport.set_no_delay(true);
  if (keep_alive().enable) transport.set_keep_alive(keep_alive());
  if (const auto value = wanted_type_of_service()) transport.set_type_of_service(*value);
}

void StreamOptions::set_no_delay(bool enable, transport::Transport* transport) {
  if (enable == no_delay()) return;
  overrides().no_delay = enable;
  if (transport != nullptr) transport->set_no_delay(enable);
}

void StreamOptions::set_keep_alive(const KeepAlive& keep_alive, transport::Transport* transport) {
  if (keep_alive == this->keep_alive()) return;
  overrides().keep_alive = keep_alive;
  if (transport != nullptr) transport->set_keep_alive(keep_alive);
}

void StreamOptions::set_type_of_service(int value, transport::Transport* transport) {
  if (wanted_type_of_service() == value) return;
  overrides().type_of_service = value;
  if (transport != nullptr) transport->set_type_of_service(value);
}

int StreamOptions::type_of_service(const transport::Transport* transport) const noexcept {
  const auto known = transport != nullptr ? transport->type_of_service() : std::nullopt;
  return known ? *known : wanted_type_of_service().value_or(0);
}

}  // namespace libnet::core
