#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <openssl/types.h>

#include "libnet/error_code.hpp"
#include "transport/transport.hpp"

namespace libnet::tls {

enum class Role : std::uint8_t { client, server };

/// How much a record carries.
enum class RecordSize : std::uint8_t {
  full,     ///< As much as is there, up to 16 KiB.
  dynamic,  ///< Little at first and after a silence, so that a slow peer can use it early.
};

/// What an error of OpenSSL means.
struct Explained {
  error_code code;
  std::string detail;
};

/// Is told, on the loop, that an answer of the program's has come.
class AnswerObserver {
 public:
  virtual void on_answer() = 0;

 protected:
  ~AnswerObserver() = default;
};

/// One connection's state in OpenSSL and what was decided for it: whom it trusts, what it offers. It has no input or output
/// of its own; a Transport owns it and gives it both.
class Session : public transport::Security {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  /// Lives as long as this object.
  virtual SSL* ssl() const noexcept = 0;
  virtual Role role() const noexcept = 0;
  /// Whether the end of the connection is one of the data, although the peer has not said so.
  virtual bool allow_truncation() const noexcept = 0;
  virtual RecordSize record_size() const noexcept = 0;

  /// @name Answers
  /// What the program is asked during the handshake it may answer later.
  /// @{
  /// The handshake does not go on before there is an answer, or is over and nobody has judged the peer yet.
  virtual bool waits_for_answer() const noexcept = 0;
  /// Null: nobody.
  virtual void observe_answers(AnswerObserver* observer) noexcept = 0;
  /// Called once when OpenSSL's handshake has ended and no answer is missing: what speaks against the peer, or no error.
  virtual Explained accept_peer() = 0;
  /// @}

  /// What an error of a call of OpenSSL's means. Its error queue may be read.
  /// @param ssl_error    What SSL_get_error says.
  /// @param first_bytes  The first of the peer, where they tell that it does not speak TLS; else empty.
  virtual Explained explain(int ssl_error, std::span<const std::byte> first_bytes) = 0;
  /// The first bytes of the program's are about to be encoded: a server's ticket may go with them.
  virtual void prepare_first_write() noexcept = 0;
};

}  // namespace libnet::tls
