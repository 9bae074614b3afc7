#include "visit_load.hpp"

namespace bench {

VisitLoad::VisitLoad(const Settings& settings)
    : settings_(settings), sources_(settings.sources), visits_(settings.at_a_time) {
  staying_.reserve(settings.stay);
}

void VisitLoad::connect(std::uint16_t port) {
  port_ = port;
  make_first_visit();
  answered_ = 0;
  staying_.clear();
}

void VisitLoad::make_first_visit() {
  open(visits_.front());
  settle();
}

void VisitLoad::start() {
  for (Visit& visit : visits_) {
    if (visit.socket.number() < 0 && wants_more()) open(visit);
  }
}

bool VisitLoad::wants_more() const { return settings_.stay == 0 || answered_ + open_ < settings_.stay; }

void VisitLoad::open(Visit& visit) {
  visit.begun = Clock::now();
  visit.sent = 0;
  visit.received = 0;
  visit.socket = start_connect(port_, sources_.next());
  ++open_;
  watch(visit.socket, &visit, EPOLLIN | EPOLLOUT | EPOLLET);
}

void VisitLoad::ready(void* watched, std::uint32_t events) {
  Visit& visit = *static_cast<Visit*>(watched);
  if (visit.socket.number() < 0) return;
  if ((events & EPOLLOUT) != 0) send_message(visit);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive_answer(visit);
}

void VisitLoad::send_message(Visit& visit) {
  if (visit.sent == settings_.size) return;
  visit.sent += send_some(visit.socket, pattern_.at(visit.sent), settings_.size - visit.sent);
}

void VisitLoad::receive_answer(Visit& visit) {
  visit.received += receive_checked(visit.socket, pattern_, visit.received);
  if (visit.received > visit.sent) throw std::runtime_error("wrong bytes: more came back than was sent");
  if (visit.received == settings_.size) end(visit);
}

void VisitLoad::end(Visit& visit) {
  latency_.record(Clock::now() - visit.begun);
  ++answered_;
  --open_;
  if (settings_.stay == 0) {
    visit.socket.close();
  } else {
    staying_.push_back(std::move(visit.socket));
  }
  if (is_active() && wants_more()) open(visit);
}

}  // namespace bench
