#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libnet/address.hpp"
#include "libnet/error.hpp"
#include "reactor/loop.hpp"

namespace libnet::core {

/// One running name lookup, on a small pool of threads that belongs to the process. Asio's resolver is not used: a
/// getaddrinfo that hangs would make its cancellation, run() and the end of the context wait.
/// Destroying it forgets the lookup at once; the answer is then ignored.
class Lookup {
 public:
  using Answer = std::function<void(const Error& error, std::vector<SocketAddress> addresses)>;

  /// Calls `answer` inside the loop, later. `family` is 4, 6 or 0; the addresses carry `port`.
  Lookup(reactor::Loop& loop, std::string host, int family, std::uint16_t port, Answer answer);
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup();

  struct Job;

 private:
  std::shared_ptr<Job> job_;
};

}  // namespace libnet::core
