#pragma once

#include <libnet/address.hpp>

#include "support/process.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <ios>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/// The program libnet-cat, and what its tests need to hold its standard input and output.
namespace libnet::test {

inline constexpr std::size_t mebibyte = 1 << 20;

/// What libnet-cat and its peer talk over.
enum class Link : std::uint8_t { ipv4, ipv6, unix_path };
inline constexpr Link all_links[] = {Link::ipv4, Link::ipv6, Link::unix_path};

inline std::ostream& operator<<(std::ostream& out, Link link) {
  return out << (link == Link::ipv4 ? "IPv4" : link == Link::ipv6 ? "IPv6" : "Unix");
}

/// Where one of two programs listens and the other connects to.
struct Place {
  Link link;
  std::string path;  ///< For Link::unix_path.
  std::string port = "0";

  Place(Link over, const TemporaryDirectory& directory) : link(over), path(directory.file("cat.sock")) {}

  bool is_unix() const { return link == Link::unix_path; }
  std::string host() const { return link == Link::ipv6 ? "::1" : "127.0.0.1"; }

  /// As nc and libnet-cat take it.
  std::vector<std::string> words() const {
    if (is_unix()) return {"-U", path};
    return {host(), port};
  }
  /// As socat takes it.
  std::string socat_listener() const {
    if (is_unix()) return "UNIX-LISTEN:" + path;
    return link == Link::ipv6 ? "TCP6-LISTEN:0,bind=[::1]" : "TCP4-LISTEN:0,bind=127.0.0.1";
  }
  std::string socat_peer() const {
    if (is_unix()) return "UNIX-CONNECT:" + path;
    return link == Link::ipv6 ? "TCP6:[::1]:" + port : "TCP4:127.0.0.1:" + port;
  }
  SocketAddress address() const {
    if (is_unix()) return SocketAddress::unix_socket(path);
    return SocketAddress::ip(host(), static_cast<std::uint16_t>(std::stoi(port)));
  }

  /// Takes the port from where a program says that it listens.
  void read_port(Process& listener) {
    const std::string printed = listener.read_until("istening on ");
    if (!is_unix()) port = printed.substr(printed.find_last_of(": ") + 1);
  }
};

inline std::vector<std::string> command(std::vector<std::string> first, const std::vector<std::string>& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

/// libnet-cat, connecting; with -l in `options` listening.
inline Process start_cat(const Place& place, const std::vector<std::string>& options, const ProcessFiles& files = {}) {
  return Process(command(command({LIBNET_CAT}, options), place.words()), files);
}

/// libnet-cat, listening; `place` gets the port.
inline Process listening_cat(Place& place, const std::vector<std::string>& options, const ProcessFiles& files = {}) {
  Process cat = start_cat(place, command({"-l", "-v"}, options), files);
  place.read_port(cat);
  return cat;
}

/// Reads what the program still says.
inline std::string rest_of(Process& process) {
  std::string all;
  while (const auto line = process.read_line()) all += *line + '\n';
  return all;
}

inline void check_end(Process& process, int status, std::string_view said) {
  BOOST_TEST(rest_of(process) == said);
  BOOST_TEST(process.wait() == status);
}

/// A named pipe for a program's standard input or output; the test holds the other end.
class NamedPipe {
 public:
  NamedPipe(const TemporaryDirectory& directory, std::string_view name) : path_(directory.file(name)) {
    BOOST_REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
  }
  NamedPipe(const NamedPipe&) = delete;
  NamedPipe& operator=(const NamedPipe&) = delete;
  ~NamedPipe() { close(); }

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }

  /// Waits until the program has opened its end.
  void open(int mode) {
    descriptor_ = ::open(path_.c_str(), mode | O_CLOEXEC);
    BOOST_REQUIRE(descriptor_ >= 0);
    ::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

inline bool wait_for(int descriptor, short events, int limit = 60'000) {
  pollfd state{descriptor, events, 0};
  return ::poll(&state, 1, limit) > 0;
}

/// Writes without waiting for more than half a second.
/// @return  How much [bytes] went in.
inline std::size_t write_until_stuck(int descriptor, std::string_view bytes) {
  std::size_t all = 0;
  while (all < bytes.size() && wait_for(descriptor, POLLOUT, 500)) {
    const ssize_t size = ::write(descriptor, bytes.data() + all, bytes.size() - all);
    if (size > 0) all += static_cast<std::size_t>(size);
  }
  return all;
}

/// Reads up to `limit` [bytes], or to the end.
inline std::string read_up_to(int descriptor, std::size_t limit) {
  std::string all;
  std::vector<char> buffer(64 * 1024);
  while (all.size() < limit && wait_for(descriptor, POLLIN)) {
    const ssize_t size = ::read(descriptor, buffer.data(), std::min(buffer.size(), limit - all.size()));
    if (size <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return all;
}

/// Whether O_NONBLOCK is set on what a process has open as that descriptor.
inline bool is_non_blocking(pid_t process, int descriptor) {
  std::ifstream file("/proc/" + std::to_string(process) + "/fdinfo/" + std::to_string(descriptor));
  std::string word;
  int flags = 0;
  while (file >> word && word != "flags:") {
  }
  BOOST_REQUIRE(static_cast<bool>(file >> std::oct >> flags));
  return (flags & O_NONBLOCK) != 0;
}

}  // namespace libnet::test
