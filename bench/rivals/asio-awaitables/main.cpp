#include "common-asio/version.hpp"
#include "common/servers.hpp"

int main(int argument_count, char** arguments) {
  return bench::run_rival(argument_count, arguments, "bench-asio-awaitables", bench::boost_version("Asio awaitables"));
}
