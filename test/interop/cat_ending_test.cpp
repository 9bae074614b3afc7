#include "cat_program.hpp"
#include "support/full_listener.hpp"
#include "support/raw_socket.hpp"

#include <csignal>
#include <cstdlib>

// How libnet-cat ends: its status, and the line that it says.
namespace libnet::test {

namespace data = boost::unit_test::data;

namespace {

struct RequirePrograms {
  RequirePrograms() {
    for (const char* program : {LIBNET_CAT, "nc", "socat"}) require_program(program);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(RequirePrograms);

struct Misuse {
  std::vector<std::string> arguments;
  std::string said;

  friend std::ostream& operator<<(std::ostream& out, const Misuse& misuse) { return out << misuse.said; }
};

const std::vector<Misuse> misuses{
    {{}, "host and port are needed, or -U and a path"},
    {{"localhost"}, "host and port are needed, or -U and a path"},
    {{"localhost", "80", "90"}, "more than host and port"},
    {{"localhost", "http"}, "'http' is no port (0 to 65535)"},
    {{"localhost", "65536"}, "'65536' is no port (0 to 65535)"},
    {{"--keen", "localhost", "80"}, "The following argument was not expected: --keen"},
    {{"-l"}, "-l needs one port, or -U and a path"},
    {{"-l", "-p", "80", "80"}, "-l needs one port, or -U and a path"},
    {{"-l", "-s", "::1", "localhost", "80"}, "-s and a host say the same twice"},
    {{"-k", "localhost", "80"}, "-k needs -l"},
    {{"-4", "::1", "80"}, "'::1' is no IPv4 address"},
    {{"-6", "-s", "127.0.0.1", "localhost", "80"}, "'127.0.0.1' is no IPv6 address"},
    {{"-4", "-6", "localhost", "80"}, "--ipv4 excludes --ipv6"},
    {{"-U", "/tmp/socket", "localhost", "80"}, "-U takes a path, and no host and port beside it"},
    {{"-4", "-U", "/tmp/socket"}, "-4, -6, -p and -s do not go with -U"},
    {{"-w", "0", "localhost", "80"}, "--timeout: Value 0 not in range 1 to 1000000000"},
};

/// A listener of the test's own: it accepts when the test says so.
class Listener {
 public:
  explicit Listener(Place& place) : socket_(place.address().family()) {
    BOOST_REQUIRE(socket_.bind(place.address()) == 0);
    BOOST_REQUIRE(socket_.listen() == 0);
    if (!place.is_unix()) place.port = std::to_string(socket_.local_address().port());
  }

  /// The connection of the next client, and its address.
  int accept(SocketAddress* client = nullptr) const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* native = reinterpret_cast<sockaddr*>(&storage);
    const int descriptor = ::accept4(socket_.descriptor(), native, &length, SOCK_CLOEXEC);
    BOOST_REQUIRE(descriptor >= 0);
    if (client != nullptr) *client = SocketAddress::from_native(native, length).value_or(SocketAddress());
    return descriptor;
  }

 private:
  RawSocket socket_;
};

}  // namespace

// --- the command line ----------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(called_wrongly, data::make(misuses), misuse) {
  Process cat(command({LIBNET_CAT}, misuse.arguments));
  check_end(cat, 2, "cat: " + misuse.said + " (--help lists the options)\n");
}

BOOST_AUTO_TEST_CASE(help_shows_examples_and_every_status) {
  Process cat({LIBNET_CAT, "--help"});
  const std::string help = rest_of(cat);
  BOOST_TEST(cat.wait() == 0);
  for (const char* part : {"Usage: libnet-cat", "Examples:", "--timeout", "\n  0  ", "\n  1  ", "\n  2  ", "\n  3  ",
                           "\n  130  SIGINT", "143: SIGTERM", "\n  141  "}) {
    BOOST_TEST((help.find(part) != std::string::npos), part);
  }
}

// --- no connection -------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(refused, data::make({Link::ipv4, Link::ipv6}), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  RawSocket taken(place.address().family());  // bound, but it does not listen
  BOOST_REQUIRE(taken.bind(place.address()) == 0);
  place.port = std::to_string(taken.local_address().port());
  Process cat = start_cat(place, {});
  check_end(cat, 1, "cat: connect ECONNREFUSED " + place.host() + ":" + place.port + "\n");
}

BOOST_AUTO_TEST_CASE(a_path_that_is_not_there) {
  const TemporaryDirectory directory;
  const Place place(Link::unix_path, directory);
  Process cat = start_cat(place, {});
  check_end(cat, 1, "cat: connect ENOENT " + place.path + "\n");
}

BOOST_DATA_TEST_CASE(an_address_that_is_taken, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  const Listener listener(place);
  const std::string where = place.is_unix() ? place.path : place.host() + ":" + place.port;
  Process cat = start_cat(place, {"-l"});
  check_end(cat, 1, "cat: listen EADDRINUSE: address already in use " + where + "\n");
}

