#include "core/lobby.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "reactor/fairness.hpp"
#include "support/drive.hpp"
#include "support/spoken_stage.hpp"
#include "transport/memory_transport.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using namespace std::chrono_literals;
using core::ListenSession;
using core::Lobby;
using core::LobbyLimits;
using core::Place;
using core::Stages;
using transport::MemoryTransport;
using transport::system_error;

namespace {

std::shared_ptr<ListenSession> new_session() {
  return std::make_shared<ListenSession>(std::make_shared<core::Acceptor*>(nullptr));
}

/// A lobby on a clock of its own, and the other ends of those in it.
struct Entrance final : Lobby::Client {
  explicit Entrance(const Stages& stages, const LobbyLimits& limits = {}) { open(stages, limits); }
  /// With so many stages that do what their peer says.
  explicit Entrance(const LobbyLimits& limits = {}, std::size_t stages = 1) {
    open(Stages(stages, SpokenStage::one(counts).front()), limits);
  }
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;
  ~Entrance() = default;

  void open(const Stages& stages, const LobbyLimits& limits) {
    loop->use_manual_clock();
    lobby = std::make_unique<Lobby>(loop, std::make_shared<const Stages>(stages), limits,
                                    static_cast<Lobby::Client&>(*this));
  }

  void on_lobby_news() override { ++news; }

  MemoryTransport& enter(const std::shared_ptr<ListenSession>& of) {
    auto [ours, theirs] = MemoryTransport::pair(loop, loop);
    lobby->admit(std::move(ours), Place(of));
    peers.push_back(std::move(theirs));
    return *peers.back();
  }
  MemoryTransport& enter() { return enter(session); }

  void run() { drive_ready(*context); }
  void advance(reactor::Duration by) {
    loop->advance(by);
    run();
  }

  std::unique_ptr<boost::asio::io_context> context = std::make_unique<boost::asio::io_context>(1);
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context->get_executor());
  std::shared_ptr<ListenSession> session = new_session();
  std::shared_ptr<SpokenStage::Counts> counts = std::make_shared<SpokenStage::Counts>();
  std::vector<std::unique_ptr<MemoryTransport>> peers;
  std::unique_ptr<Lobby> lobby;
  int news = 0;
};

void say(transport::Transport& to, std::string_view text) {
  const iovec only{const_cast<char*>(text.data()), text.size()};
  BOOST_TEST(to.try_write({&only, 1}).bytes == text.size());
}

std::string heard(transport::Transport& from) {
  std::array<std::byte, 64> memory{};
  std::string text;
  while (from.ready_to_read()) {
    const transport::Result result = from.try_read(memory);
    text.append(reinterpret_cast<const char*>(memory.data()), result.bytes);
    if (result.status == transport::Status::end) return text + "|end";
    if (result.status == transport::Status::error) return text + "|" + error_name(result.error);
  }
  return text;
}

/// Uses up all results that may be known at once in a wake-up, a number of times.
class Greedy final : public reactor::Task {
 public:
  Greedy(reactor::Loop& loop, int times) : loop_(loop), times_(times) { loop_.schedule(*this); }
  ~Greedy() { loop_.unschedule(*this); }

 private:
  void run_task() override {
    loop_.set_completing(true);
    for (int i = 0; i < reactor::known_results_per_wake_up; ++i) loop_.note_result();
    loop_.set_completing(false);
    BOOST_TEST(!loop_.may_complete_more());
    if (--times_ > 0) loop_.schedule(*this);
  }

