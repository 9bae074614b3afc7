#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "libnet/error.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// Something that an accepted connection has to get through before it is handed out, such as a handshake.
class Stage {
 public:
  /// What one call of `advance` came to.
  struct Outcome {
    enum class Kind : std::uint8_t { waits, done, failed };

    static Outcome waits() { return {Kind::waits, {}}; }
    static Outcome done() { return {Kind::done, {}}; }
    static Outcome failed(Error why) { return {Kind::failed, std::move(why)}; }

    Kind kind;
    Error error;
  };

  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;

  /// Does what is possible now and never waits. It may read and write, and may put a transport that is wrapped around
  /// `transport` in its place.
  ///
  /// Who returns `waits` has asked the transport what it waits for: `ready_to_read()` or `ready_to_write()` was false. It
  /// is called again when the transport tells that this has changed. Bytes that were read are the stage's: those that are
  /// none of its business have to come out of the transport that it leaves behind.
  virtual Outcome advance(std::unique_ptr<transport::Transport>& transport) = 0;

  /// How errors call it, as "handshake". A string literal.
  virtual const char* operation() const noexcept = 0;
};

/// Makes one stage of one connection, when the connection reaches it.
using StageFactory = std::function<std::unique_ptr<Stage>(const std::shared_ptr<reactor::Loop>&)>;

/// What the connections of a server get through, in this order. All loops of a server share it.
using Stages = std::vector<StageFactory>;

}  // namespace libnet::core
