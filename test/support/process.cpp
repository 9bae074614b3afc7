#include "support/process.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace libnet::test {

namespace {

// Generous: sanitizers on a busy machine.
constexpr int patience = 60'000;  // [ms]

// What ctest takes for "skipped".
constexpr int skipped = 77;

bool becomes_readable(int descriptor) {
  pollfd waiting{descriptor, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, patience);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

void redirect(const std::string& path, int flags, int descriptor) {
  const int opened = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (opened < 0) ::_exit(126);
  ::dup2(opened, descriptor);
}

}  // namespace

// --- files ---------------------------------------------------------------------------------------------------------

TemporaryDirectory::TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "libnet-test-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

std::string read_file(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(content).str();
}

// --- processes -----------------------------------------------------------------------------------------------------

Process::Process(const std::vector<std::string>& command, const ProcessFiles& files) : name_(command.front()) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  const pid_t parent = ::getpid();
  id_ = ::fork();
  if (id_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    run(command, files, ends[1]);
  }
  ::close(ends[1]);
  output_ = ends[0];
  if (id_ > 0) watch_ = static_cast<int>(::syscall(SYS_pidfd_open, id_, 0));
  if (watch_ < 0) throw std::runtime_error("cannot start " + name_);
}

Process::Process(Process&& other) noexcept
    : id_(std::exchange(other.id_, -1)),
      watch_(std::exchange(other.watch_, -1)),
      output_(std::exchange(other.output_, -1)),
      name_(std::move(other.name_)),
      unread_(std::move(other.unread_)) {}

Process::~Process() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  if (watch_ >= 0) ::close(watch_);
  if (output_ >= 0) ::close(output_);
}

/// In the child.
void Process::run(const std::vector<std::string>& command, const ProcessFiles& files, int output) const {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  redirect(files.input, O_RDONLY, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  if (!files.output.empty()) redirect(files.output, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
  ::execvp(arguments.front(), arguments.data());
  ::_exit(127);
}

void Process::signal(int number) const { ::kill(id_, number); }

bool Process::fill() {
  char buffer[4096];
  if (!becomes_readable(output_)) return false;
  const ssize_t size = ::read(output_, buffer, sizeof buffer);
  if (size > 0) unread_.append(buffer, static_cast<std::size_t>(size));
  return size > 0;
}

std::optional<std::string> Process::read_line() {
  std::size_t end = 0;
  while ((end = unread_.find('\n')) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  const std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

std::string Process::read_until(std::string_view text) {
  std::string before;
  while (const auto line = read_line()) {
    if (const auto found = line->find(text); found != std::string::npos) return line->substr(found + text.size());
    before += *line + '\n';
  }
  BOOST_FAIL(name_ << " did not print '" << text << "' but: " << before << unread_);
  return {};
}

int Process::wait() {
  BOOST_REQUIRE_MESSAGE(becomes_readable(watch_), name_ << " does not end");
  int status = 0;
  ::waitpid(std::exchange(id_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void require_program(const std::string& name) {
  if (!name.empty() && std::system(("command -v '" + name + "' >/dev/null").c_str()) == 0) return;
  std::cout << "SKIPPED: '" << name << "' cannot be run here; nothing of this file was tested" << std::endl;
  std::_Exit(skipped);
}

std::size_t resident_size(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Rss:")) return std::stoull(line.substr(4)) * 1024;
  }
  return 0;
}

}  // namespace libnet::test
