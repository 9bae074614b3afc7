#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "load/sockets.hpp"

namespace bench {

/// How a child process is started.
struct ChildSettings {
  std::vector<std::string> command;        ///< The program and its arguments.
  std::vector<std::string> environment{};  ///< NAME=VALUE, in addition to this process's own.
  std::optional<int> core{};               ///< The only one it runs on.
  int inherited = -1;                      ///< A descriptor it is to have as well.
};

/// A child process. It never outlives this object, nor this process.
class Child {
 public:
  explicit Child(const ChildSettings& settings);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t id() const noexcept { return id_; }

  /// The next line of its standard output; nothing at its end, or when none comes in time.
  std::optional<std::string> read_line(std::chrono::milliseconds limit);
  /// What it wrote on standard error so far, at most the last 1,000 bytes.
  std::string complaint() const;

  void signal(int number) const;
  /// Has it ended by itself, or does it within the time?
  bool ends_within(std::chrono::milliseconds limit);
  /// How it ended, in words; empty while it runs.
  const std::string& ending() const noexcept { return ending_; }

  /// Ends it: first asks with that signal; kills it when it has not ended within the limit.
  void end(int number, std::chrono::milliseconds limit = std::chrono::seconds(2));

 private:
  Child();  // once it has returned, the destructor cleans up after what fails

  [[noreturn]] void run(const ChildSettings& settings, int output) const;

  Descriptor errors_;
  Descriptor output_;
  Descriptor watch_;
  pid_t id_ = -1;
  std::string unread_;
  std::string ending_;
};

}  // namespace bench
