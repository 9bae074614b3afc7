#pragma once

#include <boost/asio/async_result.hpp>

namespace libnet::detail {

/// True of the type in place of an initiation with which Asio asks whether a completion token fits a signature.
template <class Initiation>
inline constexpr bool is_initiation_archetype = false;
template <class... Signatures>
inline constexpr bool is_initiation_archetype<boost::asio::detail::initiation_archetype<Signatures...>> = true;

}  // namespace libnet::detail
