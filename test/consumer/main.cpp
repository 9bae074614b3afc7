// A user's program: it uses headers, compiled code and an error category of the installed library.
#include <cstdlib>
#include <iostream>
#include <libnet/address.hpp>
#include <libnet/errc.hpp>

int main() {
  const auto address = libnet::SocketAddress::parse("[::1]:80");
  if (!address || address->to_string() != "[::1]:80") {
    std::cerr << "the installed library did not read an address\n";
    return EXIT_FAILURE;
  }
  std::cout << address->to_string() << ' ' << make_error_code(libnet::Errc::busy).message() << '\n';
}
