#include "trial.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <libnet/detail/asio/coroutine.hpp>

namespace libnet::faults {

namespace {

// Nothing in a step takes half as long, also on a busy machine.
constexpr auto limit = 3s;
// Memory that is missing for good is back after this time, so that what waits for it can be seen to go on.
constexpr auto famine = 150ms;
// ... or when run() has thrown so many times.
constexpr int famine_in_throws = 3;

std::chrono::nanoseconds processor_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void note(std::array<char, 200>& text, std::string_view what) noexcept {
  if (text[0] != '\0') return;
  const std::size_t size = std::min(what.size(), text.size() - 1);
  std::copy_n(what.begin(), size, text.begin());
}

/// Whether so many descriptors are open. A lookup that nobody waits for any more may have one for a moment.
bool only_open(int expected) noexcept {
  for (int looks = 0; looks < 20; ++looks) {
    if (open_descriptors() == expected) return true;
    ::usleep(10'000);
  }
  return false;
}

/// What is logged has been told, if nobody else was there to hear it.
class ToldByLog final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit ToldByLog(Trial& trial) : trial_(trial) {}

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    trial_.tell({line.payload.data(), line.payload.size()});
  }
  void flush_() override {}

  Trial& trial_;
};

}  // namespace

std::string_view name_of(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::right: return "right";
    case Outcome::told: return "told";
    case Outcome::hang: return "hang";
    case Outcome::spin: return "spin";
    case Outcome::leak: return "leak";
    case Outcome::torn: return "torn";
    case Outcome::crash: return "crash";
  }
  return {};
}

// --- for steps -----------------------------------------------------------------------------------------------------

void Trial::tell(std::string_view what) noexcept {
  ++told_;
  note(text_, what);
}

void Trial::tell(const Error& error) noexcept try { tell(error.message()); } catch (const std::bad_alloc&) {
  tell("no memory to say what");
}

void Trial::wrong(std::string_view what) noexcept {
  wrong_ = true;
  text_ = {};
  note(text_, what);
}

void Trial::run_until(const std::function<bool()>& done) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const auto processor_begin = processor_time();
  io_->restart();
  while (!done()) {
    bool ran_out = false;
    try {
      ran_out = io_->run_one_for(20ms) == 0 && io_->stopped();
    } catch (const std::exception& thrown) {
      tell(thrown.what());
      if (++thrown_by_run_ >= famine_in_throws) relieve();
    }
    const auto elapsed = Clock::now() - begin;
    if (elapsed > famine) relieve();
    if (!ran_out && elapsed < limit) continue;
    if (done()) return;
    spun_ = !ran_out && processor_time() - processor_begin > elapsed / 2;
    throw Stuck();
  }
}

namespace {

/// Tells of the end of a coroutine, also of one that is destroyed because Asio found no memory for it.
struct Ending {
  explicit Ending(std::function<void(bool)> told) : ended(std::move(told)) {}
  Ending(Ending&& other) noexcept : ended(std::exchange(other.ended, nullptr)), failed(other.failed) {}
  Ending& operator=(Ending&&) = delete;
  ~Ending() {
    if (ended) ended(failed);
  }

  std::function<void(bool)> ended;
  bool failed = true;
};

detail::EntryCoroutine watched(asio::awaitable<void> coroutine, Trial& trial, Ending ending) {
  try {
    co_await std::move(coroutine);
    ending.failed = false;
  } catch (const std::exception& thrown) {
    trial.tell(thrown.what());
  }
}

}  // namespace

void Trial::spawn(asio::awaitable<void> coroutine, std::function<void(bool)> ended) {
  detail::launch(watched(std::move(coroutine), *this, Ending(std::move(ended))), io_->get_executor(), [](auto) {});
}

void Trial::await(asio::awaitable<void> coroutine) {
  awaiting_ = true;
  spawn(std::move(coroutine), [this](bool) { awaiting_ = false; });
  run_until([this] { return !awaiting_; });
}

void Trial::listen(Server& server, const ListenOptions& options) {
  watch(server);
  server.listen(options);
  run_until([&] { return server.listening() || told_ != 0; });
  if (!server.listening()) throw std::runtime_error("not listening");
}

ConnectOptions Trial::to(const Server& server) {
  const auto address = server.address();
  if (!address) {
    tell("no address");
    return {.host = "127.0.0.1", .port = 9};
  }
  host_ = address->address();
  if (address->family() == Family::unix_path) return {.path = host_};
  return {.host = host_, .port = address->port()};
}

