#include "common/rival.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>

#include "common/command_line.hpp"

namespace bench {

namespace {

constexpr int usage_status = 2;
constexpr std::uint64_t highest_size = std::uint64_t{64} << 20;  // [bytes]
constexpr std::uint64_t longest_idle = 24 * 60 * 60 * 1000;      // [ms]

struct Server {
  std::string name;
  std::vector<Setting> settings;
  std::function<void(const Settings&)> run;
};

std::vector<Server> servers_of(const Rival& rival) {
  return {
      {"echo", {}, [&](const Settings&) { rival.echo(); }},
      {"pieces", {{"size", "64", highest_size}}, [&](const Settings& given) { rival.pieces(given.number("size")); }},
      {"timeouts",
       {{"idle", "30000", longest_idle}},
       [&](const Settings& given) { rival.timeouts(std::chrono::milliseconds(given.number("idle"))); }},
      {"stream",
       {{"block", "65536", highest_size}},
       [&](const Settings& given) { rival.stream(given.number("block")); }},
      {"fan_out",
       {{"size", "1024", highest_size}},
       [&](const Settings& given) { rival.fan_out(given.number("size")); }},
      {"relay",
       {{"upstream", "", std::numeric_limits<std::uint16_t>::max()}},
       [&](const Settings& given) { rival.relay(static_cast<std::uint16_t>(given.number("upstream"))); }},
  };
}

void run_server(const Server& server, const Rival& rival, const std::vector<std::string>& arguments) {
  std::vector<Setting> known = server.settings;
  for (const Choice& choice : rival.choices) known.push_back({choice.name, choice.values.front(), 0, choice.values});
  const Settings settings(known, arguments);
  for (const Choice& choice : rival.choices) choice.choose(settings.text(choice.name));
  server.run(settings);
}

void run(const Rival& rival, const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw UsageError("usage: " + rival.program + " SERVER [NAME=VALUE]... | --version");
  if (arguments.front() == "--version") {
    std::puts(rival.version.c_str());
    return;
  }
  const std::vector<Server> servers = servers_of(rival);
  const auto found = std::ranges::find(servers, arguments.front(), &Server::name);
  if (found == servers.end()) {
    throw UsageError("'" + arguments.front() +
                     "' is no server; it must be echo, pieces, timeouts, stream, fan_out or relay");
  }
  run_server(*found, rival, {arguments.begin() + 1, arguments.end()});
}

/// A connection costs a descriptor, one that is relayed two or more.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int complain(const Rival& rival, const char* what, int status) {
  std::fprintf(stderr, "%s: %s\n", rival.program.c_str(), what);
  return status;
}

}  // namespace

int run_rival(int argument_count, const char* const* arguments, const Rival& rival) try {
  std::signal(SIGPIPE, SIG_IGN);  // a peer that went away is an error of one call, not the end of the process
  allow_many_descriptors();
  run(rival, {arguments + 1, arguments + argument_count});
  return EXIT_SUCCESS;
} catch (const UsageError& error) {
  return complain(rival, error.what(), usage_status);
} catch (const std::exception& error) {
  return complain(rival, error.what(), EXIT_FAILURE);
}

void announce(std::uint16_t port) {
  std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(port));
  std::fflush(stdout);
}

std::string compiler() {
#ifdef __clang__
  return "clang++ " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__) + "." +
         std::to_string(__clang_patchlevel__);
#else
  return "g++ " __VERSION__;
#endif
}

std::vector<char> make_block(std::size_t size) {
  std::vector<char> block(size);
  for (std::size_t i = 0; i < size; ++i) block[i] = static_cast<char>(i % 251);
  return block;
}

}  // namespace bench
