#include <boost/asio/post.hpp>

#include <stdexcept>
#include <utility>

#include "random/session.hpp"
#include "random/starts.hpp"

/// Servers, and the connections that they accept.
namespace libnet::test::random {

void Session::make_lines() {
  for (std::uint32_t index = 0; index < 2; ++index) {
    Line& line = *lines_.emplace_back(std::make_unique<Line>());
    line.index = index;
    line.server = Server(executor(false), {.socket = options(false)});
    watch(line);
    make_client(line);
  }
}

void Session::watch(Line& line) {
  line.server.on(event::error, [this](const Error& error) { faults_.add("server", error.message()); });
  line.server.on(event::close, [this, &line] {
    const Entry entry(*this);
    require(calling() == 0, "inside", "a server's 'close' inside a call");
    require(line.closes_due-- > 0, "server", "a 'close' of a server that was not due");
  });
  if (accept_style() == Accept::serve) serve_line(line);
  if (accept_style() != Accept::events) return;
  line.server.on(event::connection, [this, &line](const Socket& socket) {
    const Entry entry(*this);
    require(calling() == 0, "inside", "'connection' inside a call");
    arrived(line, socket, line.generation);
  });
}

void Session::make_client(Line& line) {
  line.client = std::make_unique<Side>();
  Side& side = *line.client;
  side.name = name_of_side(2 * line.index);
  side.line = &line;
  side.is_client = true;
  side.listens = case_.setup.client_listens != 0;
  side.socket = Socket(executor(true), options(true));
  begin_life(side, side.name);
  if (side.listens) listen_to(side);
}

/// On a new address: what waits in the backlog of the last one belongs to that.
void Session::listen(Line& line) {
  if (line.listening) {
    const error_code code = thrown_by([&] { line.server.listen(world_->listen_options()); });
    return require(code == Errc::already_listening, "codes", "listen while listening: " + text_of(code));
  }
  const ListenOptions options = world_->listen_options();
  const Calling inside(*this);
  if (line.server.listener_count(event::error) == 0) watch(line);  // those of a server at rest are gone
  line.server.listen(options);
  line.listening = true;
  ++line.generation;
  line.where = world_->connect_options(line.server);
}

/// Whoever waits in the backlog is cut.
void Session::note_closed(Line& line) {
  if (!std::exchange(line.listening, false)) return;
  ++line.closes_due;
  Life* const waiting = line.unpaired[line.generation];
  if (waiting == nullptr) return;
  waiting->note_server_closed();
  waiting->may_fail_with(asio::error::connection_refused);
  waiting->may_fail_with(error_code(ENOENT, boost::system::system_category()));
}

Call* Session::close_server(Line& line, const Step& step) {
  Call& call = new_call(*line.client, step);
  const auto begin = [this, &call, &line] {
    call.only = {line.listening ? error_code() : error_code(Errc::not_running)};
    call.life = nullptr;
    const bool hears = line.server.listener_count(event::close) != 0;
    if (!line.listening && line.closes_due == 0 && hears) ++line.closes_due;
    note_closed(line);
    return true;
  };
  if (step.form == Form::plain) {
    call.by_libnet = false;
    begin();
    const Calling inside(*this);
    line.server.close();
    return nullptr;
  }
  return start(call, step, executor(false), begin, [&line](auto token) { return line.server.async_close(token); });
}

Call* Session::accept(Line& line, const Step& step) {
  if (accept_style() != Accept::accept) return nullptr;
  Call& call = new_call(*line.client, step);
  const auto begin = [&call, &line] {
    call.life = nullptr;
    call.generation = line.generation;
    if (!line.listening) call.only = {Errc::not_running};
    return true;
  };
  return start(call, step, executor(false), begin, [&line](auto token) { return line.server.async_accept(token); });
}

void Session::serve_line(Line& line) {
  line.server.serve([this, &line](Socket socket) { return serve(line, std::move(socket)); });
}

/// Stays until its gate is opened.
asio::awaitable<void> Session::serve(Line& line, Socket socket) {
  asio::steady_timer gate(executor(false), asio::steady_timer::time_point::max());
  Side* side = nullptr;
  {
    const Entry entry(*this);
    side = &arrived(line, socket, line.generation);
    side->gate = &gate;
  }
  co_await gate.async_wait(as_tuple);
  const Entry entry(*this);
  side->gate = nullptr;
  if (side->gate_throws) {
    if (!socket.destroyed()) side->life->note_destroyed(Errc::handler_threw);
    if (socket.error()) side->life->note_destroyed_late();
    throw std::runtime_error("as the case wants it");
  }
  side->life->note_lingers();
}

Side& Session::arrived(Line& line, const Socket& socket, int generation) {
  if (line.accepted) retire(line.accepted);
  line.accepted = std::make_unique<Side>();
  Side& side = *line.accepted;
  side.name = name_of_side(2 * line.index + 1);
  side.line = &line;
  side.listens = case_.setup.accepted_listens != 0;
  side.socket = socket;
  Life& life = begin_life(side, side.name);
  life.note_accepted();
  Life*& client = line.unpaired[generation];
  require(client != nullptr, "server", "a connection that nobody made");
  if (client != nullptr) {
    life.peer = client;
    client->peer = &life;
    client = nullptr;
  }
  if (side.listens) listen_to(side);
  return side;
}

Life& Session::begin_life(Side& side, const std::string& name) {
  const auto number = lives_.size();
  side.life =
      lives_.emplace_back(std::make_unique<Life>(name + "#" + std::to_string(number), 7919 * number, faults_)).get();
  side.life->half_open = side.is_client ? case_.setup.client_half_open != 0 : case_.setup.accepted_half_open != 0;
  side.life->listens = side.listens;
  side.life->out_of_sync = side.discarding;
  return *side.life;
}

/// It is named no more, and goes on.
void Session::retire(std::unique_ptr<Side>& side) { retired_.push_back(std::move(side)); }

void Session::listen_to(Side& side) {
  Socket& socket = side.socket;
  socket.on(event::connect, [this, &side] { told(side, Where::on_connect, [](Life& life) { life.told_connect(); }); });
  socket.on(event::ready, [this, &side] { told(side, Where::tick, [](Life& life) { life.told_ready(); }); });
  socket.on(event::end, [this, &side] { told(side, Where::on_end, [](Life& life) { life.told_end(true); }); });
  socket.on(event::drain, [this, &side] {
    told(side, Where::on_drain, [&](Life& life) { life.told_drain(side.socket, case_.setup.low_water); });
  });
  socket.on(event::finish, [this, &side] { told(side, Where::on_finish, [](Life& life) { life.told_finish(); }); });
  socket.on(event::timeout, [this, &side] { told(side, Where::tick, [](Life& life) { life.told_other("timeout"); }); });
  socket.on(event::error, [this, &side](const Error& error) {
    told(side, Where::on_error, [&](Life& life) { life.told_error(error.code()); });
  });
  socket.on(event::close, [this, &side](bool had_error) { told_close(side, had_error); });
}

}  // namespace libnet::test::random
