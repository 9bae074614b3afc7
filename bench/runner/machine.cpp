#include "machine.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <boost/algorithm/string/replace.hpp>
#include <boost/version.hpp>

#include "build.hpp"

namespace bench {

namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

std::string kernel() {
  utsname names{};
  ::uname(&names);
  return fmt::format("{} {}", names.sysname, names.release);
}

}  // namespace

Machine this_machine() {
  const auto pages = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  const auto page_size = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PAGE_SIZE)));
  return {.cpu = cpu_name(),
          .cores = std::thread::hardware_concurrency(),
          .memory_bytes = pages * page_size,
          .kernel = kernel()};
}

Build this_build() {
  return {.libnet = build::libnet,
          .compiler = build::compiler,
          .type = build::type,
          .flags = build::flags,
          .boost = boost::replace_all_copy(std::string(BOOST_LIB_VERSION), "_", ".")};
}

std::string now_in_words() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

std::size_t raise_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit enough{.rlim_cur = wanted, .rlim_max = std::max<rlim_t>(wanted, limit.rlim_max)};
  if (::setrlimit(RLIMIT_NOFILE, &enough) != 0) {  // beyond the hard limit only with privileges
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace bench
