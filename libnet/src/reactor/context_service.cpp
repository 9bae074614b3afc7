#include "reactor/context_service.hpp"

#include <stdexcept>

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include "libnet/error.hpp"
#include "reactor/epoll_reactor.hpp"

namespace libnet::reactor {

asio::execution_context::id ContextService::id;

namespace {

#ifdef LIBNET_HAS_EPOLL
constexpr ReactorKind default_kind = ReactorKind::epoll;
#else
constexpr ReactorKind default_kind = ReactorKind::portable;
#endif

using ContextExecutor = asio::io_context::executor_type;

template <unsigned... Bits>
bool targets_io_context(const asio::any_io_executor& executor, std::integer_sequence<unsigned, Bits...>) {
  return (... || (executor.target<asio::io_context::basic_executor_type<std::allocator<void>, Bits>>() != nullptr));
}

/// An io_context's executor comes in variants: blocking or not, relation, tracked work.
bool is_context_executor(const asio::any_io_executor& executor) {
  return targets_io_context(executor, std::make_integer_sequence<unsigned, 8>());
}

bool is_strand(const asio::any_io_executor& executor) {
  if (executor.target<asio::strand<ContextExecutor>>() != nullptr) return true;
  const auto* erased = executor.target<asio::strand<asio::any_io_executor>>();
  if (erased == nullptr) return false;
  const asio::any_io_executor inner = erased->get_inner_executor();
  return is_context_executor(inner) || is_strand(inner);
}

}  // namespace

std::shared_ptr<Loop> Loop::of(const asio::any_io_executor& executor) {
  const bool native = executor && is_context_executor(executor);
  if (!native && !(executor && is_strand(executor))) {
    throw std::invalid_argument("libnet: the executor must be one of an io_context, or a strand of one");
  }
  auto& context = static_cast<asio::io_context&>(asio::query(executor, asio::execution::context));
  auto& service = asio::use_service<ContextService>(context);
  return native ? service.context_loop(context, context.get_executor()) : service.strand_loop(context, executor);
}

std::shared_ptr<Loop> ContextService::context_loop(asio::io_context& context, const asio::any_io_executor& executor) {
  const std::lock_guard lock(mutex_);
  if (!context_loop_) {
    context_loop_ = std::make_shared<Loop>(context, executor, kind());
    context_loop_->use_network(network_);
  }
  return context_loop_;
}

std::shared_ptr<Loop> ContextService::strand_loop(asio::io_context& context, const asio::any_io_executor& strand) {
  auto loop = std::make_shared<Loop>(context, strand, ReactorKind::portable);
  const std::lock_guard lock(mutex_);
  loop->use_network(network_);
  if (strand_loops_.size() == strand_loops_.capacity()) {
    std::erase_if(strand_loops_, [](const auto& old) { return old.expired(); });
  }
  strand_loops_.push_back(loop);
  return loop;
}

ReactorKind ContextService::kind() const noexcept { return chosen_.value_or(default_kind); }

void ContextService::choose(ReactorKind kind) {
  const std::lock_guard lock(mutex_);
  if (context_loop_ && context_loop_->kind() != kind) throw SystemError(Error(Errc::wrong_reactor, "use_reactor"));
  chosen_ = kind;
}

void ContextService::use_network(std::shared_ptr<transport::Network> network) {
  const std::lock_guard lock(mutex_);
  if (context_loop_) context_loop_->use_network(network);
  for (const auto& weak : strand_loops_) {
    if (const auto loop = weak.lock()) loop->use_network(network);
  }
  network_ = std::move(network);
}

void ContextService::shutdown() noexcept {
  if (context_loop_) context_loop_->shutdown();
  for (const auto& weak : strand_loops_) {
    if (const auto loop = weak.lock()) loop->shutdown();
  }
  context_loop_.reset();
}

}  // namespace libnet::reactor

namespace libnet {

void use_reactor(boost::asio::io_context& context, ReactorKind kind) {
  boost::asio::use_service<reactor::ContextService>(context).choose(kind);
}

}  // namespace libnet
