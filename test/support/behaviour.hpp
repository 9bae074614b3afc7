#pragma once

#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace libnet::transport {
class MemoryTransport;
}

namespace libnet::test {
class RawSocket;
class WorldNetwork;
}  // namespace libnet::test

/// Where behaviour cases run: every case body runs once for each setting in which it applies.
namespace libnet::test {

namespace asio = boost::asio;
namespace event = libnet::event;
using namespace std::chrono_literals;

/// What carries the bytes.
enum class Wire : std::uint8_t { tcp4 = 1, tcp6 = 2, unix_path = 4, memory = 8, record = 16 };

/// Sets of wires.
inline constexpr unsigned tcp_wires = 1 | 2;
inline constexpr unsigned ip_wires = 1 | 2 | 8 | 16;  // with IP addresses: TCP, and what imitates it in memory
inline constexpr unsigned real_wires = 1 | 2 | 4;     // of the kernel
inline constexpr unsigned all_wires = 1 | 2 | 4 | 8 | 16;

struct Setting {
  Wire wire;
  ReactorKind reactor;
};
std::string to_string(Setting setting);

/// One io_context with a setting, and what a case needs to set two sockets up.
class World {
 public:
  explicit World(Setting setting);
  ~World();

  asio::io_context& io() { return *io_; }
  Wire wire() const { return setting_.wire; }
  ReactorKind reactor() const { return setting_.reactor; }
  bool is_unix() const { return wire() == Wire::unix_path; }
  /// TCP, or what imitates it in memory: addresses are IP addresses, and connections can be reset.
  bool is_tcp() const { return !is_unix(); }
  /// Whether the kernel has nothing to do with it.
  bool in_memory() const { return network_ != nullptr; }

  /// Runs the loop until it has nothing to do; fails the case if that takes too long. Restarts the context before.
  void run();
  /// Runs the loop until `done()` is true; fails the case if that takes too long or if the loop ends before.
  void run_until(const std::function<bool()>& done);
  /// Runs the loop until every posted handler and event that is due now has been delivered, without waiting for input.
  void settle();

  /// Runs a coroutine to its end; an exception that leaves it fails the case.
  void await(asio::awaitable<void> coroutine);
  /// Starts a coroutine beside the case; `run()`/`run_until()` runs it; its exception fails the case.
  void spawn(asio::awaitable<void> coroutine);

  /// Listen and connect options for this wire. What they name is the case's own as long as this World lives, listened on
  /// or not: a Unix path in a directory of its own, a TCP port that no other program at the same time is given.
  void listen(Server& server);
  void connect(Socket& socket, const Server& server);
  /// Options to connect to `server` with; views stay valid as long as this World.
  ConnectOptions connect_options(const Server& server);
  ListenOptions listen_options();
  /// A new Unix path in the case's directory.
  std::string new_path();
  /// A TCP port on which nobody listens as long as this World lives, on any address; or a path that does not exist.
  ConnectOptions refusing_options();
  /// A TCP address of the case's own to bind to.
  ConnectOptions unused_options();

  /// A connected pair over this wire: `first` was connected by the client, `second` accepted by a server.
  /// Options: allow_half_open unset means false on both, as for listeners. The server of real wires is closed again.
  struct Pair {
    Socket client;
    Socket server;
  };
  Pair pair(const SocketOptions& client = {}, const SocketOptions& accepted = {});

  /// Destroys the io_context with all that lives in it. Of this World only its destructor may be called then.
  void end_context() { io_.reset(); }

  /// The network of the memory and the record wire.
  WorldNetwork& network() { return *network_; }

  /// Under the last pair of the memory or record wire: what a case shapes the bytes of. They live as long as its sockets.
  struct Ends {
    transport::MemoryTransport* client = nullptr;
    transport::MemoryTransport* server = nullptr;
  };
  const Ends& memory_ends() const { return memory_ends_; }

  /// Moves the loops' clocks (all loops of the context) by hand instead of by time; timers then fire only by `advance`.
  void use_manual_clock();
  void advance(std::chrono::nanoseconds by);

 private:
  /// A port that the system picks, bound on all addresses of both families and not listening as long as this World
  /// lives: the system gives it to nobody else. A shared one can be bound to and listened on by whoever knows it and sets
  /// SO_REUSEADDR, as libnet does.
  int reserve_port(bool shared);

  Setting setting_;
  std::shared_ptr<WorldNetwork> network_;  // outlives the context, as no other would either
  std::unique_ptr<asio::io_context> io_;
  std::string directory_;
  std::vector<std::unique_ptr<std::string>> kept_;
  std::vector<std::unique_ptr<RawSocket>> held_;
  int paths_ = 0;
  int memory_ports_ = 20'000;
  Ends memory_ends_;
};

/// Writes down every event of the sockets and servers it watches, in order: "client:connect", "client:data(5)",
/// "client:close(false)", "server:listening". Watching 'data' starts the flow, so it is asked for separately.
class Recorder {
 public:
  enum class Data : std::uint8_t { ignore, record };

  /// Watches all events but `data` (unless asked) of a socket. 'end' is listened to as well.
  void watch(Socket socket, const std::string& name, Data data = Data::record);
  void watch(Server server, const std::string& name);
  void note(const std::string& what) { log_.push_back(what); }

  const std::vector<std::string>& log() const { return log_; }
  /// Only the entries that begin with `name:`, with that taken off.
  std::vector<std::string> of(const std::string& name) const;
  std::size_t count(const std::string& entry) const;
  /// All bytes that `name` received.
  const std::string& received(const std::string& name);

 private:
  std::vector<std::string> log_;
  std::vector<std::pair<std::string, std::unique_ptr<std::string>>> received_;
};

using Log = std::vector<std::string>;
inline constexpr auto per_element = boost::test_tools::per_element();
void expect(const Log& found, const Log& expected);

/// The code of the SystemError that a call throws; none if it throws nothing.
template <class Call>
error_code thrown_by(Call call) {
  try {
    call();
  } catch (const SystemError& error) {
    return error.code();
  }
  return {};
}

/// A client gets through to the server, and they exchange a word.
void expect_serving(World& world, Server server);

/// Reads from `from` until fewer bytes wait in `sender`, its peer, or none; also ends where `from` ends. Returns what came.
std::string read_until_progress(World& world, Socket from, Socket sender);

/// Bytes that differ from place to place; the same seed gives the same bytes.
std::string random_bytes(std::size_t size, std::uint64_t seed = 1);

/// How many descriptors this process has open.
std::size_t open_descriptors();

/// Registers a case for each wire of `wires` and both reactors; use BEHAVIOUR below.
struct Registration {
  Registration(const char* name, const char* file, std::size_t line, unsigned wires, void (*body)(World&));
};

}  // namespace libnet::test

/// A behaviour case: BEHAVIOUR(B148_end_then_auto_end, all_wires) { … uses `world` … }
#define BEHAVIOUR(name, wires)                                                                              \
  static void name(::libnet::test::World& world);                                                           \
  static const ::libnet::test::Registration name##_registration(#name, __FILE__, __LINE__, wires, &(name)); \
  static void name([[maybe_unused]] ::libnet::test::World& world)
