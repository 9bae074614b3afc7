#include <algorithm>
#include <string>
#include <utility>

#include "core/acceptor.hpp"

namespace libnet::core {

namespace {

/// Such an address needs a scope to be bound to.
bool is_link_local(const LookupAddress& found) {
  if (is_ip(found.address) != 6) return false;
  const std::string text = SocketAddress::ip(found.address, 0).address();  // without leading zeros, in small letters
  return text.size() >= 4 && text.starts_with("fe") && std::string_view("89ab").find(text[2]) != std::string_view::npos;
}

bool is_abstract(const std::string& path) { return path.starts_with('\0'); }

void check_port(const detail::ListenRequest& request) {
  if (request.port && (*request.port < 0 || *request.port > 65535)) throw SystemError(Error(Errc::bad_port, "listen"));
}

/// A socket that is there already takes the place of an address.
void check_given_socket(const detail::ListenRequest& request) {
  const auto refuse = [](Errc code) { throw SystemError(Error(code, "listen")); };
  if (!request.fd && !request.bound) return;
  const bool address_too = request.port || !request.path.empty() || !request.host.empty();
  if (address_too || (request.fd && request.bound)) refuse(Errc::invalid_argument);
  if (request.fd && *request.fd < 0) refuse(Errc::out_of_range);
  if (request.bound && request.bound->native_handle() < 0 && !request.failure) refuse(Errc::invalid_handle);
}

/// An abstract name has no file that could be opened to all.
void check_permissions(const detail::ListenRequest& request) {
  if (!request.readable_all && !request.writable_all) return;
  const auto bound = request.bound ? request.bound->address() : std::nullopt;
  const bool abstract = (!request.port && is_abstract(request.path)) ||
                        (bound && bound->family() == Family::unix_path && is_abstract(bound->address()));
  if (abstract) throw SystemError(Error(Errc::invalid_argument, "listen"));
}

transport::ListenerOptions listener_options(const detail::ListenRequest& request) {
  return {.bind = {.ipv6_only = request.ipv6_only, .reuse_port = request.reuse_port},
          .backlog = request.backlog,
          .readable_all = request.readable_all,
          .writable_all = request.writable_all};
}

}  // namespace

void Acceptor::listen(const detail::ListenRequest& request) {
  if (running()) throw SystemError(Error(Errc::already_listening, "listen"));
  check_port(request);
  check_given_socket(request);
  check_permissions(request);
  happened_ = 0;
  listen_callback_.reset();
  current_ = std::make_shared<ListenSession>(self_);
  current_->listened = true;
  if (request.stop.stop_requested()) return close(nullptr);
  if (request.stop.stop_possible()) stop_.emplace(*loop_, request.stop, [this] { close(nullptr); });
  open(request);
  wake();
}

void Acceptor::open(const detail::ListenRequest& request) {
  const auto port = static_cast<std::uint16_t>(request.port.value_or(0));
  if (request.failure) {
    opened(request.failure);
  } else if (request.fd) {
    opened(shard_.listen(*request.fd, listener_options(request)));
  } else if (request.bound) {
    const auto address = request.bound->address();
    opened(shard_.listen(*request.bound, listener_options(request)), address ? &*address : nullptr);
  } else if (!request.port && !request.path.empty()) {
    open_listener(SocketAddress::unix_socket(request.path), request);
  } else if (request.host.empty()) {
    open_any(port, request);
  } else if (is_ip(request.host) != 0) {
    open_listener(SocketAddress::ip(request.host, port), request);
  } else {
    look_up(request);
  }
}

/// All addresses: '::' for both families where IPv6 exists, else '0.0.0.0'.
void Acceptor::open_any(std::uint16_t port, const detail::ListenRequest& request) {
  const SocketAddress address = SocketAddress::ip("::", port);
  const error_code code = shard_.listen(address, listener_options(request));
  if (code == boost::system::errc::address_family_not_supported || code == boost::system::errc::address_not_available) {
    return open_listener(SocketAddress::ip("0.0.0.0", port), request);
  }
  opened(code, &address);
}

void Acceptor::open_listener(const SocketAddress& address, const detail::ListenRequest& request) {
  opened(shard_.listen(address, listener_options(request)), &address);
}

void Acceptor::opened(const error_code& code, const SocketAddress* address) {
  if (code) return listen_failed(Error(code, ErrorInfo{.operation = "listen", .local_address = address}));
  mark(due_listening);
  shard_.look();
}

void Acceptor::look_up(const detail::ListenRequest& request) {
  lookup_ =
      std::make_unique<HostLookup>(*loop_, request.lookup, request.host, LookupOptions(),
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
