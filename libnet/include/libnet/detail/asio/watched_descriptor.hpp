#pragma once

#include <boost/asio/io_context.hpp>
// Asio's inner headers want that one first.
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>

// Asio's io_uring has no reactor that could watch a descriptor of ours.
#if !defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
#define LIBNET_HAS_WATCHED_DESCRIPTORS 1
#endif

namespace libnet::detail {

namespace asio = boost::asio;

/// Makes the reactor of the context now. Services end in the reverse order of their making: a service that watches
/// descriptors calls this in its constructor, so that Asio's reactor ends after it.
inline void make_asio_reactor(asio::execution_context& context) { asio::use_service<asio::detail::reactor>(context); }

#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS

/// A descriptor that the reactor of an io_context watches until it is told to stop. Each time the descriptor becomes
/// readable it calls `observer.on_descriptor_ready()`.
///
/// Asio holds a lock during that call, so the observer must not start or end a watch there; it may post a handler.
///
/// The watch is an operation of Asio's that is never done: asked to perform, it tells the observer and stays. Asio
/// watches for signals in the same way. An `async_wait` would serve as well, but costs a system call each time.
template <class Observer>
class WatchedDescriptor {
 public:
  WatchedDescriptor(asio::io_context& context, Observer& observer)
      : reactor_(asio::use_service<asio::detail::reactor>(context)), observer_(observer) {}
  WatchedDescriptor(const WatchedDescriptor&) = delete;
  WatchedDescriptor& operator=(const WatchedDescriptor&) = delete;
  ~WatchedDescriptor() { stop(); }

  /// @return  0, or the error of the system. The descriptor stays the caller's, who closes it after `stop()`.
  int start(int descriptor) try {
    reactor_.init_task();
    descriptor_ = descriptor;
    const auto read = asio::detail::reactor::read_op;
    auto operation = std::make_unique<ReadinessOperation>(observer_);
    const int code = reactor_.register_internal_descriptor(read, descriptor, registration_, operation.get());
    static_cast<void>(operation.release());  // the registration's, unless that had no memory
    return code;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }

  int descriptor() const noexcept { return descriptor_; }
  /// What the events of Asio's epoll set point to.
  void* registration() const noexcept { return registration_; }

  void stop() noexcept {
    if (registration_ != nullptr) reactor_.deregister_internal_descriptor(descriptor_, registration_);
    if (registration_ != nullptr) reactor_.cleanup_descriptor_data(registration_);
  }

 private:
  class ReadinessOperation final : public asio::detail::reactor_op {
   public:
    explicit ReadinessOperation(Observer& observer) noexcept
        : reactor_op({}, &ReadinessOperation::perform, &ReadinessOperation::free), observer_(observer) {}

   private:
    static status perform(reactor_op* base) {
      static_cast<ReadinessOperation*>(base)->observer_.on_descriptor_ready();
      return not_done;
    }
    static void free(void*, asio::detail::operation* base, const boost::system::error_code&, std::size_t) {
      delete static_cast<ReadinessOperation*>(base);
    }

    Observer& observer_;
  };

  asio::detail::reactor& reactor_;
  asio::detail::reactor::per_descriptor_data registration_{};
  Observer& observer_;
  int descriptor_ = -1;
};

#endif

}  // namespace libnet::detail