BOOST_AUTO_TEST_CASE(connecting_takes_too_long) {
  const FullListener full("127.0.0.1");
  Process cat({LIBNET_CAT, "--timeout", "1", "127.0.0.1", std::to_string(full.address().port())});
  check_end(cat, 3, "cat: could not connect within 1 s\n");
}

// --- a connection that breaks --------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(idle_for_too_long, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  const Listener silent(place);
  Process cat = start_cat(place, {"-w", "1"});
  check_end(cat, 3, "cat: nothing was transferred for 1 s\n");
}

/// Half a page stays in the pipe, so what follows fills it up in the middle of a write.
BOOST_AUTO_TEST_CASE(standard_output_is_stuck_for_too_long) {
  const TemporaryDirectory directory;
  Place place(Link::ipv4, directory);
  NamedPipe output(directory, "output");
  Process cat = start_cat(place, {"-l", "-v", "-w", "1"}, {.output = output.path()});
  output.open(O_RDONLY);
  place.read_port(cat);
  RawSocket peer(place.address().family());
  BOOST_REQUIRE(peer.connect(place.address()) == 0);
  peer.send(std::string(2048, 'x'));
  BOOST_TEST(read_up_to(output.descriptor(), 1024).size() == 1024);
  peer.send(std::string(mebibyte / 2, 'x'));
  cat.read_until("connection from ");
  check_end(cat, 3, "cat: nothing was transferred for 1 s\n");
}

BOOST_DATA_TEST_CASE(a_client_that_idles_does_not_end_a_listener_that_goes_on, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  Process cat = listening_cat(place, {"-k", "-w", "1"});
  RawSocket silent(place.address().family());
  BOOST_REQUIRE(silent.connect(place.address()) == 0);
  cat.read_until("connection from ");
  BOOST_TEST(cat.read_line().value_or("") == "cat: nothing was transferred for 1 s");
  RawSocket next(place.address().family());
  BOOST_REQUIRE(next.connect(place.address()) == 0);
  next.send("hello\n");
  cat.read_until("connection from ");
  BOOST_TEST(cat.read_line().value_or("") == "hello");
}

BOOST_DATA_TEST_CASE(the_peer_is_killed, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  NamedPipe unread(directory, "unread");
  Process nc(command({"nc", "-l", "-v", "-n"}, place.words()), {.output = unread.path()});
  unread.open(O_RDONLY);
  place.read_port(nc);
  Process cat = start_cat(place, {}, {.input = "/dev/zero"});
  BOOST_REQUIRE(wait_for(unread.descriptor(), POLLIN));
  nc.signal(SIGKILL);
  nc.wait();
  const std::string said = rest_of(cat);
  const bool known =
      said == "cat: read ECONNRESET\n" || said == "cat: write ECONNRESET\n" || said == "cat: write EPIPE\n";
  BOOST_TEST(known, said);
  BOOST_TEST(cat.wait() == 1);
}

/// The peer breaks the connection while standard output takes nothing: what it sent before is still written.
BOOST_AUTO_TEST_CASE(what_came_before_the_break_is_written) {
  const TemporaryDirectory directory;
  Place place(Link::unix_path, directory);
  const Listener listener(place);
  NamedPipe output(directory, "output");
  Process cat = start_cat(place, {}, {.input = "/dev/zero", .output = output.path()});
  output.open(O_RDONLY);
  const int peer = listener.accept();
  const std::string sent(150'000, 'x');
  BOOST_REQUIRE(write_until_stuck(peer, sent) == sent.size());
  ::close(peer);  // with input unread: a reset
  BOOST_TEST((read_up_to(output.descriptor(), sent.size() + 1) == sent));
  BOOST_TEST(rest_of(cat).starts_with("cat: "));
  BOOST_TEST(cat.wait() == 1);
}

// --- standard input and output -------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(standard_output_is_closed_early, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  NamedPipe output(directory, "output");
  Process cat = start_cat(place, {"-l", "-v"}, {.output = output.path()});
  output.open(O_RDONLY);
  place.read_port(cat);
  Process socat({"socat", "-u", "OPEN:/dev/zero", place.socat_peer()});
  BOOST_TEST(read_up_to(output.descriptor(), 10).size() == 10);
  output.close();
  cat.read_until("connection from ");
  check_end(cat, 141, "");
}

BOOST_AUTO_TEST_CASE(in_a_pipe_with_head) {
  const TemporaryDirectory directory;
  Place place(Link::ipv4, directory);
  Process socat({"socat", "-d", "-d", "-U", place.socat_listener(), "OPEN:/dev/zero"});
  place.read_port(socat);
  const auto shell = command(
      {"bash", "-c", R"("$@" | head -c 10 | tr '\0' x; echo " ${PIPESTATUS[0]}")", "bash", LIBNET_CAT}, place.words());
  Process pipeline(shell);
  check_end(pipeline, 0, "xxxxxxxxxx 141\n");
}

