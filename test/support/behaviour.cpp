#include "support/behaviour.hpp"

#include <unistd.h>
#include <boost/test/tree/auto_registration.hpp>

#include <algorithm>
#include <filesystem>

#include "reactor/loop.hpp"
#include "support/case_report.hpp"
#include "support/raw_socket.hpp"
#include "support/world_network.hpp"

namespace libnet::test {

namespace {

constexpr auto patience = 60s;  // generous: sanitizers on a busy machine

std::string make_directory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "libnet-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  return pattern;
}

const char* loopback(Wire wire) { return wire == Wire::tcp6 ? "::1" : "127.0.0.1"; }

std::shared_ptr<reactor::Loop> loop_of(asio::io_context& io) { return reactor::Loop::of(io.get_executor()); }

/// None for the wires of the kernel.
std::shared_ptr<WorldNetwork> network_of(Wire wire) {
  if (wire == Wire::memory) return std::make_shared<WorldNetwork>(WorldNetwork::Layer::bytes);
  if (wire == Wire::record) return std::make_shared<WorldNetwork>(WorldNetwork::Layer::records);
  return nullptr;
}

}  // namespace

std::string to_string(Setting setting) {
  std::string text;
  switch (setting.wire) {
    case Wire::tcp4: text = "tcp4"; break;
    case Wire::tcp6: text = "tcp6"; break;
    case Wire::unix_path: text = "unix"; break;
    case Wire::memory: text = "memory"; break;
    case Wire::record: text = "record"; break;
  }
  return text + (setting.reactor == ReactorKind::epoll ? "_epoll" : "_portable");
}

World::World(Setting setting)
    : setting_(setting),
      network_(network_of(setting.wire)),
      io_(std::make_unique<asio::io_context>()),
      directory_(make_directory()) {
  use_reactor(*io_, setting.reactor);
  if (network_) transport::use_network(*io_, network_);
}

World::~World() {
  io_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void World::run() {
  io_->restart();
  io_->run_for(patience);
  BOOST_REQUIRE_MESSAGE(io_->stopped(), "the loop did not come to an end");
}

void World::run_until(const std::function<bool()>& done) {
  if (io_->stopped()) io_->restart();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) BOOST_FAIL("what was waited for did not happen");
    if (io_->run_one_until(deadline) == 0 && io_->stopped()) {
      BOOST_FAIL("the loop ended before what was waited for happened");
    }
  }
}

void World::settle() {
  if (io_->stopped()) io_->restart();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (io_->poll_one() != 0) {
    if (std::chrono::steady_clock::now() >= deadline) BOOST_FAIL("the loop does not come to rest");
    if (io_->stopped()) io_->restart();
  }
}

void World::await(asio::awaitable<void> coroutine) {
  note_coroutine();
  bool done = false;
  std::exception_ptr failure;
  asio::co_spawn(*io_, std::move(coroutine), [&](std::exception_ptr thrown) {
    failure = thrown;
    done = true;
  });
  run_until([&] { return done; });
  if (failure) std::rethrow_exception(failure);
}