void Trial::watch(Socket socket) {
  socket.on(event::error, [this](const Error& error) { tell(error); });
  socket.on(event::close, [this](bool) { count_out(); });
  ++open_;
}

void Trial::watch(Server server) {
  server.on(event::error, [this](const Error& error) { tell(error); });
  server.on(event::handler_error, [this](const Socket&, const std::exception_ptr&) { tell("handler error"); });
}

void Trial::check(std::string_view got, std::string_view expected) noexcept {
  if (!expected.starts_with(got)) return wrong("bytes differ");
  expect(got.size() == expected.size(), "bytes are missing");
}

// --- for the sweep -------------------------------------------------------------------------------------------------

void Trial::run(Step step, bool from_nothing, const std::function<void()>& arm, Report& report) {
  path_ = "/tmp/libnet-faults-" + std::to_string(::getpid());
  auto logger = std::make_shared<spdlog::logger>("libnet", std::make_shared<ToldByLog>(*this));
  logger->set_level(spdlog::level::debug);  // of what a peer can cause as well
  spdlog::register_logger(logger);
  const int descriptors_before = open_descriptors();
  if (!from_nothing) set_up();
  const int descriptors_set_up = open_descriptors();
  arm();
  take_step(step);
  relieve();
  report.fired = has_fired();
  report.allocations = allocations();
  for (std::size_t i = 0; i < functions; ++i) report.calls[i] = calls(static_cast<Function>(i));
  if (!stuck_) run_to_rest();
  if (!stuck_ && !from_nothing) leaked_ = !only_open(descriptors_set_up);
  if (!stuck_) check_service();
  sockets = {};
  servers = {};
  io_.reset();
  leaked_ = leaked_ || (!stuck_ && !only_open(descriptors_before));
  ::unlink(path_.c_str());
  report.text = text_;
  report.outcome = judge();
}

/// A loop with all that it ever opens for itself.
void Trial::set_up() {
  io_.emplace(1);
  use_reactor(*io_, reactor_);
  const Socket first(*io_);
}

void Trial::take_step(Step step) {
  try {
    if (!io_) set_up();
    step(*this);
  } catch (const Stuck&) {
    stuck_ = true;
    if (text_[0] == '\0') note(text_, "stuck");
  } catch (const std::exception& thrown) {
    tell(thrown.what());
  }
}

/// Nobody wants anything any more: all that is open closes.
void Trial::run_to_rest() {
  abandon_all();
  if (!io_) return;
  io_->restart();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    try {
      io_->run_one_for(20ms);
      if (io_->stopped()) return;
    } catch (const std::exception& thrown) {
      tell(thrown.what());
    }
  }
  stuck_ = true;
  note(text_, "does not come to rest");
}

void Trial::abandon_all() noexcept {
  for (Socket& socket : sockets) {
    socket.destroy();
    socket = {};
  }
  for (Server& server : servers) {
    for (Socket& accepted : server.sockets()) accepted.destroy();
    server.close();
    server = {};
  }
}

/// After the fault, on the same loop: somebody connects, and is answered.
void Trial::check_service() {
  if (!io_) return;
  const std::string asked = "still there?";
  std::string answer;
  bool closed = false;
  int errors = 0;
  Server server(*io_, {}, [](Socket socket) {
    socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.end(chunk); });
  });
  Socket client(*io_);
  try {
    server.listen({.host = "127.0.0.1", .port = 0});
    client.on(event::error, [&](const Error&) { ++errors; });
    client.on(event::data, [&](const Chunk& chunk) { answer += chunk; });
    client.on(event::close, [&](bool) { closed = true; });
    client.connect({.host = "127.0.0.1", .port = server.address().value().port()});
    client.write(asked);
    run_until([&] { return closed; });
  } catch (const Stuck&) {
    stuck_ = true;
    text_ = {};
    note(text_, "no service afterwards");
    return;
  } catch (const std::exception&) {
    ++errors;
  }
  if (errors != 0 || answer != asked) wrong("bad service afterwards");
}

Outcome Trial::judge() const noexcept {
  if (wrong_) return Outcome::torn;
  if (stuck_) return spun_ ? Outcome::spin : Outcome::hang;
  if (leaked_) return Outcome::leak;
  return told_ != 0 ? Outcome::told : Outcome::right;
}

}  // namespace libnet::faults
