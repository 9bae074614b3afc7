#include "core/host_lookup.hpp"

#include <mutex>
#include <utility>

#include <boost/asio/error.hpp>

#include "core/thrown_error.hpp"
#include "transport/network.hpp"

namespace libnet::core {

namespace asio = boost::asio;

std::optional<SocketAddress> to_address(const LookupAddress& found, std::uint16_t port) {
  if (found.exact && found.exact->family() != Family::unix_path) return found.exact->with_port(port);
  if (is_ip(found.address) == 0) return std::nullopt;
  return SocketAddress::ip(found.address, port);
}

/// Shared by the one who asks and the one who answers. The handler is empty once nobody wants to know. The answer comes
/// back as a letter.
struct HostLookup::State final : reactor::Letter, std::enable_shared_from_this<State> {
  std::string host;
  std::shared_ptr<reactor::Mailbox> mailbox;

  std::mutex mutex;
  Handler handler;
  bool answered = false;
  Error error;
  std::vector<LookupAddress> found;
  std::shared_ptr<State> keep;  // while the letter is under way

  void answer(Error reason, std::vector<LookupAddress> addresses) noexcept;
  void deliver_letter() override;
  void discard_letter() noexcept override { const auto last = std::move(keep); }
  Handler take_handler();
};

void HostLookup::State::answer(Error reason, std::vector<LookupAddress> addresses) noexcept {
  const std::lock_guard lock(mutex);
  if (!handler || answered) return;
  if (!reason && addresses.empty()) reason = Error(error_code(asio::error::host_not_found));
  if (reason && reason.operation().empty())
    reason = described(reason.code(), {.operation = "getaddrinfo", .host = host});
  answered = true;
  error = std::move(reason);
  found = std::move(addresses);
  keep = shared_from_this();
  if (!mailbox->send(*this)) keep.reset();  // the caller holds another reference
}

void HostLookup::State::deliver_letter() {
  const auto self = std::move(keep);
  const Handler wanted = take_handler();
  if (wanted) wanted(error, std::move(found));
}

HostLookup::Handler HostLookup::State::take_handler() {
  const std::lock_guard lock(mutex);
  return std::exchange(handler, nullptr);
}

LookupPromise::~LookupPromise() { answer(error_code(asio::error::operation_aborted), {}); }

void LookupPromise::answer(Error error, std::vector<LookupAddress> addresses) {
  state_->answer(std::move(error), std::move(addresses));
}

bool LookupPromise::wanted() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->handler && !state_->answered;
}

HostLookup::HostLookup(reactor::Loop& loop, const Lookup& lookup, const std::string& host, const LookupOptions& options,
                       Handler handler)
    : state_(std::make_shared<State>()) {
  state_->host = host;
  state_->mailbox = loop.shared_mailbox();
  state_->handler = std::move(handler);
  LookupAnswer answer(std::make_shared<LookupPromise>(state_));
  try {
    if (lookup) {
      lookup(host, options, answer);
    } else {
      transport::Network::of(loop).lookup(loop, host, options, answer);
    }
  } catch (...) {
    const std::exception_ptr exception = std::current_exception();
    answer(described(Errc::listener_threw, {.operation = "lookup", .host = host, .exception = &exception}));
  }
}

HostLookup::~HostLookup() { const Handler unwanted = state_->take_handler(); }

}  // namespace libnet::core
