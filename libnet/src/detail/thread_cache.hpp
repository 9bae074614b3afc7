#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

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
    --count_;
    return node;
  }

  bool keep(void* memory, std::size_t limit) noexcept {
    if (count_ >= limit) return false;
    first_ = ::new (memory) Node{first_};
    ++count_;
    return true;
  }

  std::size_t count() const noexcept { return count_; }

 private:
  struct Node {
    Node* next;
  };
  Node* first_ = nullptr;
  std::size_t count_ = 0;
};

/// The free memory of the current thread: Lists lists, one set for each Tag. What it keeps came from operator new.
///
/// Its state needs no construction and no destruction, so that it can be used at any time, also while thread-local
/// objects are being destroyed. From the end of the thread on it keeps nothing.
template <class Tag, std::size_t Lists>
class ThreadCache {
 public:
  /// Memory of list `index`, null if there is none.
  static void* take(std::size_t index) noexcept { return state_.lists[index].take(); }

  /// Keeps `memory` in list `index` unless that has `limit` already; false if the caller has to free it.
  static bool keep(void* memory, std::size_t index, std::size_t limit) noexcept {
    if (LIBNET_BYPASS_CACHES != 0) return false;
    if (state_.phase != Phase::open && !open()) return false;
    return state_.lists[index].keep(memory, limit);
  }

  static std::size_t count(std::size_t index) noexcept { return state_.lists[index].count(); }

 private:
  enum class Phase : std::uint8_t { untouched, open, ended };

  struct State {
    Phase phase = Phase::untouched;
    std::array<FreeList, Lists> lists{};
  };

  /// Gives everything back when the thread ends.
  struct AtThreadExit {
    AtThreadExit() noexcept { state_.phase = Phase::open; }
    AtThreadExit(const AtThreadExit&) = delete;
    AtThreadExit& operator=(const AtThreadExit&) = delete;
    ~AtThreadExit() {
      state_.phase = Phase::ended;
      for (FreeList& list : state_.lists) {
        while (void* const memory = list.take()) ::operator delete(memory);
      }
    }
  };

  static bool open() noexcept {
    if (state_.phase == Phase::ended) return false;
    static thread_local const AtThreadExit at_thread_exit;
    return true;
  }

  static inline constinit thread_local State state_{};
};

}  // namespace libnet::detail
