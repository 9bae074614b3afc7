// The code of docs/guide/first-server.md.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "claims.hpp"

// [includes]
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace event = libnet::event;
// [includes]

// [handler]
asio::awaitable<void> echo(libnet::Socket socket) {
  while (auto chunk = co_await socket.async_read())  // an empty chunk: the peer has ended
    co_await socket.async_write(chunk);
}
// [handler]

// [client]
asio::awaitable<std::string> ask(int port, std::string question) {
  auto executor = co_await asio::this_coro::executor;
  auto socket = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = port});
  co_await socket.async_end(question);  // the question, then the end of our side
  std::string answer;
  while (auto chunk = co_await socket.async_read()) answer += chunk;
  co_return answer;
}
// [client]

void awaited() {
  // [server]
  asio::io_context context(1);

  libnet::Server server = libnet::create_server(context);
  server.serve(echo);
  server.listen({.host = "127.0.0.1", .port = 0});  // 0: a free port
  std::cout << "listening on " << server.address()->to_string() << '\n';
  // [server]

  std::string answer;
  const auto client = [&]() -> asio::awaitable<void> {
    answer = co_await ask(server.address()->port(), "hello");
    co_await server.async_close();
  };
  asio::co_spawn(context, client, rethrow);
  // [run]
  context.run();
  // [run]
  claim(answer == "hello");
}

void with_listeners() {
  asio::io_context context(1);
  std::vector<std::string> seen;
  // [listeners]
  libnet::Server server = libnet::create_server(context, [](libnet::Socket socket) {
    socket.on(event::data, [socket](libnet::Chunk chunk) mutable {
      if (!socket.write(chunk)) socket.pause();  // the peer reads slowly: read no more from it
    });
    socket.on(event::drain, [socket]() mutable { socket.resume(); });
  });
  server.on(event::error, [](const libnet::Error& error) { std::cerr << error << '\n'; });
  server.listen({.host = "127.0.0.1", .port = 0}, [&] { std::cout << "listening\n"; });
  // [listeners]
  const int port = server.address()->port();
  const auto done = [&] { server.close(); };
  // [client_listeners]
  libnet::Socket client = libnet::connect(context, {.host = "127.0.0.1", .port = port});
  client.write("hello");  // queued until the connection is there
  client.on(event::data, [client, &seen](libnet::Chunk chunk) mutable {
    seen.push_back(chunk.to_string());
    client.end();
  });
  client.on(event::error, [](const libnet::Error& error) { std::cerr << error << '\n'; });
  client.on(event::close, [&](bool had_error) {
    std::cout << (had_error ? "failed\n" : "closed\n");
    done();
  });
  // [client_listeners]
  run_to_the_end(context);
  claim(seen == std::vector<std::string>{"hello"});
  claim(!client.error() && client.destroyed());
}

void port_in_use() {
  asio::io_context context(1);
  libnet::Server first(context);
  first.listen({.host = "127.0.0.1"});
  const int taken = first.address()->port();
  std::string text;
  const auto listens = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    // [listen_fails]
    try {
      auto server = co_await libnet::async_listen(executor, {.host = "127.0.0.1", .port = taken});
    } catch (const libnet::SystemError& failure) {
      text = failure.what();  // listen EADDRINUSE: address already in use 127.0.0.1:…
    }
    // [listen_fails]
    first.close();
  };
  asio::co_spawn(context, listens, rethrow);
  run_to_the_end(context);
  claim(text == "listen EADDRINUSE: address already in use 127.0.0.1:" + std::to_string(taken));
}

void stopping() {
  asio::io_context context(1);
  libnet::Server server(context);
  server.serve(echo);
  server.listen({.host = "127.0.0.1"});
  bool closed = false;
  const auto stops = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto client = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = server.address()->port()});
    co_await client.async_write("x");
    co_await client.async_read();
    // [stop]
    server.close();                                          // nobody new is accepted
    for (auto& socket : server.sockets()) socket.destroy();  // and whoever is there has to go
    co_await server.async_wait(event::close);                // all connections are gone
    // [stop]
    closed = true;
  };
  asio::co_spawn(context, stops, rethrow);
  run_to_the_end(context);
  claim(closed && server.connections() == 0 && !server.listening());
}

void unix_socket() {
  asio::io_context context(1);
  const auto path = std::filesystem::temp_directory_path() / ("libnet-docs-" + std::to_string(::getpid()) + ".sock");
  std::string answer;
  // [unix]
  libnet::Server server(context);
  server.serve(echo);
  server.listen({.path = path.native()});

  libnet::Socket client = libnet::connect(context, {.path = path.native()});
  // [unix]
  client.on(event::data, [&](libnet::Chunk chunk) { answer += chunk; });
  client.end("over a path");
  client.on(event::close, [&](bool) { server.close(); });
  run_to_the_end(context);
  claim(answer == "over a path" && !std::filesystem::exists(path));
}

bool loud = false;

asio::awaitable<void> traps(libnet::Socket socket) {
  // [traps]
  // Not: co_await socket.async_write(loud ? std::string("HELLO") : std::string("hello"));
  std::string greeting = loud ? "HELLO" : "hello";
  co_await socket.async_write(greeting);

  // Not: co_await asio::co_spawn(executor, [socket]() -> asio::awaitable<void> { … }, asio::use_awaitable);
  auto executor = co_await asio::this_coro::executor;
  auto answer = [socket]() mutable -> asio::awaitable<void> { co_await socket.async_write(", world"); };
  co_await asio::co_spawn(executor, answer, asio::use_awaitable);
  // [traps]
}

void without_traps() {
  asio::io_context context(1);
  libnet::Server server(context);
  server.serve(traps);
  server.listen({.host = "127.0.0.1"});
  std::string answer;
  const auto client = [&]() -> asio::awaitable<void> {
    answer = co_await ask(server.address()->port(), "");
    co_await server.async_close();
  };
  asio::co_spawn(context, client, rethrow);
  run_to_the_end(context);
  claim(answer == "hello, world");
}

int main() {
  awaited();
  with_listeners();
  port_in_use();
  stopping();
  unix_socket();
  without_traps();
}
