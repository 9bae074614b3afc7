#pragma once

#include <libnet/milliseconds.hpp>

#include <chrono>

#pragma GCC visibility push(default)  // a shared library exports this

/// What a connect to a host with several addresses does where its options leave it open; for the whole process, from any
/// thread.
namespace libnet {

/// Whether all addresses are tried, the families by turns. True at first.
/// Source: Node net.getDefaultAutoSelectFamily(); RFC 8305.
[[nodiscard]] bool default_auto_select_family() noexcept;
void set_default_auto_select_family(bool enable) noexcept;

/// How long an attempt has before the next one starts beside it. 250 ms at first; less than 10 ms counts as 10 ms, and
/// after the longest duration no other one starts before the first has failed.
[[nodiscard]] std::chrono::milliseconds default_auto_select_family_attempt_timeout() noexcept;
/// @throws SystemError Errc::out_of_range for 0 and less.
void set_default_auto_select_family_attempt_timeout(Milliseconds timeout);

}  // namespace libnet

#pragma GCC visibility pop
