#include <libnet/error.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <ostream>
#include <utility>
#include <vector>

namespace libnet {
namespace {

// Longer than any path or host name the system takes; a message names the beginning of what is longer.
constexpr std::size_t longest_name = 255;
constexpr std::size_t shown_of_long_name = 100;

// Categories that the linker may have more than once (Asio is a header library) are told apart by name.
bool is_of(const error_code& code, const char* category) noexcept {
  return std::strcmp(code.category().name(), category) == 0;
}

bool is_of_system(const error_code& code) noexcept {
  return code.category() == boost::system::system_category() || code.category() == boost::system::generic_category();
}

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 32)
#define LIBNET_HAS_STRERRORNAME 1
#endif
#endif

#ifdef LIBNET_HAS_STRERRORNAME

const char* errno_name(int number) noexcept { return ::strerrorname_np(number); }

#else

const char* errno_name(int number) noexcept {
  switch (number) {
    case E2BIG: return "E2BIG";
    case EACCES: return "EACCES";
    case EADDRINUSE: return "EADDRINUSE";
    case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
    case EAFNOSUPPORT: return "EAFNOSUPPORT";
    case EAGAIN: return "EAGAIN";
    case EALREADY: return "EALREADY";
    case EBADF: return "EBADF";
    case EBUSY: return "EBUSY";
    case ECANCELED: return "ECANCELED";
    case ECONNABORTED: return "ECONNABORTED";
    case ECONNREFUSED: return "ECONNREFUSED";
    case ECONNRESET: return "ECONNRESET";
    case EDESTADDRREQ: return "EDESTADDRREQ";
    case EEXIST: return "EEXIST";
    case EFAULT: return "EFAULT";
    case EHOSTUNREACH: return "EHOSTUNREACH";
    case EINPROGRESS: return "EINPROGRESS";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case EIO: return "EIO";
    case EISCONN: return "EISCONN";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case EMFILE: return "EMFILE";
    case EMSGSIZE: return "EMSGSIZE";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case ENETDOWN: return "ENETDOWN";
    case ENETRESET: return "ENETRESET";
    case ENETUNREACH: return "ENETUNREACH";
    case ENFILE: return "ENFILE";
    case ENOBUFS: return "ENOBUFS";
    case ENODEV: return "ENODEV";
    case ENOENT: return "ENOENT";
    case ENOMEM: return "ENOMEM";
    case ENOPROTOOPT: return "ENOPROTOOPT";
    case ENOSPC: return "ENOSPC";
    case ENOSYS: return "ENOSYS";
    case ENOTCONN: return "ENOTCONN";
    case ENOTDIR: return "ENOTDIR";
    case ENOTSOCK: return "ENOTSOCK";
    case ENOTSUP: return "ENOTSUP";
    case EPERM: return "EPERM";
    case EPIPE: return "EPIPE";
    case EPROTO: return "EPROTO";
    case EPROTONOSUPPORT: return "EPROTONOSUPPORT";
    case EPROTOTYPE: return "EPROTOTYPE";
    case EROFS: return "EROFS";
    case ETIMEDOUT: return "ETIMEDOUT";
    default: return nullptr;
  }
}

#endif

// The name of a code that belongs to a known category; null if there is none.
const char* netdb_name(int number) noexcept {
  switch (number) {
    case boost::asio::error::host_not_found_try_again: return "EAI_AGAIN";
    case boost::asio::error::no_recovery: return "EAI_FAIL";
    default: return "ENOTFOUND";
  }
}

const char* addrinfo_name(int number) noexcept {
  return number == boost::asio::error::socket_type_not_supported ? "EAI_SOCKTYPE" : "ENOTFOUND";
}

const char* misc_name(int number) noexcept { return number == boost::asio::error::eof ? "EOF" : nullptr; }

const char* known_name(const error_code& code) noexcept {
  if (is_of_system(code)) return errno_name(code.value());
  if (code.category() == errc_category()) return errc_name(static_cast<Errc>(code.value())).data();
  if (is_of(code, "asio.netdb")) return netdb_name(code.value());
  if (is_of(code, "asio.addrinfo")) return addrinfo_name(code.value());
  if (is_of(code, "asio.misc")) return misc_name(code.value());
  return nullptr;
}

// "Address already in use" reads on inside a sentence: "address already in use".
std::string description(const error_code& code) {
  auto text = code.message();
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

// What a person can read in one line.
std::string shown(std::string_view name) {
  std::string text(name.size() > longest_name ? name.substr(0, shown_of_long_name) : name);
  for (char& c : text) {
    if (c == '\0') c = '@';
  }
  return name.size() > longest_name ? text + "..." : text;
}

// An abstract name's NUL is shown as '@'; the file of such a name is told apart from it.
std::string shown_path(std::string_view path) { return path.starts_with('@') ? "./" + shown(path) : shown(path); }

std::string with_port(const SocketAddress& address) { return address.address() + ':' + std::to_string(address.port()); }

// Port 0 is no place to connect to or to listen on; as in Node, the address alone is named.
std::string shown(const SocketAddress& address) {
  if (address.family() == Family::unix_path) return shown_path(address.address());
  if (address.port() == 0) return address.address();
  return with_port(address);
}

std::string what_of(const std::exception_ptr& exception) {
  if (!exception) return {};
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& thrown) {
    return std::string(": ") + thrown.what();
  } catch (...) {
    return {};
  }
}

// The operations that libnet itself names. Errors of theirs need no memory for the name.
constexpr std::array operations{"",     "read",     "write",       "connect", "listen",    "accept",     "bind",
                                "open", "reset",    "getaddrinfo", "pipe",    "drain",     "end",        "close",
                                "wait", "listener", "serve",       "epoll",   "handshake", "set_timeout"};

// The same name as one that lives for ever; null if it is none of ours.
const char* known_operation(const char* operation) noexcept {
  if (operation == nullptr) return "";
  const auto* const found = std::find_if(operations.begin(), operations.end(),
                                         [&](const char* known) { return std::strcmp(known, operation) == 0; });
  return found != operations.end() ? *found : nullptr;
}

std::optional<SocketAddress> copied(const SocketAddress* address) {
  return address != nullptr ? std::optional(*address) : std::nullopt;
}

}  // namespace

