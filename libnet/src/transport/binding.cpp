#include "transport/binding.hpp"

#include <string>

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/socket_calls.hpp"

namespace libnet::transport {

namespace {

/// A connect that is refused tells that nobody listens behind a socket file any more.
bool is_stale(const SocketAddress& address) {
  struct stat status{};
  if (::lstat(address.address().c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  Descriptor probe;
  if (open_stream(Family::unix_path, probe)) return false;
  return connect_to(probe.get(), address) == boost::system::errc::connection_refused;
}

std::optional<std::pair<dev_t, ino_t>> identity(const std::string& path) {
  struct stat status{};
  if (path.empty() || path.front() == '\0' || ::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

}  // namespace

error_code Binding::bind(const SocketAddress& address, const BindOptions& options, BoundSocket& made) {
  Descriptor descriptor;
  if (const error_code code = open_stream(address.family(), descriptor)) return code;
  auto binding = std::make_shared<Binding>(descriptor.get());
  descriptor.release();
  if (const error_code code = binding->apply(options, address.family())) return code;
  if (const error_code code = binding->bind(address)) return code;
  binding->address_ = local_address(binding->descriptor_);
  if (address.family() == Family::unix_path) binding->file_ = identity(address.address());
  made = BoundSocket(std::move(binding));
  return {};
}

BoundSocket Binding::adopt(int descriptor) {
  auto binding = std::make_shared<Binding>(descriptor);
  binding->address_ = local_address(descriptor);
  return BoundSocket(std::move(binding));
}

error_code Binding::apply(const BindOptions& options, Family family) const noexcept {
  if (family == Family::unix_path) return {};
  set_option(descriptor_, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == Family::ipv6) set_option(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
  return options.reuse_port ? set_option(descriptor_, SOL_SOCKET, SO_REUSEPORT, 1) : error_code();
}

error_code Binding::bind(const SocketAddress& address) {
  const error_code code = bind_to(descriptor_, address);
  if (code != boost::system::errc::address_in_use || address.family() != Family::unix_path) return code;
  if (!is_stale(address)) return code;
  ::unlink(address.address().c_str());
  return bind_to(descriptor_, address);
}

void Binding::close() noexcept {
  // Before the descriptor goes: from then on the file looks stale, and another process may put its own in its place.
  if (file_ && identity(address_->address()) == file_) ::unlink(address_->address().c_str());
  if (descriptor_ >= 0) ::close(take());
  file_.reset();
  address_.reset();
}

}  // namespace libnet::transport
