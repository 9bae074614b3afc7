#include "libnet/lookup.hpp"

#include <utility>

#include "core/host_lookup.hpp"

namespace libnet {

LookupAnswer::LookupAnswer(std::shared_ptr<core::LookupPromise> promise) noexcept : promise_(std::move(promise)) {}
LookupAnswer::LookupAnswer(const LookupAnswer& other) noexcept = default;
LookupAnswer::LookupAnswer(LookupAnswer&& other) noexcept = default;
LookupAnswer& LookupAnswer::operator=(const LookupAnswer& other) noexcept = default;
LookupAnswer& LookupAnswer::operator=(LookupAnswer&& other) noexcept = default;
LookupAnswer::~LookupAnswer() = default;

void LookupAnswer::operator()(const Error& error) const { promise_->answer(error, {}); }

void LookupAnswer::operator()(std::string_view address, int family) const {
  (*this)(std::vector<LookupAddress>{{std::string(address), family}});
}

void LookupAnswer::operator()(std::vector<LookupAddress> addresses) const {
  promise_->answer({}, std::move(addresses));
}

bool LookupAnswer::wanted() const noexcept { return promise_->wanted(); }

}  // namespace libnet
