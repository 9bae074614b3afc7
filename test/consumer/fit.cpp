// A user's program, or as much of it as the linker has to see.
#ifdef ALL_HEADERS
#include <libnet/net.hpp>
#else
#include <libnet/detail/asio/build_facts.hpp>
#endif

int main() {}
