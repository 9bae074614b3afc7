#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <libnet/net.hpp>

#include "fault.hpp"

namespace libnet::faults {

namespace asio = boost::asio;
namespace event = libnet::event;
using namespace std::chrono_literals;

/// What became of one step with one fault.
enum class Outcome : std::uint8_t {
  right,  ///< As without the fault.
  told,   ///< A call threw, an operation or a connection failed with an error, or run() threw std::bad_alloc.
  hang,   ///< Something waits for ever.
  spin,   ///< The same, with the processor busy.
  leak,   ///< A descriptor was left open.
  torn,   ///< Bytes are missing or wrong, or something went wrong that nobody was told of.
  crash,  ///< The process ended.
};
inline constexpr std::size_t outcomes = static_cast<std::size_t>(Outcome::crash) + 1;
std::string_view name_of(Outcome outcome) noexcept;

/// What a step waited for did not come.
struct Stuck : std::exception {
  const char* what() const noexcept override { return "stuck"; }
};

/// One step with one fault, in a process of its own: the io_context, the objects that the step uses, and what the program
/// was told. Steps keep nothing of their own that a listener could outlive.
class Trial {
 public:
  explicit Trial(ReactorKind reactor) : reactor_(reactor) {}

  /// @name For steps
  /// @{
  asio::io_context& io() { return *io_; }
  ReactorKind reactor() const { return reactor_; }

  /// An error has reached the program.
  void tell(std::string_view what) noexcept;
  void tell(const Error& error) noexcept;
  /// What is wrong although nothing failed.
  void wrong(std::string_view what) noexcept;
  void expect(bool holds, std::string_view what) noexcept {
    if (!holds && told_ == 0) wrong(what);
  }

  /// Runs the loop until the condition holds. Memory is back when it was missed a few times, or for a while.
  /// @throws Stuck
  void run_until(const std::function<bool()>& done);
  /// Runs a coroutine to its end; what it throws is told.
  void await(asio::awaitable<void> coroutine);
  /// Starts a coroutine beside the step, without Asio's co_spawn, which ends the process where there is no memory for long.
  /// @param ended  Called at its end, with what it has thrown.
  void spawn(asio::awaitable<void> coroutine, std::function<void(bool failed)> ended);

  /// Listens, at a port that the system picks or where the options say.
  void listen(Server& server, const ListenOptions& options = {.host = "127.0.0.1", .port = 0});
  /// The options to connect to what listens there. Views live as long as the trial.
  ConnectOptions to(const Server& server);
  /// Tells of errors; counts the socket as open until 'close'.
  void watch(Socket socket);
  void watch(Server server);
  bool all_closed() const noexcept { return open_ == 0; }
  bool told_something() const noexcept { return told_ != 0; }
  /// The received bytes have to be the first of the expected ones.
  void check(std::string_view received, std::string_view expected) noexcept;

  /// A Unix path of this process's own.
  const std::string& path() const noexcept { return path_; }

  std::array<Socket, 8> sockets;
  std::array<Server, 2> servers;
  std::array<std::string, 8> received;
  std::string payload;
  std::array<int, 8> counters{};
  /// @}

  /// @name For the sweep
  /// @{
  using Step = void (*)(Trial&);
  struct Report {
    Outcome outcome = Outcome::crash;
    bool fired = false;
    std::array<char, 200> text{};
    std::uint64_t allocations = 0;
    std::array<std::uint64_t, functions> calls{};
  };
  /// @param arm  Called when the loop is set up, or before, if that belongs to the step.
  void run(Step step, bool from_nothing, const std::function<void()>& arm, Report& report);
  /// @}

 private:
  void set_up();
  void take_step(Step step);
  void check_service();
  void abandon_all() noexcept;
  void run_to_rest();
  Outcome judge() const noexcept;
  void count_out() noexcept { --open_; }

  const ReactorKind reactor_;
  std::optional<asio::io_context> io_;
  std::string path_;
  std::string host_;
  std::array<char, 200> text_{};
  int told_ = 0;
  int open_ = 0;
  int thrown_by_run_ = 0;
  bool awaiting_ = false;
  bool wrong_ = false;
  bool stuck_ = false;
  bool spun_ = false;
  bool leaked_ = false;
};

/// The steps of the scenario.
struct NamedStep {
  const char* name;
  Trial::Step take;
  bool from_nothing = false;  ///< The set-up of the loop is part of it.
};
std::span<const NamedStep> steps() noexcept;

}  // namespace libnet::faults
