#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/test/unit_test.hpp>

#include "libnet/errc.hpp"
#include "tls/session.hpp"

namespace libnet::test {

/// A session that trusts whom it meets: what is tested with it is what a transport does.
class TlsSession final : public tls::Session {
 public:
  struct Traits {
    bool allow_truncation = false;
    tls::RecordSize record_size = tls::RecordSize::full;
  };

  explicit TlsSession(SSL* ssl, Traits traits) noexcept : ssl_(ssl), traits_(traits) {}
  ~TlsSession() override { SSL_free(ssl_); }

  SSL* ssl() const noexcept override { return ssl_; }
  tls::Role role() const noexcept override { return SSL_is_server(ssl_) == 1 ? tls::Role::server : tls::Role::client; }
  bool allow_truncation() const noexcept override { return traits_.allow_truncation; }
  tls::RecordSize record_size() const noexcept override { return traits_.record_size; }
  std::string protocol() const override { return SSL_get_version(ssl_); }

  bool waits_for_answer() const noexcept override { return waits_; }
  void observe_answers(tls::AnswerObserver* observer) noexcept override { observer_ = observer; }
  tls::Explained accept_peer() override { return refusal_; }
  tls::Explained explain(int, std::span<const std::byte> first_bytes) override {
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    const std::string first(reinterpret_cast<const char*>(first_bytes.data()), first_bytes.size());
    return {Errc::tls_protocol, (reason != nullptr ? reason : "") + (first.empty() ? "" : ": " + first)};
  }
  void prepare_first_write() noexcept override {
    if (role() == tls::Role::server && SSL_version(ssl_) == TLS1_3_VERSION) SSL_new_session_ticket(ssl_);
  }

  /// @name The program
  /// @{
  void wait_for_answer() noexcept { waits_ = true; }
  void answer(tls::Explained refusal = {}) {
    waits_ = false;
    refusal_ = std::move(refusal);
    if (observer_ != nullptr) observer_->on_answer();
  }
  /// @}

 private:
  SSL* ssl_;
  Traits traits_;
  tls::AnswerObserver* observer_ = nullptr;
  tls::Explained refusal_;
  bool waits_ = false;
};

/// A context for one role with one version, and a certificate of its own if it is a server.
class TlsContext {
 public:
  TlsContext(tls::Role role, int version) : role_(role), context_(SSL_CTX_new(TLS_method()), &SSL_CTX_free) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    SSL_CTX_set_options(context_.get(), SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(context_.get(), 0);
    if (role == tls::Role::server) use_own_certificate();
  }

  SSL_CTX* get() const noexcept { return context_.get(); }

  std::unique_ptr<TlsSession> session(TlsSession::Traits traits = {}) const {
    SSL* const ssl = SSL_new(context_.get());
    role_ == tls::Role::server ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl);
    return std::make_unique<TlsSession>(ssl, traits);
  }

 private:
  void use_own_certificate() {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
    constexpr long day = 24L * 3600;
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -day);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), day);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    BOOST_REQUIRE(SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1);
    BOOST_REQUIRE(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
  }

  tls::Role role_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

}  // namespace libnet::test