BOOST_AUTO_TEST_CASE(standard_output_has_no_room) {
  const TemporaryDirectory directory;
  Place place(Link::ipv4, directory);
  Process cat = listening_cat(place, {"-k"}, {.output = "/dev/full"});
  Process socat({"socat", "-u", "OPEN:/dev/zero", place.socat_peer()});
  cat.read_until("connection from ");
  check_end(cat, 1, "cat: write ENOSPC standard output\n");
}

BOOST_AUTO_TEST_CASE(standard_input_cannot_be_read) {
  const TemporaryDirectory directory;
  Place place(Link::ipv4, directory);
  const Listener listener(place);
  Process cat = start_cat(place, {}, {.input = "/tmp"});
  check_end(cat, 1, "cat: read EISDIR standard input\n");
}

BOOST_DATA_TEST_CASE(closed_descriptors, data::make({"<&-", ">&-", "<&- >&- 2>&-"}), closed) {
  const TemporaryDirectory directory;
  Place place(Link::ipv4, directory);
  const Listener listener(place);
  Process shell(command({"sh", "-c", std::string("\"$@\" ") + closed + "; echo $?", "sh", LIBNET_CAT}, place.words()));
  const int peer = listener.accept();
  BOOST_TEST(write_until_stuck(peer, "hello") == 5);
  BOOST_TEST(rest_of(shell).ends_with("1\n"));
  ::close(peer);
}

/// The end of input that is typed is told once; who asks again waits.
BOOST_AUTO_TEST_CASE(the_end_is_typed_at_a_terminal) {
  const TemporaryDirectory directory;
  Place place(Link::ipv4, directory);
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  BOOST_REQUIRE((::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0));
  const Listener listener(place);
  Process cat = start_cat(place, {"-N"}, {.input = ::ptsname(terminal)});
  const int peer = listener.accept();
  BOOST_TEST(write_until_stuck(terminal, "hello\n\x04") == 7);
  BOOST_TEST(read_up_to(peer, 100) == "hello\n");
  BOOST_TEST(!is_non_blocking(cat.id(), STDIN_FILENO));
  ::close(peer);
  check_end(cat, 0, "");
  ::close(terminal);
}

// --- signals -------------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(signals_end_it, data::make(all_links) * data::make({SIGINT, SIGTERM}), link, number) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  Process waiting = listening_cat(place, {});
  waiting.signal(number);
  check_end(waiting, 128 + number, "");
  BOOST_TEST(::access(place.path.c_str(), F_OK) != 0);

  Place other(link, directory);
  const Listener silent(other);
  Process connected = start_cat(other, {"-v"});
  connected.read_until("connected to ");
  connected.signal(number);
  check_end(connected, 128 + number, "");
}

// --- what it is told and what it tells -----------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(the_source_address_and_port, data::make({Link::ipv4, Link::ipv6}), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  RawSocket free(place.address().family());
  BOOST_REQUIRE(free.bind(place.address()) == 0);
  const std::string port = std::to_string(free.local_address().port());
  free.close();
  const Listener listener(place);
  const std::string source = link == Link::ipv4 ? "127.0.0.7" : "::1";
  Process cat = start_cat(place, {"-s", source, "-p", port});
  SocketAddress client;
  const int peer = listener.accept(&client);
  BOOST_TEST(client == SocketAddress::ip(source, static_cast<std::uint16_t>(std::stoi(port))));
  ::close(peer);
  check_end(cat, 0, "");
}

BOOST_AUTO_TEST_CASE(ipv4_only) {
  for (const std::vector<std::string>& where : {std::vector<std::string>{"0"}, {"localhost", "0"}}) {
    Process listener(command({LIBNET_CAT, "-l", "-4"}, where));
    const std::string address = listener.read_until("listening on ");
    BOOST_TEST(address.starts_with(where.size() == 1 ? "0.0.0.0:" : "127.0.0.1:"));
    const std::string port = address.substr(address.rfind(':') + 1);
    Process cat({LIBNET_CAT, "-4", "-N", "-v", "localhost", port});
    check_end(cat, 0, "connected to 127.0.0.1:" + port + "\n");
    check_end(listener, 0, "");
  }
}

BOOST_AUTO_TEST_CASE(ipv6_only) {
  Process listener({LIBNET_CAT, "-l", "-6", "0"});
  const std::string port = listener.read_until("listening on [::]:");
  Process wrong({LIBNET_CAT, "127.0.0.1", port});
  check_end(wrong, 1, "cat: connect ECONNREFUSED 127.0.0.1:" + port + "\n");
  Process cat({LIBNET_CAT, "-6", "-N", "-v", "::1", port});
  check_end(cat, 0, "connected to [::1]:" + port + "\n");
  check_end(listener, 0, "");
}

BOOST_DATA_TEST_CASE(where_it_listens_is_told_when_nobody_knows_the_port, data::make({Link::ipv4, Link::ipv6}), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  Process cat = start_cat(place, {"-l"});
  BOOST_TEST(
      cat.read_line().value_or("").starts_with("listening on " + (link == Link::ipv4 ? place.host() : "[::1]") + ":"));
}

}  // namespace libnet::test
