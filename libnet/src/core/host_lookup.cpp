#include "core/host_lookup.hpp"

#include <mutex>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "transport/network.hpp"

namespace libnet::core {

namespace asio = boost::asio;

/// Shared by the one who asks and the one who answers. The handler is empty once nobody wants to know.
struct HostLookup::State : std::enable_shared_from_this<State> {
  std::string host;

  std::mutex mutex;
  asio::any_io_executor executor;
  Handler handler;
  bool answered = false;

  void deliver(Error error, std::vector<LookupAddress> addresses);
  Handler take_handler();
};

/// Posts under the lock: the context cannot end meanwhile, since its end destroys the HostLookup, which takes the lock.
void HostLookup::State::deliver(Error error, std::vector<LookupAddress> addresses) {
  const std::lock_guard lock(mutex);
  if (!handler || std::exchange(answered, true)) return;
  if (!error && addresses.empty()) error = Error(error_code(asio::error::host_not_found));
  if (error && error.operation().empty()) {
    error = Error(error.code(), ErrorInfo{.operation = "getaddrinfo", .host = host});
  }
  asio::post(executor, [state = shared_from_this(), error = std::move(error), found = std::move(addresses)]() mutable {
    const Handler wanted = state->take_handler();
    if (wanted) wanted(error, std::move(found));
  });
}

HostLookup::Handler HostLookup::State::take_handler() {
  const std::lock_guard lock(mutex);
  return std::exchange(handler, nullptr);
}

LookupPromise::~LookupPromise() { answer(error_code(asio::error::operation_aborted), {}); }

void LookupPromise::answer(Error error, std::vector<LookupAddress> addresses) {
  state_->deliver(std::move(error), std::move(addresses));
}

bool LookupPromise::wanted() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->handler && !state_->answered;
}

HostLookup::HostLookup(reactor::Loop& loop, const Lookup& lookup, const std::string& host, const LookupOptions& options,
                       Handler handler)
    : state_(std::make_shared<State>()) {
  state_->host = host;
  state_->executor = loop.executor();
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
    answer(Error(Errc::listener_threw, ErrorInfo{.operation = "lookup", .host = host, .exception = &exception}));
  }
}

HostLookup::~HostLookup() {
  const Handler unwanted = state_->take_handler();
  const std::lock_guard lock(state_->mutex);
  state_->executor = {};
}

}  // namespace libnet::core
