#include "tls/session.hpp"

#include <cerrno>

#include <openssl/err.h>

namespace libnet::tls {

Session::Session(SSL* ssl, Traits traits) noexcept : ssl_(ssl), traits_(traits) {}

Session::~Session() { SSL_free(ssl_); }

Explained Session::explain(int, std::span<const std::byte>) {
  const unsigned long code = ERR_peek_error();
  const char* const reason = ERR_reason_error_string(code);
  Explained explained{Errc::tls_protocol, reason != nullptr ? reason : ""};
  ERR_clear_error();
  return explained;
}

void Session::prepare_first_write() noexcept {
  if (role() == Role::server && SSL_version(ssl_) == TLS1_3_VERSION) SSL_new_session_ticket(ssl_);
}

}  // namespace libnet::tls
