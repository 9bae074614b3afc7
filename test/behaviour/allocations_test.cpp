#include <libnet/net.hpp>

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

#include "detail/thread_cache.hpp"

// In a steady state an echoed message costs no allocation: not by operator new, and not by aligned_alloc, which Asio
// uses for its handlers. Every way to the heap is counted, in glibc's place. Sanitizers have the heap for themselves, and
// with them the caches are off.
#if defined(__GLIBC__) && LIBNET_BYPASS_CACHES == 0 && !defined(LIBNET_SANITIZE_THREAD)
#define LIBNET_COUNTS_ALLOCATIONS 1
#else
#define LIBNET_COUNTS_ALLOCATIONS 0
#endif

namespace {

constinit thread_local bool counting = false;
constinit thread_local std::size_t allocations = 0;
constinit thread_local std::ptrdiff_t live_bytes = 0;  // with what the heap needs for itself

#if LIBNET_COUNTS_ALLOCATIONS
std::ptrdiff_t heap_bytes(void* memory) noexcept {
  return memory == nullptr ? 0 : static_cast<std::ptrdiff_t>(::malloc_usable_size(memory) + sizeof(std::size_t));
}

void* counted(void* memory) noexcept {
  if (counting) ++allocations;
  if (counting) live_bytes += heap_bytes(memory);
  return memory;
}
#endif

}  // namespace

