#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace libnet::test::random {

/// What was written in one direction of one connection, and how far its receiver has got in it.
///
/// The content differs from place to place, so that a byte that is lost, doubled or moved is noticed at once. A write that
/// may be cancelled is there or is not: as long as nobody knows, the receiver may be at several places.
class Stream {
 public:
  /// @param salt  Two streams with different salts have different contents.
  explicit Stream(std::uint64_t salt) : next_(salt) {}

  enum class Fate : std::uint8_t { certain, may_be_removed, removed };

  /// Content for the next write; valid for ever.
  std::string_view content(std::size_t size);

  /// @name What is written
  /// @{
  /// Appends a write, and gives its number.
  std::size_t append(std::string bytes, Fate fate);
  /// It is known by now whether the write is part of the stream. False if what was received says otherwise.
  bool decide(std::size_t write, bool removed);
  /// It was told that the write has left.
  void note_sent(std::size_t write);
  /// [bytes] without what was removed.
  std::uint64_t written() const { return written_; }
  /// [bytes] with it.
  std::uint64_t offered() const { return offered_; }
  /// @}

  /// @name What is received
  /// @{
  /// Takes the next bytes. False if they are none that can come next.
  bool receive(std::string_view bytes);
  /// What comes next, at most `size` bytes; only if that is certain.
  std::string peek(std::size_t size) const;
  /// Passes over bytes that nobody saw.
  void skip(std::uint64_t size);
  /// Whether all has come, and whether all has that was told to have left.
  bool is_complete() const { return reaches(writes_.size()); }
  bool is_complete_to_what_was_sent() const { return reaches(sent_); }
  std::uint64_t received() const { return received_; }
  /// @}

 private:
  struct Write {
    std::string bytes;
    Fate fate;
  };
  /// A place where the receiver may be.
  struct Place {
    std::size_t write = 0;
    std::size_t offset = 0;
    std::vector<std::size_t> passed_over{};  // writes that may be removed
  };

  void follow(Place place, std::string_view bytes, std::vector<Place>& reached) const;
  bool reaches(std::size_t write) const;

  std::uint64_t next_;
  std::uint64_t written_ = 0;
  std::uint64_t offered_ = 0;
  std::uint64_t received_ = 0;
  std::size_t sent_ = 0;  // behind the last write that was told to have left
  std::deque<Write> writes_;
  std::vector<Place> places_{Place()};
};

}  // namespace libnet::test::random
