#include "support/child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <string>

#include <boost/test/unit_test.hpp>

namespace libnet::test {

namespace {

/// Nothing of the body's may reach the framework, which would go on in two processes.
[[noreturn]] void run_and_exit(const std::function<void()>& body) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL}) std::signal(signal, SIG_DFL);
  ::alarm(60);
  try {
    body();
  } catch (const std::exception& exception) {
    const std::string text = std::string("an exception: ") + exception.what();
    static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()));
    ::_exit(3);
  }
  ::_exit(0);
}

}  // namespace

Death run_in_child(const std::function<void()>& body) {
  int ends[2];
  BOOST_REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    run_and_exit(body);
  }
  ::close(ends[1]);
  Death death;
  char buffer[512];
  for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    death.message.append(buffer, static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) death.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) death.signal = WTERMSIG(status);
  return death;
}

}  // namespace libnet::test
