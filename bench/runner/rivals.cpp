#include "rivals.hpp"

#include <algorithm>
#include <filesystem>

#include <csignal>

#include <fmt/core.h>

#include "child.hpp"

namespace bench {

namespace {

constexpr std::chrono::seconds answer_time{10};

Rival compiled(const std::string& programs, const std::string& name, const std::string& needs = {}) {
  return {.name = name, .program = {programs + "/bench-" + name}, .needs = needs};
}

Rival of_libnet(const std::string& programs, const std::string& style, const std::string& reactor) {
  Rival rival = compiled(programs, "libnet");
  rival.name += "-" + style + (reactor == "epoll" ? "" : "-" + reactor);
  rival.settings = {"style=" + style, "reactor=" + reactor};
  return rival;
}

/// A path to a file of the rival, and not a program to be searched for?
bool is_missing(const std::string& part) {
  return part.find('/') != std::string::npos && !std::filesystem::exists(part);
}

std::string with_needs(const Rival& rival, const std::string& what) {
  return rival.needs.empty() ? what : what + ": needs the package " + rival.needs;
}

}  // namespace

std::vector<Rival> rivals(const std::string& programs, const std::string& sources) {
  std::vector<Rival> all;
  for (const char* name : {baseline, "asio-callbacks", "asio-awaitables", "beast"}) {
    all.push_back(compiled(programs, name));
  }
  all.push_back(compiled(programs, "libuv", "libuv1-dev"));
  all.push_back({.name = "node",
                 .program = {"node", sources + "/rivals/node/main.mjs"},
                 .needs = "nodejs",
                 .uncountable = "its engine makes machine code while it runs, which is not the same twice",
                 .uses_malloc = false});
  all.push_back(compiled(programs, "go", "golang-go"));
  all.back().uncountable = "valgrind does not follow the stacks that Go's runtime switches between";
  all.back().uses_malloc = false;
  all.push_back(compiled(programs, "tokio", "librust-tokio-dev"));
  for (const char* reactor : {"epoll", "portable"}) {
    for (const char* style : {"events", "await"}) all.push_back(of_libnet(programs, style, reactor));
  }
  return all;
}

RivalRecord inspect(const Rival& rival) {
  RivalRecord record{.name = rival.name, .version = {}, .missing = {}};
  if (std::ranges::any_of(rival.program, is_missing)) {
    record.missing = with_needs(rival, "not built");
    return record;
  }
  std::vector<std::string> command = rival.program;
  command.push_back("--version");
  Child child({.command = command});
  record.version = child.read_line(answer_time);
  child.end(SIGTERM);
  if (!record.version) record.missing = with_needs(rival, fmt::format("does not run ({})", child.complaint()));
  return record;
}

}  // namespace bench
