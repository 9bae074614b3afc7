#include "random/stream.hpp"

#include <algorithm>
#include <utility>

#include "support/behaviour.hpp"

namespace libnet::test::random {

namespace {

constexpr std::size_t period = 1'048'573;  // a prime
constexpr std::size_t largest = 7'000'000;

/// The content of all streams: each begins somewhere else in it.
const std::string& pool() {
  static const std::string made = [] {
    const std::string once = random_bytes(period);
    std::string repeated;
    while (repeated.size() < period + largest) repeated += once;
    return repeated;
  }();
  return made;
}

}  // namespace

std::string_view Stream::content(std::size_t size) {
  const std::size_t begin = next_ % period;
  next_ += size;
  return std::string_view(pool()).substr(begin, size);
}

std::size_t Stream::append(std::string bytes, Fate fate) {
  written_ += bytes.size();
  offered_ += bytes.size();
  writes_.push_back({std::move(bytes), fate});
  return writes_.size() - 1;
}

bool Stream::decide(std::size_t write, bool removed) {
  Write& decided = writes_[write];
  if (decided.fate != Fate::may_be_removed) return true;
  decided.fate = removed ? Fate::removed : Fate::certain;
  if (removed) written_ -= decided.bytes.size();
  std::erase_if(places_, [&](const Place& place) {
    const bool over = std::ranges::count(place.passed_over, write) != 0;
    const bool inside = place.write == write && place.offset != 0;
    const bool behind = place.write > write && !over && !decided.bytes.empty();
    return removed ? inside || behind : over;
  });
  return !places_.empty();
}

void Stream::note_sent(std::size_t write) { sent_ = std::max(sent_, write + 1); }

bool Stream::receive(std::string_view bytes) {
  std::vector<Place> reached;
  for (Place& place : places_) follow(std::move(place), bytes, reached);
  places_ = std::move(reached);
  received_ += bytes.size();
  return !places_.empty();
}

void Stream::follow(Place place, std::string_view bytes, std::vector<Place>& reached) const {
  while (!bytes.empty()) {
    if (place.write == writes_.size()) return;
    const Write& write = writes_[place.write];
    if (write.fate == Fate::may_be_removed && place.offset == 0 && !write.bytes.empty()) {
      Place behind{place.write + 1, 0, place.passed_over};
      behind.passed_over.push_back(place.write);
      follow(std::move(behind), bytes, reached);
    }
    if (write.fate != Fate::removed) {
      const std::size_t size = std::min(bytes.size(), write.bytes.size() - place.offset);
      if (write.bytes.compare(place.offset, size, bytes.substr(0, size)) != 0) return;
      bytes.remove_prefix(size);
      place.offset += size;
      if (place.offset != write.bytes.size()) break;
    }
    ++place.write;
    place.offset = 0;
  }
  reached.push_back(std::move(place));
}

std::string Stream::peek(std::size_t size) const {
  std::string next;
  if (places_.empty()) return next;
  Place place = places_.front();
  for (; place.write < writes_.size() && next.size() < size; ++place.write, place.offset = 0) {
    if (writes_[place.write].fate == Fate::removed) continue;
    next += writes_[place.write].bytes.substr(place.offset, size - next.size());
  }
  return next;
}

void Stream::skip(std::uint64_t size) { static_cast<void>(receive(peek(size))); }

/// Whether the receiver may have got everything before a write.
bool Stream::reaches(std::size_t write) const {
  const auto is_there = [&](const Place& place) {
    for (std::size_t i = place.write; i < write; ++i) {
      if (writes_[i].fate == Fate::certain && writes_[i].bytes.size() != (i == place.write ? place.offset : 0))
        return false;
    }
    return true;
  };
  return std::ranges::any_of(places_, is_there);
}

}  // namespace libnet::test::random