struct Error::Detail {
  explicit Detail(const ErrorInfo& info)
      : operation(info.operation != nullptr ? info.operation : ""),
        local(copied(info.local_address)),
        remote(copied(info.remote_address)),
        path(info.path),
        host(info.host),
        attempts(info.attempts.begin(), info.attempts.end()),
        exception(info.exception != nullptr ? *info.exception : nullptr),
        text(info.text) {
    for (const auto& address : {remote, local}) {
      if (path.empty() && address && address->family() == Family::unix_path) path = address->address();
    }
  }

  std::string operation;
  std::optional<SocketAddress> local;
  std::optional<SocketAddress> remote;
  std::string path;
  std::string host;
  std::vector<Error> attempts;
  std::exception_ptr exception;
  std::string text;
};

Error::Error(error_code code, const char* operation) : code_(code) {
  if (const char* const known = known_operation(operation)) {
    operation_ = known;
  } else {
    detail_ = std::make_shared<const Detail>(ErrorInfo{.operation = operation});
  }
}

Error::Error(error_code code, const ErrorInfo& info) : code_(code), detail_(std::make_shared<const Detail>(info)) {}

std::string_view Error::operation() const noexcept {
  return detail_ ? std::string_view(detail_->operation) : std::string_view(operation_);
}

std::optional<SocketAddress> Error::local_address() const noexcept { return detail_ ? detail_->local : std::nullopt; }

std::optional<SocketAddress> Error::remote_address() const noexcept { return detail_ ? detail_->remote : std::nullopt; }

std::string_view Error::path() const noexcept { return detail_ ? std::string_view(detail_->path) : std::string_view(); }

std::string_view Error::host() const noexcept { return detail_ ? std::string_view(detail_->host) : std::string_view(); }

std::span<const Error> Error::attempts() const noexcept {
  return detail_ ? std::span<const Error>(detail_->attempts) : std::span<const Error>();
}

std::exception_ptr Error::exception() const noexcept { return detail_ ? detail_->exception : nullptr; }

std::string Error::name() const { return error_name(code_); }

std::string Error::message() const {
  if (!code_.failed()) return {};
  if (detail_ && !detail_->text.empty()) return detail_->text;
  if (!attempts().empty()) return joined_attempts();
  if (code_.category() == errc_category()) return own_message();
  auto text = code_message();
  if (const auto name = target_of_system(); !name.empty()) text += ' ' + name;
  if (const auto local = local_address(); local && operation() == "connect" && local->family() != Family::unix_path) {
    text += " - Local (" + with_port(*local) + ')';
  }
  return text;
}

// "connect ECONNREFUSED", for listen with the description; a code without a symbol has nothing but its description.
std::string Error::code_message() const {
  const auto* const symbol = known_name(code_);
  auto text = std::string(operation());
  if (symbol != nullptr) text += (text.empty() ? "" : " ") + std::string(symbol);
  if (symbol == nullptr || operation().empty() || operation() == "listen") {
    text += (text.empty() ? "" : ": ") + description(code_);
  }
  return text;
}

// "read 127.0.0.1:5432: timed out"
std::string Error::own_message() const {
  auto text = std::string(operation());
  if (const auto name = target(); !name.empty()) text += (text.empty() ? "" : " ") + name;
  return text + (text.empty() ? "" : ": ") + code_.message() + what_of(exception());
}

// As Node has it, the message of a read or a write that the system refused does not name the peer.
std::string Error::target_of_system() const {
  const bool named =
      operation() == "connect" || operation() == "listen" || operation() == "bind" || operation() == "getaddrinfo";
  return named ? target() : std::string();
}

// What the operation was aimed at.
std::string Error::target() const {
  if (!detail_) return {};
  if (operation() == "getaddrinfo") return shown(detail_->host);
  const bool listens = operation() == "listen" || operation() == "bind" || operation() == "accept";
  if (const auto& address = listens ? detail_->local : detail_->remote) return shown(*address);
  return detail_->path.empty() ? shown(detail_->host) : shown_path(detail_->path);
}

std::string Error::joined_attempts() const {
  std::string text;
  for (const auto& attempt : attempts()) text += (text.empty() ? "" : "; ") + attempt.message();
  return text;
}

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.message(); }

std::string error_name(const error_code& code) {
  if (!code.failed()) return {};
  if (const auto* const name = known_name(code)) return name;
  return std::string(code.category().name()) + ':' + std::to_string(code.value());
}

SystemError::SystemError(Error error, std::size_t bytes_transferred)
    : boost::system::system_error(error.code()),
      error_(std::move(error)),
      message_(std::make_shared<const std::string>(error_.message())),
      bytes_transferred_(bytes_transferred) {}

const char* SystemError::what() const noexcept { return message_->c_str(); }

}  // namespace libnet
