#include <algorithm>
#include <string>
#include <utility>

#include "core/acceptor.hpp"

namespace libnet::core {

namespace {

/// Such an address needs a scope to be bound to.
bool is_link_local(const LookupAddress& found) {
  const std::string& text = found.address;
  return is_ipv6(text) && text.size() >= 4 && text[0] == 'f' && text[1] == 'e' &&
         std::string_view("89ab").find(text[2]) != std::string_view::npos;
}

}  // namespace

void Acceptor::listen(const detail::ListenRequest& request) {
  if (running()) throw SystemError(Error(Errc::already_listening, "listen"));
  if (request.port && (*request.port < 0 || *request.port > 65535)) throw SystemError(Error(Errc::bad_port, "listen"));
  happened_ = 0;
  listen_callback_.reset();
  current_ = std::make_shared<Generation>(self_);
  current_->listened = true;
  if (request.stop.stop_requested()) return close(nullptr);
  if (request.stop.stop_possible()) stop_.emplace(*loop_, request.stop, [this] { close(nullptr); });
  const auto port = static_cast<std::uint16_t>(request.port.value_or(0));
  if (!request.port && !request.path.empty()) {
    open_listener(SocketAddress::unix_socket(request.path), request);
  } else if (request.host.empty()) {
    open_any(port, request);
  } else if (is_ip(request.host) != 0) {
    open_listener(SocketAddress::ip(request.host, port), request);
  } else {
    look_up(request);
  }
  wake();
}

/// All addresses: '::' for both families where IPv6 exists, else '0.0.0.0'.
void Acceptor::open_any(std::uint16_t port, const detail::ListenRequest& request) {
  const error_code code = listener_.open(SocketAddress::ip("::", port), request);
  if (!code) return mark(due_listening | due_accept);
  if (code == boost::system::errc::address_family_not_supported || code == boost::system::errc::address_not_available) {
    return open_listener(SocketAddress::ip("0.0.0.0", port), request);
  }
  const SocketAddress address = SocketAddress::ip("::", port);
  listen_failed(Error(code, ErrorInfo{.operation = "listen", .local_address = &address}));
}

void Acceptor::open_listener(const SocketAddress& address, const detail::ListenRequest& request) {
  if (const error_code code = listener_.open(address, request)) {
    return listen_failed(Error(code, ErrorInfo{.operation = "listen", .local_address = &address}));
  }
  mark(due_listening | due_accept);
}

void Acceptor::look_up(const detail::ListenRequest& request) {
  static const Lookup system(&system_lookup);
  lookup_ =
      std::make_unique<HostLookup>(*loop_, request.lookup ? request.lookup : system, request.host, LookupOptions(),
                                   [this, request](const Error& error, const std::vector<LookupAddress>& addresses) {
                                     resolved(request, error, addresses);
                                   });
}

/// The first address that is not link-local, if there is one.
void Acceptor::resolved(const detail::ListenRequest& request, const Error& error,
                        const std::vector<LookupAddress>& addresses) {
  lookup_.reset();
  if (error) return listen_failed(error);
  const auto usable = std::find_if_not(addresses.begin(), addresses.end(), is_link_local);
  const LookupAddress& chosen = usable != addresses.end() ? *usable : addresses.front();
  if (is_ip(chosen.address) == 0) {
    return listen_failed(Error(Errc::invalid_address, ErrorInfo{.operation = "listen", .host = request.host}));
  }
  open_listener(SocketAddress::ip(chosen.address, static_cast<std::uint16_t>(request.port.value_or(0))), request);
}

void Acceptor::listen_failed(const Error& error) {
  error_ = error;
  current_.reset();
  stop_.reset();
  forget_listen_callback();
  failures_.push_back({error, finish_waiting(Operation::Kind::listen, error.code())});
  wake();
}

void Acceptor::forget_listen_callback() {
  if (listen_callback_) listeners_.remove(*std::exchange(listen_callback_, std::nullopt));
}

void Acceptor::start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request) {
  wait(operation);
  try {
    listen(request);
  } catch (const SystemError& refused) {
    OperationList::remove(operation);
    finish(operation, refused.code());
  }
}

void Acceptor::await_listening(std::unique_ptr<detail::Callable> listener) {
  if (!running()) return;  // it has failed already: 'error' is due
  listen_callback_ =
      listeners_.add(index(ServerEvent::listening), std::move(listener), detail::ListenerTable::Place::back, true);
}

}  // namespace libnet::core
