#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include "libnet/address.hpp"
#include "support/raw_socket.hpp"

namespace libnet::test {

/// A network of the calling thread's own, with a loopback interface and nothing else. Needs privileges.
class NetworkNamespace {
 public:
  explicit NetworkNamespace(const std::string& interface = "lo")
      : outside_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = ::unshare(CLONE_NEWNET) == 0;
    if (!entered_) {
      BOOST_WARN_MESSAGE(false, "SKIPPED: no network namespace can be made here: " << std::strerror(errno));
      return;
    }
    if (interface != "lo") rename(interface);
    ifreq up = request(interface);
    up.ifr_flags = IFF_UP | IFF_RUNNING;
    apply(SIOCSIFFLAGS, &up);
  }
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;
  ~NetworkNamespace() {
    if (entered_ && ::setns(outside_, CLONE_NEWNET) != 0) std::abort();
    ::close(outside_);
  }

  /// False: nothing was tested, as the log says.
  explicit operator bool() const noexcept { return entered_; }

  void add_address(const char* ipv6) {
    struct {
      in6_addr address;
      std::uint32_t prefix = 64;
      int interface = 1;
    } added;  // in6_ifreq, whose header does not go with the C library's
    sockaddr_storage storage{};
    static_cast<void>(SocketAddress::ip(ipv6, 0).to_native(storage));
    added.address = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    apply(SIOCSIFADDR, &added);
    const SocketAddress own = SocketAddress::ip(std::string(ipv6) + "%1", 0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (RawSocket(Family::ipv6).bind(own) != 0 && std::chrono::steady_clock::now() < deadline) ::sched_yield();
  }
  void set_picked_ports(int first, int last) {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << first << ' ' << last << std::flush;
  }

 private:
  static ifreq request(const std::string& interface) {
    ifreq wanted{};
    interface.copy(wanted.ifr_name, IFNAMSIZ - 1);
    return wanted;
  }
  void rename(const std::string& interface) {
    ifreq wanted = request("lo");
    interface.copy(wanted.ifr_newname, IFNAMSIZ - 1);
    apply(SIOCSIFNAME, &wanted);
  }
  void apply(unsigned long what, void* wanted) {
    const RawSocket socket(Family::ipv6, SOCK_DGRAM);
    BOOST_REQUIRE_MESSAGE(::ioctl(socket.descriptor(), what, wanted) == 0, std::strerror(errno));
  }

  int outside_;
  bool entered_ = false;
};

}  // namespace libnet::test
