#include "reactor/exclusive_watch.hpp"

#include <cerrno>
#include <utility>

#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>

#include "libnet/detail/asio/epoll_set.hpp"
#include "libnet/detail/recycling.hpp"
#include "reactor/epoll_reactor.hpp"

namespace libnet::reactor {

namespace {

// After so many times a loop goes behind the others. It costs two system calls.
constexpr unsigned turns_in_front = 16;

}  // namespace

ExclusiveWatch::ExclusiveWatch(std::shared_ptr<Loop> loop, Watch& watch) noexcept
    : loop_(std::move(loop)), watch_(&watch) {}

#ifdef LIBNET_HAS_EPOLL

int ExclusiveWatch::start(int descriptor) {
  watched_.emplace(loop_->context(), *this);
  int code = watched_->start(descriptor);
  if (code == 0) code = register_again();
  if (code != 0) stop();
  return code;
}

void ExclusiveWatch::stop() noexcept {
  watch_ = nullptr;
  watched_.reset();
}

int ExclusiveWatch::register_again() noexcept { return detail::watch_exclusively(loop_->context(), *watched_); }

int ExclusiveWatch::done() noexcept { return ++turns_ % turns_in_front == 0 ? register_again() : 0; }

#else

int ExclusiveWatch::start(int) { return ENOSYS; }
void ExclusiveWatch::stop() noexcept { watch_ = nullptr; }
int ExclusiveWatch::register_again() noexcept { return ENOSYS; }
int ExclusiveWatch::done() noexcept { return 0; }

#endif

struct ExclusiveWatch::TellHandler {
  using allocator_type = detail::RecyclingAllocator<void>;
  allocator_type get_allocator() const noexcept { return {}; }

  void operator()() const {
    if (watch->loop_->alive()) watch->carry_in();
  }

  std::shared_ptr<ExclusiveWatch> watch;
};

/// If the handler cannot be posted, the descriptor is reported ready once more, and the next run of the context tries again.
void ExclusiveWatch::on_descriptor_ready() {
  auto self = weak_from_this().lock();
  if (!self || telling_.exchange(true)) return;
  try {
    asio::defer(loop_->context().get_executor(), TellHandler{std::move(self)});
  } catch (...) {
    telling_ = false;
    register_again();
    throw;
  }
}

/// To the loop's executor.
void ExclusiveWatch::carry_in() {
  if (loop_->uses_context_executor()) return tell();
  try {
    asio::post(loop_->executor(), [self = shared_from_this()] {
      if (self->loop_->alive()) self->tell();
    });
  } catch (...) {
    telling_ = false;
    register_again();
    throw;
  }
}

void ExclusiveWatch::tell() {
  const Loop::Entry entry(*loop_);
  telling_ = false;
  if (watch_ == nullptr) return;
  watch_->readable = true;
  loop_->announce_turn();
  watch_->on_ready();
  loop_->run_turn();
}

}  // namespace libnet::reactor
