#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// Other programs, run as children of a test.
namespace libnet::test {

/// A directory for one test; removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

void write_file(const std::string& path, std::string_view content);
std::string read_file(const std::string& path);

/// Where a child's bytes come from and go to.
struct ProcessFiles {
  std::string input = "/dev/null";
  std::string output{};  ///< Empty: standard output is read by `read_line`.
};

/// A child process. Who destroys it while it runs kills it; it also ends with the test program.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command, const ProcessFiles& files = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t id() const noexcept { return id_; }
  void signal(int number) const;

  /// The next line of its output (standard error is there as well), nothing at its end or when it takes too long.
  std::optional<std::string> read_line();
  /// Reads lines up to one that contains `text`, and returns what follows there; fails the case if none comes.
  std::string read_until(std::string_view text);

  /// Its exit status, minus the signal's number if one ended it; fails the case if it takes too long.
  int wait();

 private:
  void run(const std::vector<std::string>& command, const ProcessFiles& files, int output) const;
  bool fill();

  pid_t id_ = -1;
  int watch_ = -1;
  int output_ = -1;
  std::string name_;
  std::string unread_;
};

/// Ends the whole test program as skipped, and says so, unless `name` is a program that can be run.
void require_program(const std::string& name);

/// Memory of a process that is in use [bytes].
std::size_t resident_size(pid_t process);

}  // namespace libnet::test
