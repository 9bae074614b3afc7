#pragma once

#include <functional>

#include "random/case.hpp"

namespace libnet::test::random {

/// The smallest case found that still fails: steps are taken out, in ever smaller pieces, then what is left is made plainer.
/// @param fails  Whether a case fails in the same way.
Case shrink(Case failing, const std::function<bool(const Case&)>& fails);

}  // namespace libnet::test::random
