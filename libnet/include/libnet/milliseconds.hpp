#pragma once

#include <chrono>
#include <ratio>
#include <type_traits>

namespace libnet {

namespace detail {

/// The duration in another unit, a whole number, or the nearest that the unit can hold: it never overflows. What is no number
/// is the longest.
template <class To, class Rep, class Period>
constexpr To clamped(const std::chrono::duration<Rep, Period>& time) noexcept {
  using Factor = std::ratio_divide<Period, typename To::period>;
  const long double wanted =
      static_cast<long double>(time.count()) * Factor::num / static_cast<long double>(Factor::den);
  if (!(wanted < static_cast<long double>(To::max().count()))) return To::max();
  if (wanted <= static_cast<long double>(To::min().count())) return To::min();
  constexpr bool exact = std::is_integral_v<Rep> && (Factor::num == 1 || Factor::den == 1);
  if constexpr (exact) return std::chrono::duration_cast<To>(time);
  return To(static_cast<typename To::rep>(wanted));
}

}  // namespace detail

/// A time limit in milliseconds, made of a duration in any unit. The longest of any unit is the longest of this one, and
/// where a limit is asked for it means none.
struct Milliseconds : std::chrono::milliseconds {
  constexpr Milliseconds() noexcept : std::chrono::milliseconds(0) {}
  constexpr explicit Milliseconds(rep count) noexcept : std::chrono::milliseconds(count) {}
  template <class Rep, class Period>
  constexpr Milliseconds(const std::chrono::duration<Rep, Period>& time) noexcept
      : std::chrono::milliseconds(detail::clamped<std::chrono::milliseconds>(time)) {}
};

}  // namespace libnet
