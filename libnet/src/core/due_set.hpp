#pragma once

#include <cstdint>
#include <initializer_list>

namespace libnet::core {

/// What is due, each kind once. Kinds are added and taken one by one, so that none is lost with another.
///
/// @tparam Kind  An enumeration of at most 16 kinds, numbered from 0.
template <class Kind>
class DueSet {
 public:
  constexpr DueSet() noexcept = default;
  constexpr DueSet(std::initializer_list<Kind> kinds) noexcept {
    for (const Kind kind : kinds) add(kind);
  }

  constexpr void add(Kind kind) noexcept { bits_ = static_cast<std::uint16_t>(bits_ | bit(kind)); }
  constexpr void add(DueSet others) noexcept { bits_ = static_cast<std::uint16_t>(bits_ | others.bits_); }

  /// Takes the kind out; true if it was due.
  constexpr bool take(Kind kind) noexcept {
    if (!contains(kind)) return false;
    bits_ = static_cast<std::uint16_t>(bits_ & ~bit(kind));
    return true;
  }

  [[nodiscard]] constexpr bool contains(Kind kind) const noexcept { return (bits_ & bit(kind)) != 0; }
  [[nodiscard]] constexpr bool contains_any(DueSet kinds) const noexcept { return (bits_ & kinds.bits_) != 0; }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }

  /// Nothing of it will be delivered any more.
  constexpr void abandon() noexcept { bits_ = 0; }

 private:
  static constexpr unsigned bit(Kind kind) noexcept { return 1U << static_cast<unsigned>(kind); }

  std::uint16_t bits_ = 0;
};

}  // namespace libnet::core
