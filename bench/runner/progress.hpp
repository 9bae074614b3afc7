#pragma once

#include <cstddef>
#include <string>

namespace bench {

/// What is being done, on standard error: one line that is rewritten on a terminal, else a line each.
class Progress {
 public:
  /// @param steps  How often show() will be called.
  explicit Progress(std::size_t steps);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(const std::string& what);
  /// Steps that will not come.
  void skip(std::size_t steps) noexcept { steps_ -= steps; }

 private:
  void clear() const;

  std::size_t steps_;
  std::size_t done_ = 0;
  bool terminal_;
};

}  // namespace bench
