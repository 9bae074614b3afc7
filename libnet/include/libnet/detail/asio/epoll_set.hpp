#pragma once

#include <libnet/detail/asio/watched_descriptor.hpp>

#include <boost/asio/io_context.hpp>

#include <cerrno>

#if defined(BOOST_ASIO_HAS_EPOLL) && defined(LIBNET_HAS_WATCHED_DESCRIPTORS)
#include <sys/epoll.h>

/// For one source alone: an explicit instantiation stands in a program once.
namespace libnet::detail {

namespace asio = boost::asio;

/// Gives access to a private member: the rules of access do not apply to the arguments of an explicit instantiation.
template <class Tag, auto Member>
struct RevealSet {
  friend constexpr auto set_member(Tag) { return Member; }
};

struct OfAsioReactor {
  friend constexpr auto set_member(OfAsioReactor);
};

template struct RevealSet<OfAsioReactor, &asio::detail::epoll_reactor::epoll_fd_>;

/// Registers a watched descriptor anew, with the set on which the context's threads themselves wait, so that the kernel
/// wakes only one of all who wait for it, and this one last. If it is ready, that is told again.
/// @return  0, or the error of the system; then it is not watched any more, and has to be stopped.
template <class Observer>
int watch_exclusively(asio::io_context& context, WatchedDescriptor<Observer>& watched) noexcept {
  auto& reactor = asio::use_service<asio::detail::reactor>(context);
  const int set = reactor.*set_member(OfAsioReactor());
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE;
  event.data.ptr = watched.registration();
  ::epoll_ctl(set, EPOLL_CTL_DEL, watched.descriptor(), &event);
  return ::epoll_ctl(set, EPOLL_CTL_ADD, watched.descriptor(), &event) == 0 ? 0 : errno;
}

}  // namespace libnet::detail

#endif
