#include "core/lobby.hpp"

#include <utility>

#include "core/thrown_error.hpp"

namespace libnet::core {

// --- guests --------------------------------------------------------------------------------------------------------

void Lobby::Guest::on_transport_ready() {
  if (state_ == State::waiting) lobby_.due_again(*this);
}

void Lobby::Guest::on_timer() { lobby_.refuse(*this, DropReason::timed_out, Error(Errc::timed_out, operation())); }

void Lobby::Guest::finish(detail::List<Guest>& into) noexcept {
  stop();
  if (transport) transport->observe(nullptr);
  stage_.reset();
  state_ = State::over;
  detail::List<Guest>::remove(*this);
  into.push_back(*this);
}

// --- the lobby -----------------------------------------------------------------------------------------------------

Lobby::Lobby(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<const Stages> stages, const LobbyLimits& limits,
             Client& client)
    : loop_(std::move(loop)), stages_(std::move(stages)), limits_(limits), client_(client) {}

Lobby::~Lobby() {
  loop_->unschedule(*this);
  for (auto* guests : {&waiting_, &due_, &ready_, &refused_}) {
    while (!guests->empty()) take(*guests);
  }
}

void Lobby::admit(std::unique_ptr<transport::Transport> transport, Place place) {
  auto guest = std::make_unique<Guest>(*this, std::move(transport), std::move(place));
  loop_->start(*guest, reactor::later(loop_->precise_now(), limits_.deadline));
  guest->transport->observe(guest.get());
  ++size_;
  waiting_.push_back(*guest);
  due_again(*guest.release());
}

std::unique_ptr<Lobby::Guest> Lobby::take(detail::List<Guest>& from) noexcept {
  if (from.empty()) return nullptr;
  --size_;
  return std::unique_ptr<Guest>(&from.pop_front());
}

std::unique_ptr<Lobby::Guest> Lobby::take_ready() noexcept { return take(ready_); }

std::unique_ptr<Lobby::Guest> Lobby::take_refused() noexcept { return take(refused_); }

void Lobby::refuse_all_but(const ListenSession* current) noexcept {
  for (auto* guests : {&waiting_, &due_, &ready_}) {
    detail::List<Guest> examined;
    while (!guests->empty()) {
      Guest& guest = guests->pop_front();
      examined.push_back(guest);
      if (guest.place.session().get() == current) continue;
      refuse(guest, DropReason::closing, Error(asio::error::operation_aborted, guest.operation()));
    }
    guests->prepend(examined);
  }
}

error_code Lobby::after_fork() {
  error_code failure;
  for (auto* guests : {&waiting_, &due_, &ready_}) {
    guests->for_each([&failure](Guest& guest) {
      const error_code code = guest.transport ? guest.transport->after_fork() : error_code();
      if (!failure) failure = code;
    });
  }
  return failure;
}

// --- steps ---------------------------------------------------------------------------------------------------------

/// The first run in a turn lets those go first who became due together with the lobby. The second one has the share of this
/// turn. Who is due after that waits for the next turn, which comes because this task is still due.
void Lobby::run_task() {
  if (turn_ != loop_->turn()) {
    turn_ = loop_->turn();
    if (share_ == Share::used_up) share_ = Share::others_first;  // a share that was not reached is still due
  }
  switch (share_) {
    case Share::others_first: share_ = Share::mine; break;
    case Share::mine:
      share_ = Share::used_up;
      advance_some();
      break;
    case Share::used_up: break;
  }
  if (!due_.empty()) loop_->schedule(*this);
}

void Lobby::advance_some() {
  const reactor::TimePoint end = loop_->precise_now() + limits_.time_per_turn;
  for (std::size_t steps = 0; steps < limits_.steps_per_turn && !due_.empty(); ++steps) {
    if (steps != 0 && loop_->precise_now() >= end) return;
    advance(is_late() ? due_.back() : due_.front());
  }
}

bool Lobby::is_late() { return loop_->precise_now() - due_.front().due_since_ > limits_.late_after; }

void Lobby::advance(Guest& guest) {
  detail::List<Guest>::remove(guest);
  waiting_.push_back(guest);
  guest.state_ = Guest::State::waiting;
  Stage::Outcome outcome = run_stage(guest);
  switch (outcome.kind) {
    case Stage::Outcome::Kind::waits: return;
    case Stage::Outcome::Kind::failed: return refuse(guest, DropReason::failed, std::move(outcome.error));
    case Stage::Outcome::Kind::done: guest.stage_.reset();
  }
  guest.next_stage_ == stages_->size() ? now_ready(guest) : due_again(guest);
}

Stage::Outcome Lobby::run_stage(Guest& guest) {
  try {
    if (!guest.stage_) guest.stage_ = (*stages_)[guest.next_stage_++](loop_);
    Stage::Outcome outcome = guest.stage_->advance(guest.transport);
    if (guest.transport) guest.transport->observe(&guest);  // it may be another one
    return outcome;
  } catch (...) {
    return Stage::Outcome::failed(error_of(std::current_exception(), Errc::handler_threw, guest.operation()));
  }
}

void Lobby::due_again(Guest& guest) {
  guest.state_ = Guest::State::due;
  guest.due_since_ = loop_->now();
  detail::List<Guest>::remove(guest);
  due_.push_back(guest);
  loop_->schedule(*this);
}

void Lobby::now_ready(Guest& guest) {
  guest.finish(ready_);
  client_.on_lobby_news();
}

void Lobby::refuse(Guest& guest, DropReason reason, Error error) noexcept {
  guest.reason = reason;
  guest.error = std::move(error);
  guest.finish(refused_);
  if (guest.transport) guest.transport->close();
  client_.on_lobby_news();
}

}  // namespace libnet::core
