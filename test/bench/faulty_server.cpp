// faulty_server WHAT [...]: a server with one fault, for tests of what the benchmark runner notices.
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include <poll.h>
#include <unistd.h>

#include "load/sockets.hpp"

namespace {

using bench::Descriptor;

void wait_until(const Descriptor& socket, short ready) {
  pollfd waiting{socket.number(), ready, 0};
  ::poll(&waiting, 1, -1);
}

Descriptor accept_blocking(const Descriptor& listener) {
  for (;;) {
    wait_until(listener, POLLIN);
    Descriptor socket = bench::accept_one(listener);
    if (socket.number() >= 0) return socket;
  }
}

/// Echoes one connection; after that many bytes one is wrong.
void echo_corrupted(const Descriptor& socket, std::size_t correct) {
  std::array<char, 4096> buffer;
  for (std::size_t passed = 0;;) {
    wait_until(socket, POLLIN);
    const std::size_t size = bench::receive_some(socket, buffer.data(), buffer.size());
    if (passed <= correct && correct < passed + size) buffer[correct - passed] ^= 1;
    passed += size;
    bench::send_some(socket, buffer.data(), size);
  }
}

/// Sends bytes that are in no pattern.
void make_noise(const Descriptor& socket) {
  for (;;) {
    const char byte = '\xff';
    wait_until(socket, POLLOUT);
    bench::send_some(socket, &byte, sizeof byte);
  }
}

[[noreturn]] void crash() {
  std::fputs("something broke\n", stderr);
  std::_Exit(3);
}

void serve(std::string_view fault, const Descriptor& listener) {
  if (fault == "silent") ::pause();
  const Descriptor socket = accept_blocking(listener);
  if (fault == "crash") crash();
  if (fault == "noise") make_noise(socket);
  echo_corrupted(socket, 100);  // in the second message, however slow the machine is
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string_view fault = count > 1 ? arguments[1] : "";
  if (fault == "mute") ::pause();
  if (fault == "stubborn") std::signal(SIGTERM, SIG_IGN);
  const Descriptor listener = bench::listen_on_loopback();
  std::printf(fault == "babble" ? "hello\n" : "listening on 127.0.0.1:%d\n", bench::local_port(listener));
  std::fflush(stdout);
  serve(fault, listener);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
