#include "tls/transport.hpp"

#include <new>
#include <utility>

#include <openssl/err.h>

#include "libnet/detail/operation.hpp"
#include "tls/ssl_call.hpp"

/// The life of the transport and its handshake. What comes after it stands in transport_data.cpp.
namespace libnet::tls {

using transport::Failure;
using transport::Progress;

Transport::Transport(std::shared_ptr<reactor::Loop> loop, std::unique_ptr<transport::Transport> lower,
                     std::string received, std::unique_ptr<Session> session, Driven driven)
    : loop_(std::move(loop)),
      bio_(std::move(lower), std::move(received)),
      session_(std::move(session)),
      ssl_(session_->ssl()),
      record_limit_(session_->record_size() == RecordSize::dynamic),
      driven_(driven),
      was_clear_(bio_.ever_used()) {
  BIO* const bio = bio_.make_bio();
  SSL_set_bio(ssl_, bio, bio);
  session_->role() == Role::client ? SSL_set_connect_state(ssl_) : SSL_set_accept_state(ssl_);
  SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_clear_mode(ssl_, SSL_MODE_AUTO_RETRY);
  SSL_set_read_ahead(ssl_, 1);
  SSL_set_msg_callback(ssl_, &Transport::on_message);
  SSL_set_msg_callback_arg(ssl_, this);
  session_->observe_answers(this);
  bio_.lower().observe(this);
  if (driven_ == Driven::by_itself) loop_->schedule(*this);
}

Transport::~Transport() { close(); }

void Transport::close() noexcept {
  if (std::exchange(closed_, true)) return;
  session_->observe_answers(nullptr);
  loop_->unschedule(*this);
  bio_.lower().close();
}

void Transport::reset() noexcept {
  if (!closed_) bio_.lower().reset();
  close();
}

// ---- Who is told

void Transport::on_transport_ready() {
  if ((in_handshake() && driven_ == Driven::by_itself) || output_ == Output::alerting) return loop_->schedule(*this);
  tell_ready();
}

void Transport::on_answer() { loop_->schedule(*this); }

void Transport::run_task() {
  if (in_handshake() && driven_ == Driven::by_itself) return run_handshake();
  if (output_ == Output::alerting) push_alert();
  tell_ready();
}

/// The observer may destroy the transport.
void Transport::run_handshake() {
  const Step step = handshake_step();
  if (step == Step::waits || closed_) return;
  if (step == Step::failed) return tell_ready();
  loop_->schedule(*this);  // bytes may have come with the last of the handshake
  if (observer_ != nullptr) observer_->on_transport_progress(Progress::secure);
}

void Transport::tell_ready() {
  if (observer_ != nullptr) observer_->on_transport_ready();
}

/// A call for one direction may have made the other one possible, which the transport below knows nothing of.
void Transport::tell_awaiting() {
  const bool tell_reader = read_awaited_ && ready_to_read();
  const bool tell_writer = write_awaited_ && ready_to_write();
  if (tell_reader || tell_writer) loop_->schedule(*this);
}

// ---- The handshake

Step Transport::handshake_step() {
  if (phase_ == Phase::secure) return Step::done;
  if (phase_ == Phase::failed || closed_) return Step::failed;
  try {
    return try_handshake();
  } catch (const std::bad_alloc&) {
    return handshake_failed({detail::out_of_memory(), "handshake"});
  }
}

Step Transport::try_handshake() {
  for (;;) {
    push();
    if (phase_ == Phase::verifying) return judge_peer();
    if (phase_ == Phase::leaving) return let_leave();
    if (session_->waits_for_answer()) return Step::waits;
    bio_.look_again();
    const int ssl_error = call_ssl(bio_, [this] { return SSL_do_handshake(ssl_); }, ssl_);
    if (closed_) return Step::failed;
    if (const std::exception_ptr thrown = bio_.take_thrown()) std::rethrow_exception(thrown);
    if (ssl_error == SSL_ERROR_NONE) {
      phase_ = Phase::verifying;
    } else if (const std::optional<Step> step = judge_handshake_error(ssl_error)) {
      return *step;
    }
  }
}

/// Nothing: the handshake can be called again at once.
std::optional<Step> Transport::judge_handshake_error(int ssl_error) {
  switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
      if (!bio_.starved()) return std::nullopt;
      if (bio_.input_over()) return handshake_failed(end_of_handshake_input());
      break;
    case SSL_ERROR_WANT_WRITE: break;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    case SSL_ERROR_WANT_RETRY_VERIFY:
    case SSL_ERROR_WANT_X509_LOOKUP:
      if (session_->waits_for_answer()) push();
      return session_->waits_for_answer() ? std::optional(Step::waits) : std::nullopt;
    default: return handshake_failed(explained(ssl_error, "handshake"));
  }
  push();
  if (output_ == Output::failed) return handshake_failed(problem_);
  // Both are asked, so that the transport below tells about either.
  const bool may_push = bio_.held() > 0 && bio_.lower().ready_to_write();
  const bool may_fetch = ssl_error == SSL_ERROR_WANT_READ && bio_.ready_to_read();
  const bool room = ssl_error == SSL_ERROR_WANT_WRITE && bio_.held() == 0;
  return may_push || may_fetch || room ? std::nullopt : std::optional(Step::waits);
}

