#pragma once

#include <cstddef>
#include <mutex>

#include <spdlog/sinks/base_sink.h>

namespace libnet::core {

/// Standard error as a place for a log that must hold up nobody: a line that the stream does not take at once is dropped and
/// counted, and the next line that it takes comes with the count.
///
/// The stream may be shared with other programs, so it is not made non-blocking.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}  // nothing is kept

 private:
  std::size_t dropped_ = 0;
};

}  // namespace libnet::core
