// The code of docs/guide/from-node.md: a chat server ported from Node line by line, and three clients that try it.
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>

#include "claims.hpp"

namespace asio = boost::asio;

// [chat]
// A chat server: one line is one message. The first line is the name; commands begin with '/'.
using namespace std::chrono_literals;
namespace event = libnet::event;

struct Client {  // what the Node version keeps as properties of its socket
  libnet::Socket socket;
  std::string name{};
  std::string buffer{};
};

std::map<std::string, std::shared_ptr<Client>> clients;

void broadcast(const std::string& from, const std::string& text) {
  for (auto& [name, client] : clients) {
    if (name != from) client->socket.write(text + '\n');
  }
}

void join(const std::shared_ptr<Client>& client, const std::string& name) {
  static const std::regex good(R"(\w{1,16})");
  if (!std::regex_match(name, good)) {
    client->socket.write("! a name has up to 16 letters and digits\n");
  } else if (clients.contains(name)) {
    client->socket.write("! this name is taken\n");
  } else {
    client->name = name;
    clients[name] = client;
    client->socket.set_timeout(0ms);
    client->socket.write("* hello " + name + ", " + std::to_string(clients.size()) + " here\n");
    broadcast(name, "* " + name + " joined");
  }
}

void command(Client& client, const std::string& line) {
  const std::string word = line.substr(1, line.find(' ') - 1);
  if (word == "quit") {
    client.socket.end("* bye\n");
  } else if (word == "who") {
    std::string all;
    for (const auto& [name, other] : clients) all += (all.empty() ? "* " : ", ") + name;
    client.socket.write(all + '\n');
  } else {
    client.socket.write("! unknown command " + word + '\n');
  }
}

void serve(libnet::Socket socket) {
  auto client = std::make_shared<Client>(Client{socket});
  socket.set_encoding(libnet::Encoding::utf8);
  socket.set_no_delay(true);
  socket.set_timeout(10s, [socket]() mutable { socket.end("! say who you are\n"); });
  socket.write("* your name?\n");
  socket.on(event::data, [client](libnet::Chunk text) {
    client->buffer += text;
    if (client->buffer.size() > 4096) {
      client->socket.destroy(libnet::Errc::out_of_range);
      return;
    }
    for (std::size_t end; (end = client->buffer.find('\n')) != std::string::npos;) {
      const std::string line = client->buffer.substr(0, end);
      client->buffer.erase(0, end + 1);
      if (client->name.empty()) {
        join(client, line);
      } else if (line.starts_with('/')) {
        command(*client, line);
      } else {
        broadcast(client->name, '<' + client->name + "> " + line);
      }
    }
  });
  socket.on(event::error, [client](const libnet::Error& error) { std::cerr << client->name << ": " << error << '\n'; });
  socket.on(event::close, [client](bool) {
    if (client->name.empty()) return;
    clients.erase(client->name);
    broadcast(client->name, "* " + client->name + " left");
  });
}

libnet::Server chat(asio::io_context& context, int port) {
  libnet::Server server = libnet::create_server(context, {}, serve);
  server.max_connections(100);
  server.on(event::drop, [](const libnet::DropInfo& info) { std::cerr << "refused " << *info.remote_address << '\n'; });
  server.on(event::error, [](const libnet::Error& error) { std::cerr << error << '\n'; });
  server.listen(port, "127.0.0.1", [server] { std::cout << "listening on " << *server.address() << '\n'; });
  return server;
}

void shut_down(libnet::Server& server) {
  server.close([] { std::cout << "closed\n"; });
  for (libnet::Socket& socket : server.sockets()) socket.end("* the server goes down\n");
}
// [chat]

/// Reads until `text` has come.
asio::awaitable<void> expect(libnet::Socket socket, std::string text) {
  std::string got;
  while (got.find(text) == std::string::npos) {
    const libnet::Chunk chunk = co_await socket.async_read(libnet::cancel_after(10s));
    claim(!chunk.empty());
    got += chunk;
  }
}

asio::awaitable<void> talk(libnet::Server& server) {
  auto executor = co_await asio::this_coro::executor;
  const libnet::ConnectOptions here{.host = "127.0.0.1", .port = server.address()->port()};
  auto ann = co_await libnet::async_connect(executor, here);
  auto bob = co_await libnet::async_connect(executor, here);
  ann.write("ann\n");
  co_await expect(ann, "* hello ann, 1 here\n");
  bob.write("no such name!\nann\nbob\n");
  co_await expect(bob, "* hello bob, 2 here\n");
  co_await expect(ann, "* bob joined\n");
  ann.write("gr\xc3");  // a character in two pieces
  ann.write("\xbc\xc3\x9f dich\n/who\n");
  co_await expect(bob, "<ann> gr\u00fc\u00df dich\n");
  co_await expect(ann, "* ann, bob\n");
  bob.write("/quit\n");
  co_await expect(bob, "* bye\n");
  bob.end();
  co_await expect(ann, "* bob left\n");
  shut_down(server);
  co_await expect(ann, "* the server goes down\n");
  ann.end();
}

int main() {
  asio::io_context context(1);
  libnet::Server server = chat(context, 0);
  asio::co_spawn(context, talk(server), rethrow);
  run_to_the_end(context);
  claim(clients.empty());
}
