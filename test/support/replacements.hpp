#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <libnet/net.hpp>

#include "core/connection.hpp"
#include "support/record_transport.hpp"
#include "transport/transport.hpp"

/// Replacements of a socket's transport, as cases write them.
namespace libnet::test {

using TransportPointer = std::unique_ptr<transport::Transport>;

/// A replacement that is a function, void(TransportPointer&, std::string& unread).
template <class F>
class FunctionReplacement final : public core::Replacement {
 public:
  explicit FunctionReplacement(F function) : function_(std::move(function)) {}
  void replace(TransportPointer& transport, std::string& unread) override { function_(transport, unread); }

 private:
  F function_;
};

template <class F>
error_code replace(const Socket& socket, F function) {
  return core::Connection::of(socket).replace_transport(std::make_unique<FunctionReplacement<F>>(std::move(function)));
}

/// From plain bytes to records. What nobody read is of the new form.
inline auto enter_records(const Socket& socket,
                          RecordTransport::Rules rules = RecordTransport::Rules::without_acknowledgements()) {
  return [loop = reactor::Loop::of(socket.get_executor()), rules](TransportPointer& transport, std::string& unread) {
    transport = std::make_unique<RecordTransport>(loop, std::move(transport), rules, unread);
    unread.clear();
  };
}

/// Back to plain bytes.
inline auto leave_records() {
  return [](TransportPointer& transport, std::string& unread) {
    transport = dynamic_cast<RecordTransport&>(*transport).give_up(unread);
  };
}

}  // namespace libnet::test
