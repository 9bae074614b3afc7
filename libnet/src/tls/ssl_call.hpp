#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/lower_bio.hpp"

namespace libnet::tls {

/// Makes a call of OpenSSL's for a connection, and returns what SSL_get_error says of it. What is in the error queue before
/// belongs to nobody; afterwards it is empty unless the call failed, and then the owner reads it.
template <class Call>
int call_ssl(LowerBio& bio, Call call, const SSL* ssl) {
  if (ERR_peek_error() != 0) ERR_clear_error();
  bio.begin_call();
  const int result = call();
  if (result == 1) return SSL_ERROR_NONE;
  const int error = SSL_get_error(ssl, result);
  if (error != SSL_ERROR_SSL && error != SSL_ERROR_SYSCALL) ERR_clear_error();
  return error;
}

}  // namespace libnet::tls
