#include "libnet/detail/asio/build_facts.hpp"

#pragma GCC visibility push(default)  // what is instantiated is exported if it is declared and defined so

namespace libnet::must_match_the_library {

// NOLINTBEGIN(bugprone-macro-parentheses): the name of a template
#define LIBNET_DEFINE_FACT(name, answer) \
  template <int>                         \
  void name() {}                         \
  template void name<(answer)>();
LIBNET_BUILD_FACTS(LIBNET_DEFINE_FACT)
#undef LIBNET_DEFINE_FACT
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace libnet::must_match_the_library

#pragma GCC visibility pop
