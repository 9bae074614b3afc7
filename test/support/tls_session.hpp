#pragma once

#include <memory>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/test/unit_test.hpp>

#include "tls/session.hpp"

namespace libnet::test {

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

  std::unique_ptr<tls::Session> session(tls::Session::Traits traits = {}) const {
    SSL* const ssl = SSL_new(context_.get());
    role_ == tls::Role::server ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl);
    return std::make_unique<tls::Session>(ssl, traits);
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
