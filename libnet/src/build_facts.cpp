#include "libnet/detail/asio/build_facts.hpp"

namespace libnet::must_match_the_library {

#define LIBNET_DEFINE_FACT(name, answer) \
  template <int>                         \
  void name() {}                         \
  template void name<(answer)>();
LIBNET_BUILD_FACTS(LIBNET_DEFINE_FACT)
#undef LIBNET_DEFINE_FACT

}  // namespace libnet::must_match_the_library
