#include "reactor/waker.hpp"

#include <cerrno>
#include <cstdint>
#include <utility>

#if __has_include(<sys/eventfd.h>)
#include <sys/eventfd.h>
#endif
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>

#include "libnet/error.hpp"

namespace libnet::reactor {

namespace {

// Nobody can be told that waking has failed, and nothing but a fault of the system's makes it fail.
constexpr int most_tries = 8;

/// A descriptor to read from and one to write to; an eventfd is both.
struct Ends {
  int read = -1;
  int write = -1;
};

#if __has_include(<sys/eventfd.h>)
constexpr const char* kind_of_descriptor = "eventfd";

int open_ends(Ends& ends) {
  ends.read = ends.write = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return ends.read < 0 ? errno : 0;
}
#else
constexpr const char* kind_of_descriptor = "pipe";

int open_ends(Ends& ends) {
  int both[2];
  if (::pipe(both) != 0) return errno;
  for (const int descriptor : both) {
    ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  ends = {both[0], both[1]};
  return 0;
}
#endif

}  // namespace

Waker::Waker(asio::io_context& context)
    : context_(context)
#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS
      ,
      watched_(context, *this)
#endif
{
  open();
}

void Waker::open() {
#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS
  Ends ends;
  int code = open_ends(ends);
  read_end_ = ends.read;
  write_end_ = ends.write;
  if (code == 0) code = watched_.start(read_end_);
  if (code == 0) return;
  close();
  throw SystemError(Error(error_code(code, boost::system::system_category()), kind_of_descriptor));
#endif
}

Waker::~Waker() { shutdown(); }

// --- in any thread -------------------------------------------------------------------------------------------------

void Waker::wake(std::shared_ptr<Mailbox> mailbox) noexcept {
  const std::lock_guard lock(mutex_);
  Mailbox* const added = mailbox.get();
  (first_ ? last_->next_ : first_) = std::move(mailbox);
  last_ = added;
  if (std::exchange(signalled_, true)) return;
  context_.get_executor().on_work_started();
  signal();
}

void Waker::signal() noexcept {
#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS
  const std::uint64_t one = 1;
  for (int tries = 0; tries < most_tries && ::write(write_end_, &one, sizeof one) < 0; ++tries) {
  }
#else
  asio::post(context_.get_executor(), CollectHandler{this});
#endif
}

// --- inside the context --------------------------------------------------------------------------------------------

struct Waker::CollectHandler {
  using allocator_type = detail::ReservedAllocator<void>;
  allocator_type get_allocator() const noexcept { return waker->collect_memory_; }

  void operator()() const { waker->collect(); }

  Waker* waker;
};

void Waker::on_descriptor_ready() {
  std::uint64_t count = 0;
  while (::read(read_end_, &count, sizeof count) > 0) {
  }
  if (!collecting_.exchange(true)) asio::defer(context_.get_executor(), CollectHandler{this});
}

/// The end of a collection. An exception of a handler that ran may have left mailboxes: then the context is woken again.
class Waker::CollectScope {
 public:
  explicit CollectScope(Waker& waker) noexcept : waker_(waker) {}
  CollectScope(const CollectScope&) = delete;
  CollectScope& operator=(const CollectScope&) = delete;
  ~CollectScope() {
    bool finished = false;
    {
      const std::lock_guard lock(waker_.mutex_);
      if (waker_.first_ != nullptr) {
        waker_.signal();
      } else {
        finished = std::exchange(waker_.signalled_, false);
      }
    }
    if (finished) waker_.context_.get_executor().on_work_finished();
  }

 private:
  Waker& waker_;
};

void Waker::collect() {
  collecting_ = false;
  const CollectScope scope(*this);
  while (const auto mailbox = next_mailbox()) mailbox->carry_in();
}

std::shared_ptr<Mailbox> Waker::next_mailbox() noexcept {
  const std::lock_guard lock(mutex_);
  auto mailbox = std::move(first_);
  if (mailbox) first_ = std::move(mailbox->next_);
  return mailbox;
}

/// Letters that were under way are in the child as well; what was to tell of them may have told the parent.
void Waker::after_fork() {
  close();
  open();
  const std::lock_guard lock(mutex_);
  if (signalled_) signal();
}

void Waker::shutdown() noexcept {
  while (next_mailbox()) {
  }
  close();
}

void Waker::close() noexcept {
#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS
  watched_.stop();
#endif
  if (write_end_ >= 0 && write_end_ != read_end_) ::close(write_end_);
  if (read_end_ >= 0) ::close(read_end_);
  read_end_ = write_end_ = -1;
}

}  // namespace libnet::reactor
