#include "child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/interruption.hpp"
#include "load/load.hpp"

namespace bench {

namespace {

constexpr int not_started = 126;

/// Waits in steps, so that an interruption is noticed.
bool becomes_readable(const Descriptor& descriptor, std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  for (;;) {
    throw_if_interrupted();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    pollfd waiting{descriptor.number(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::clamp(left.count(), 0L, 250L))) > 0) return true;
    if (left.count() <= 0) return false;
  }
}

std::string in_words(int status) {
  if (WIFEXITED(status)) return fmt::format("ended with status {}", WEXITSTATUS(status));
  return fmt::format("was ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
}

std::vector<char*> terminated(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& one : strings) pointers.push_back(const_cast<char*>(one.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void run_only_on(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  ::sched_setaffinity(0, sizeof cores, &cores);
}

void set_variable(const std::string& variable) {
  const std::size_t equals = variable.find('=');
  ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
}

}  // namespace

Child::Child() : errors_(checked(::memfd_create("errors", MFD_CLOEXEC), "memfd_create")) {}

Child::Child(const ChildSettings& settings) : Child() {
  std::array<int, 2> ends{};
  checked(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
  output_ = Descriptor(ends[0]);
  const Descriptor its_output(ends[1]);
  const pid_t parent = ::getpid();
  id_ = checked(::fork(), "fork");
  if (id_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(not_started);
    run(settings, its_output.number());
  }
  watch_ = Descriptor(checked(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)), "pidfd_open"));
}

Child::~Child() {
  if (id_ < 0 || !ending_.empty()) return;
  ::kill(id_, SIGKILL);
  ::waitpid(id_, nullptr, 0);
}

/// In the child; this process has one thread, so that anything may be called here.
void Child::run(const ChildSettings& settings, int output) const {
  ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors_.number(), STDERR_FILENO);
  if (settings.core) run_only_on(*settings.core);
  if (settings.inherited >= 0) ::fcntl(settings.inherited, F_SETFD, 0);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  for (const std::string& variable : settings.environment) set_variable(variable);
  ::execvp(settings.command.front().c_str(), terminated(settings.command).data());
  ::dprintf(STDERR_FILENO, "cannot run %s: %s\n", settings.command.front().c_str(), std::strerror(errno));
  ::_exit(not_started);
}

std::optional<std::string> Child::read_line(std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  std::size_t found = 0;
  while ((found = unread_.find('\n')) == std::string::npos) {
    std::array<char, 512> bytes;
    if (!becomes_readable(output_, std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()))) return {};
    const ssize_t size = ::read(output_.number(), bytes.data(), bytes.size());
    if (size <= 0) return std::nullopt;
    unread_.append(bytes.data(), static_cast<std::size_t>(size));
  }
  std::string line = unread_.substr(0, found);
  unread_.erase(0, found + 1);
  return line;
}

std::string Child::complaint() const {
  std::array<char, 1000> bytes;
  const off_t end = ::lseek(errors_.number(), 0, SEEK_END);
  const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(bytes.size()));
  const ssize_t size = ::pread(errors_.number(), bytes.data(), bytes.size(), begin);
  std::string text(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

void Child::signal(int number) const {
  if (ending_.empty()) ::kill(id_, number);
}

bool Child::ends_within(std::chrono::milliseconds limit) {
  if (!ending_.empty()) return true;
  if (!becomes_readable(watch_, limit)) return false;
  int status = 0;
  ::waitpid(id_, &status, 0);
  ending_ = in_words(status);
  return true;
}

void Child::end(int number, std::chrono::milliseconds limit) {
  signal(number);
  if (ends_within(limit)) return;
  signal(SIGKILL);
  ends_within(limit);
}

}  // namespace bench
