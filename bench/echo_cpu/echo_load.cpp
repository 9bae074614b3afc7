// echo_load PORT PID [CONNECTIONS [SIZE [MESSAGES [IN_FLIGHT]]]]: drives an echo server on the loopback and checks what
// comes back. Prints the CPU time of process PID for each message [ns] and the messages a second.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr int patience_ms = 10'000;       // without any answer
constexpr std::size_t period = 251;       // of the bytes in a stream
constexpr std::size_t piece = 64 * 1024;  // moved by one call at most

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "echo_load: %s\n", what.c_str());
  std::exit(1);
}

int checked(int result, const char* what) {
  if (result < 0) fail(std::string(what) + ": " + std::strerror(errno));
  return result;
}

double seconds(clockid_t clock) {
  timespec time{};
  checked(::clock_gettime(clock, &time), "clock_gettime");
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The bytes of a stream from any offset on: what was lost, doubled or mixed up does not fit.
class Pattern {
 public:
  Pattern() : bytes_(period + piece) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i % period);
  }
  const char* at(std::uint64_t offset) const { return &bytes_[offset % period]; }

 private:
  std::vector<char> bytes_;
};

struct Connection {
  int descriptor = -1;
  std::uint64_t begin = 0;     // of its stream in the pattern
  std::uint64_t sent = 0;      // [bytes]
  std::uint64_t received = 0;  // [bytes]
};

struct Settings {
  std::uint16_t port;
  pid_t server;
  std::size_t connections = 64;
  std::size_t size = 64;            // [bytes]
  std::uint64_t messages = 200000;  // measured; a tenth more comes before
  std::size_t in_flight = 1;        // a connection
};

class Load {
 public:
  explicit Load(const Settings& settings) : settings_(settings) {
    set_ = checked(::epoll_create1(0), "epoll_create1");
    if (::clock_getcpuclockid(settings.server, &server_clock_) != 0) fail("there is no such process");
    connections_.resize(settings.connections);
    for (std::size_t i = 0; i < connections_.size(); ++i) open(connections_[i], i);
  }

  void run() {
    const std::uint64_t warm_up = settings_.messages / 10;
    exchange(warm_up);
    const double cpu = seconds(server_clock_);
    const double clock = seconds(CLOCK_MONOTONIC);
    const std::uint64_t before = answered_ / settings_.size;
    exchange(warm_up + settings_.messages);
    const auto messages = static_cast<double>(answered_ / settings_.size - before);
    std::printf("%.1f %.0f\n", (seconds(server_clock_) - cpu) * 1e9 / messages,
                messages / (seconds(CLOCK_MONOTONIC) - clock));
    finish();
  }

 private:
  void open(Connection& connection, std::size_t number) {
    connection.begin = 17 * number;
    connection.descriptor = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(settings_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::connect(connection.descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &connection;
    checked(::epoll_ctl(set_, EPOLL_CTL_ADD, connection.descriptor, &event), "epoll_ctl");
  }

  void exchange(std::uint64_t messages) {
    goal_ = messages * settings_.size;
    for (Connection& connection : connections_) send_more(connection);
    while (answered_ < goal_) serve_events();
  }

  /// Waits for what is still under way: closing a connection with unread bytes would reset it.
  void finish() {
    while (std::any_of(connections_.begin(), connections_.end(), [](auto& one) { return one.received < one.sent; })) {
      serve_events();
    }
  }

  void serve_events() {
    std::array<epoll_event, 256> events;
    const int count =
        checked(::epoll_wait(set_, events.data(), static_cast<int>(events.size()), patience_ms), "epoll_wait");
    if (count == 0) fail("no answer");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      Connection& connection = *static_cast<Connection*>(event.data.ptr);
      if ((event.events & EPOLLIN) != 0) receive(connection);
      send_more(connection);
    }
  }

  void receive(Connection& connection) {
    for (;;) {
      const ssize_t result = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (result < 0 && errno == EAGAIN) return;
      if (result <= 0) fail("the server ended a connection");
      const auto size = static_cast<std::size_t>(result);
      if (std::memcmp(buffer_.data(), pattern_.at(connection.begin + connection.received), size) != 0) {
        fail("what came back is not what was sent");
      }
      connection.received += size;
      answered_ += size;
      if (size < buffer_.size()) return;
    }
  }

  void send_more(Connection& connection) {
    while (answered_ < goal_) {
      const std::uint64_t whole = connection.received / settings_.size + settings_.in_flight;
      const std::uint64_t missing = whole * settings_.size - connection.sent;
      if (missing == 0) return;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(missing, std::min(settings_.size, piece)));
      const char* bytes = pattern_.at(connection.begin + connection.sent);
      const ssize_t result = ::send(connection.descriptor, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (result < 0 && errno == EAGAIN) return;
      connection.sent += static_cast<std::uint64_t>(checked(static_cast<int>(result), "send"));
    }
  }

  Settings settings_;
  Pattern pattern_;
  std::array<char, piece> buffer_;
  std::vector<Connection> connections_;
  clockid_t server_clock_{};
  int set_ = -1;
  std::uint64_t answered_ = 0;  // [bytes]
  std::uint64_t goal_ = 0;      // [bytes]
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: echo_load PORT PID [CONNECTIONS [SIZE [MESSAGES [IN_FLIGHT]]]]");
  const auto number = [&](int index, std::uint64_t otherwise) {
    return index < argc ? std::strtoull(argv[index], nullptr, 10) : otherwise;
  };
  Settings settings{.port = static_cast<std::uint16_t>(number(1, 0)), .server = static_cast<pid_t>(number(2, 0))};
  settings.connections = number(3, settings.connections);
  settings.size = number(4, settings.size);
  settings.messages = number(5, settings.messages);
  settings.in_flight = number(6, settings.in_flight);
  Load(settings).run();
}