Step Transport::judge_peer() {
  if (session_->waits_for_answer()) return Step::waits;
  Explained refusal = session_->accept_peer();
  if (refusal.code) return handshake_failed({refusal.code, "handshake", std::move(refusal.detail)});
  phase_ = Phase::leaving;
  return let_leave();
}

Step Transport::let_leave() {
  while (!push()) {
    if (output_ == Output::failed) return handshake_failed(problem_);
    if (!bio_.lower().ready_to_write()) return Step::waits;
  }
  phase_ = Phase::secure;
  records_without_data_ = 0;
  return Step::done;
}

/// An alert may be held: it leaves, and the end of our side behind it.
Step Transport::handshake_failed(Problem problem) {
  problem_ = std::move(problem);
  phase_ = Phase::failed;
  input_ = Input::failed;
  if (output_ != Output::failed) output_ = Output::alerting;
  push_alert();
  return Step::failed;
}

/// Plain text on a connection that was in clear before is a peer that went on in clear.
Transport::Problem Transport::explained(int ssl_error, const char* operation) {
  const auto first_bytes = in_handshake() && !was_clear_ ? bio_.first_bytes() : std::span<const std::byte>();
  Explained why = session_->explain(ssl_error, first_bytes);
  ERR_clear_error();
  return {why.code, operation, std::move(why.detail)};
}

Transport::Problem Transport::end_of_handshake_input() {
  if (bio_.input_error()) return lower_problem(bio_.input_error(), "handshake");
  if (output_ == Output::failed) return problem_;
  return {Errc::tls_handshake_closed, "handshake"};
}

Transport::Problem Transport::lower_problem(error_code code, const char* operation) const {
  return {code, operation, bio_.lower().failure().detail};
}

// ---- What is known

Progress Transport::progress() const noexcept {
  return phase_ == Phase::secure ? Progress::secure : Progress::handshaking;
}

const transport::Security* Transport::security() const noexcept {
  return phase_ == Phase::secure ? session_.get() : nullptr;
}

Failure Transport::failure() const { return {problem_.operation, problem_.detail}; }

void Transport::remember(Problem problem) {
  if (!problem_.code || problem_.code == Errc::tls_truncated) problem_ = std::move(problem);
}

/// The header of every record, and what is in it.
void Transport::on_message(int write, int, int content_type, const void*, std::size_t, SSL*, void* owner) {
  if (write == 0 && content_type == SSL3_RT_HEADER) ++static_cast<Transport*>(owner)->records_without_data_;
}

}  // namespace libnet::tls
