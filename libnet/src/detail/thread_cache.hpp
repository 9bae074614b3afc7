#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <new>

#include <pthread.h>

#if defined(__SANITIZE_ADDRESS__)
#define LIBNET_BYPASS_CACHES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIBNET_BYPASS_CACHES 1
#endif
#endif
#ifndef LIBNET_BYPASS_CACHES
#define LIBNET_BYPASS_CACHES 0
#endif

namespace libnet::detail {

/// Free memory of one size; its links live in the memory itself.
class FreeList {
 public:
  void* take() noexcept {
    Node* const node = first_;
    if (node == nullptr) return nullptr;
    first_ = node->next;
    ++room_;
    return node;
  }

  bool keep(void* memory) noexcept {
    if (room_ == 0) return false;
    --room_;
    first_ = ::new (memory) Node{first_};
    return true;
  }

  /// How many more pieces it keeps.
  std::size_t room() const noexcept { return room_; }
  void set_room(std::size_t room) noexcept { room_ = room; }

 private:
  struct Node {
    Node* next;
  };
  Node* first_ = nullptr;
  std::size_t room_ = 0;
};

/// The free memory of the current thread: as many lists as `limits` has entries, one set for each Tag; each list keeps at
/// most as many pieces as its limit. What it keeps came from operator new.
///
/// Its state needs no construction and no destruction, so that it can be used at any time, also while thread-local
/// objects are being destroyed. Before its first use and from the end of the thread on the lists have no room.
template <class Tag, const auto& limits>
class ThreadCache {
 public:
  /// Memory of list `index`, null if there is none.
  static void* take(std::size_t index) noexcept { return state_.lists[index].take(); }

  /// Keeps `memory` in list `index` unless that is full; false if the caller has to free it.
  static bool keep(void* memory, std::size_t index) noexcept {
    if (LIBNET_BYPASS_CACHES != 0) return false;
    FreeList& list = state_.lists[index];
    return list.keep(memory) || (open() && list.keep(memory));
  }

  static std::size_t count(std::size_t index) noexcept {
    return state_.phase == Phase::open ? limits[index] - state_.lists[index].room() : 0;
  }

 private:
  enum class Phase : std::uint8_t { untouched, open, ended };

  struct State {
    Phase phase = Phase::untouched;
    std::array<FreeList, std::size(limits)> lists{};
  };

  /// Told by the system when a thread ends. A thread_local object with a destructor would do the same; but where there is no
  /// memory to register that, the C library ends the process.
  class ThreadEnd {
   public:
    ThreadEnd() noexcept : known_(::pthread_key_create(&key_, &give_all_back) == 0) {}
    /// False if the end of this thread would not be told.
    bool watch() const noexcept { return known_ && ::pthread_setspecific(key_, &state_) == 0; }

   private:
    static void give_all_back(void*) noexcept {
      state_.phase = Phase::ended;
      for (FreeList& list : state_.lists) {
        while (void* const memory = list.take()) ::operator delete(memory);
        list.set_room(0);
      }
    }

    pthread_key_t key_{};
    bool known_;
  };

  /// True if the lists have room from now on.
  [[gnu::noinline]] static bool open() noexcept {
    static const ThreadEnd thread_end;
    if (state_.phase != Phase::untouched || !thread_end.watch()) return false;
    state_.phase = Phase::open;
    for (std::size_t index = 0; index < std::size(limits); ++index) state_.lists[index].set_room(limits[index]);
    return true;
  }

  static inline constinit thread_local State state_{};
};

}  // namespace libnet::detail
