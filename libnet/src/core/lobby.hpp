#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/listen_session.hpp"
#include "core/stage.hpp"
#include "libnet/detail/intrusive_list.hpp"
#include "libnet/drop_info.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

struct LobbyLimits {
  std::chrono::milliseconds deadline{10'000};     ///< From accept to the end of the last stage, whatever arrives.
  std::size_t capacity = 1000;                    ///< [connections] in the lobby, the ready ones among them.
  std::size_t steps_per_turn = 32;                ///< Calls of stages in one turn of the loop.
  std::chrono::microseconds time_per_turn{2000};  ///< No step of a turn begins when its steps have taken that long.
  std::chrono::milliseconds late_after{1000};     ///< Who is due for that long makes the lobby late.
};

/// Where accepted connections get through their stages before they are handed out.
///
/// A guest is here from `admit` until it is taken: with `take_ready`, in the order in which they became ready, or with
/// `take_refused`, closed and with a reason. It counts for its session all that time, and is a transport, not a Connection:
/// nobody has a handle of it.
///
/// Stages get a bounded share of each turn, behind the tasks that are due in the round in which the lobby is woken: open
/// connections come first. Guests take their steps in the order in which they became due; when the lobby is late the last
/// one is first, since its peer surely still waits.
class Lobby final : private reactor::Task {
 public:
  class Client {
   public:
    /// Somebody is ready or refused who was not before.
    virtual void on_lobby_news() = 0;

   protected:
    ~Client() = default;
  };

  class Guest;

  Lobby(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<const Stages> stages, const LobbyLimits& limits,
        Client& client);
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;
  /// Closes all who are in it.
  ~Lobby();

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ >= limits_.capacity; }

  /// Its deadline counts from now. If this throws, the connection is closed and no longer counted.
  void admit(std::unique_ptr<transport::Transport> transport, Place place);

  bool has_ready() const noexcept { return !ready_.empty(); }
  bool has_refused() const noexcept { return !refused_.empty(); }
  /// Null if there is none.
  std::unique_ptr<Guest> take_ready() noexcept;
  std::unique_ptr<Guest> take_refused() noexcept;

  /// In a child process.
  error_code after_fork();

  /// Refuses all who belong to another session than `current`.
  void refuse_all_but(const ListenSession* current) noexcept;

 private:
  void run_task() override;
  void advance_some();
  void advance(Guest& guest);
  Stage::Outcome run_stage(Guest& guest);
  bool is_late();
  void due_again(Guest& guest);
  void now_ready(Guest& guest);
  void refuse(Guest& guest, DropReason reason, Error error) noexcept;
  std::unique_ptr<Guest> take(detail::List<Guest>& from) noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  std::shared_ptr<const Stages> stages_;
  const LobbyLimits limits_;
  Client& client_;
  // Each guest is in one of these.
  detail::List<Guest> waiting_;
  detail::List<Guest> due_;
  detail::List<Guest> ready_;
  detail::List<Guest> refused_;
  std::size_t size_ = 0;
  enum class Share : std::uint8_t { others_first, mine, used_up };
  Share share_ = Share::others_first;  // of the turn `turn_`
  std::uint64_t turn_ = 0;
};

/// One connection in the lobby.
class Lobby::Guest final : public detail::ListNode<Lobby::Guest>,
                           private transport::Transport::Observer,
                           private reactor::Timer {
 public:
  Guest(Lobby& lobby, std::unique_ptr<transport::Transport> connection, Place counted)
      : transport(std::move(connection)), place(std::move(counted)), lobby_(lobby) {}

  std::unique_ptr<transport::Transport> transport;  // closed if refused; null if a stage lost it
  Place place;
  // Of one that was refused:
  DropReason reason = DropReason::failed;
  Error error;

 private:
  friend class Lobby;

  enum class State : std::uint8_t { waiting, due, over };

  void on_transport_ready() override;
  void on_timer() override;
  const char* operation() const noexcept { return stage_ ? stage_->operation() : "accept"; }
  /// Nothing happens to it here any more.
  void finish(detail::List<Guest>& into) noexcept;

  Lobby& lobby_;
  std::unique_ptr<Stage> stage_;
  std::size_t next_stage_ = 0;
  reactor::TimePoint due_since_{};
  State state_ = State::waiting;
};

}  // namespace libnet::core
