#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/host_lookup.hpp"
#include "core/stop_request.hpp"
#include "libnet/address.hpp"
#include "libnet/block_list.hpp"
#include "libnet/detail/operation.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/error.hpp"
#include "reactor/loop.hpp"
#include "transport/network.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// What an attempt to connect has at least before the next one starts.
inline constexpr std::chrono::milliseconds shortest_attempt{10};

/// Makes one connection: looks the host up if it must, then tries its addresses until one answers, as RFC 8305 says: the
/// families by turns, the next one when the one before has failed or has had its time; the first to succeed wins.
/// What happens is queued as news; docs/design/0008 draws it. Destroying the connector gives up silently.
class Connector final : private reactor::Task, private reactor::Timer, private transport::Attempt::Observer {
 public:
  struct AttemptStarted {
    SocketAddress address;
  };
  struct AttemptFailed {
    SocketAddress address;
    Error error;
  };
  struct AttemptTimedOut {
    SocketAddress address;
  };
  using Connected = std::unique_ptr<transport::Transport>;
  /// The last news is Connected or Error.
  using News = std::variant<LookupResult, AttemptStarted, AttemptFailed, AttemptTimedOut, Connected, Error>;

  class Client {
   public:
    /// Inside the loop: there are news to take.
    virtual void on_connector_news() = 0;

   protected:
    ~Client() = default;
  };

  /// Starts with the next turn of the loop. The request's `auto_select_family` and `attempt_timeout` are set.
  /// @param blocked  Where not to connect; null for nothing. Outlives the connector.
  Connector(std::shared_ptr<reactor::Loop> loop, detail::ConnectRequest request, const BlockList* blocked,
            Client& client);
  ~Connector() override;

  /// Whether all addresses of a host are tried.
  bool tries_all() const noexcept { return *request_.auto_select_family; }
  bool has_news() const noexcept { return !news_.empty() || memory_ran_out_; }
  News take_news() noexcept;

  /// In a child process, which goes on beside the parent.
  error_code after_fork();

 private:
  class TimeLimit;
  struct Running {
    std::unique_ptr<transport::Attempt> attempt;
    std::size_t candidate;
  };

  template <class Action>
  void guarded(Action action) noexcept;
  void run_task() override;
  void on_timer() override;
  void attempt_timed_out();
  void on_attempt_ready() override { loop_->schedule(*this); }
  void begin();
  int wanted_family() const noexcept;
  void look_up();
  void resolved(const Error& error, const std::vector<LookupAddress>& addresses);
  bool is_candidate(const SocketAddress& address) const;
  std::optional<Error> refuse(const LookupAddress& found, const std::optional<SocketAddress>& address) const;
  void order_candidates();
  void look_at_attempts();
  void start_attempts();
  bool start_attempt();
  transport::AttemptOptions source_for(const SocketAddress& address) const;
  Error describe(const Running& running, const error_code& code) const;
  bool look_at(Running& running);
  bool judge(Running& running, const error_code& code, Connected transport);
  void candidate_failed(std::size_t candidate, const Error& error);
  void all_failed();
  void give_up(const error_code& code);
  void tell(News news);
  void finish(News news);
  void stop_all() noexcept;
  std::string_view host() const noexcept { return request_.port ? request_.host : std::string_view(); }
  std::string_view path() const noexcept { return request_.port ? std::string_view() : request_.path; }

  std::shared_ptr<reactor::Loop> loop_;
  detail::ConnectRequest request_;
  const BlockList* blocked_;
  Client& client_;
  std::deque<News> news_;
  std::unique_ptr<HostLookup> lookup_;
  std::vector<SocketAddress> candidates_;  // in the order in which they are tried
  std::vector<Error> errors_;              // of the candidates, each in its place
  std::vector<Running> running_;           // the newest is last
  std::size_t next_ = 0;                   // candidate
  bool begun_ = false;
  bool memory_ran_out_ = false;  // that is the last news
  bool may_start_next_ = true;   // the newest attempt has failed or has had its time
  std::optional<StopRequest> stop_;
  std::unique_ptr<TimeLimit> time_limit_;
};

}  // namespace libnet::core
