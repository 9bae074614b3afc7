#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "child.hpp"
#include "cores.hpp"
#include "rivals.hpp"
#include "scenarios/scenario.hpp"

namespace bench {

/// How the server of a trial is started, beyond what rival and scenario say.
struct TrialSettings {
  Cores cores;
  std::chrono::milliseconds warm_up{200};
  std::chrono::milliseconds patience{10'000};  ///< For the server to start, and for progress.
  std::vector<std::string> environment{};
  std::vector<std::string> under{};  ///< A program that runs the server, and its arguments; empty: none.
  int inherited = -1;                ///< A descriptor the server is to have as well.
};

/// One server of one rival and its load.
class Trial {
 public:
  /// Starts the server and waits until it listens.
  /// @throws std::runtime_error that says how the server failed; so do the others.
  Trial(const Scenario& scenario, const Rival& rival, const TrialSettings& settings);

  void connect();
  /// Connects, and drives the server for a while unless the load ends by itself.
  void connect_and_warm_up();

  /// Does something with the load.
  /// @throws std::runtime_error if it fails: with how the server ended and what it wrote on standard error.
  void drive(const std::function<void(Load&)>& what);

  /// Lets the load finish and ends the server; kills it when it has not ended within the limit.
  void end(std::chrono::milliseconds limit = std::chrono::seconds(2));

  const Child& server() const noexcept { return server_; }

 private:
  std::uint16_t read_port(std::chrono::milliseconds limit);
  std::string explained(const std::string& failure);

  Pinned pinned_;
  std::unique_ptr<Load> load_;
  Child server_;
  std::uint16_t port_ = 0;
  std::optional<std::chrono::milliseconds> warm_up_;  // none: the load ends by itself
};

}  // namespace bench
