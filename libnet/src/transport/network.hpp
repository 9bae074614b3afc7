#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "libnet/address.hpp"
#include "libnet/bound_socket.hpp"
#include "libnet/errc.hpp"
#include "libnet/options.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

/// The door to the network: how listeners and connections come about.
///
/// Everything above this header makes connections through it and names no system call of sockets. The system's network is
/// one implementation, one in memory another; a loop says which of them its sockets use.
namespace libnet::transport {

/// Takes connections at one address. Destroying it stops the listening at once; its observer may do that while it is told.
class Listener {
 public:
  class Observer {
   public:
    /// Inside the loop and never inside a call to the listener: `accept` may succeed again.
    virtual void on_listener_ready() = 0;

   protected:
    ~Observer() = default;
  };

  struct Accepted {
    std::unique_ptr<Transport> transport;
    std::optional<SocketAddress> remote;  ///< Nothing for a Unix socket.
  };

  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;

  /// The one who is told; null stops the telling.
  virtual void observe(Observer* observer) = 0;

  /// Takes one connection, ready for use.
  /// Errors: EAGAIN if none waits; the observer is then told when that changes. Others: this one was not taken; it may
  /// wait still (no descriptors) or be gone.
  virtual error_code accept(Accepted& accepted) = 0;

  /// Whoever was told does not take what may wait, for now: another listener of the same socket may.
  virtual void pass_on() noexcept {}

  /// With the port that was picked.
  virtual const std::optional<SocketAddress>& address() const noexcept = 0;

  /// The descriptor, or -1 if there is none.
  virtual int native_handle() const noexcept { return -1; }

  /// In a child process: goes on beside the parent's.
  virtual error_code after_fork() { return {}; }
};

/// One try to reach one address. Destroying it gives up.
class Attempt {
 public:
  class Observer {
   public:
    /// Inside the loop and never inside a call to the attempt: `proceed()` may find something new.
    virtual void on_attempt_ready() = 0;

   protected:
    ~Observer() = default;
  };

  Attempt() = default;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  virtual ~Attempt() = default;

  /// The one who is told; null stops the telling.
  virtual void observe(Observer* observer) = 0;

  /// Starts the attempt, or looks what has become of it.
  /// Errors: EINPROGRESS while it runs; none: `connected` is set, and nothing is left to be called; others: it failed.
  virtual error_code proceed(std::unique_ptr<Transport>& connected) = 0;

  /// What the attempt was bound to by request, with the port that was picked; nothing if the network chooses. The port may
  /// be picked no sooner than it connects.
  virtual const std::optional<SocketAddress>& local_address() const noexcept = 0;

  /// Whether it failed because it could not be bound as requested: nothing was attempted then.
  virtual bool failed_to_bind() const noexcept = 0;

  /// In a child process: goes on beside the parent's.
  virtual error_code after_fork() { return {}; }
};

struct ListenerOptions {
  BindOptions bind;
  int backlog = 511;          ///< [connections] that wait to be accepted.
  bool readable_all = false;  ///< Permissions of a Unix socket's file.
  bool writable_all = false;
};

/// What to connect from. At most one of them.
struct AttemptOptions {
  std::optional<SocketAddress> local;  ///< Port 0 picks one.
  std::optional<BoundSocket> bound;
};

/// What a given descriptor was: one of the two is set.
struct Adopted {
  std::unique_ptr<Transport> transport;  ///< It was connected.
  std::optional<BoundSocket> bound;      ///< It never was.
};

class Network {
 public:
  using SharedLoop = std::shared_ptr<reactor::Loop>;
  using MadeListener = std::unique_ptr<Listener>;

  /// The network of a loop's sockets; the system's unless another was chosen.
  static Network& of(reactor::Loop& loop);

  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  /// Binds and listens; `made` is set if that succeeds. Port 0 picks a port; the file of a Unix socket behind which nobody
  /// listens any more is replaced.
  /// Errors: those of bind(2) and listen(2).
  virtual error_code listen(const SharedLoop& loop, const SocketAddress& address, const ListenerOptions& options,
                            MadeListener& made) = 0;

  /// Listens on a socket that is bound already and takes its descriptor, unless that fails.
  virtual error_code listen(const SharedLoop& loop, const BoundSocket& bound, const ListenerOptions& options,
                            MadeListener& made) = 0;

  /// The same for a descriptor, which may listen already.
  /// Errors: EINVAL if it is no stream socket.
  virtual error_code listen(const SharedLoop& loop, int descriptor, const ListenerOptions& options,
                            MadeListener& made) = 0;

  /// What goes wrong is told by the attempt.
  virtual std::unique_ptr<Attempt> connect(const SharedLoop& loop, const SocketAddress& address,
                                           const AttemptOptions& options) = 0;

  /// Takes over a descriptor that does not listen. If that fails, also by an exception, it is the caller's and as it was.
  /// Errors: Errc::invalid_handle if it is no such stream socket; system errors, EEXIST if the loop has it already.
  virtual error_code adopt(const SharedLoop& loop, int descriptor, Adopted& adopted) = 0;

  /// Finds the addresses of a host: at once, later, or never.
  virtual void lookup(reactor::Loop& loop, std::string_view host, const LookupOptions& options,
                      LookupAnswer answer) = 0;
};

/// Chooses the network of a context's loops, those of its strands included. Before the first socket is made there.
void use_network(reactor::asio::io_context& context, std::shared_ptr<Network> network);

}  // namespace libnet::transport
