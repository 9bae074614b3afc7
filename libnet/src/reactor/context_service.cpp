#include "reactor/context_service.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>

#include "detail/fork_hook.hpp"
#include "libnet/error.hpp"
#include "reactor/destination.hpp"
#include "reactor/epoll_reactor.hpp"

namespace libnet::reactor {

asio::execution_context::id ContextService::id;

namespace {

#ifdef LIBNET_HAS_EPOLL
constexpr ReactorKind default_kind = ReactorKind::epoll;
#else
constexpr ReactorKind default_kind = ReactorKind::portable;
#endif

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
  const Destination destination = executor ? destination_of(executor) : Destination();
  if (destination.kind == Destination::Kind::elsewhere) {
    throw std::invalid_argument("libnet: the executor must be one of an io_context, or a strand of one");
  }
  auto& context = static_cast<asio::io_context&>(asio::query(executor, asio::execution::context));
  auto& service = ContextService::of(context);
  if (destination.kind == Destination::Kind::context) return service.context_loop(context, context.get_executor());
  // What the loop keeps must not count as work.
  const asio::any_io_executor strand = asio::prefer(executor, asio::execution::outstanding_work.untracked);
  return service.strand_loop(context, strand, destination.strand);
}

std::shared_ptr<Loop> ContextService::context_loop(asio::io_context& context, const asio::any_io_executor& executor) {
  const std::lock_guard lock(mutex_);
  if (!context_loop_) {
    context_loop_ = std::make_shared<Loop>(*this, waker(context), context, executor, kind(), nullptr);
    context_loop_->use_network(network_);
  }
  return context_loop_;
}

std::shared_ptr<Loop> ContextService::strand_loop(asio::io_context& context, const asio::any_io_executor& strand,
                                                  const void* identity) {
  const std::lock_guard lock(mutex_);
  if (auto loop = find_strand_loop(strand, identity)) return loop;
  const auto entry = strand_loops_.emplace(identity, StrandLoop());
  try {
    auto loop = std::make_shared<Loop>(*this, waker(context), context, strand, ReactorKind::portable, identity);
    loop->use_network(network_);
    entry->second = {loop, loop.get()};
    return loop;
  } catch (...) {
    strand_loops_.erase(entry);
    throw;
  }
}

/// Null if there is none, or only one that is being destroyed and cannot be shared any more.
std::shared_ptr<Loop> ContextService::find_strand_loop(const asio::any_io_executor& strand, const void* identity) {
  const auto [begin, end] = strand_loops_.equal_range(identity);
  for (auto entry = begin; entry != end; ++entry) {
    auto loop = entry->second.weak.lock();
    if (loop && (identity != nullptr || loop->executor() == strand)) return loop;
  }
  return nullptr;
}

void ContextService::forget(const Loop& loop) noexcept {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = strand_loops_.equal_range(loop.strand());
  const auto entry = std::find_if(begin, end, [&loop](const auto& known) { return known.second.loop == &loop; });
  if (entry != end) strand_loops_.erase(entry);
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
