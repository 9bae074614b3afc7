#include "core/connector.hpp"

#include <algorithm>
#include <new>
#include <span>
#include <string>
#include <utility>

#include <boost/asio/error.hpp>

namespace libnet::core {

namespace asio = boost::asio;

namespace {

Error ip_blocked(const SocketAddress& address) {
  return Error(Errc::ip_blocked, ErrorInfo{.operation = "connect", .remote_address = &address});
}

}  // namespace

/// The limit for lookup and all attempts together.
class Connector::TimeLimit final : public reactor::Timer {
 public:
  explicit TimeLimit(Connector& connector) : connector_(connector) {}
  void on_timer() override {
    connector_.guarded([this] { connector_.give_up(Errc::timed_out); });
  }

 private:
  Connector& connector_;
};

Connector::Connector(std::shared_ptr<reactor::Loop> loop, detail::ConnectRequest request, const BlockList* blocked,
                     Client& client)
    : loop_(std::move(loop)), request_(std::move(request)), blocked_(blocked), client_(client) {
  if (request_.timeout.count() > 0) {
    time_limit_ = std::make_unique<TimeLimit>(*this);
    loop_->start(*time_limit_, reactor::later(loop_->precise_now(), request_.timeout));
  }
  loop_->schedule(*this);
}

Connector::~Connector() { loop_->unschedule(*this); }

/// What cannot be told for want of memory is the end: the error needs none.
template <class Action>
void Connector::guarded(Action action) noexcept try {
  action();
} catch (const std::bad_alloc&) {
  stop_all();
  memory_ran_out_ = true;
  client_.on_connector_news();
}

Connector::News Connector::take_news() noexcept {
  if (news_.empty()) {
    memory_ran_out_ = false;
    return Error(detail::out_of_memory(), "connect");
  }
  News news = std::move(news_.front());
  news_.pop_front();
  return news;
}

error_code Connector::after_fork() {
  error_code failure;
  const auto note = [&failure](const error_code& code) {
    if (!failure) failure = code;
  };
  for (const Running& running : running_) note(running.attempt->after_fork());
  for (News& news : news_) {
    if (auto* connected = std::get_if<Connected>(&news)) note((*connected)->after_fork());
  }
  return failure;
}

void Connector::tell(News news) {
  news_.push_back(std::move(news));
  client_.on_connector_news();
}

/// The last news: nothing goes on.
void Connector::finish(News news) {
  stop_all();
  tell(std::move(news));
}

void Connector::stop_all() noexcept {
  loop_->unschedule(*this);
  stop();
  time_limit_.reset();
  stop_.reset();
  lookup_.reset();
  running_.clear();
}

void Connector::give_up(const error_code& code) {
  for (const Running& running : running_) errors_[running.candidate] = describe(running, code);
  const auto tried = std::span<const Error>(errors_).first(std::min(next_, errors_.size()));
  if (tried.size() == 1) return finish(tried.front());
  finish(Error(code, ErrorInfo{.operation = "connect", .path = path(), .host = host(), .attempts = tried}));
}

// --- where to connect ----------------------------------------------------------------------------------------------

void Connector::run_task() {
  guarded([this] { std::exchange(begun_, true) ? look_at_attempts() : begin(); });
}

void Connector::begin() {
  if (request_.stop.stop_requested()) return give_up(asio::error::operation_aborted);
  if (request_.stop.stop_possible()) {
    stop_.emplace(*loop_, request_.stop, [this] { guarded([this] { give_up(asio::error::operation_aborted); }); });
  }
  if (request_.address) {
    candidates_ = {*request_.address};
  } else if (!request_.port) {
    candidates_ = {SocketAddress::unix_socket(request_.path)};
  } else if (is_ip(request_.host) != 0) {
    candidates_ = {SocketAddress::ip(request_.host, static_cast<std::uint16_t>(*request_.port))};
  } else {
    return look_up();
  }
  start_attempts();
}

/// An address to bind to leaves only its own family.
int Connector::wanted_family() const noexcept {
  return request_.family != 0 || request_.local_address.empty() ? request_.family : is_ip(request_.local_address);
}

void Connector::look_up() {
  const LookupOptions options{.family = wanted_family(), .hints = request_.hints, .all = tries_all()};
  lookup_ = std::make_unique<HostLookup>(*loop_, request_.lookup, request_.host, options,
                                         [this](const Error& error, const std::vector<LookupAddress>& addresses) {
                                           guarded([&] { resolved(error, addresses); });
                                         });
}

void Connector::resolved(const Error& error, const std::vector<LookupAddress>& addresses) {
  if (error) {
    tell(LookupResult{.error = error, .address = {}, .family = 0, .host = request_.host});
    return finish(error);
  }
  std::optional<Error> first_refusal;
  for (const LookupAddress& found : addresses) {
    const auto address = to_address(found, static_cast<std::uint16_t>(*request_.port));
    if (address && is_candidate(*address)) continue;
    const int family = found.family != 0 ? found.family : is_ip(found.address);
    tell(LookupResult{.error = {}, .address = found.address, .family = family, .host = request_.host});
    if (const std::optional<Error> refusal = refuse(found, address)) {
      if (!first_refusal) first_refusal = refusal;
    } else if (candidates_.empty() || tries_all()) {
      candidates_.push_back(*address);
    }
    if (!tries_all()) break;
  }
  if (candidates_.empty()) return finish(*first_refusal);
  order_candidates();
  loop_->schedule(*this);
}

/// An answer may name an address twice.
bool Connector::is_candidate(const SocketAddress& address) const {
  return std::find(candidates_.begin(), candidates_.end(), address) != candidates_.end();
}

/// What is wrong with an answer.
std::optional<Error> Connector::refuse(const LookupAddress& found, const std::optional<SocketAddress>& address) const {
  const auto error = [&](Errc code, const std::string& text) {
    return Error(code, ErrorInfo{.operation = "connect", .host = request_.host, .text = text});
  };
  if (!address) return error(Errc::invalid_address, "Invalid IP address: " + found.address);
  if (found.family == 0 || found.family == 4 || found.family == 6) return std::nullopt;
  return error(Errc::address_family, "Invalid address family: " + std::to_string(found.family) + ' ' + request_.host +
                                         ':' + std::to_string(*request_.port));
}

/// The families by turns, beginning with that of the first address; within a family as found.
void Connector::order_candidates() {
  const Family first = candidates_.front().family();
  std::vector<SocketAddress> ordered;
  std::vector<SocketAddress> others;
  for (const SocketAddress& address : candidates_) (address.family() == first ? ordered : others).push_back(address);
  std::size_t place = 1;
  for (const SocketAddress& address : others) {
    ordered.insert(ordered.begin() + static_cast<std::ptrdiff_t>(std::min(place, ordered.size())), address);
    place += 2;
  }
  candidates_ = std::move(ordered);
}

// --- attempts ------------------------------------------------------------------------------------------------------

/// The newest attempt has had its time; it goes on beside the next one.
void Connector::on_timer() {
  guarded([this] { attempt_timed_out(); });
}

void Connector::attempt_timed_out() {
  tell(AttemptTimedOut{candidates_[running_.back().candidate]});
  may_start_next_ = true;
  loop_->schedule(*this);
}

void Connector::look_at_attempts() {
  for (std::size_t i = 0; i < running_.size();) {
    const bool newest = i + 1 == running_.size();
    const std::size_t before = running_.size();
    if (look_at(running_[i])) return;
    if (running_.size() == before) {
      ++i;
    } else if (newest) {
      may_start_next_ = true;
    }
  }
  start_attempts();
}

void Connector::start_attempts() {
  errors_.resize(candidates_.size());
  while (may_start_next_ && next_ < candidates_.size()) {
    if (start_attempt()) return;
  }
  if (running_.empty()) all_failed();
}

/// Returns true if that was the end.
bool Connector::start_attempt() {
  stop();
  const std::size_t candidate = next_++;
  const SocketAddress& address = candidates_[candidate];
  if (blocked_ != nullptr && blocked_->check(address)) {
    candidate_failed(candidate, ip_blocked(address));
    return false;
  }
  running_.push_back({transport::Network::of(*loop_).connect(loop_, address, source_for(address)), candidate});
  Running& newest = running_.back();
  newest.attempt->observe(this);
  Connected transport;
  const error_code code = newest.attempt->proceed(transport);
  if (newest.attempt->failed_to_bind()) {
    errors_[candidate] = describe(newest, code);
    running_.pop_back();
    return false;
  }
  if (address.family() != Family::unix_path) tell(AttemptStarted{address});
  const std::size_t before = running_.size();
  if (judge(newest, code, std::move(transport))) return true;
  may_start_next_ = running_.size() != before;
  if (!may_start_next_ && next_ < candidates_.size()) {
    loop_->start(*this, reactor::later(loop_->precise_now(), *request_.attempt_timeout));
  }
  return false;
}

/// Looks what has become of an attempt, which is removed if it failed. Returns true if it was the end.
bool Connector::look_at(Running& running) {
  Connected transport;
  const error_code code = running.attempt->proceed(transport);
  return judge(running, code, std::move(transport));
}

bool Connector::judge(Running& running, const error_code& code, Connected transport) {
  if (code == boost::system::errc::operation_in_progress) return false;
  if (!code) {
    finish(std::move(transport));
    return true;
  }
  candidate_failed(running.candidate, describe(running, code));
  running_.erase(running_.begin() + (&running - running_.data()));
  return false;
}

/// What to bind to, by the request: where it names only a port or only an address, the rest is left to the network.
transport::AttemptOptions Connector::source_for(const SocketAddress& address) const {
  if (request_.bound) return {.local = {}, .bound = request_.bound};
  if (address.family() == Family::unix_path || (request_.local_address.empty() && !request_.local_port)) return {};
  const char* any = address.family() == Family::ipv6 ? "::" : "0.0.0.0";
  return {.local = SocketAddress::ip(request_.local_address.empty() ? any : request_.local_address,
                                     static_cast<std::uint16_t>(request_.local_port.value_or(0))),
          .bound = {}};
}

Error Connector::describe(const Running& running, const error_code& code) const {
  const auto& local = running.attempt->local_address();
  return Error(code, ErrorInfo{.operation = running.attempt->failed_to_bind() ? "bind" : "connect",
                               .local_address = local ? &*local : nullptr,
                               .remote_address = &candidates_[running.candidate]});
}

void Connector::candidate_failed(std::size_t candidate, const Error& error) {
  errors_[candidate] = error;
  const SocketAddress& address = candidates_[candidate];
  if (address.family() != Family::unix_path) tell(AttemptFailed{address, error});
}

void Connector::all_failed() {
  const Error& first = errors_.front();
  const auto unbound = [](const Error& error) { return error.operation() == "bind"; };
  if (errors_.size() == 1 || std::all_of(errors_.begin(), errors_.end(), unbound)) return finish(first);
  finish(Error(first.code(), ErrorInfo{.operation = "connect", .host = host(), .attempts = errors_}));
}

}  // namespace libnet::core
