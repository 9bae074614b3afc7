#include "random/session.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "reactor/loop.hpp"
#include "support/world_network.hpp"

/// The run of a case: its steps, and the end.
namespace libnet::test::random {

namespace {

constexpr auto patience = 2s;         // without any handler, before a session counts as one that hangs
constexpr int most_handlers = 5'000;  // before a session counts as one that never rests

Setting setting_of(const Setup& setup) {
  return {static_cast<Wire>(setup.wire), setup.reactor == 0 ? ReactorKind::epoll : ReactorKind::portable};
}

bool is_of_client(const Step& step) { return step.who % 2 == 0 && !is_of_server(step.verb); }

/// With strands a step runs on that of its socket: it cannot belong to one of the other side.
Case on_one_strand(Case given) {
  if (given.setup.strands == 0) return given;
  bool of_client = false;
  for (Step& step : given.steps) {
    const bool joins = step.where == Where::with || step.where == Where::then;
    if (joins && is_of_client(step) != of_client) step.where = Where::tick;
    if (!joins && step.where != Where::tick && is_of_client(step) != (step.who % 2 == 0)) step.where = Where::tick;
    of_client = is_of_client(step);
  }
  return given;
}

bool begins_a_chain(const Step& step) { return step.where != Where::with && step.where != Where::then; }

}  // namespace

int& Session::calling() {
  static thread_local int depth = 0;
  return depth;
}

Session::Session(const Case& given, Faults& faults)
    : case_(on_one_strand(given)), faults_(faults), world_(std::make_unique<World>(setting_of(given.setup))) {
  if (!strands()) {
    world_->use_manual_clock();
    executors_[0] = executors_[1] = world_->io().get_executor();
    if (world_->in_memory() && case_.setup.most_moved != 0) world_->network().limit_moves(case_.setup.most_moved);
  } else {
    threaded_ = std::make_unique<asio::io_context>(2);
    executors_[0] = asio::make_strand(*threaded_);
    executors_[1] = asio::make_strand(*threaded_);
  }
}

/// A strand does not outlive its context.
Session::~Session() {
  for (auto& executor : executors_) executor = {};
  threaded_.reset();
  world_.reset();
}

SocketOptions Session::options(bool of_client) const {
  const Setup& setup = case_.setup;
  SocketOptions options{
      .allow_half_open = (of_client ? setup.client_half_open : setup.accepted_half_open) != 0,
      .high_water_mark = setup.high_water,
      .low_water_mark = setup.low_water,
      .max_buffered = setup.max_buffered,
      .on_overflow = setup.overflow_destroys != 0 ? OverflowPolicy::destroy : OverflowPolicy::fail_write};
  if (strands()) options.linger_time = 50ms;
  return options;
}

void Session::run() {
  make_lines();
  for (const auto& line : lines_) listen(*line);
  strands() ? run_on_strands() : run_alone();
}

std::vector<Side*> Session::sides() {
  std::vector<Side*> all;
  for (const auto& line : lines_) {
    all.push_back(line->client.get());
    if (line->accepted) all.push_back(line->accepted.get());
  }
  for (const auto& side : retired_) all.push_back(side.get());
  return all;
}

// --- one thread ------------------------------------------------------------------------------------------------------

void Session::run_alone() {
  {
    const auto guard = asio::make_work_guard(world_->io());
    for (std::size_t index = 0; index < case_.steps.size() && !faults_.any(); ++index) {
      if (begins_a_chain(case_.steps[index])) run_step(index);
    }
    if (!faults_.any()) settle();
  }
  if (!faults_.any()) finish_alone();
}

void Session::run_step(std::size_t index) {
  const Step& step = case_.steps[index];
  if (step.verb == Verb::advance) {
    advance(step.amount);
  } else if (step.where == Where::tick) {
    asio::post(world_->io(), [this, index] { execute(index, By::handler); });
  } else if (Side* const side = side_of(step.who)) {
    side->armed[step.where].push_back(index);
  }
  let_run(step.run);
}

void Session::let_run(std::uint32_t handlers) {
  if (handlers == Step::settles) {
    if (settle()) check_rest();
    return;
  }
  for (; handlers != 0; --handlers) world_->io().poll_one();
}

bool Session::settle() {
  if (world_->io().stopped()) world_->io().restart();
  for (int handlers = 0; world_->io().poll_one() != 0; ++handlers) {
    if (std::exchange(told_something_, false)) handlers = 0;
    if (handlers < most_handlers) continue;
    faults_.add("spins", "the loop does not come to rest");
    return false;
  }
  return true;
}

/// With the real wires the kernel may still have something to do.
void Session::check_rest() {
  sync_pipes();
  for (const Side* side : sides()) {
    if (side->dropped) continue;
    if (world_->in_memory()) side->life->check_rest(side->socket, case_.setup.low_water);
    check_count(*side);
    require(!side->life->must_close() || side->socket.destroyed(), "events",
            side->life->name() + ": neither 'error' nor 'close' behind a write without a connection");
  }
}

/// What was cancelled and what was dropped at the end stays counted.
void Session::check_count(const Side& side) {
  const std::uint64_t counted = side.socket.bytes_written();
  const std::uint64_t written = side.life->out.offered();
  require(counted == written, "counts",
          side.life->name() + ": bytes_written() is " + std::to_string(counted) + ", not " + std::to_string(written));
}

void Session::advance(std::uint32_t milliseconds) {
  reactor::Loop::of(world_->io().get_executor())->advance(std::chrono::milliseconds(milliseconds));
  settle();
}

// --- the end ---------------------------------------------------------------------------------------------------------

/// What listeners and completions were to do is not done any more: it might begin anew what ends.
void Session::forget_steps(const std::vector<Side*>& of) {
  for (Side* side : of) side->armed.clear();
  for (const auto& call : calls_) call->then.reset();
}

void Session::finish_alone() {
  forget_steps(sides());
  switch (static_cast<Finale>(case_.setup.finale)) {
    case Finale::context: return use_after_the_end();
    case Finale::graceful: finish_gracefully(); break;
    case Finale::destroy: break;
  }
  if (faults_.any()) return;
  destroy_all(true);
  destroy_all(false);
  open_gates();
  close_servers();
  if (wait_for_the_end()) return check_the_end();
  require(somebody_lives_on(), "hangs", "everything is closed, and run() does not return");
}

/// With listeners or operations, and without a handle: nobody can end it any more.
bool Session::somebody_lives_on() {
  const auto waits = [this](const Life* life) {
    return std::ranges::any_of(calls_,
                               [&](const auto& call) { return call->life == life && call->by_libnet && !call->done; });
  };
  const auto lives_on = [&](const Side* side) {
    const bool listens = side->data || side->receiver || waits(side->life);
    return side->dropped && (side->listens ? !side->life->closed() : listens);
  };
  const auto all = sides();
  return std::ranges::any_of(all, lives_on);
}

/// Everybody reads to the end and ends: what was written has to arrive.
void Session::finish_gracefully() {
  const auto guard = asio::make_work_guard(world_->io());
  auto deadline = std::chrono::steady_clock::now() + patience;
  for (int round = 0; !all_over() && !faults_.any(); ++round) {
    for (const auto& line : lines_) {
      const bool waits = line->listening && line->unpaired[line->generation] != nullptr;
      if (waits) accept(*line, {.verb = Verb::accept, .form = Form::handler});
    }
    for (Side* side : sides()) end_side(*side);
    if (!settle()) return;
    if (round >= 3 && round < 8) advance(2000);
    if (round < 3 || all_over()) continue;
    if (std::chrono::steady_clock::now() > deadline || (world_->in_memory() && round > 8)) break;
    if (world_->io().run_one_for(20ms) != 0) deadline = std::chrono::steady_clock::now() + patience;
  }
  if (faults_.any() || all_over()) return;
  if (somebody_lives_on()) return;
  for (const Side* side : sides()) {
    const bool open = !side->dropped && !side->socket.destroyed() && !side->socket.pending();
    if (open) faults_.add("hangs", side->life->name() + " does not end, though everybody reads and has ended");
  }
}

void Session::end_side(Side& side) {
  if (side.dropped || side.socket.destroyed() || (side.socket.pending() && !side.socket.connecting())) return;
  if (side.readers == 0 && !side.data && !side.receiver) data_on(side);
  adjust(side, {.verb = Verb::resume});
  if (side.socket.writable()) end(side, {.verb = Verb::end});
}

bool Session::all_over() {
  const auto over = [](const Side* side) {
    return side->dropped || side->socket.destroyed() || (side->socket.pending() && !side->socket.connecting());
  };
  const auto all = sides();
  return std::ranges::all_of(all, over);
}

void Session::open_gates() {
  for (Side* side : sides()) {
    if (side->gate != nullptr) side->gate->cancel();
  }
}

void Session::destroy_all(bool of_clients) {
  for (Side* side : sides_of(of_clients)) {
    if (!side->dropped) destroy(*side, {.verb = Verb::destroy});
  }
}

void Session::close_servers() {
  for (const auto& line : lines_) {
    if (line->listening) close_server(*line, {.verb = Verb::close_server});
  }
}

/// Whether nothing keeps the loop running any more. Whoever lingers has had its time by then.
bool Session::wait_for_the_end() {
  asio::io_context& io = world_->io();
  auto deadline = std::chrono::steady_clock::now() + patience;
  for (int rounds = 0;; ++rounds) {
    if (!settle_to_the_end()) return false;
    if (io.stopped()) return true;
    if (rounds < 6) advance_only(3000);
    if (io.run_one_for(rounds < 6 ? 1ms : 20ms) != 0) deadline = std::chrono::steady_clock::now() + patience;
    if (std::chrono::steady_clock::now() > deadline || (world_->in_memory() && rounds > 8)) return false;
  }
}

bool Session::settle_to_the_end() {
  asio::io_context& io = world_->io();
  io.restart();
  for (int handlers = 0; io.poll_one() != 0; ++handlers) {
    if (handlers < most_handlers) continue;
    faults_.add("spins", "the loop does not come to rest");
    return false;
  }
  return true;
}

void Session::advance_only(std::uint32_t milliseconds) {
  reactor::Loop::of(world_->io().get_executor())->advance(std::chrono::milliseconds(milliseconds));
}

void Session::check_the_end() {
  for (const auto& call : calls_) {
    const bool waits_for_ever = call->side->dropped && call->side->listens && !call->side->life->closed();
    if (call->by_libnet && !waits_for_ever) require(call->done, "completions", call->text + " never completes");
  }
  for (const Side* side : sides()) {
    const Life* const life = side->life;
    if (life->listens && life->connected() && !side->dropped)
      require(life->closed(), "events", life->name() + ": no 'close'");
  }
  if (somebody_lives_on()) return;
  for (const auto& line : lines_) {
    require(line->closes_due == 0, "server", std::to_string(line->closes_due) + " 'close' of a server did not come");
    require(line->server.connections() == 0, "server", "a server counts connections that are gone");
  }
}

/// The context ends with all that lives in it. Handles that outlive it are harmless.
void Session::use_after_the_end() {
  const std::vector<Side*> all = sides();
  world_->end_context();
  for (Side* side : all) {
    if (side->dropped) continue;
    side->socket.write("nobody");
    side->socket.pause();
    side->socket.end();
    side->socket.destroy();
    require(side->socket.destroyed() || side->socket.pending(), "state", "a socket without its context is open");
  }
  for (const auto& line : lines_) line->server.close();
}

// --- two threads -----------------------------------------------------------------------------------------------------

/// The steps run one after the other, each on the strand of its socket; what libnet does meanwhile is not ordered.
void Session::run_on_strands() {
  asio::io_context& io = *threaded_;
  const auto run = [&io] { io.run_for(60s); };
  post_from(0);
  std::thread other(run);
  run();
  other.join();
  if (faults_.any()) return;
  if (case_.setup.finale == static_cast<std::uint64_t>(Finale::context)) return;
  if (io.stopped()) return check_the_end();
  require(somebody_lives_on(), "hangs", "everything is closed, and run() does not return");
}

void Session::post_from(std::size_t index) {
  while (index < case_.steps.size() && !begins_a_chain(case_.steps[index])) ++index;
  if (index >= case_.steps.size() || faults_.any()) return finish_on_strands();
  asio::post(executor(is_of_client(case_.steps[index])), [this, index] {
    const Entry entry(*this);
    const Step& step = case_.steps[index];
    Side* const side = side_of(step.who);
    if (step.where == Where::tick) {
      execute(index, By::handler);
    } else if (side != nullptr) {
      side->armed[step.where].push_back(index);
    }
    post_from(index + 1);
  });
}

void Session::finish_on_strands() {
  const auto finale = static_cast<Finale>(case_.setup.finale);
  if (finale == Finale::context) return threaded_->stop();
  for (const bool of_clients : {true, false}) {
    asio::post(executor(of_clients), [this, of_clients, finale] {
      const Entry entry(*this);
      forget_steps(sides_of(of_clients));
      for (Side* side : sides_of(of_clients)) {
        if (finale == Finale::graceful) end_side(*side);
      }
      destroy_later(of_clients, finale == Finale::graceful ? 20ms : 0ms);
    });
  }
}

/// Again, as long as there is anything: a connection may have been accepted meanwhile.
void Session::destroy_later(bool of_clients, std::chrono::milliseconds delay) {
  const auto timer = std::make_shared<asio::steady_timer>(executor(of_clients), delay);
  timer->async_wait([this, of_clients, timer](const error_code&) {
    const Entry entry(*this);
    bool again = false;
    forget_steps(sides_of(of_clients));
    for (Side* side : sides_of(of_clients)) {
      again = again || !(side->dropped || side->socket.destroyed());
      if (!side->dropped) destroy(*side, {.verb = Verb::destroy});
    }
    if (!of_clients) open_gates();
    if (!of_clients) close_servers();
    if (again) destroy_later(of_clients, 5ms);
  });
}

std::vector<Side*> Session::sides_of(bool of_clients) {
  std::vector<Side*> some = sides();
  std::erase_if(some, [&](const Side* side) { return side->is_client != of_clients; });
  return some;
}

void run_case(const Case& given, Faults& faults) {
  std::thread([&] {
    Session::calling() = 0;
    try {
      Session session(given, faults);
      session.run();
    } catch (const std::exception& thrown) {
      faults.add("exception", thrown.what());
    }
  }).join();
}

}  // namespace libnet::test::random