  reactor::Loop& loop_;
  int times_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(lobby)

BOOST_AUTO_TEST_CASE(who_uses_up_every_wake_up_does_not_keep_a_stage_waiting) {
  Entrance entrance;
  MemoryTransport& peer = entrance.enter();
  entrance.run();
  const Greedy greedy(*entrance.loop, 1'000'000);
  say(peer, "g");
  entrance.context->restart();
  for (int i = 0; i < 100 && !entrance.lobby->has_ready(); ++i) entrance.context->poll_one();
  BOOST_TEST(entrance.lobby->has_ready());
}

BOOST_AUTO_TEST_CASE(a_guest_waits_then_reads_then_writes_and_is_ready) {
  Entrance entrance;
  MemoryTransport& peer = entrance.enter();
  entrance.run();
  BOOST_TEST(entrance.counts->steps == 1u);
  BOOST_TEST(!entrance.lobby->has_ready());
  BOOST_TEST(entrance.session->connections() == 1u);
  say(peer, "x");
  entrance.run();
  BOOST_TEST(entrance.counts->steps == 2u);
  BOOST_TEST(entrance.news == 0);
  say(peer, "g");
  entrance.run();
  BOOST_TEST(entrance.news == 1);
  BOOST_TEST(heard(peer) == "w");
  BOOST_TEST(entrance.counts->alive == 0u);
  BOOST_REQUIRE(entrance.lobby->has_ready());
  auto guest = entrance.lobby->take_ready();
  BOOST_TEST(entrance.lobby->empty());
  BOOST_TEST(entrance.lobby->take_ready() == nullptr);
  BOOST_TEST(entrance.session->connections() == 1u);
  say(*guest->transport, "after");
  BOOST_TEST(heard(peer) == "after");
  guest.reset();
  BOOST_TEST(entrance.session->connections() == 0u);
  BOOST_TEST(heard(peer) == "|end");
}

BOOST_AUTO_TEST_CASE(a_guest_that_cannot_write_waits_for_room) {
  Entrance entrance;
  auto [ours, theirs] = MemoryTransport::pair(entrance.loop, entrance.loop);
  ours->shape().hold_writable();
  MemoryTransport::Shape& shape = ours->shape();
  entrance.lobby->admit(std::move(ours), Place(entrance.session));
  say(*theirs, "g");
  entrance.run();
  BOOST_TEST(!entrance.lobby->has_ready());
  shape.release_writable();
  entrance.run();
  BOOST_TEST(entrance.lobby->has_ready());
  BOOST_TEST(heard(*theirs) == "w");
}

BOOST_AUTO_TEST_CASE(the_deadline_is_absolute) {
  Entrance entrance(LobbyLimits{.deadline = 10s});
  MemoryTransport& peer = entrance.enter();
  for (int second = 1; second < 10; ++second) {
    say(peer, "x");
    entrance.advance(1s);
  }
  entrance.advance(999ms);
  BOOST_TEST(!entrance.lobby->has_refused());
  entrance.advance(1ms);
  BOOST_TEST(entrance.news == 1);
  const auto guest = entrance.lobby->take_refused();
  BOOST_REQUIRE(guest != nullptr);
  BOOST_TEST((guest->reason == DropReason::timed_out));
  BOOST_TEST((guest->error.code() == Errc::timed_out));
  BOOST_TEST(guest->error.operation() == "greet");
  BOOST_TEST(heard(peer) == "|end");
  BOOST_TEST(entrance.counts->alive == 0u);
  BOOST_TEST(entrance.lobby->empty());
}

BOOST_AUTO_TEST_CASE(who_is_ready_has_no_deadline) {
  Entrance entrance(LobbyLimits{.deadline = 10s});
  say(entrance.enter(), "g");
  entrance.run();
  entrance.advance(1h);
  BOOST_TEST(!entrance.lobby->has_refused());
  BOOST_TEST(entrance.lobby->has_ready());
}

BOOST_AUTO_TEST_CASE(a_stage_that_fails_gives_its_error) {
  Entrance entrance;
  MemoryTransport& peer = entrance.enter();
  say(peer, "f");
  entrance.run();
  const auto guest = entrance.lobby->take_refused();
  BOOST_REQUIRE(guest != nullptr);
  BOOST_TEST((guest->reason == DropReason::failed));
  BOOST_TEST(guest->error.name() == "EBADMSG");
  BOOST_TEST(heard(peer) == "|end");
  BOOST_TEST(entrance.counts->alive == 0u);
}

BOOST_AUTO_TEST_CASE(a_peer_that_goes_away_fails_its_stage) {
  Entrance entrance;
  entrance.enter().close();
  entrance.enter();
  entrance.run();
  entrance.peers.back()->reset();
  entrance.run();
  for (int i = 0; i < 2; ++i) {
    const auto guest = entrance.lobby->take_refused();
    BOOST_REQUIRE(guest != nullptr);
    BOOST_TEST(guest->error.name() == "ECONNRESET");
  }
  BOOST_TEST(entrance.session->connections() == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_stage_throws_costs_one_guest) {
  Entrance entrance;
  say(entrance.enter(), "t");
  say(entrance.enter(), "g");
  entrance.run();
  const auto guest = entrance.lobby->take_refused();
  BOOST_REQUIRE(guest != nullptr);
  BOOST_TEST((guest->error.code() == Errc::handler_threw));
  BOOST_TEST(entrance.lobby->has_ready());
}

BOOST_AUTO_TEST_CASE(a_stage_that_cannot_be_made_costs_one_guest) {
  int asked = 0;
  Entrance entrance(Stages{[&asked](const auto&) -> std::unique_ptr<core::Stage> {
    if (++asked == 1) throw std::bad_alloc();
    if (asked == 2) throw SystemError(Error(Errc::invalid_argument, "choose"));
    return std::make_unique<InstantStage>([] {});
  }});
  for (int i = 0; i < 3; ++i) entrance.enter();
  entrance.run();
  const auto first = entrance.lobby->take_refused();
  const auto second = entrance.lobby->take_refused();
  BOOST_REQUIRE((first != nullptr && second != nullptr));
  BOOST_TEST((first->error.code() == boost::system::errc::not_enough_memory));
  BOOST_TEST((second->error.code() == Errc::invalid_argument));
  BOOST_TEST(second->error.operation() == "choose");
  BOOST_TEST(entrance.lobby->has_ready());
}

BOOST_AUTO_TEST_CASE(stages_come_one_after_the_other) {
  Entrance entrance(LobbyLimits(), 2);
  MemoryTransport& peer = entrance.enter();
  say(peer, "g");
  entrance.run();
  BOOST_TEST(!entrance.lobby->has_ready());
  say(peer, "g");
  entrance.run();
  BOOST_TEST(entrance.lobby->has_ready());
  BOOST_TEST(heard(peer) == "ww");
}

BOOST_AUTO_TEST_CASE(a_stage_may_wrap_the_transport) {
  Entrance entrance;
  auto [ours, theirs] = MemoryTransport::pair(entrance.loop, entrance.loop);
  entrance.lobby->admit(std::move(ours), Place(entrance.session));
  say(*theirs, "r");
  RecordTransport peer(entrance.loop, std::move(theirs));
  say(peer, "in records");
  entrance.run();
  const auto guest = entrance.lobby->take_ready();
  BOOST_REQUIRE(guest != nullptr);
  BOOST_TEST(dynamic_cast<RecordTransport*>(guest->transport.get()) != nullptr);
  BOOST_TEST(heard(*guest->transport) == "in records");
}

BOOST_AUTO_TEST_CASE(a_wrapped_transport_reaches_the_next_stage) {
  Entrance entrance(LobbyLimits(), 2);
  auto [ours, theirs] = MemoryTransport::pair(entrance.loop, entrance.loop);
  entrance.lobby->admit(std::move(ours), Place(entrance.session));
  say(*theirs, "r");
  RecordTransport peer(entrance.loop, std::move(theirs));
  entrance.run();
  BOOST_TEST(!entrance.lobby->has_ready());
  say(peer, "g");
  entrance.run();
  BOOST_TEST(entrance.lobby->has_ready());
  BOOST_TEST(heard(peer) == "w");
}

BOOST_AUTO_TEST_CASE(who_is_ready_first_is_taken_first) {
  Entrance entrance;
  for (int i = 0; i < 3; ++i) entrance.enter();
  std::vector<MemoryTransport*> expected{entrance.peers[2].get(), entrance.peers[0].get(), entrance.peers[1].get()};
  for (MemoryTransport* peer : expected) {
    say(*peer, "g");
    entrance.run();
    heard(*peer);
  }
  for (MemoryTransport* peer : expected) {
    const auto guest = entrance.lobby->take_ready();
    say(*guest->transport, "you");
    BOOST_TEST(heard(*peer) == "you");
  }
}

BOOST_AUTO_TEST_CASE(it_is_full_at_its_capacity) {
  Entrance entrance(LobbyLimits{.capacity = 2});
  entrance.enter();
  BOOST_TEST(!entrance.lobby->full());
  say(entrance.enter(), "g");
  BOOST_TEST(entrance.lobby->full());
  entrance.run();
  BOOST_TEST(entrance.lobby->full());  // who is ready is still here
  entrance.lobby->take_ready();
  BOOST_TEST(!entrance.lobby->full());
}

BOOST_AUTO_TEST_CASE(guests_of_other_sessions_are_refused) {
  Entrance entrance;
  const auto next = new_session();
  say(entrance.enter(), "g");
  entrance.enter();
  say(entrance.enter(next), "g");
  entrance.run();
  entrance.enter();  // due
  entrance.lobby->refuse_all_but(next.get());
  for (int i = 0; i < 3; ++i) {
    const auto guest = entrance.lobby->take_refused();
    BOOST_REQUIRE(guest != nullptr);
    BOOST_TEST((guest->reason == DropReason::closing));
    BOOST_TEST((guest->error.code() == boost::asio::error::operation_aborted));
  }
  BOOST_TEST(entrance.session->connections() == 0u);
  BOOST_TEST(next->connections() == 1u);
  BOOST_TEST(entrance.lobby->has_ready());
  BOOST_TEST(entrance.lobby->size() == 1u);
}

// --- fairness ------------------------------------------------------------------------------------------------------

namespace {

/// An object that is always due, and notes what the stages did between two of its steps and in each turn.
class AlwaysDue final : reactor::Task {
 public:
  AlwaysDue(reactor::Loop& loop, const std::size_t& steps) : loop_(loop), steps_(steps) { loop_.schedule(*this); }
  ~AlwaysDue() { loop_.unschedule(*this); }

  void run_task() override {
    const std::size_t taken = steps_ - before_;
    most_between = std::max(most_between, taken);
    if (loop_.turn() != turn_) in_turn_ = 0;
    turn_ = loop_.turn();
    in_turn_ += taken;
    most_in_a_turn = std::max(most_in_a_turn, in_turn_);
    before_ = steps_;
    if (++runs < 10'000) loop_.schedule(*this);
  }

  std::size_t most_between = 0;
  std::size_t most_in_a_turn = 0;
  int runs = 0;

 private:
  reactor::Loop& loop_;
  const std::size_t& steps_;
  std::size_t before_ = 0;
  std::size_t in_turn_ = 0;
  std::uint64_t turn_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(stages_get_a_share_of_each_turn) {
  std::size_t steps = 0;
  Entrance entrance(InstantStage::many(20, [&steps] { ++steps; }));
  for (int i = 0; i < 100; ++i) entrance.enter();
  AlwaysDue other(*entrance.loop, steps);
  entrance.run();
  BOOST_TEST(steps == 2000u);
  BOOST_TEST(other.most_between == 32u);
  BOOST_TEST(other.most_in_a_turn == 32u);
}

BOOST_AUTO_TEST_CASE(no_step_begins_when_the_time_of_a_turn_is_used_up) {
  std::size_t steps = 0;
  reactor::Loop* loop = nullptr;
  Entrance entrance(InstantStage::many(20, [&] {
    ++steps;
    loop->advance(700us);
  }));
  loop = entrance.loop.get();
  for (int i = 0; i < 20; ++i) entrance.enter();
  AlwaysDue other(*entrance.loop, steps);
  entrance.run();
  BOOST_TEST(steps == 400u);
  BOOST_TEST(other.most_in_a_turn == 3u);  // 0, 0.7 and 1.4 ms of 2 ms
}

BOOST_AUTO_TEST_CASE(a_step_that_is_longer_than_the_share_is_made_nevertheless) {
  std::size_t steps = 0;
  reactor::Loop* loop = nullptr;
  Entrance entrance(InstantStage::many(1, [&] {
    ++steps;
    loop->advance(50ms);
  }));
  loop = entrance.loop.get();
  for (int i = 0; i < 3; ++i) entrance.enter();
  AlwaysDue other(*entrance.loop, steps);
  entrance.run();
  BOOST_TEST(steps == 3u);
  BOOST_TEST(other.most_in_a_turn == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_due_beside_the_lobby_comes_first) {
  struct Noting final : reactor::Task {
    explicit Noting(std::string& log) : text(log) {}
    void run_task() override { text += "open "; }
    std::string& text;
  };
  std::string log;
  Entrance entrance(InstantStage::many(1, [&log] { log += "stage "; }));
  entrance.enter();  // the lobby is due from here on
  Noting open(log);
  entrance.loop->schedule(open);
  entrance.run();
  BOOST_TEST(log == "open stage ");
}

BOOST_AUTO_TEST_CASE(a_late_lobby_begins_with_the_newest) {
  Entrance entrance(LobbyLimits{.deadline = 1h, .steps_per_turn = 1, .late_after = 1s});
  std::string order;
  std::vector<MemoryTransport*> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(&entrance.enter());
    say(*peers.back(), "g");
    if (i == 2) entrance.loop->advance(1001ms);
  }
  entrance.run();
  while (const auto guest = entrance.lobby->take_ready()) {
    say(*guest->transport, "you");
    for (std::size_t i = 0; i < peers.size(); ++i) {
      if (heard(*peers[i]).ends_with("you")) order += std::to_string(i);
    }
  }
  BOOST_TEST(order == "3210");
}

BOOST_AUTO_TEST_CASE(a_lobby_in_time_begins_with_the_oldest) {
  Entrance entrance(LobbyLimits{.steps_per_turn = 1, .late_after = 1s});
  for (int i = 0; i < 4; ++i) say(entrance.enter(), "g");
  entrance.loop->advance(1s);
  entrance.run();
  std::string order;
  while (const auto guest = entrance.lobby->take_ready()) {
    say(*guest->transport, "you");
    for (std::size_t i = 0; i < 4; ++i) {
      if (heard(*entrance.peers[i]).ends_with("you")) order += std::to_string(i);
    }
  }
  BOOST_TEST(order == "0123");
}

// --- the end -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(its_end_closes_all_in_it) {
  Entrance entrance;
  entrance.enter();
  say(entrance.enter(), "g");
  say(entrance.enter(), "f");
  entrance.run();
  entrance.enter();  // due
  BOOST_TEST(entrance.lobby->size() == 4u);
  BOOST_TEST(entrance.session->connections() == 4u);
  entrance.lobby.reset();
  BOOST_TEST(entrance.session->connections() == 0u);
  BOOST_TEST(entrance.counts->alive == 0u);
  for (const auto& peer : entrance.peers) BOOST_TEST(heard(*peer).ends_with("|end"));
  entrance.run();
}

BOOST_AUTO_TEST_CASE(the_io_context_may_end_before_it) {
  Entrance entrance;
  entrance.enter();
  entrance.context.reset();
  entrance.lobby.reset();
  BOOST_TEST(entrance.session->connections() == 0u);
  BOOST_TEST(entrance.counts->alive == 0u);
}

/// Each call of the transport fails once: the guest is refused with that error, or was ready before.
BOOST_AUTO_TEST_CASE(a_fault_at_every_call_refuses_the_guest_and_nobody_else) {
  using Arm = void (MemoryTransport::Shape::*)(std::size_t, error_code);
  const std::array<std::pair<Arm, std::size_t (MemoryTransport::Shape::*)() const noexcept>, 2> kinds{
      {{&MemoryTransport::Shape::fail_read, &MemoryTransport::Shape::read_faults},
       {&MemoryTransport::Shape::fail_write, &MemoryTransport::Shape::write_faults}}};
  for (const auto& [arm, fired] : kinds) {
    bool fires = true;
    for (std::size_t nth = 1; fires; ++nth) {
      Entrance entrance;
      auto [ours, theirs] = MemoryTransport::pair(entrance.loop, entrance.loop);
      MemoryTransport::Shape& shape = ours->shape();
      (shape.*arm)(nth, system_error(EIO));
      entrance.lobby->admit(std::move(ours), Place(entrance.session));
      MemoryTransport& other = entrance.enter();
      for (const char* letter : {"x", "y", "g"}) {
        const iovec only{const_cast<char*>(letter), 1};
        theirs->try_write({&only, 1});
        say(other, letter);
        entrance.run();
      }
      fires = (shape.*fired)() != 0;
      const auto guest = entrance.lobby->take_refused();
      BOOST_TEST((guest != nullptr) == fires);
      if (guest) BOOST_TEST(guest->error.name() == "EIO");
      BOOST_TEST(entrance.lobby->size() == (fires ? 1u : 2u));
      BOOST_TEST(entrance.lobby->has_ready());
      BOOST_TEST(entrance.counts->alive == 0u);
      BOOST_REQUIRE(nth < 100);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
