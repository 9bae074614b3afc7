#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load.hpp"

namespace bench {

/// Streams through a relay: the load connects to it and sends, and is the upstream it connects to, which receives.
class RelayLoad : public Load {
 public:
  struct Settings {
    std::size_t streams = 4;  ///< At most Pattern::period.
  };

  explicit RelayLoad(const Settings& settings);

  std::vector<std::string> server_settings() const override;
  void connect(std::uint16_t port) override;
  double units() const override;

  /// Ends the streams and waits for their ends to come through, both ways.
  void finish() override;

 private:
  enum class Kind { listener, source, sink };

  struct End {
    Kind kind = Kind::listener;
    Descriptor socket;
    std::uint64_t begin = 0;  // of its stream in the pattern
    std::uint64_t moved = 0;  // [bytes]
    bool ended = false;       // by the peer
  };

  void start() override;
  void ready(void* watched, std::uint32_t events) override;
  bool is_settled() const override { return arrived_ == sent_; }

  void accept_sink();
  void send_more(End& source);
  void receive_more(End& sink);
  void find_stream(End& sink);
  void receive_end(End& end);
  bool all_ended() const;

  Pattern pattern_;
  End listener_;
  std::vector<End> sources_;
  std::vector<End> sinks_;     // never more than there are sources: their addresses are watched
  std::uint64_t sent_ = 0;     // [bytes]
  std::uint64_t arrived_ = 0;  // [bytes]
  bool ending_ = false;
};

}  // namespace bench
