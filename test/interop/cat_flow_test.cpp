#include "cat_program.hpp"
#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>

// libnet-cat between one who sends and one who does not take it: it holds the sender back, and keeps next to nothing.
namespace libnet::test {

namespace data = boost::unit_test::data;

namespace {

struct RequireCat {
  RequireCat() { require_program(LIBNET_CAT); }
};
BOOST_TEST_GLOBAL_FIXTURE(RequireCat);

constexpr std::size_t total = 64 * mebibyte;

// With the address sanitizer freed memory is kept.
#ifdef LIBNET_SANITIZE_ADDRESS
constexpr bool growth_can_be_judged = false;
#else
constexpr bool growth_can_be_judged = true;
#endif
constexpr std::size_t most_growth = mebibyte / 2;

/// What is sent into one descriptor and is to come out of another.
class Stream {
 public:
  Stream(int sender, int receiver) : sender_(sender), receiver_(receiver) {
    ::fcntl(sender_, F_SETFL, O_NONBLOCK);
    ::fcntl(receiver_, F_SETFL, O_NONBLOCK);
  }

  /// Sends while nobody receives. What fits into the kernel's buffers goes, no more.
  void send_until_stuck() {
    sent_ = write_until_stuck(sender_, bytes_);
    BOOST_TEST(sent_ > 0);
    BOOST_TEST(sent_ < total);
  }

  /// Sends and receives the rest; `end` tells the program that it was all.
  template <class End>
  void finish(const End& end) {
    while (sent_ < total) {
      pollfd waiting[] = {{sender_, POLLOUT, 0}, {receiver_, POLLIN, 0}};
      BOOST_REQUIRE(::poll(waiting, 2, 60'000) > 0);
      if (waiting[0].revents != 0) send();
      if (waiting[1].revents != 0) BOOST_REQUIRE(receive());
    }
    end();
    while (wait_for(receiver_, POLLIN) && receive()) {
    }
    BOOST_TEST(received_ == total);
  }

 private:
  void send() {
    const ssize_t size = ::write(sender_, bytes_.data() + sent_, total - sent_);
    if (size > 0) sent_ += static_cast<std::size_t>(size);
  }

  bool receive() {
    const ssize_t size = ::read(receiver_, buffer_.data(), buffer_.size());
    if (size <= 0) return false;
    const std::string_view got(buffer_.data(), static_cast<std::size_t>(size));
    BOOST_REQUIRE((std::string_view(bytes_).substr(received_, got.size()) == got));
    received_ += got.size();
    return true;
  }

  static const std::string& all_bytes() {
    static const std::string bytes = [] {
      const std::string piece = random_bytes(mebibyte + 1);
      std::string all;
      while (all.size() < total) all += piece;
      all.resize(total);
      return all;
    }();
    return bytes;
  }

  int sender_;
  int receiver_;
  const std::string& bytes_ = all_bytes();
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

void check_memory(const Process& cat, std::size_t before) {
  const std::size_t after = resident_size(cat.id());
  BOOST_TEST_MESSAGE("memory grew from " << before << " to " << after << " bytes");
  BOOST_TEST((after != 0 && (!growth_can_be_judged || after <= before + most_growth)),
             "from " << before << " to " << after << " bytes");
}

Family family_of(const Place& place) { return place.address().family(); }

}  // namespace

BOOST_DATA_TEST_CASE(a_slow_standard_output_holds_the_peer_back, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  NamedPipe output(directory, "output");
  Process cat = start_cat(place, {"-l", "-v"}, {.output = output.path()});
  output.open(O_RDONLY);
  place.read_port(cat);
  RawSocket peer(family_of(place));
  BOOST_REQUIRE(peer.connect(place.address()) == 0);
  cat.read_until("connection from ");
  const std::size_t before = resident_size(cat.id());

  Stream stream(peer.descriptor(), output.descriptor());
  stream.send_until_stuck();
  check_memory(cat, before);
  BOOST_TEST(!is_non_blocking(cat.id(), STDOUT_FILENO));
  stream.finish([&] {
    check_memory(cat, before);
    ::shutdown(peer.descriptor(), SHUT_WR);
  });
  check_end(cat, 0, "");
}

BOOST_DATA_TEST_CASE(a_slow_peer_stops_the_reading_of_standard_input, data::make(all_links), link) {
  const TemporaryDirectory directory;
  Place place(link, directory);
  RawSocket listener(family_of(place));
  BOOST_REQUIRE(listener.bind(place.address()) == 0);
  BOOST_REQUIRE(listener.listen() == 0);
  if (!place.is_unix()) place.port = std::to_string(listener.local_address().port());
  NamedPipe input(directory, "input");
  Process cat = start_cat(place, {"-N", "-v"}, {.input = input.path()});
  input.open(O_WRONLY);
  cat.read_until("connected to ");
  const std::size_t before = resident_size(cat.id());
  const int peer = ::accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);

  Stream stream(input.descriptor(), peer);
  stream.send_until_stuck();
  check_memory(cat, before);
  BOOST_TEST(!is_non_blocking(cat.id(), STDIN_FILENO));
  stream.finish([&] {
    check_memory(cat, before);
    input.close();
  });
  ::close(peer);
  check_end(cat, 0, "");
}

}  // namespace libnet::test
