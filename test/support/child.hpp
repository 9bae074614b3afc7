#pragma once

#include <functional>
#include <string>

namespace libnet::test {

/// How a process ended.
struct Death {
  int status = -1;  ///< Of exit; -1 if a signal ended it. 3: an exception left the body.
  int signal = 0;
  std::string message;  ///< Standard error.
};

/// Runs `body` in a process of its own, which it ends after at most a minute.
Death run_in_child(const std::function<void()>& body);

}  // namespace libnet::test
