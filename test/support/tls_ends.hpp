#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "support/drive.hpp"
#include "support/tls_session.hpp"
#include "tls/transport.hpp"
#include "transport/memory_transport.hpp"

namespace libnet::test {

/// What a transport has told its observer.
class TransportNews final : public transport::Transport::Observer {
 public:
  void on_transport_ready() override { ++times; }
  void on_transport_progress(transport::Progress progress) override { reached.push_back(progress); }
  int times = 0;
  std::vector<transport::Progress> reached;
};

/// A client and a server over a memory transport.
struct TlsEnds {
  explicit TlsEnds(int version, std::size_t capacity = transport::MemoryTransport::default_capacity,
                   TlsSession::Traits traits = {})
      : client_context(tls::Role::client, version), server_context(tls::Role::server, version) {
    auto [first, second] = transport::MemoryTransport::pair(loop, loop, capacity);
    client_lower = first.get();
    server_lower = second.get();
    client = over(std::move(first), client_context.session(traits));
    server = over(std::move(second), server_context.session(traits));
    client->observe(&client_told);
    server->observe(&server_told);
  }

  std::unique_ptr<tls::Transport> over(std::unique_ptr<transport::Transport> lower,
                                       std::unique_ptr<tls::Session> session) {
    return std::make_unique<tls::Transport>(loop, std::move(lower), std::string(), std::move(session));
  }

  bool secure() const {
    return client->progress() == transport::Progress::secure && server->progress() == transport::Progress::secure;
  }
  void shake_hands() {
    BOOST_REQUIRE(drive_until(context, [this] { return secure(); }));
    drive_ready(context);
  }

  boost::asio::io_context context{1};
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context.get_executor());
  TlsContext client_context;
  TlsContext server_context;
  TransportNews client_told;
  TransportNews server_told;
  transport::MemoryTransport* client_lower;
  transport::MemoryTransport* server_lower;
  std::unique_ptr<tls::Transport> client;
  std::unique_ptr<tls::Transport> server;
};

inline transport::Result write(transport::Transport& to, std::string_view text) {
  const iovec only{const_cast<char*>(text.data()), text.size()};
  return to.try_write({&only, 1});
}

struct TextResult : transport::Result {
  std::string text;
};

inline TextResult read(transport::Transport& from, std::size_t most = 20'000) {
  std::vector<char> buffer(most);
  const transport::Result result = from.try_read(std::as_writable_bytes(std::span(buffer)));
  return {result, std::string(buffer.data(), result.bytes)};
}

}  // namespace libnet::test
