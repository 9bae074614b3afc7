#include "common-asio/version.hpp"
#include "common/servers.hpp"

int main(int argument_count, char** arguments) {
  return bench::run_rival(argument_count, arguments, "bench-beast", bench::boost_version("Beast"));
}
