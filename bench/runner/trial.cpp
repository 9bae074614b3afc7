#include "trial.hpp"

#include <charconv>
#include <csignal>
#include <stdexcept>

#include <fmt/core.h>

#include "load/interruption.hpp"

namespace bench {

namespace {

constexpr std::chrono::milliseconds dying_time{100};  // a broken connection is seen before the process is gone

ChildSettings server_process(const Scenario& scenario, const Rival& rival, const Load& load,
                             const TrialSettings& settings) {
  ChildSettings process{.command = settings.under,
                        .environment = settings.environment,
                        .core = settings.cores.server,
                        .inherited = settings.inherited};
  process.command.insert(process.command.end(), rival.program.begin(), rival.program.end());
  process.command.push_back(scenario.server);
  for (const auto& more : {scenario.settings, load.server_settings(), rival.settings}) {
    process.command.insert(process.command.end(), more.begin(), more.end());
  }
  return process;
}

}  // namespace

Trial::Trial(const Scenario& scenario, const Rival& rival, const TrialSettings& settings)
    : pinned_(settings.cores.load), load_(scenario.load()), server_(server_process(scenario, rival, *load_, settings)) {
  if (scenario.leading != Leading::bytes) warm_up_ = settings.warm_up;
  load_->set_patience(settings.patience);
  drive([&](Load&) { port_ = read_port(settings.patience); });
}

void Trial::connect() {
  drive([&](Load& load) { load.connect(port_); });
}

void Trial::connect_and_warm_up() {
  connect();
  if (!warm_up_) return;
  drive([&](Load& load) { load.exchange(Clock::now() + *warm_up_); });
}

std::uint16_t Trial::read_port(std::chrono::milliseconds limit) {
  constexpr std::string_view expected = "listening on 127.0.0.1:";
  const auto line = server_.read_line(limit);
  if (!line) throw std::runtime_error("the server did not say that it listens");
  std::uint16_t port = 0;
  const std::string_view digits = std::string_view(*line).substr(std::min(expected.size(), line->size()));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!line->starts_with(expected) || error != std::errc() || end != digits.data() + digits.size()) {
    throw std::runtime_error(fmt::format("the server said '{}' instead of where it listens", *line));
  }
  return port;
}

void Trial::drive(const std::function<void(Load&)>& what) try { what(*load_); } catch (const Interrupted&) {
  throw;
} catch (const std::exception& failure) {
  throw std::runtime_error(explained(failure.what()));
}

std::string Trial::explained(const std::string& failure) {
  std::string text = failure;
  if (server_.ends_within(dying_time)) text += "; the server " + server_.ending();
  if (const std::string complaint = server_.complaint(); !complaint.empty()) text += "; it wrote: " + complaint;
  return text;
}

void Trial::end(std::chrono::milliseconds limit) {
  drive([&](Load& load) {
    load.settle();
    load.finish();
    if (server_.ends_within(std::chrono::milliseconds::zero())) throw std::runtime_error("the server did not stay");
  });
  server_.end(SIGTERM, limit);
}

}  // namespace bench
