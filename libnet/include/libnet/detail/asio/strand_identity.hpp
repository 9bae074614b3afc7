#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

/// For one source alone: an explicit instantiation stands in a program once.
namespace libnet::detail {

namespace asio = boost::asio;

/// Gives access to the private member that all copies of a strand share: the rules of access do not apply to the
/// arguments of an explicit instantiation.
template <class Tag, auto Member>
struct RevealStrand {
  friend constexpr auto shared_part(Tag) { return Member; }
};

struct OfContextStrand {
  friend constexpr auto shared_part(OfContextStrand);
};
struct OfErasedStrand {
  friend constexpr auto shared_part(OfErasedStrand);
};

template struct RevealStrand<OfContextStrand, &asio::strand<asio::io_context::executor_type>::impl_>;
template struct RevealStrand<OfErasedStrand, &asio::strand<asio::any_io_executor>::impl_>;

/// What tells one strand from another, as long as it lives: the same for all copies and conversions of a strand. Asio
/// lets strands of one type be compared, but has no order or hash by which one of many could be found.
inline const void* identity_of(const asio::strand<asio::io_context::executor_type>& strand) {
  return (strand.*shared_part(OfContextStrand())).get();
}
inline const void* identity_of(const asio::strand<asio::any_io_executor>& strand) {
  return (strand.*shared_part(OfErasedStrand())).get();
}

}  // namespace libnet::detail
