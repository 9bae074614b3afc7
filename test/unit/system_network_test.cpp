#include "transport/system_network.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "support/drive.hpp"
#include "support/raw_socket.hpp"
#include "support/socket_pair.hpp"
#include "transport/memory_network.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using namespace std::chrono_literals;
using transport::Adopted;
using transport::Attempt;
using transport::Listener;
using transport::ListenerOptions;
using transport::Network;
using transport::system_error;
using transport::Transport;

namespace {

namespace fs = std::filesystem;

class AttemptTold final : public Attempt::Observer {
 public:
  void on_attempt_ready() override { ++times; }
  int times = 0;
};

/// As long as it lives, no descriptor can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

/// The system's network, one loop, and a directory for paths.
struct Place {
  Place() {
    std::string pattern = (fs::temp_directory_path() / "libnet-unit-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  }

  template <class Where>
  error_code listen(const Where& where, std::unique_ptr<Listener>& made, const ListenerOptions& options = {}) {
    return network().listen(loop, where, options, made);
  }
  template <class Where>
  std::unique_ptr<Listener> listening(const Where& where, const ListenerOptions& options = {}) {
    std::unique_ptr<Listener> made;
    BOOST_REQUIRE(!listen(where, made, options));
    return made;
  }

  /// Until it has come to an end.
  error_code outcome(Attempt& attempt, std::unique_ptr<Transport>& made) {
    error_code code;
    BOOST_REQUIRE(drive_until(*context, [&] { return (code = attempt.proceed(made)) != system_error(EINPROGRESS); }));
    return code;
  }
  error_code outcome(const SocketAddress& address, const transport::AttemptOptions& options = {}) {
    std::unique_ptr<Transport> made;
    return outcome(*network().connect(loop, address, options), made);
  }

  error_code accept(Listener& listener, Listener::Accepted& accepted) {
    error_code code;
    BOOST_REQUIRE(drive_until(*context, [&] { return (code = listener.accept(accepted)) != system_error(EAGAIN); }));
    return code;
  }

  Network& network() { return Network::of(*loop); }
  SocketAddress path(const std::string& name) const { return SocketAddress::unix_socket(directory + "/" + name); }

  std::unique_ptr<boost::asio::io_context> context = std::make_unique<boost::asio::io_context>(1);
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context->get_executor());
  std::string directory;
};

const SocketAddress any_port = SocketAddress::ip("127.0.0.1", 0);

}  // namespace

BOOST_AUTO_TEST_SUITE(system_network)

BOOST_AUTO_TEST_CASE(it_is_the_one_of_a_loop_for_which_none_was_chosen) {
  Place place;
  BOOST_TEST(!place.loop->network());
  BOOST_TEST(&place.network() == transport::system_network().get());
}

BOOST_AUTO_TEST_CASE(a_context_chooses_for_all_its_loops) {
  boost::asio::io_context context(1);
  const auto before = reactor::Loop::of(context.get_executor());
  const auto strand_before = reactor::Loop::of(boost::asio::make_strand(context));
  const auto chosen = std::make_shared<transport::MemoryNetwork>();
  transport::use_network(context, chosen);
  const auto strand_after = reactor::Loop::of(boost::asio::make_strand(context));
  for (const auto& loop : {before, strand_before, strand_after}) BOOST_TEST(&Network::of(*loop) == chosen.get());
}

BOOST_AUTO_TEST_CASE(a_connection_over_tcp) {
  Place place;
  const auto listener = place.listening(any_port);
  std::unique_ptr<Transport> client;
  BOOST_TEST(!place.outcome(*place.network().connect(place.loop, *listener->address(), {}), client));
  Listener::Accepted accepted;
  BOOST_TEST(!place.accept(*listener, accepted));
  BOOST_TEST((accepted.remote == client->local_address()));
  BOOST_TEST((accepted.transport->remote_address() == accepted.remote));
  BOOST_TEST((accepted.transport->local_address() == listener->address()));
}

BOOST_AUTO_TEST_CASE(addresses_that_cannot_be_listened_at) {
  Place place;
  const auto listener = place.listening(any_port);
  const auto by_path = place.listening(place.path("here"));
  std::unique_ptr<Listener> none;
  BOOST_TEST((place.listen(*listener->address(), none) == system_error(EADDRINUSE)));
  BOOST_TEST((place.listen(place.path("here"), none) == system_error(EADDRINUSE)));
  BOOST_TEST((place.listen(place.path(std::string(200, 'x')), none) == system_error(EINVAL)));
  BOOST_TEST((place.listen(place.path("no/such/directory"), none) == system_error(ENOENT)));
  BOOST_TEST((place.listen(SocketAddress::ip("192.0.2.1", 0), none) == system_error(EADDRNOTAVAIL)));
  BOOST_TEST(!none);
}

BOOST_AUTO_TEST_CASE(descriptors_that_cannot_be_listened_on) {
  Place place;
  std::array<int, 2> pipe{};
  BOOST_REQUIRE(::pipe(pipe.data()) == 0);
  const RawSocket datagrams(Family::ipv4, SOCK_DGRAM);
  std::unique_ptr<Listener> none;
  for (const int descriptor : {-1, pipe[0], datagrams.descriptor()}) {
    BOOST_TEST((place.listen(descriptor, none) == system_error(EINVAL)));
  }
  BOOST_TEST(!none);
  BOOST_TEST(::close(pipe[0]) == 0);  // they are still the caller's
  BOOST_TEST(::close(pipe[1]) == 0);
}

BOOST_AUTO_TEST_CASE(a_bound_socket_gives_its_descriptor_unless_listening_fails) {
  Place place;
  const BoundSocket bound(any_port);
  const int descriptor = bound.native_handle();
  const auto listener = place.listening(bound);
  BOOST_TEST(listener->native_handle() == descriptor);
  BOOST_TEST(bound.native_handle() == -1);
  std::unique_ptr<Listener> none;
  BOOST_TEST((place.listen(bound, none) == system_error(EINVAL)));
  BOOST_TEST(!none);
}

BOOST_AUTO_TEST_CASE(permissions_and_the_file_of_a_path) {
  Place place;
  const std::string name = place.path("here").address();
  const mode_t before = ::umask(077);
  auto listener = place.listening(place.path("here"), {.bind = {}, .readable_all = true, .writable_all = true});
  ::umask(before);
  struct stat status{};
  BOOST_REQUIRE(::stat(name.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0666U) == 0666U);
  listener.reset();
  BOOST_TEST(!fs::exists(name));
}

BOOST_AUTO_TEST_CASE(a_file_that_nobody_listens_behind_is_replaced) {
  Place place;
  {
    RawSocket stale(Family::unix_path);
    BOOST_REQUIRE(stale.bind(place.path("here")) == 0);
  }
  const auto listener = place.listening(place.path("here"));
  BOOST_TEST(!place.outcome(place.path("here")));
}

BOOST_AUTO_TEST_CASE(connections_that_fail) {
  Place place;
  SocketAddress closed;
  {
    RawSocket held(Family::ipv4);
    BOOST_REQUIRE(held.bind(any_port) == 0);
    closed = held.local_address();
    BOOST_TEST((place.outcome(closed) == system_error(ECONNREFUSED)));
  }
  BOOST_TEST((place.outcome(place.path("nothing")) == system_error(ENOENT)));
  BOOST_TEST((place.outcome(place.path(std::string(200, 'x'))) == system_error(EINVAL)));
  const auto listener = place.listening(any_port);
  const SocketAddress& taken = *listener->address();
  BOOST_TEST((place.outcome(taken, {.local = taken, .bound = {}}) == system_error(EADDRINUSE)));
  const auto foreign = SocketAddress::ip("192.0.2.1", 0);
  BOOST_TEST((place.outcome(taken, {.local = foreign, .bound = {}}) == system_error(EADDRNOTAVAIL)));
  BOOST_TEST((place.outcome(taken, {.local = {}, .bound = BoundSocket()}) == Errc::invalid_handle));
}

BOOST_AUTO_TEST_CASE(an_attempt_knows_what_it_was_bound_to_by_request) {
  Place place;
  const auto listener = place.listening(any_port);
  const auto chosen = place.network().connect(place.loop, *listener->address(), {});
  std::unique_ptr<Transport> made;
  BOOST_TEST(!place.outcome(*chosen, made));
  BOOST_TEST(!chosen->local_address().has_value());
  const auto bound = place.network().connect(place.loop, *listener->address(), {.local = any_port, .bound = {}});
  BOOST_TEST(!place.outcome(*bound, made));
  BOOST_TEST((bound->local_address() == made->local_address()));
}

BOOST_AUTO_TEST_CASE(an_attempt_asks_again_while_the_backlog_of_a_path_is_full) {
  Place place;
  place.loop->use_manual_clock();
  const auto listener = place.listening(place.path("here"), {.bind = {}, .backlog = 0});
  RawSocket first(Family::unix_path);
  BOOST_REQUIRE(first.connect(place.path("here")) == 0);
  const auto attempt = place.network().connect(place.loop, place.path("here"), {});
  AttemptTold told;
  attempt->observe(&told);
  std::unique_ptr<Transport> made;
  BOOST_TEST((attempt->proceed(made) == system_error(EINPROGRESS)));
  Listener::Accepted accepted;
  BOOST_TEST(!place.accept(*listener, accepted));
  BOOST_TEST((attempt->proceed(made) == system_error(EINPROGRESS)));
  BOOST_TEST(told.times == 0);
  place.loop->advance(1ms);
  drive_ready(*place.context);
  BOOST_TEST(told.times == 1);
  BOOST_TEST(!attempt->proceed(made));
}

BOOST_AUTO_TEST_CASE(out_of_descriptors) {
  Place place;
  const auto listener = place.listening(any_port);
  RawSocket client(Family::ipv4);
  BOOST_REQUIRE(client.connect(*listener->address()) == 0);
  Listener::Accepted accepted;
  std::unique_ptr<Listener> none;
  error_code listen_failed;
  error_code connect_failed;
  error_code accept_failed;
  {
    const NoDescriptors now;
    listen_failed = place.listen(any_port, none);
    connect_failed = place.outcome(*listener->address());
    accept_failed = place.accept(*listener, accepted);
  }
  BOOST_TEST((listen_failed == system_error(EMFILE)));
  BOOST_TEST((connect_failed == system_error(EMFILE)));
  BOOST_TEST((accept_failed == system_error(EMFILE)));
  BOOST_TEST(!accepted.transport);
  BOOST_TEST(!place.accept(*listener, accepted));  // it has waited in the backlog
}

BOOST_AUTO_TEST_CASE(what_a_given_descriptor_is) {
  Place place;
  std::array<int, 2> pipe{};
  BOOST_REQUIRE(::pipe(pipe.data()) == 0);
  const auto listener = place.listening(any_port);
  Adopted adopted;
  for (const int refused : {-1, pipe[0], listener->native_handle()}) {
    BOOST_TEST((place.network().adopt(place.loop, refused, adopted) == Errc::invalid_handle));
  }
  BOOST_TEST(!adopted.transport);
  BOOST_TEST(!adopted.bound.has_value());
  ::close(pipe[0]);
  ::close(pipe[1]);

  const auto [ours, theirs] = tcp_pair();
  BOOST_TEST(!place.network().adopt(place.loop, ours, adopted));
  BOOST_REQUIRE(adopted.transport);
  BOOST_TEST(adopted.transport->native_handle() == ours);
  BOOST_TEST(adopted.transport->remote_address().has_value());
  ::close(theirs);

  Adopted unconnected;
  const int fresh = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  BOOST_TEST(!place.network().adopt(place.loop, fresh, unconnected));
  BOOST_REQUIRE(unconnected.bound.has_value());
  BOOST_TEST(unconnected.bound->native_handle() == fresh);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
