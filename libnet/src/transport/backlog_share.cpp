#include "transport/backlog_share.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

#include <sys/stat.h>

namespace libnet::transport {

namespace {

/// All listeners of the process, by the number that the kernel gives a socket: all descriptors of one have the same.
struct Registry {
  std::mutex mutex;
  std::unordered_multimap<ino_t, BacklogShare*> shares;
};

/// Never destroyed: a listener may be left to the end of the process. In memory that is there, since leaving cannot fail.
Registry& registry() noexcept {
  alignas(Registry) static std::byte memory[sizeof(Registry)];
  static auto& made = *::new (memory) Registry;
  return made;
}

}  // namespace

BacklogShare::BacklogShare(std::shared_ptr<reactor::Loop> loop, Owner& owner) noexcept
    : loop_(std::move(loop)), owner_(&owner) {}

BacklogShare::Joined BacklogShare::join(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) == 0) socket_ = status.st_ino;
  descriptor_ = descriptor;
  const std::lock_guard lock(registry().mutex);
  const auto [begin, end] = registry().shares.equal_range(socket_);
  const auto has_it = [descriptor](const auto& share) { return share.second->descriptor_ == descriptor; };
  if (std::any_of(begin, end, has_it)) return Joined::refused;
  const bool others = begin != end;
  for (auto other = begin; other != end; ++other) other->second->call();
  registry().shares.emplace(socket_, this);
  return others ? Joined::beside_others : Joined::alone;
}

void BacklogShare::leave() noexcept {
  const std::lock_guard lock(registry().mutex);
  owner_ = nullptr;
  std::erase_if(registry().shares, [this](const auto& share) { return share.second == this; });
  call_another();
}

void BacklogShare::pass_on() noexcept {
  const std::lock_guard lock(registry().mutex);
  passes_on_ = true;
  call_another();
}

// --- with the registry locked ----------------------------------------------------------------------------------------

/// One that passes on as well looks by itself before it takes anything again.
void BacklogShare::call_another() noexcept {
  const auto [begin, end] = registry().shares.equal_range(socket_);
  for (auto other = begin; other != end; ++other) {
    if (other->second != this && !other->second->passes_on_) return other->second->call();
  }
}

void BacklogShare::call() noexcept {
  if (letter_) return;
  letter_ = shared_from_this();
  if (!loop_->mailbox().send(*this)) letter_.reset();
}

// --- the letter ------------------------------------------------------------------------------------------------------

std::shared_ptr<BacklogShare> BacklogShare::take_letter() noexcept {
  const std::lock_guard lock(registry().mutex);
  return std::move(letter_);
}

void BacklogShare::deliver_letter() {
  const auto keep = take_letter();
  if (owner_ != nullptr) owner_->look_at_backlog();
}

void BacklogShare::discard_letter() noexcept { const auto keep = take_letter(); }

}  // namespace libnet::transport
