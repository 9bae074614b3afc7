#include "transport/system_listener.hpp"

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "detail/last_error.hpp"
#include "transport/binding.hpp"
#include "transport/descriptor_transport.hpp"
#include "transport/native.hpp"
#include "transport/socket_calls.hpp"

namespace libnet::transport {

namespace {

using detail::last_error;

/// What the umask has taken away from the file of a Unix-domain socket.
error_code permit(const std::string& path, const ListenerOptions& options) {
  const mode_t wanted = (options.readable_all ? S_IRUSR | S_IRGRP | S_IROTH : 0) |
                        (options.writable_all ? S_IWUSR | S_IWGRP | S_IWOTH : 0);
  if (wanted == 0 || path.empty()) return {};
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return last_error();
  return ::chmod(path.c_str(), (status.st_mode & 07777) | wanted) == 0 ? error_code() : last_error();
}

std::string path_of(const std::optional<SocketAddress>& address) {
  return address && address->family() == Family::unix_path ? address->address() : std::string();
}

}  // namespace

error_code SystemListener::open(const SocketAddress& address, const ListenerOptions& options) {
  BoundSocket bound;
  if (const error_code code = Binding::bind(address, options.bind, bound)) return code;
  return open(bound, options);
}

error_code SystemListener::open(const BoundSocket& bound, const ListenerOptions& options) {
  Binding* const binding = Binding::of(bound);
  if (binding == nullptr || binding->descriptor() < 0) return system_error(EINVAL);
  const std::string path = binding->file() ? binding->file()->path() : path_of(binding->address());
  if (const error_code code = take(binding->descriptor(), path, options)) return code;
  binding->take();
  bound_ = bound;
  return {};
}

error_code SystemListener::open(int descriptor, const ListenerOptions& options) {
  if (!is_stream_socket(descriptor) || is_connected(descriptor)) return system_error(EINVAL);
  return take(descriptor, path_of(local_address(descriptor)), options);
}

/// Until it listens everything can be undone.
error_code SystemListener::take(int descriptor, const std::string& path, const ListenerOptions& options) {
  auto address = local_address(descriptor);
  MadeNonBlocking non_blocking(descriptor);
  if (non_blocking.error()) return non_blocking.error();
  auto share = std::make_shared<BacklogShare>(loop_, static_cast<BacklogShare::Owner&>(*this));
  const BacklogShare::Joined joined = share->join(descriptor);
  if (joined == BacklogShare::Joined::refused) return system_error(EEXIST);
  share_ = std::move(share);
  error_code code = watch(descriptor, joined == BacklogShare::Joined::beside_others);
  if (!code) code = permit(path, options);
  if (!code && !is_listening(descriptor)) code = listen_on(descriptor, options.backlog);
  if (code) return code;
  non_blocking.keep();
  descriptor_ = descriptor;
  address_ = std::move(address);
  return {};
}

error_code SystemListener::watch(int descriptor, bool beside_others) noexcept try {
  watched_ = false;
  if (exclusive_) std::exchange(exclusive_, nullptr)->stop();
  if (beside_others) {
    exclusive_ = std::make_shared<reactor::ExclusiveWatch>(loop_, static_cast<reactor::Watch&>(*this));
    if (exclusive_->start(descriptor) != 0) exclusive_.reset();
  }
  const error_code code = exclusive_ ? error_code() : loop_->reactor().attach(*this, descriptor);
  watched_ = !code;
  return code;
} catch (const std::bad_alloc&) {
  return system_error(ENOMEM);
}

/// If watching fails, the next accept says so.
void SystemListener::look_at_backlog() {
  if (!exclusive_) {
    loop_->reactor().detach(*this);
    watch(descriptor_, true);
  }
  readable = true;
  on_ready();
}

void SystemListener::close() noexcept {
  stop_watching();
  if (descriptor_ < 0) return;
  bound_ = {};  // before the descriptor, for the sake of the file
  ::close(descriptor_);
}

void SystemListener::stop_watching() noexcept {
  if (exclusive_) exclusive_->stop();
  if (share_) share_->leave();
  if (loop_->alive()) loop_->reactor().detach(*this);
}

/// Asio has the descriptor in its new set if it had it in the old one.
error_code SystemListener::after_fork() { return exclusive_ ? error_code() : loop_->reactor().watch_again(*this); }

void SystemListener::on_ready() {
  if (observer_ != nullptr) observer_->on_listener_ready();
}

error_code SystemListener::accept(Accepted& accepted) {
  if (share_->take_up()) readable = true;
  if (!watched_) {
    if (const error_code code = watch(descriptor_, true)) return code;
  }
  if (!may_wait()) return none_waits();
  Descriptor descriptor;
  const error_code code = accept_from(descriptor_, descriptor, is_unix() ? nullptr : &accepted.remote);
  if (code == boost::system::errc::resource_unavailable_try_again) return none_waits();
  if (code) return code;
  const auto kind = is_unix() ? DescriptorTransport::Kind::unix_stream : DescriptorTransport::Kind::tcp;
  auto made = std::make_unique<DescriptorTransport>(loop_, descriptor.get(), kind);
  descriptor.release();
  // The peer may have reset already: later nobody could tell who it was.
  if (const error_code failed = made->start(accepted.remote ? &*accepted.remote : nullptr)) return failed;
  accepted.transport = std::move(made);
  return {};
}

/// Beside others a call that finds nothing is frequent, and would make a socket and destroy it: so ask first.
bool SystemListener::may_wait() noexcept {
  if (readable && exclusive_) readable = is_readable(descriptor_);
  return readable;
}

error_code SystemListener::none_waits() {
  if (watch_error != 0)
    return system_error(std::exchange(watch_error, std::uint8_t{0}));  // the next look may be told again
  readable = false;
  if (!exclusive_) {
    loop_->reactor().await_readable(*this);
  } else if (const int code = exclusive_->done()) {
    watched_ = false;
    readable = true;
    return system_error(code);
  }
  return system_error(EAGAIN);
}

void SystemListener::pass_on() noexcept {
  if (exclusive_ && may_wait()) share_->pass_on();
}

}  // namespace libnet::transport
