#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
// Asio's inner headers want that one first.
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/execution_context.hpp>

#include "reactor/loop.hpp"

namespace libnet::reactor {

/// What belongs to one io_context: its loop, the loops of its strands, and their end when the context ends.
class ContextService final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  /// Services end in the reverse order of their making: that of Asio's reactor, which ours uses, has to end after this.
  explicit ContextService(asio::execution_context& context) : service(context) {
    asio::use_service<asio::detail::reactor>(context);
  }

  /// The loop of the context's own executor.
  std::shared_ptr<Loop> context_loop(asio::io_context& context, const asio::any_io_executor& executor);

  /// A new loop for objects that share a strand.
  std::shared_ptr<Loop> strand_loop(asio::io_context& context, const asio::any_io_executor& strand);

  void choose(ReactorKind kind);

  /// The network of all loops, those that are there and those to come.
  void use_network(std::shared_ptr<transport::Network> network);

 private:
  void shutdown() noexcept override;
  ReactorKind kind() const noexcept;

  std::mutex mutex_;
  std::optional<ReactorKind> chosen_;
  std::shared_ptr<transport::Network> network_;
  std::shared_ptr<Loop> context_loop_;
  std::vector<std::weak_ptr<Loop>> strand_loops_;
};

}  // namespace libnet::reactor
