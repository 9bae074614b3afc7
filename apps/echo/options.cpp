#include "options.hpp"

#include <filesystem>
#include <map>

#include <CLI/CLI.hpp>

#include "common/command_line.hpp"
#include "echo.hpp"

namespace {

constexpr const char* description =
    "Sends back to every client what it sends: over TCP, and over a Unix-domain socket at the same time.";

constexpr const char* examples = R"(Examples:
  libnet-echo                            on port 7777 of all addresses, and on a Unix-domain socket
  libnet-echo --port 0 --host 127.0.0.1  on a free port, which it prints, for this machine alone
  libnet-echo --path /run/echo.sock      on another Unix-domain socket; --path "" for none
  libnet-echo --style await              served by coroutines instead of listeners

Talk to it:
  nc -N localhost 7777
  nc -N -U /tmp/libnet-echo.sock
  socat - TCP:localhost:7777

Ctrl-C or SIGTERM ends it: it accepts nobody any more, clients may finish for 2 seconds; a second one cuts them off.)";

std::string default_path() {
  std::error_code none;
  return (std::filesystem::temp_directory_path(none) / "libnet-echo.sock").string();
}

template <class Value>
std::string names(const std::map<std::string, Value>& choices) {
  std::string all;
  for (const auto& [name, value] : choices) all += (all.empty() ? "" : "|") + name;
  return all;
}

template <class Value>
void add_choice(CLI::App& app, const std::string& name, std::string& chosen,
                const std::map<std::string, Value>& choices, const std::string& help) {
  app.add_option(name, chosen, help)
      ->capture_default_str()
      ->type_name(names(choices))
      ->check([&](const std::string& text) {
        return choices.contains(text) ? std::string() : "'" + text + "' is none of " + names(choices);
      });
}

}  // namespace

std::optional<Options> parse_options(int argument_count, const char* const* arguments, int& status) {
  const std::map<std::string, std::function<void(libnet::Server&)>> styles{{"events", echo_with_events},
                                                                           {"await", echo_with_coroutines}};
  const std::map<std::string, libnet::ReactorKind> reactors{{"epoll", libnet::ReactorKind::epoll},
                                                            {"portable", libnet::ReactorKind::portable}};
  Options options;
  options.path = default_path();
  std::string style = "events";
  std::string reactor = "epoll";

  CLI::App app(description, "libnet-echo");
  app.footer(examples);
  app.add_option("--port", options.port, "TCP port; 0: a free one")->capture_default_str()->check(CLI::Range(0, 65535));
  app.add_option("--host", options.host, "Address or name to listen on [all]");
  app.add_option("--path", options.path,
                 "Unix-domain socket; made in the temporary directory, removed at the end; \"\": none")
      ->capture_default_str();
  add_choice(app, "--style", style, styles, "How it is served");
  add_choice(app, "--reactor", reactor, reactors, "How it learns that sockets are ready");
  if (const auto ended = read_command_line(app, "libnet-echo", argument_count, arguments)) {
    status = *ended;
    return std::nullopt;
  }
  options.echo = styles.at(style);
  options.reactor = reactors.at(reactor);
  return options;
}
