#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <openssl/ssl.h>

#include "libnet/errc.hpp"
#include "transport/transport.hpp"

namespace libnet::tls {

enum class Role : std::uint8_t { client, server };

/// How much a record carries.
enum class RecordSize : std::uint8_t { full, dynamic };

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

/// One connection's state in OpenSSL; no input or output of its own.
class Session final : public transport::Security {
 public:
  struct Traits {
    bool allow_truncation = false;
    RecordSize record_size = RecordSize::full;
  };

  /// Takes over `ssl`, whose role is set.
  Session(SSL* ssl, Traits traits) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  SSL* ssl() const noexcept { return ssl_; }
  Role role() const noexcept { return SSL_is_server(ssl_) == 1 ? Role::server : Role::client; }
  bool allow_truncation() const noexcept { return traits_.allow_truncation; }
  RecordSize record_size() const noexcept { return traits_.record_size; }
  std::string protocol() const override { return SSL_get_version(ssl_); }

  /// OpenSSL's handshake stopped for an answer of the program's.
  bool waits_for_answer() const noexcept { return waits_; }
  void observe_answers(AnswerObserver* observer) noexcept { observer_ = observer; }
  void wait_for_answer() noexcept { waits_ = true; }
  void answer() {
    waits_ = false;
    if (observer_ != nullptr) observer_->on_answer();
  }

  /// Called once after the handshake: what speaks against the peer.
  Explained accept_peer() { return {}; }
  /// Reads and empties OpenSSL's error queue.
  Explained explain(int ssl_error, std::span<const std::byte> first_bytes);
  /// A server asks OpenSSL for one ticket before its first application bytes.
  void prepare_first_write() noexcept;

 private:
  SSL* ssl_;
  Traits traits_;
  AnswerObserver* observer_ = nullptr;
  bool waits_ = false;
};

}  // namespace libnet::tls
