#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <netinet/in.h>
#include <sys/types.h>

#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::transport {

/// A connected stream socket of the operating system.
///
/// Owns no buffer: an idle connection costs this object and what the kernel keeps. Readiness is remembered, so that
/// no call is made that is known to block.
class DescriptorTransport final : public Transport, private reactor::Watch {
 public:
  enum class Kind : std::uint8_t { tcp, unix_stream };

  /// @param loop        The loop that is to tell about readiness.
  /// @param descriptor  A connected, non-blocking stream socket that no reactor watches; owned from now on.
  DescriptorTransport(std::shared_ptr<reactor::Loop> loop, int descriptor, Kind kind) noexcept;
  ~DescriptorTransport() override;

  /// Begins to watch the descriptor and notes the addresses, so that they outlive the connection. Call it once.
  /// @param remote  The peer's address if it is known already (from accept); null asks the kernel for it. Copied.
  /// Errors: Errc::destroyed (the io_context is gone), system errors of epoll_ctl(2).
  error_code start(const SocketAddress* remote = nullptr);

  /// Another process has the connection as well, and made it.
  void inherit() noexcept { inherited_ = true; }

  /// Ends the watching; the descriptor stays open and is the caller's again. All that is legal then is the destructor.
  void release() noexcept;
  /// The kernel has told somebody else already how the connection ended: what has come can still be read, then follows
  /// `error` (of the system) in place of the end.
  void has_failed(const error_code& error) noexcept { remember(error.value()); }

  void observe(Observer* observer) override { observer_ = observer; }
  bool ready_to_read() override;
  bool ready_to_write() override;

  Result try_read(std::span<std::byte> buffer) override;
  Result try_write(std::span<const iovec> buffers) override;
  bool can_splice() const noexcept override { return splices_; }
  Result splice_in(KernelPipe& pipe) override;
  Result splice_out(KernelPipe& pipe) override;
  std::uint64_t sent() const noexcept override { return sent_; }
  Peek peek_end() override;
  error_code error_behind_end() override;

  /// Errors: what ended the connection if it is known, else the system errors of shutdown(2).
  error_code shutdown_write() override;
  void close() noexcept override;

  /// A Unix socket has no reset: it is closed.
  void reset() noexcept override;
  bool can_reset() const noexcept override { return kind_ == Kind::tcp; }

  error_code after_fork() override;
  bool is_inherited() const noexcept override { return inherited_; }

  /// A kind of socket that does not have the option ignores it.
  void set_no_delay(bool enable) noexcept override;
  void set_keep_alive(const KeepAlive& keep_alive) noexcept override;
  void set_type_of_service(int value) noexcept override;
  std::optional<int> type_of_service() const noexcept override;

  /// Nothing for a Unix socket.
  std::optional<SocketAddress> local_address() const override;
  std::optional<SocketAddress> remote_address() const override;
  int native_handle() const noexcept override { return descriptor_; }

 private:
  /// An IP address in the kernel's form: a third of the size of a SocketAddress. IPv4 addresses use the first bytes.
  using NativeAddress = sockaddr_in6;

  void on_ready() override;
  void note_addresses(const SocketAddress* remote) noexcept;
  bool short_read_means_drained() const noexcept;
  ssize_t send(std::span<const iovec> buffers) const noexcept;
  Result failed_read(int code) noexcept;
  Result failed_write(int code) noexcept;
  error_code remember(int code) noexcept;
  error_code remembered() const noexcept;

  Kind kind_ : 1;  // down to the descriptor all lies in the padding of the watch
  bool attached_ : 1 = false;
  bool inherited_ : 1 = false;
  bool splices_ : 1 = true;        // until the system says that it cannot
  std::uint16_t first_error_ = 0;  // an errno
  int descriptor_;
  std::shared_ptr<reactor::Loop> loop_;
  Observer* observer_ = nullptr;
  std::uint64_t sent_ = 0;
  NativeAddress local_{};
  NativeAddress remote_{};
};

// Each idle connection pays for it.
static_assert(sizeof(void*) != 8 || sizeof(DescriptorTransport) <= 136);

}  // namespace libnet::transport
