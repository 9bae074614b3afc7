#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>

#include "libnet/detail/asio/watched_descriptor.hpp"
#include "reactor/loop.hpp"
#include "reactor/waker.hpp"

namespace libnet::reactor {

/// What belongs to one io_context: its loop, the loops of its strands, what wakes them all from other threads, and their
/// end when the context ends.
class ContextService final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  /// That of a context; made if there is none yet.
  /// @throws SystemError if the system has no descriptors for the reactor of the context.
  static ContextService& of(asio::io_context& context);

  explicit ContextService(asio::execution_context& context) : service(context) { detail::make_asio_reactor(context); }

  /// The loop of the context's own executor.
  std::shared_ptr<Loop> context_loop(asio::io_context& context, const asio::any_io_executor& executor);

  /// The loop of a strand: that of the objects which are on the strand already, if there are any.
  /// @param identity  What all copies of the strand share; null if only comparing them tells.
  std::shared_ptr<Loop> strand_loop(asio::io_context& context, const asio::any_io_executor& strand,
                                    const void* identity);

  /// A strand's loop is being destroyed.
  void forget(const Loop& loop) noexcept;

  void choose(ReactorKind kind);

  /// The network of all loops, those that are there and those to come.
  void use_network(std::shared_ptr<transport::Network> network);

 private:
  /// A loop lives as long as its objects. It keeps its strand, whose identity is therefore no other strand's meanwhile.
  struct StrandLoop {
    std::weak_ptr<Loop> weak;
    const Loop* loop = nullptr;
  };

  void shutdown() noexcept override;
  void notify_fork(asio::execution_context::fork_event event) override;
  std::shared_ptr<Loop> find_strand_loop(const asio::any_io_executor& strand, const void* identity);
  ReactorKind kind() const noexcept;
  Waker& waker(asio::io_context& context);

  std::mutex mutex_;
  std::optional<ReactorKind> chosen_;
  std::optional<Waker> waker_;  // before the loops, which use it to their end
  std::shared_ptr<transport::Network> network_;
  std::shared_ptr<Loop> context_loop_;
  std::unordered_multimap<const void*, StrandLoop> strand_loops_;  // by the strand's identity
};

}  // namespace libnet::reactor