void World::spawn(asio::awaitable<void> coroutine) {
  note_coroutine();
  asio::co_spawn(*io_, std::move(coroutine), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
}

std::string World::new_path() { return directory_ + "/" + std::to_string(++paths_) + ".sock"; }

// What follows sets cases up: it fails where it must, and counts as nothing that was proven.

int World::reserve_port(bool shared) {
  if (in_memory()) return memory_ports_++;
  RawSocket holder(Family::ipv6);
  if (shared) holder.share_address();
  if (holder.bind(SocketAddress::ip("::", 0)) != 0) BOOST_FAIL("no port to reserve");
  const int port = holder.local_address().port();
  held_.push_back(std::make_unique<RawSocket>(std::move(holder)));
  return port;
}

ListenOptions World::listen_options() {
  if (is_tcp()) return {.host = loopback(wire()), .port = reserve_port(true)};
  kept_.push_back(std::make_unique<std::string>(new_path()));
  return {.path = *kept_.back()};
}

void World::listen(Server& server) { server.listen(listen_options()); }

ConnectOptions World::connect_options(const Server& server) {
  if (!server.address()) BOOST_FAIL("the server does not listen");
  const SocketAddress address = server.address().value();
  kept_.push_back(std::make_unique<std::string>(address.address()));
  if (address.family() == Family::unix_path) return {.path = *kept_.back()};
  return {.host = *kept_.back(), .port = address.port()};
}

void World::connect(Socket& socket, const Server& server) { socket.connect(connect_options(server)); }

ConnectOptions World::refusing_options() {
  if (is_unix()) return {.path = listen_options().path};
  return {.host = loopback(wire()), .port = reserve_port(false)};
}

ConnectOptions World::unused_options() { return {.host = loopback(wire()), .port = reserve_port(true)}; }

World::Pair World::pair(const SocketOptions& client_options, const SocketOptions& accepted_options) {
  Server server(*io_, {.socket = accepted_options});
  Socket accepted;
  server.once(event::connection, [&accepted](Socket socket) { accepted = std::move(socket); });
  std::string failure;  // a listener that throws does not end the wait: the library takes the exception
  const auto fail = [&failure](const Error& error) { failure = error.message(); };
  server.on(event::error, fail);
  listen(server);
  Socket client(*io_, client_options);
  const auto failing = client.scoped(client.on(event::error, fail));
  connect(client, server);
  run_until([&] { return !failure.empty() || (!accepted.pending() && !client.connecting()); });
  if (!failure.empty()) BOOST_FAIL("no pair: " + failure);
  server.close();
  settle();
  if (network_) memory_ends_ = {network_->last_connected(), network_->last_accepted()};
  return {std::move(client), std::move(accepted)};
}

void World::use_manual_clock() { loop_of(*io_)->use_manual_clock(); }

void World::advance(std::chrono::nanoseconds by) {
  loop_of(*io_)->advance(by);
  settle();
}

void Recorder::watch(Socket socket, const std::string& name, Data data) {
  received_.emplace_back(name, std::make_unique<std::string>());
  std::string& bytes = *received_.back().second;
  const auto add = [this, name](const std::string& what) { log_.push_back(name + ":" + what); };
  socket.on(event::connect, [add] { add("connect"); });
  socket.on(event::ready, [add] { add("ready"); });
  if (data == Data::record) {
    socket.on(event::data, [add, &bytes](Chunk chunk) {
      bytes += chunk;
      add("data(" + std::to_string(chunk.size()) + ")");
    });
  }
  socket.on(event::end, [add] { add("end"); });
  socket.on(event::drain, [add] { add("drain"); });
  socket.on(event::finish, [add] { add("finish"); });
  socket.on(event::timeout, [add] { add("timeout"); });
  socket.on(event::error, [add](const Error& error) { add("error(" + error.name() + ")"); });
  socket.on(event::close, [add](bool had_error) { add(had_error ? "close(true)" : "close(false)"); });
}

void Recorder::watch(Server server, const std::string& name) {
  const auto add = [this, name](const std::string& what) { log_.push_back(name + ":" + what); };
  server.on(event::listening, [add] { add("listening"); });
  server.on(event::error, [add](const Error& error) { add("error(" + error.name() + ")"); });
  server.on(event::close, [add] { add("close"); });
  server.on(event::handler_error, [add](const Socket&, const std::exception_ptr&) { add("handler_error"); });
}

std::vector<std::string> Recorder::of(const std::string& name) const {
  std::vector<std::string> found;
  for (const std::string& entry : log_) {
    if (entry.starts_with(name + ":")) found.push_back(entry.substr(name.size() + 1));
  }
  return found;
}

std::size_t Recorder::count(const std::string& entry) const {
  return static_cast<std::size_t>(std::count(log_.begin(), log_.end(), entry));
}

const std::string& Recorder::received(const std::string& name) {
  for (const auto& [who, bytes] : received_) {
    if (who == name) return *bytes;
  }
  throw std::out_of_range("nobody watches " + name);
}

void expect(const Log& found, const Log& expected) {
  std::string text;
  for (const std::string& entry : found) text += entry + ' ';
  BOOST_TEST_CONTEXT(text) BOOST_TEST(found == expected, per_element);
}

void expect_serving(World& world, Server server) {
  std::string answer;
  const auto listener = server.scoped(server.on(event::connection, [](Socket socket) { socket.end("here"); }));
  Socket client(world.io());
  client.on(event::data, [&](const Chunk& chunk) { answer += chunk; });
  world.connect(client, server);
  world.run_until([&] { return answer == "here"; });
  client.destroy();
  world.settle();
}

std::string read_until_progress(World& world, Socket from, Socket sender) {
  std::string taken;
  world.await([](Socket reader, Socket writer, std::string& all) -> asio::awaitable<void> {
    const std::size_t waiting = writer.buffered();
    while (waiting != 0 && writer.buffered() == waiting) {
      const Chunk chunk = co_await reader.async_read();
      if (!chunk) co_return;
      all += chunk;
    }
  }(from, sender, taken));
  return taken;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

Registration::Registration(const char* name, const char* file, std::size_t line, unsigned wires, void (*body)(World&)) {
  namespace ut = boost::unit_test;
  for (const Wire wire : {Wire::tcp4, Wire::tcp6, Wire::unix_path, Wire::memory, Wire::record}) {
    if ((wires & static_cast<unsigned>(wire)) == 0) continue;
    for (const ReactorKind kind : {ReactorKind::epoll, ReactorKind::portable}) {
      const Setting setting{wire, kind};
      const std::string full = std::string(name) + "_" + to_string(setting);
      const auto run = [body, setting] {
        World world(setting);
        body(world);
      };
      // The framework keeps what it registers until the program ends.
      ut::ut_detail::auto_test_unit_registrar(ut::make_test_case(run, full, file, line),
                                              ut::decorator::collector_t::instance());
    }
  }
}

}  // namespace libnet::test
