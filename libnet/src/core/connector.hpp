#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/resolver.hpp"
#include "core/stop_request.hpp"
#include "libnet/address.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/error.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// Makes one connection: looks the host up if it must, then tries its addresses in order until one answers.
/// Destroying it gives up silently.
class Connector final : private reactor::Task, private reactor::Watch, private reactor::Timer {
 public:
  class Client {
   public:
    virtual void on_connected(std::unique_ptr<transport::Transport> transport) = 0;
    virtual void on_connect_failed(const Error& error) = 0;

   protected:
    ~Client() = default;
  };

  /// Starts with the next turn of the loop. The client may destroy the connector when it is told.
  Connector(std::shared_ptr<reactor::Loop> loop, const detail::ConnectRequest& request, Client& client);
  ~Connector() override;

 private:
  class TimeLimit;

  void run_task() override;
  void on_ready() override;
  void on_timer() override;
  void begin();
  void resolved(const Error& error, std::vector<SocketAddress> addresses);
  void attempt();
  void await_connection();
  void attempt_failed(const error_code& code);
  void attempt_succeeded();
  error_code open_socket(const SocketAddress& address);
  error_code bind_local();
  error_code start_connect(const SocketAddress& address);
  void close_socket() noexcept;
  void retry_later();
  void give_up(const error_code& code);
  Error describe(const error_code& code) const;

  /// What the next run of the task does.
  enum class Stage : std::uint8_t { begin, attempt, await };

  std::shared_ptr<reactor::Loop> loop_;
  detail::ConnectRequest request_;
  Client& client_;
  Stage stage_ = Stage::begin;
  int descriptor_ = -1;
  std::vector<SocketAddress> addresses_;
  std::size_t current_ = 0;
  std::optional<SocketAddress> local_;  // bound by request
  Error first_error_;
  std::chrono::milliseconds retry_delay_{1};
  std::unique_ptr<Lookup> lookup_;
  std::optional<StopRequest> stop_;
  std::unique_ptr<TimeLimit> time_limit_;
};

}  // namespace libnet::core
