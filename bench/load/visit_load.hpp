#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load.hpp"

namespace bench {

/// Connections with one message each: they connect, send, receive the same, and then close or stay without a word.
class VisitLoad : public Load {
 public:
  struct Settings {
    std::size_t at_a_time = 64;  ///< Connections that are being opened.
    std::size_t size = 64;       ///< Of the message [bytes].
    std::size_t stay = 0;       ///< So many connections stay open, and then all is done; 0: they close, without an end.
    std::size_t sources = 100;  ///< Addresses they come from, in turn.
  };

  explicit VisitLoad(const Settings& settings);

  /// Makes one visit, so that what a server prepares once is prepared.
  void connect(std::uint16_t port) override;
  double units() const override { return static_cast<double>(answered_); }

 private:
  struct Visit {
    Descriptor socket;
    Clock::time_point begun;
    std::size_t sent = 0;      // [bytes]
    std::size_t received = 0;  // [bytes]
  };

  void start() override;
  void ready(void* watched, std::uint32_t events) override;
  bool is_settled() const override { return open_ == 0; }
  bool is_complete() const override { return settings_.stay != 0 && answered_ == settings_.stay; }

  bool wants_more() const;
  void open(Visit& visit);
  void make_first_visit();
  void send_message(Visit& visit);
  void receive_answer(Visit& visit);
  void end(Visit& visit);

  Settings settings_;
  Sources sources_;
  Pattern pattern_;
  std::vector<Visit> visits_;
  std::vector<Descriptor> staying_;
  std::uint16_t port_ = 0;
  std::size_t open_ = 0;        // visits without their answer
  std::uint64_t answered_ = 0;  // visits
};

}  // namespace bench
