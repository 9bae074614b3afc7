#pragma once

#include <chrono>

#include "libnet/detail/operation.hpp"

namespace libnet::test {

/// An operation that nobody has started: for tests of what holds operations. Nobody is told of its end.
template <class Base>
struct Waiting : Base {
  using Base::Base;

  std::chrono::nanoseconds watch_cancellation(detail::OperationOwner&) override { return detail::no_time_limit; }
  void complete() override {}
  void abandon() noexcept override {}
  void refuse() override {}
};

}  // namespace libnet::test
