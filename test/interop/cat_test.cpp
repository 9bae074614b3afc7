#include "cat_program.hpp"
#include "support/behaviour.hpp"

// libnet-cat with nc and socat, in both roles: what goes in on one side comes out on the other.
namespace libnet::test {

namespace data = boost::unit_test::data;

namespace {

struct RequirePrograms {
  RequirePrograms() {
    for (const char* program : {LIBNET_CAT, "nc", "socat"}) require_program(program);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(RequirePrograms);

/// Two files of random bytes that go opposite ways, and what arrives of each.
class TwoFiles {
 public:
  TwoFiles() : from_cat_(random_bytes(10 * mebibyte, 1)), from_peer_(random_bytes(10 * mebibyte, 2)) {
    write_file(directory_.file("cat.in"), from_cat_);
    write_file(directory_.file("peer.in"), from_peer_);
  }

  const TemporaryDirectory& directory() const { return directory_; }
  ProcessFiles cat() const { return {.input = directory_.file("cat.in"), .output = directory_.file("cat.out")}; }
  ProcessFiles peer() const { return {.input = directory_.file("peer.in"), .output = directory_.file("peer.out")}; }

  /// Both programs end well, and both files have arrived.
  void check(Process& cat, Process& peer) const {
    BOOST_TEST(cat.wait() == 0);
    BOOST_TEST(peer.wait() == 0);
    BOOST_TEST((read_file(directory_.file("cat.out")) == from_peer_));
    BOOST_TEST((read_file(directory_.file("peer.out")) == from_cat_));
  }

 private:
  TemporaryDirectory directory_;
  std::string from_cat_;
  std::string from_peer_;
};

Process listening_nc(Place& place, const std::vector<std::string>& options, const ProcessFiles& files) {
  Process nc(command(command({"nc", "-l", "-v", "-n"}, options), place.words()), files);
  place.read_port(nc);
  return nc;
}

Process listening_socat(Place& place, const std::string& other, const ProcessFiles& files = {}) {
  Process socat({"socat", "-d", "-d", "-t", "60", place.socat_listener(), other}, files);
  place.read_port(socat);
  return socat;
}

Process connecting_nc(const Place& place, const std::vector<std::string>& options, const ProcessFiles& files = {}) {
  return Process(command(command({"nc"}, options), place.words()), files);
}

}  // namespace

// A listening nc drops what it has not sent yet when its peer ends first, so here it is nc that ends the connection.
BOOST_DATA_TEST_CASE(ten_mebibytes_both_ways_with_a_listening_nc, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  Process nc = listening_nc(place, {"-N"}, files.peer());
  Process cat = start_cat(place, {}, files.cat());
  files.check(cat, nc);
}

BOOST_DATA_TEST_CASE(ten_mebibytes_both_ways_with_a_connecting_nc, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  Process cat = listening_cat(place, {}, files.cat());
  Process nc = connecting_nc(place, {"-N"}, files.peer());
  files.check(cat, nc);
}

BOOST_DATA_TEST_CASE(ten_mebibytes_both_ways_with_a_listening_socat, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  Process socat = listening_socat(place, "-", files.peer());
  Process cat = start_cat(place, {"-N"}, files.cat());
  files.check(cat, socat);
}

BOOST_DATA_TEST_CASE(ten_mebibytes_both_ways_with_a_connecting_socat, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  Process cat = listening_cat(place, {"-N"}, files.cat());
  Process socat({"socat", "-t", "60", "-", place.socat_peer()}, files.peer());
  files.check(cat, socat);
}

BOOST_DATA_TEST_CASE(ten_mebibytes_both_ways_between_two_of_its_kind, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  Process listening = listening_cat(place, {"-N"}, files.peer());
  Process connecting = start_cat(place, {"-N"}, files.cat());
  files.check(connecting, listening);
}

BOOST_DATA_TEST_CASE(pipes_as_standard_input_and_output, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  Process socat = listening_socat(place, "-", files.peer());
  Process cat(command({"sh", "-c", R"(in=$1 out=$2; shift 2; cat "$in" | "$@" | cat >"$out")", "sh", files.cat().input,
                       files.cat().output, LIBNET_CAT, "-N"},
                      place.words()));
  files.check(cat, socat);
}

// --- half-close ----------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(an_answer_that_waits_for_the_end_of_the_input, data::make(all_links), link) {
  const TemporaryDirectory directory;
  write_file(directory.file("in"), random_bytes(mebibyte));
  Place place(link, directory);
  Process socat = listening_socat(place, "EXEC:wc -c");
  Process cat = start_cat(place, {"-N"}, {.input = directory.file("in")});
  check_end(cat, 0, std::to_string(mebibyte) + "\n");
}

BOOST_DATA_TEST_CASE(the_end_of_the_input_reaches_a_listening_nc, data::make(all_links), link) {
  const TwoFiles files;
  Place place(link, files.directory());
  NamedPipe held(files.directory(), "held");
  Process nc(command({"nc", "-l", "-v", "-n"}, place.words()), {.input = held.path(), .output = files.peer().output});
  held.open(O_WRONLY);
  place.read_port(nc);
  Process cat = start_cat(place, {"-N"}, files.cat());
  BOOST_TEST(nc.wait() == 0);
  BOOST_TEST(cat.wait() == 0);
  BOOST_TEST((read_file(files.peer().output) == read_file(files.cat().input)));
}

// Each cat without -N: the connection would stay, if nc's end did not end it.
BOOST_DATA_TEST_CASE(without_it_the_connection_stays_until_the_peer_ends, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  NamedPipe held(directory, "held");
  Process cat = listening_cat(place, {});
  Process nc = connecting_nc(place, {"-N"}, {.input = held.path()});
  held.open(O_WRONLY);
  BOOST_TEST(cat.read_until("connection from ").empty() == false);
  BOOST_TEST(write_until_stuck(held.descriptor(), "after the end of cat's input\n") == 29);
  BOOST_TEST(cat.read_line().value_or("") == "after the end of cat's input");
  held.close();
  check_end(cat, 0, "");
  BOOST_TEST(nc.wait() == 0);
}

BOOST_DATA_TEST_CASE(the_end_of_the_peer_ends_the_wait_for_input, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  NamedPipe silent(directory, "silent");
  Process nc = listening_nc(place, {"-N"}, {});
  Process cat = start_cat(place, {}, {.input = silent.path()});
  silent.open(O_WRONLY);
  check_end(cat, 0, "");
  BOOST_TEST(nc.wait() == 0);
}

// --- one client after the other ------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(three_clients_one_after_the_other, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  Process cat = listening_cat(place, {"-k"});
  for (const std::string name : {"first", "second", "third"}) {
    write_file(directory.file(name), name + "\n");
    Process nc = connecting_nc(place, {"-N"}, {.input = directory.file(name)});
    cat.read_until("connection from ");
    BOOST_TEST(cat.read_line().value_or("") == name);
    BOOST_TEST(nc.wait() == 0);
  }
  cat.signal(SIGTERM);
  check_end(cat, 143, "");
  BOOST_TEST(::access(place.path.c_str(), F_OK) != 0);
}

BOOST_DATA_TEST_CASE(input_goes_to_the_client_that_is_there, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  NamedPipe input(directory, "input");
  Process cat = start_cat(place, {"-l", "-k", "-v"}, {.input = input.path()});
  input.open(O_WRONLY);
  place.read_port(cat);
  for (const std::string line : {"first\n", "second\n", "third\n"}) {
    Process socat({"socat", "-t", "60", "-u", place.socat_peer(), "-"});
    cat.read_until("connection from ");
    BOOST_TEST(write_until_stuck(input.descriptor(), line) == line.size());
    BOOST_TEST(socat.read_line().value_or("") + "\n" == line);
    socat.signal(SIGTERM);
    socat.wait();
  }
  cat.signal(SIGINT);
  check_end(cat, 130, "");
}

}  // namespace libnet::test
