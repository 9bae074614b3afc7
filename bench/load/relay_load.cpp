#include "relay_load.hpp"

#include <algorithm>
#include <stdexcept>

#include "stream_load.hpp"

namespace bench {

RelayLoad::RelayLoad(const Settings& settings) : sources_(settings.streams) {
  listener_.socket = listen_on_loopback();
  watch(listener_.socket, &listener_, EPOLLIN);
  sinks_.reserve(settings.streams);
}

std::vector<std::string> RelayLoad::server_settings() const {
  return {"upstream=" + std::to_string(local_port(listener_.socket))};
}

double RelayLoad::units() const { return static_cast<double>(arrived_) / gibibyte; }

void RelayLoad::connect(std::uint16_t port) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    End& source = sources_[i];
    source.kind = Kind::source;
    source.begin = i;
    source.socket = start_connect(port);
    watch(source.socket, &source, EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLET);
  }
}

void RelayLoad::start() {
  for (End& source : sources_) send_more(source);
}

void RelayLoad::ready(void* watched, std::uint32_t events) {
  End& end = *static_cast<End*>(watched);
  if (end.kind == Kind::listener) return accept_sink();
  if (end.kind == Kind::sink || (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) receive_more(end);
  if (end.kind == Kind::source) send_more(end);
}

void RelayLoad::accept_sink() {
  Descriptor socket = accept_one(listener_.socket);
  if (socket.number() < 0) return;
  if (sinks_.size() == sources_.size()) throw std::runtime_error("the relay made more connections than it was asked");
  End& sink = sinks_.emplace_back();
  sink.kind = Kind::sink;
  sink.socket = std::move(socket);
  watch(sink.socket, &sink, EPOLLIN);
}

void RelayLoad::send_more(End& source) {
  while (is_active()) {
    const std::size_t size = send_some(source.socket, pattern_.at(source.begin + source.moved), Pattern::reach);
    source.moved += size;
    sent_ += size;
    if (size < Pattern::reach) return;
  }
}

void RelayLoad::receive_more(End& end) {
  if (ending_) return receive_end(end);
  const std::size_t size = receive(end.socket);
  if (size == 0) return;
  if (end.kind == Kind::source) throw std::runtime_error("wrong bytes: something came back that nobody sent");
  if (end.moved == 0) find_stream(end);
  check(pattern_, end.begin + end.moved, size);
  end.moved += size;
  arrived_ += size;
}

void RelayLoad::find_stream(End& sink) {
  sink.begin = static_cast<unsigned char>(*buffer());
  const auto same = [&](const End& other) { return &other != &sink && other.moved > 0 && other.begin == sink.begin; };
  if (sink.begin >= sources_.size() || std::any_of(sinks_.begin(), sinks_.end(), same)) {
    throw std::runtime_error("wrong bytes: no stream begins like that");
  }
}

void RelayLoad::finish() {
  ending_ = true;
  for (End& source : sources_) end_output(source.socket);
  while (!all_ended()) turn(Clock::time_point::max());
}

void RelayLoad::receive_end(End& end) {
  if (end.ended || !is_at_end(end.socket)) return;
  end.ended = true;
  if (end.kind == Kind::sink) end_output(end.socket);
}

bool RelayLoad::all_ended() const {
  const auto ended = [](const End& end) { return end.ended; };
  return sinks_.size() == sources_.size() && std::all_of(sinks_.begin(), sinks_.end(), ended) &&
         std::all_of(sources_.begin(), sources_.end(), ended);
}

}  // namespace bench
