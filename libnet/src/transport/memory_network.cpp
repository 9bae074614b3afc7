#include "transport/memory_network.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/error.hpp>

#include "transport/memory_attempt.hpp"
#include "transport/native.hpp"

namespace libnet::transport {

namespace asio = boost::asio;

/// A question that is answered later.
class MemoryNetwork::PendingLookup final : public reactor::Timer {
 public:
  PendingLookup(MemoryNetwork& network, std::string_view host, const LookupOptions& options, LookupAnswer answer)
      : network_(network), host_(host), options_(options), answer_(std::move(answer)) {}

  void on_timer() override {
    network_.answer(host_, options_, answer_);
    std::erase_if(network_.lookups_, [this](const auto& other) { return other.get() == this; });
  }

 private:
  MemoryNetwork& network_;
  const std::string host_;
  const LookupOptions options_;
  const LookupAnswer answer_;
};

MemoryNetwork::MemoryNetwork()
    : addresses_(std::make_shared<MemoryAddresses>()), faults_(std::make_shared<MemoryFaults>()) {
  set_name("localhost", {"127.0.0.1", "::1"});
}

MemoryNetwork::~MemoryNetwork() = default;

void MemoryNetwork::set_name(std::string_view name, std::vector<std::string> addresses) {
  names_.insert_or_assign(std::string(name), std::move(addresses));
}

error_code MemoryNetwork::listen(const SharedLoop& loop, const SocketAddress& address, const ListenerOptions& options,
                                 MadeListener& made) {
  if (faults_->listen.fires()) return faults_->listen.error();
  auto listener = std::make_unique<MemoryListener>(loop, addresses_, faults_, options.backlog);
  const error_code code = listener->open(address, options.bind);
  if (!code) made = std::move(listener);
  return code;
}

error_code MemoryNetwork::listen(const SharedLoop&, const BoundSocket&, const ListenerOptions&, MadeListener&) {
  return Errc::invalid_handle;
}

error_code MemoryNetwork::listen(const SharedLoop&, int, const ListenerOptions&, MadeListener&) {
  return system_error(EINVAL);
}

std::unique_ptr<Attempt> MemoryNetwork::connect(const SharedLoop& loop, const SocketAddress& address,
                                                const AttemptOptions& options) {
  return std::make_unique<MemoryAttempt>(loop, addresses_, faults_, address, options, connect_delay_);
}

error_code MemoryNetwork::adopt(const SharedLoop&, int, Adopted&) { return Errc::invalid_handle; }

void MemoryNetwork::lookup(reactor::Loop& loop, std::string_view host, const LookupOptions& options,
                           LookupAnswer answer) {
  if (lookup_delay_ <= reactor::Duration::zero()) return this->answer(std::string(host), options, answer);
  lookups_.push_back(std::make_unique<PendingLookup>(*this, host, options, std::move(answer)));
  loop.start(*lookups_.back(), loop.precise_now() + lookup_delay_);
}

void MemoryNetwork::answer(const std::string& host, const LookupOptions& options, const LookupAnswer& answer) {
  if (faults_->lookup.fires()) return answer(Error(faults_->lookup.error()));
  std::vector<LookupAddress> found;
  const auto add = [&](const std::string& address) {
    if (options.family == 0 || is_ip(address) == options.family) found.push_back({address, is_ip(address)});
  };
  const auto known = names_.find(host);
  if (is_ip(host) != 0) {
    add(host);
  } else if (known != names_.end()) {
    std::for_each(known->second.begin(), known->second.end(), add);
  }
  answer(std::move(found));  // an empty list says that the name does not resolve
}

}  // namespace libnet::transport
