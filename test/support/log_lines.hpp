#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/log.hpp"

namespace libnet::test {

/// Takes what the library logs, of every level, as long as it lives. Nothing was logged before.
class LogLines {
 public:
  LogLines() {
    core::forget_logged();
    spdlog::drop("libnet");
    auto logger = std::make_shared<spdlog::logger>("libnet", sink_);
    logger->set_level(spdlog::level::debug);
    spdlog::register_logger(logger);
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  ~LogLines() { spdlog::drop("libnet"); }

  /// What was logged since the last call, each line behind its level.
  std::vector<std::string> take() { return std::exchange(sink_->lines, {}); }

  void expect_none() {
    for (const std::string& line : take()) BOOST_ERROR(line);
  }
  void expect_one(const std::string& part) {
    const auto logged = take();
    BOOST_TEST(logged.size() == 1U);
    for (const std::string& line : logged) BOOST_TEST(line.find(part) != std::string::npos, "not in: " << line);
  }

 private:
  struct Sink final : spdlog::sinks::base_sink<std::mutex> {
    void sink_it_(const spdlog::details::log_msg& message) override {
      const auto level = spdlog::level::to_string_view(message.level);
      lines.push_back(std::string(level.data(), level.size()) + ' ' +
                      std::string(message.payload.data(), message.payload.size()));
    }
    void flush_() override {}
    std::vector<std::string> lines;
  };

  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
};

}  // namespace libnet::test
