#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "libnet/options.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// The options of a stream that its transport carries out: given when the socket was made, overridden by setters, kept until
/// there is a transport.
class StreamOptions {
 public:
  /// @param given  Shared by the sockets that one server accepts.
  explicit StreamOptions(std::shared_ptr<const SocketOptions> given) noexcept : given_(std::move(given)) {}

  /// What the socket was made with.
  const SocketOptions& given() const noexcept { return *given_; }

  /// Sets on a new connection what differs from the system's defaults.
  void apply(transport::Transport& transport) const noexcept;

  /// @name Setters
  /// Repeating what is set reaches no transport. Without a transport (null) the value is kept for `apply`.
  /// @{
  void set_no_delay(bool enable, transport::Transport* transport);
  void set_keep_alive(const KeepAlive& keep_alive, transport::Transport* transport);
  void set_type_of_service(int value, transport::Transport* transport);
  /// @}

  /// What the transport says; what was set, or 0, where it does not know or is null.
  int type_of_service(const transport::Transport* transport) const noexcept;

 private:
  /// What setters put in place of the given options.
  struct Overrides {
    std::optional<bool> no_delay;
    std::optional<KeepAlive> keep_alive;
    std::optional<int> type_of_service;
  };

  Overrides& overrides();
  bool no_delay() const noexcept;
  KeepAlive keep_alive() const noexcept;
  std::optional<int> wanted_type_of_service() const noexcept;

  std::shared_ptr<const SocketOptions> given_;
  std::unique_ptr<Overrides> overrides_;
};

}  // namespace libnet::core
