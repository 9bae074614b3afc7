#pragma once

#include <functional>
#include <memory>
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
  int inherited = -1;  ///< A descriptor the server is to have as well.
};

/// One server of one rival and its load, connected and warm.
class Trial {
 public:
  /// @throws std::runtime_error that says how the server failed.
  Trial(const Scenario& scenario, const Rival& rival, const TrialSettings& settings);

  /// Does something with the load.
  /// @throws std::runtime_error if it fails: with how the server ended and what it wrote on standard error.
  void drive(const std::function<void(Load&)>& what);

  /// Lets the load finish and ends the server.
  void end();

  pid_t server() const noexcept { return server_.id(); }

 private:
  std::uint16_t read_port(std::chrono::milliseconds limit);
  std::string explained(const std::string& failure);

  Pinned pinned_;
  std::unique_ptr<Load> load_;
  Child server_;
};

}  // namespace bench