#if LIBNET_COUNTS_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return counted(__libc_calloc(count, size)); }
void* realloc(void* memory, std::size_t size) {
  if (counting) live_bytes -= heap_bytes(memory);
  return counted(__libc_realloc(memory, size));
}
void* memalign(std::size_t alignment, std::size_t size) { return counted(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
void free(void* memory) {
  if (counting) live_bytes -= heap_bytes(memory);
  __libc_free(memory);
}
}
#endif

namespace {

namespace asio = boost::asio;
namespace event = libnet::event;
using namespace std::chrono_literals;

asio::awaitable<void> echo(libnet::Socket socket) {
  while (auto chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
}

asio::awaitable<bool> echo_message(libnet::Socket& socket) {
  const libnet::Chunk chunk = co_await socket.async_read();
  if (chunk) co_await socket.async_write(chunk);
  co_return static_cast<bool>(chunk);
}

asio::awaitable<void> echo_nested(libnet::Socket socket) {
  for (bool more = true; more;) more = co_await echo_message(socket);
}

void echo_by_events(libnet::Socket socket) {
  socket.on(event::data, [socket](libnet::Chunk chunk) mutable {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on(event::drain, [socket]() mutable { socket.resume(); });
}

void echo_text_by_events(libnet::Socket socket) {
  socket.set_encoding(libnet::Encoding::utf8);
  socket.on(event::data, [socket](libnet::Chunk text) mutable { socket.write(text, libnet::Encoding::utf8); });
}

asio::awaitable<void> echo_text(libnet::Socket socket) {
  socket.set_encoding(libnet::Encoding::latin1);
  while (auto text = co_await socket.async_read()) co_await socket.async_write(text, libnet::Encoding::utf8);
}

void echo_from_own_memory(libnet::Socket socket) {
  const auto memory = std::make_shared<std::array<std::byte, 1024>>();
  socket.on_read([memory] { return std::span<std::byte>(*memory); },
                 [socket](std::size_t size, std::span<std::byte> bytes) mutable { socket.write(bytes.first(size)); });
}

struct Style {
  std::string_view name;
  void (*start)(libnet::Server& server);
};
std::ostream& operator<<(std::ostream& out, const Style& style) { return out << style.name; }

constexpr std::array styles{
    Style{"events", [](libnet::Server& server) { server.on(event::connection, echo_by_events); }},
    Style{"events with text", [](libnet::Server& server) { server.on(event::connection, echo_text_by_events); }},
    Style{"on_read", [](libnet::Server& server) { server.on(event::connection, echo_from_own_memory); }},
    Style{"awaited with text", [](libnet::Server& server) { server.serve(echo_text); }},
    Style{"awaited", [](libnet::Server& server) { server.serve(echo); }},
    Style{"awaited through one coroutine a message", [](libnet::Server& server) { server.serve(echo_nested); }},
};

struct Kind {
  libnet::ReactorKind kind;
};
std::ostream& operator<<(std::ostream& out, const Kind& reactor) {
  return out << (reactor.kind == libnet::ReactorKind::epoll ? "epoll" : "portable");
}

constexpr std::array reactors{Kind{libnet::ReactorKind::epoll}, Kind{libnet::ReactorKind::portable}};

/// Plain sockets in the same thread: they send when the loop does not run, so that all connections are ready at once.
class Clients {
 public:
  static constexpr std::size_t message = 64;  // [bytes]

  Clients(std::size_t count, std::uint16_t port) {
    for (std::size_t i = 0; i < count; ++i) {
      sockets_.push_back(::socket(AF_INET, SOCK_STREAM, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      BOOST_REQUIRE(::connect(sockets_.back(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  ~Clients() {
    for (const int socket : sockets_) ::close(socket);
  }

  void send() {
    std::array<char, message> text;
    text.fill('x');
    for (const int socket : sockets_) BOOST_REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == message);
  }

  bool all_answered() const {
    for (const int socket : sockets_) {
      int bytes = 0;
      if (::ioctl(socket, FIONREAD, &bytes) != 0 || bytes < static_cast<int>(message)) return false;
    }
    return true;
  }

  void receive() {
    std::array<char, 2 * message> text;
    for (const int socket : sockets_) BOOST_REQUIRE(::recv(socket, text.data(), text.size(), 0) == message);
  }

 private:
  std::vector<int> sockets_;
};

/// Sends a message over each connection and runs the loop until all are echoed; says how often the loop allocated.
std::size_t allocations_of_a_round(asio::io_context& context, Clients& clients) {
  clients.send();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  allocations = 0;
  counting = true;
  while (!clients.all_answered() && std::chrono::steady_clock::now() < deadline) context.run_one_until(deadline);
  counting = false;
  clients.receive();
  return allocations;
}

BOOST_AUTO_TEST_CASE(the_count_sees_every_way_to_the_heap,
                     *boost::unit_test::enable_if<LIBNET_COUNTS_ALLOCATIONS != 0>()) {
  allocations = 0;
  counting = true;
  ::operator delete(::operator new(1));
  ::operator delete(::operator new(1, std::align_val_t(256)), std::align_val_t(256));
  std::free(std::malloc(1));
  std::free(std::aligned_alloc(64, 64));
  counting = false;
  BOOST_TEST(allocations >= 3U);  // the optimiser may take one away
}

BOOST_DATA_TEST_CASE(R65_no_allocation_an_echoed_message, boost::unit_test::data::make(styles) * reactors, style,
                     reactor) {
  if (LIBNET_COUNTS_ALLOCATIONS == 0) {
    BOOST_WARN_MESSAGE(false, "SKIPPED: allocations cannot be counted in this build");
    return;
  }
  asio::io_context context;
  libnet::use_reactor(context, reactor.kind);
  libnet::Server server(context);
  style.start(server);
  server.listen({.host = "127.0.0.1"});
  Clients clients(64, static_cast<std::uint16_t>(server.address().value().port()));
  std::size_t warm_up = 0;
  for (int round = 0; round < 10; ++round) warm_up += allocations_of_a_round(context, clients);
  BOOST_TEST(warm_up > 0U);  // the connections were made, and the count saw it
  std::size_t counted = 0;
  for (int round = 0; round < 20; ++round) counted += allocations_of_a_round(context, clients);
  BOOST_TEST(counted == 0U);
}

/// What a server may take for an idle connection that has exchanged one message, in user space. [bytes]
struct Ceiling {
  std::string_view name;
  void (*start)(libnet::Server& server);
  std::ptrdiff_t bytes;
};
std::ostream& operator<<(std::ostream& out, const Ceiling& ceiling) { return out << ceiling.name; }

constexpr std::array ceilings{
    Ceiling{"events", [](libnet::Server& server) { server.on(event::connection, echo_by_events); }, 768},
    Ceiling{"awaited", [](libnet::Server& server) { server.serve(echo); }, 1456},
};

BOOST_DATA_TEST_CASE(an_idle_connection_takes_little_memory, boost::unit_test::data::make(ceilings), ceiling) {
  if (LIBNET_COUNTS_ALLOCATIONS == 0) {
    BOOST_WARN_MESSAGE(false, "SKIPPED: allocations cannot be counted in this build");
    return;
  }
  constexpr std::size_t connections = 500;
  asio::io_context context;
  libnet::use_reactor(context, libnet::ReactorKind::epoll);
  libnet::Server server(context);
  ceiling.start(server);
  server.listen({.host = "127.0.0.1"});
  const auto port = static_cast<std::uint16_t>(server.address().value().port());
  Clients first(64, port);  // what a thread keeps for all connections comes with them
  allocations_of_a_round(context, first);
  live_bytes = 0;
  Clients clients(connections, port);
  allocations_of_a_round(context, clients);
  const auto each = live_bytes / static_cast<std::ptrdiff_t>(connections);
  BOOST_TEST_MESSAGE(ceiling << ": " << each << " bytes a connection");
  BOOST_TEST(each > 400);  // the count saw the connection
  BOOST_TEST(each <= ceiling.bytes);
}

}  // namespace
