#include "common-asio/servers.hpp"

int main(int argument_count, char** arguments) {
  return bench::run_asio_rival(argument_count, arguments, "bench-asio-awaitables", "Asio awaitables");
}
