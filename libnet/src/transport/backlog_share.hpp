#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <sys/types.h>

#include "reactor/loop.hpp"
#include "reactor/mailbox.hpp"

namespace libnet::transport {

/// One listener's share in the backlog of a socket from which several listeners of this process take connections, each in
/// its own loop.
///
/// For each connection the kernel wakes one of them. Who was woken and does not take what may wait (because nobody there
/// wants it, or because it closes) passes it on: one of the others then looks. So a connection never waits for a listener
/// that does not want it while another one does.
///
/// All calls but those of Letter come from the owner's loop.
class BacklogShare final : public reactor::Letter, public std::enable_shared_from_this<BacklogShare> {
 public:
  class Owner {
   public:
    /// Inside the loop: others share the backlog, and something may wait in it.
    virtual void look_at_backlog() = 0;

   protected:
    ~Owner() = default;
  };

  BacklogShare(std::shared_ptr<reactor::Loop> loop, Owner& owner) noexcept;

  enum class Joined : std::uint8_t {
    alone,
    beside_others,
    refused,  ///< One of the others has this very descriptor, and would close it. There is nothing to leave.
  };
  /// Joins those who listen on the same socket, by descriptors of their own; all of them look.
  Joined join(int descriptor);
  /// The last call. One of the others looks.
  void leave() noexcept;

  /// The owner does not take what may wait; somebody else may.
  void pass_on() noexcept;
  /// The owner is going to take connections. True if it had passed on what may still wait.
  bool take_up() noexcept { return passes_on_ && passes_on_.exchange(false); }

 private:
  void deliver_letter() override;
  void discard_letter() noexcept override;
  std::shared_ptr<BacklogShare> take_letter() noexcept;
  void call() noexcept;
  void call_another() noexcept;

  const std::shared_ptr<reactor::Loop> loop_;
  Owner* owner_;  // null: it has left
  ino_t socket_ = 0;
  int descriptor_ = -1;
  std::atomic<bool> passes_on_{false};
  std::shared_ptr<BacklogShare> letter_;  // itself, while the letter is under way
};

}  // namespace libnet::transport
