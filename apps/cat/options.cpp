#include "options.hpp"

#include <libnet/address.hpp>

#include <charconv>
#include <cstdint>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/command_line.hpp"

namespace {

constexpr const char* description = "Connects standard input and output with a peer, over TCP or a Unix-domain socket.";

constexpr const char* usage = R"(
Usage: libnet-cat [options] host port
       libnet-cat [options] -U path
       libnet-cat -l [options] [host] port
       libnet-cat -l [options] -U path
)";

class Formatter : public CLI::Formatter {
  std::string make_usage(const CLI::App*, std::string) const override { return usage; }
};

constexpr const char* footer =
    R"(The connection ends when the peer ends it; input that is there by then is still sent. With -N each side ends when it
has nothing more to send, and the connection when both have. Whoever is slow holds the other back; nothing piles up.

Examples:
  libnet-cat localhost 7777                  type to a server; Ctrl-C ends it
  libnet-cat -N localhost 7777 <in >out      send a file, and keep the answer
  libnet-cat -l 9000 >copy                   receive a file, from another terminal's
  libnet-cat -N localhost 9000 <original
  libnet-cat -l -v 0                         on a free port, and say which
  libnet-cat -l -k -U /tmp/log.sock >>log    one client after the other, until a signal ends it
  libnet-cat -w 5 -4 example.org 80          give up after 5 seconds without connection or traffic

It ends with
  0    all was transferred
  1    it could not connect or listen, the connection broke, or standard input or output failed
  2    it was called wrongly
  3    the time limit was up
  130  SIGINT ended it; 143: SIGTERM did
  141  who reads standard output took no more
With -k the trouble of one client is told and does not end it.)";

/// One of the ways in which options do not fit each other.
void require(bool condition, const std::string& otherwise) {
  if (!condition) throw CLI::ValidationError(otherwise);
}

int parse_port(const std::string& text) {
  int port = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  require(whole && port >= 0 && port <= 65535, "'" + text + "' is no port (0 to 65535)");
  return port;
}

void check_unix(const Options& options, const std::vector<std::string>& words) {
  require(words.empty(), "-U takes a path, and no host and port beside it");
  require(options.family == 0 && options.source_address.empty() && !options.source_port,
          "-4, -6, -p and -s do not go with -U");
}

void read_peer(Options& options, const std::vector<std::string>& words) {
  require(words.size() == 2, "host and port are needed, or -U and a path");
  options.host = words[0];
  options.port = parse_port(words[1]);
}

/// The own address and port are where it listens, whichever way they are told.
void read_listening(Options& options, const std::vector<std::string>& words) {
  const bool has_host = words.size() == 2;
  require(words.empty() == options.source_port.has_value(), "-l needs one port, or -U and a path");
  require(!has_host || options.source_address.empty(), "-s and a host say the same twice");
  options.host = has_host ? words[0] : options.source_address;
  options.port = words.empty() ? *options.source_port : parse_port(words.back());
}

void check_family(const Options& options, const std::string& address) {
  const int family = libnet::is_ip(address);
  require(family == 0 || options.family == 0 || family == options.family,
          "'" + address + "' is no IPv" + std::to_string(options.family) + " address");
}

void read_words(Options& options, const std::vector<std::string>& words) {
  require(options.listen || !options.keep_listening, "-k needs -l");
  require(words.size() <= 2, "more than host and port");
  if (!options.path.empty()) return check_unix(options, words);
  options.listen ? read_listening(options, words) : read_peer(options, words);
  check_family(options, options.host);
  check_family(options, options.source_address);
}

}  // namespace

std::optional<int> parse_options(int argument_count, const char* const* arguments, Options& options) {
  std::vector<std::string> words;
  std::int64_t timeout = 0;
  bool ipv4 = false;
  bool ipv6 = false;

  CLI::App app(description, "libnet-cat");
  app.formatter(std::make_shared<Formatter>());
  app.footer(footer);
  app.add_option("destination", words)->group("");
  app.add_flag("-l,--listen", options.listen, "Wait for a peer instead of connecting to one");
  app.add_flag("-k,--keep-listening", options.keep_listening, "With -l: then wait for the next peer");
  app.add_option("-U,--unix", options.path, "Unix-domain socket")->type_name("PATH");
  app.add_flag("-N,--half-close", options.half_close, "Tell the peer when standard input is at its end");
  app.add_option("-w,--timeout", timeout, "Give up when connecting or idling takes that long")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}).description(""));
  auto* only_ipv4 = app.add_flag("-4,--ipv4", ipv4, "IPv4 only");
  app.add_flag("-6,--ipv6", ipv6, "IPv6 only")->excludes(only_ipv4);
  app.add_option("-s,--source-address", options.source_address, "Own address")->type_name("ADDRESS");
  app.add_option("-p,--source-port", options.source_port, "Own port")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535).description(""));
  app.add_flag("-v,--verbose", options.verbose, "Tell on standard error who is connected");
  app.callback([&] {
    options.family = ipv4 ? 4 : ipv6 ? 6 : 0;
    options.timeout = std::chrono::seconds(timeout);
    read_words(options, words);
  });
  return read_command_line(app, "cat", argument_count, arguments);
}
