#include <libnet/errc.hpp>

#include <boost/system/errc.hpp>

#include <array>
#include <cstddef>
#include <string>

namespace libnet {
namespace {

struct Entry {
  Errc code;
  std::string_view name;
  std::string_view message;
};

constexpr std::array entries{
    Entry{Errc::timed_out, "ERR_TIMED_OUT", "timed out"},
    Entry{Errc::destroyed, "ERR_DESTROYED", "the socket was destroyed"},
    Entry{Errc::closed, "ERR_CLOSED", "Socket is closed"},
    Entry{Errc::already_connected, "ERR_ALREADY_CONNECTED", "the socket is already connecting or connected"},
    Entry{Errc::closed_before_connection, "ERR_CLOSED_BEFORE_CONNECTION",
          "the socket was closed before the connection was established"},
    Entry{Errc::write_after_end, "ERR_WRITE_AFTER_END", "write after end"},
    Entry{Errc::busy, "ERR_BUSY", "another consumer is already active"},
    Entry{Errc::overflow, "ERR_OVERFLOW", "the write queue is full"},
    Entry{Errc::listener_threw, "ERR_LISTENER_THREW", "a listener threw an exception"},
    Entry{Errc::handler_threw, "ERR_HANDLER_THREW", "a connection handler ended with an exception"},
    Entry{Errc::already_listening, "ERR_ALREADY_LISTENING", "the server is already listening"},
    Entry{Errc::not_running, "ERR_NOT_RUNNING", "the server is not running"},
    Entry{Errc::bad_port, "ERR_BAD_PORT", "the port is not in the range 0 to 65535"},
    Entry{Errc::invalid_address, "ERR_INVALID_ADDRESS", "invalid IP address"},
    Entry{Errc::address_family, "ERR_ADDRESS_FAMILY", "invalid address family"},
    Entry{Errc::out_of_range, "ERR_OUT_OF_RANGE", "the value is out of range"},
    Entry{Errc::invalid_handle, "ERR_INVALID_HANDLE", "the handle is of the wrong kind"},
    Entry{Errc::ip_blocked, "ERR_IP_BLOCKED", "the address is blocked by the block list"},
    Entry{Errc::invalid_argument, "ERR_INVALID_ARGUMENT", "invalid argument"},
    Entry{Errc::wrong_reactor, "ERR_WRONG_REACTOR", "the io_context already uses another reactor"},
    Entry{Errc::tls_truncated, "ERR_TLS_TRUNCATED", "the connection ended without a close_notify"},
    Entry{Errc::tls_handshake_closed, "ERR_TLS_HANDSHAKE_CLOSED",
          "the peer closed the connection during the TLS handshake"},
    Entry{Errc::tls_protocol, "ERR_TLS_PROTOCOL", "the peer violated the TLS protocol"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (static_cast<std::size_t>(entries[i].code) != i + 1) return false;
  }
  return true;
}
static_assert(in_order(), "an entry is found by its number");

constexpr Entry unknown{Errc{}, "ERR_UNKNOWN", "unknown error"};

const Entry& entry(int number) noexcept {
  const auto index = static_cast<std::size_t>(number) - 1;
  return index < entries.size() ? entries[index] : unknown;
}

// error_category has no public destructor; g++ warns all the same, because it has friends.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

// The number makes the category equal to itself where a program ends up with two copies of the library.
class Category final : public boost::system::error_category {
 public:
  constexpr Category() noexcept : error_category(0x6c69626e65743031) {}

  const char* name() const noexcept override { return "libnet"; }

  std::string message(int number) const override { return std::string(entry(number).message); }

  boost::system::error_condition default_error_condition(int number) const noexcept override {
    namespace errc = boost::system::errc;
    switch (static_cast<Errc>(number)) {
      case Errc::timed_out: return errc::make_error_condition(errc::timed_out);
      case Errc::invalid_argument: return errc::make_error_condition(errc::invalid_argument);
      default: return {number, *this};
    }
  }
};

#pragma GCC diagnostic pop

constinit const Category category;

}  // namespace

const boost::system::error_category& errc_category() noexcept { return category; }

error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), category}; }

std::string_view errc_name(Errc code) noexcept { return entry(static_cast<int>(code)).name; }

}  // namespace libnet
