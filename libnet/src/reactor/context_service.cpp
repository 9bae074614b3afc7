#include "reactor/context_service.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include "detail/fork_hook.hpp"
#include "libnet/detail/asio/strand_identity.hpp"
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

/// What all copies of a strand share; null if the executor is no strand, or one of something else than an io_context.
const void* strand_identity(const asio::any_io_executor& executor) {
  if (const auto* plain = executor.target<asio::strand<ContextExecutor>>()) return detail::identity_of(*plain);
  const auto* erased = executor.target<asio::strand<asio::any_io_executor>>();
  if (erased == nullptr) return nullptr;
  const asio::any_io_executor inner = erased->get_inner_executor();
  const bool leads_to_context = is_context_executor(inner) || strand_identity(inner) != nullptr;
  return leads_to_context ? detail::identity_of(*erased) : nullptr;
}

}  // namespace

/// What Asio throws for want of descriptors is told as what we throw ourselves: with an operation.
ContextService& ContextService::of(asio::io_context& context) try {
  return asio::use_service<ContextService>(context);
} catch (const SystemError&) {
  throw;
} catch (const boost::system::system_error& failure) {
  throw SystemError(Error(failure.code(), "epoll"));
}

std::shared_ptr<Loop> Loop::of(const asio::any_io_executor& executor) {
  const bool native = executor && is_context_executor(executor);
  const void* const strand = executor && !native ? strand_identity(executor) : nullptr;
  if (!native && strand == nullptr) {
    throw std::invalid_argument("libnet: the executor must be one of an io_context, or a strand of one");
  }
  auto& context = static_cast<asio::io_context&>(asio::query(executor, asio::execution::context));
  auto& service = ContextService::of(context);
  return native ? service.context_loop(context, context.get_executor())
                : service.strand_loop(context, executor, strand);
}

std::shared_ptr<Loop> ContextService::context_loop(asio::io_context& context, const asio::any_io_executor& executor) {
  const std::lock_guard lock(mutex_);
  if (!context_loop_) {
    context_loop_ = std::make_shared<Loop>(*this, waker(context), context, executor, kind());
    context_loop_->use_network(network_);
  }
  return context_loop_;
}

std::shared_ptr<Loop> ContextService::strand_loop(asio::io_context& context, const asio::any_io_executor& strand,
                                                  const void* identity) {
  const std::lock_guard lock(mutex_);
  StrandLoop& entry = strand_loops_.try_emplace(identity).first->second;
  if (auto loop = entry.weak.lock()) return loop;
  try {
    auto loop = std::make_shared<Loop>(*this, waker(context), context, strand, ReactorKind::portable);
    loop->use_network(network_);
    entry = {loop, loop.get()};
    return loop;
  } catch (...) {
    strand_loops_.erase(identity);
    throw;
  }
}

/// Another loop may serve the strand already: this one could not be shared any more when that was asked for.
void ContextService::forget(const Loop& loop) noexcept {
  const std::lock_guard lock(mutex_);
  const auto entry = strand_loops_.find(strand_identity(loop.executor()));
  if (entry != strand_loops_.end() && entry->second.loop == &loop) strand_loops_.erase(entry);
}

Waker& ContextService::waker(asio::io_context& context) {
  if (!waker_) waker_.emplace(context);
  return *waker_;
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
  for (const auto& entry : strand_loops_) {
    if (const auto loop = entry.second.weak.lock()) loop->use_network(network);
  }
  network_ = std::move(network);
}

/// The parent goes on as if nothing had been. Asio's reactor, an older service, has been told already.
void ContextService::notify_fork(asio::execution_context::fork_event event) {
  if (event != asio::execution_context::fork_child) return;
  if (const auto resume = detail::resume_in_child.load()) resume();
  if (waker_) waker_->after_fork();
  if (context_loop_) context_loop_->after_fork();
  for (const auto& entry : strand_loops_) {
    if (const auto loop = entry.second.weak.lock()) loop->after_fork();
  }
}

void ContextService::shutdown() noexcept {
  if (context_loop_) context_loop_->shutdown();
  for (const auto& entry : std::exchange(strand_loops_, {})) {
    if (const auto loop = entry.second.weak.lock()) loop->shutdown();
  }
  context_loop_.reset();
  if (waker_) waker_->shutdown();
}

}  // namespace libnet::reactor

namespace libnet {

void use_reactor(boost::asio::io_context& context, ReactorKind kind) {
  reactor::ContextService::of(context).choose(kind);
}

}  // namespace libnet
