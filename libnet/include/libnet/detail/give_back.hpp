#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace libnet::detail {

/// An operation could not be made: the handler that was wrapped for it goes back to where it came from.
template <class Handler, class Given>
void give_back(Handler& handler, Given&& given) noexcept {
  if constexpr (std::is_same_v<Handler, Given>) {  // an rvalue
    std::destroy_at(&given);
    std::construct_at(&given, std::move(handler));
  }
}

}  // namespace libnet::detail
