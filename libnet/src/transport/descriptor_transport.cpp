#include "transport/descriptor_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/kernel_pipe.hpp"
#include "transport/native.hpp"
#include "transport/socket_calls.hpp"

namespace libnet::transport {

namespace {

bool blocks(int code) noexcept { return code == EAGAIN || code == EWOULDBLOCK; }

template <class NativeAddress>
std::optional<SocketAddress> to_address(const NativeAddress& address) {
  return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

using AddressQuery = bool (*)(int, sockaddr*, socklen_t) noexcept;

/// Leaves the address unset when the kernel does not know it (any more).
template <class NativeAddress>
void ask(AddressQuery query, int descriptor, NativeAddress& address) noexcept {
  if (!query(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address)) address = {};
}

// What Linux takes for keep-alive; the others take no less.
constexpr std::int64_t longest_keep_alive = 32'767;  // [s]
constexpr int most_probes = 127;

/// Whole seconds, as the kernel counts keep-alive.
int whole_seconds(std::chrono::milliseconds time) noexcept {
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  return static_cast<int>(std::clamp<std::int64_t>(seconds, 0, longest_keep_alive));
}

}  // namespace

DescriptorTransport::DescriptorTransport(std::shared_ptr<reactor::Loop> loop, int descriptor, Kind kind) noexcept
    : kind_(kind), descriptor_(descriptor), loop_(std::move(loop)) {}

DescriptorTransport::~DescriptorTransport() { close(); }

error_code DescriptorTransport::start(const SocketAddress* remote) {
  if (!loop_->alive()) return Errc::destroyed;
  // Optimistic: the first call finds out, which costs less than waiting for the first event.
  readable = writable = true;
  hangup = broken = false;
  if (const error_code error = loop_->reactor().attach(*this, descriptor_)) return error;
  attached_ = true;
  note_addresses(remote);
  return {};
}

void DescriptorTransport::note_addresses(const SocketAddress* remote) noexcept {
  if (kind_ == Kind::unix_stream) return;
  ask(&transport::local_address, descriptor_, local_);
  if (remote == nullptr) return ask(&transport::remote_address, descriptor_, remote_);
  sockaddr_storage storage;
  if (remote->to_native(storage) != 0) std::memcpy(&remote_, &storage, sizeof remote_);
}

void DescriptorTransport::on_ready() {
  if (observer_ != nullptr) observer_->on_transport_ready();
}

bool DescriptorTransport::ready_to_read() {
  if (!readable && attached_ && loop_->alive()) loop_->reactor().await_readable(*this);
  return readable;
}

bool DescriptorTransport::ready_to_write() {
  if (!writable && attached_ && loop_->alive()) loop_->reactor().await_writable(*this);
  return writable;
}

Result DescriptorTransport::try_read(std::span<std::byte> buffer) {
  const ssize_t received = uninterrupted([&] { return ::recv(descriptor_, buffer.data(), buffer.size(), 0); });
  if (received < 0) return failed_read(errno);
  if (received == 0) return first_error_ != 0 ? Result{0, Status::error, remembered()} : Result{0, Status::end, {}};
  const auto bytes = static_cast<std::size_t>(received);
  if (bytes == buffer.size() || !short_read_means_drained()) return {bytes, Status::more, {}};
  readable = false;
  return {bytes, Status::would_block, {}};
}

/// Where it moves nothing, only a plain read can tell what is next: at urgent data the kernel's splice says for ever that
/// it would block, or that the stream has ended.
Result DescriptorTransport::splice_in(KernelPipe& pipe) {
  const ssize_t taken = pipe.take_from(descriptor_);
  if (taken >= 0) return {static_cast<std::size_t>(taken), Status::more, {}};
  if (errno == EINVAL || errno == ENOSYS) splices_ = false;
  return splices_ && !blocks(errno) ? failed_read(errno) : Result{0, Status::more, {}};
}

/// Portable waits are level triggered: waiting is always safe. An edge is not repeated: with the end or urgent data
/// signalled more may follow without one, and on Unix sockets ancillary data splits what could be read at once.
bool DescriptorTransport::short_read_means_drained() const noexcept {
  if (loop_->kind() == ReactorKind::portable) return true;
  return kind_ == Kind::tcp && !hangup;
}

Result DescriptorTransport::failed_read(int code) noexcept {
  if (blocks(code) && watch_error != 0) code = watch_error;  // it would never be told that this has changed
  if (!blocks(code)) return {0, Status::error, remember(code)};
  readable = false;
  hangup = false;  // it was urgent data, and it has been passed
  return {0, Status::would_block, {}};
}

Result DescriptorTransport::try_write(std::span<const iovec> buffers) {
  const auto gathered = buffers.first(std::min<std::size_t>(buffers.size(), IOV_MAX));
  const ssize_t sent = send(gathered);
  if (sent < 0) return failed_write(errno);
  const auto bytes = static_cast<std::size_t>(sent);
  sent_ += bytes;
  if (bytes == total_size(gathered)) return {bytes, Status::more, {}};
  writable = false;  // after a partial write the kernel signals when there is room again
  return {bytes, Status::would_block, {}};
}

Result DescriptorTransport::splice_out(KernelPipe& pipe) {
  const ssize_t given = pipe.give_to(descriptor_);
  if (given < 0) return failed_write(errno);
  sent_ += static_cast<std::size_t>(given);
  return {static_cast<std::size_t>(given), Status::more, {}};
}

ssize_t DescriptorTransport::send(std::span<const iovec> buffers) const noexcept {
  if (buffers.empty()) return 0;
  if (buffers.size() == 1) {
    const iovec& only = buffers.front();
    return uninterrupted([&] { return ::send(descriptor_, only.iov_base, only.iov_len, MSG_NOSIGNAL); });
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers.data());  // sendmsg only reads it
  message.msg_iovlen = buffers.size();
  return uninterrupted([&] { return ::sendmsg(descriptor_, &message, MSG_NOSIGNAL); });
}

/// The kernel tells what ended a connection once, and EPIPE from then on.
Result DescriptorTransport::failed_write(int code) noexcept {
  if (blocks(code) && watch_error != 0) code = watch_error;
  if (code == EPIPE && first_error_ != 0) return {0, Status::error, remembered()};
  if (!blocks(code)) return {0, Status::error, remember(code)};
  writable = false;
  return {0, Status::would_block, {}};
}

Peek DescriptorTransport::peek_end() {
  std::byte unused;
  const ssize_t waiting = uninterrupted([&] { return ::recv(descriptor_, &unused, 1, MSG_PEEK); });
  if (waiting > 0) return {Waiting::data, {}};
  if (waiting == 0) return first_error_ != 0 ? Peek{Waiting::error, remembered()} : Peek{Waiting::end, {}};
  const Result result = failed_read(errno);
  return {result.status == Status::error ? Waiting::error : Waiting::nothing, result.error};
}

/// Once a connection has ended, Linux says nothing else to a read of TCP. It is not known before the descriptor says so that
/// there is more to ask for.
error_code DescriptorTransport::error_behind_end() {
  if (first_error_ != 0) return remembered();
  if (!broken) {
    if (attached_ && loop_->alive()) loop_->reactor().await_failure(*this);
    return {};
  }
  const int pending = take_pending_error(descriptor_);
  return pending != 0 ? remember(pending) : error_code();
}

error_code DescriptorTransport::after_fork() {
  inherited_ = true;
  return attached_ ? loop_->reactor().watch_again(*this) : error_code();
}

error_code DescriptorTransport::shutdown_write() {
  inherited_ = false;
  if (::shutdown(descriptor_, SHUT_WR) == 0) return {};
  const int code = errno;
  if (code != ENOTCONN) return remember(code);
  // The connection is gone. That alone is no failure (both sides may have ended), so it is not remembered.
  if (first_error_ != 0) return remembered();
  const int pending = take_pending_error(descriptor_);
  return pending != 0 ? remember(pending) : system_error(code);
}

void DescriptorTransport::release() noexcept {
  if (attached_ && loop_->alive()) loop_->reactor().detach(*this);
  attached_ = false;
  descriptor_ = -1;
}

void DescriptorTransport::close() noexcept {
  const int descriptor = descriptor_;
  release();
  if (descriptor >= 0) ::close(descriptor);
}

void DescriptorTransport::reset() noexcept {
  if (descriptor_ >= 0 && kind_ == Kind::tcp) reset_connection(descriptor_);
  close();
}

std::optional<SocketAddress> DescriptorTransport::local_address() const { return to_address(local_); }

std::optional<SocketAddress> DescriptorTransport::remote_address() const { return to_address(remote_); }

// ---- Options

void DescriptorTransport::set_no_delay(bool enable) noexcept {
  set_option(descriptor_, IPPROTO_TCP, TCP_NODELAY, enable ? 1 : 0);
}

void DescriptorTransport::set_keep_alive(const KeepAlive& keep_alive) noexcept {
  set_option(descriptor_, SOL_SOCKET, SO_KEEPALIVE, keep_alive.enable ? 1 : 0);
  if (!keep_alive.enable) return;
  if (const int idle = whole_seconds(keep_alive.initial_delay)) {
    set_option(descriptor_, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  }
  if (keep_alive.interval.count() > 0) {
    set_option(descriptor_, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, whole_seconds(keep_alive.interval)));
  }
  if (keep_alive.count > 0) set_option(descriptor_, IPPROTO_TCP, TCP_KEEPCNT, std::min(keep_alive.count, most_probes));
}

/// An IPv6 socket sends IPv4 packets if its peer's address is mapped. An IPv4 socket does not know the second option.
void DescriptorTransport::set_type_of_service(int value) noexcept {
  set_option(descriptor_, IPPROTO_IP, IP_TOS, value);
  set_option(descriptor_, IPPROTO_IPV6, IPV6_TCLASS, value);
}

std::optional<int> DescriptorTransport::type_of_service() const noexcept {
  const std::optional<int> traffic_class = option(descriptor_, IPPROTO_IPV6, IPV6_TCLASS);
  return traffic_class ? traffic_class : option(descriptor_, IPPROTO_IP, IP_TOS);
}

// ---- Errors

/// Linux tells an error once and reports the end from then on: what was an error stays one.
error_code DescriptorTransport::remember(int code) noexcept {
  if (first_error_ == 0) first_error_ = static_cast<std::uint16_t>(code);
  return system_error(code);
}

error_code DescriptorTransport::remembered() const noexcept { return system_error(first_error_); }

}  // namespace libnet::transport
