#include "libnet/auto_select_family.hpp"

#include <algorithm>
#include <atomic>

#include "core/connector.hpp"
#include "libnet/error.hpp"

namespace libnet {

namespace {

std::atomic<bool> enabled{true};
std::atomic<std::chrono::milliseconds> attempt_timeout{std::chrono::milliseconds(250)};

}  // namespace

bool default_auto_select_family() noexcept { return enabled.load(); }
void set_default_auto_select_family(bool enable) noexcept { enabled.store(enable); }

std::chrono::milliseconds default_auto_select_family_attempt_timeout() noexcept { return attempt_timeout.load(); }
void set_default_auto_select_family_attempt_timeout(Milliseconds timeout) {
  if (timeout.count() <= 0)
    throw SystemError(Error(Errc::out_of_range, "set_default_auto_select_family_attempt_timeout"));
  attempt_timeout.store(std::max<std::chrono::milliseconds>(timeout, core::shortest_attempt));
}

}  // namespace libnet
