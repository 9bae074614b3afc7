#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "reactor/loop.hpp"
#include "support/drive.hpp"

namespace libnet::test {

/// A loop whose time only moves when told.
struct ManualClock {
  ManualClock() { loop->use_manual_clock(); }

  void advance(std::chrono::milliseconds by) {
    loop->advance(by);
    drive_ready(context);
  }

  boost::asio::io_context context{1};
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context.get_executor());
};

}  // namespace libnet::test
