#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>

#include <libnet/listener_id.hpp>

#pragma GCC visibility push(default)  // a shared library exports this

/// The event listeners of one object.
namespace libnet::detail {

/// A listener with its type erased.
class Callable {
 public:
  Callable() = default;
  Callable(const Callable&) = delete;
  Callable& operator=(const Callable&) = delete;
  virtual ~Callable() = default;

  /// Calls the listener; `arguments` points to a const std::tuple of what the event's signature says.
  virtual void call(const void* arguments) = 0;
};

/// A listener of type F for an event with the arguments Args. The listener gets them as const, to look at or to copy.
template <class F, class... Args>
class CallableFor final : public Callable {
 public:
  explicit CallableFor(F function) : function_(std::move(function)) {}

  void call(const void* arguments) override {
    static_cast<void>(std::apply(function_, *static_cast<const std::tuple<Args...>*>(arguments)));
  }

 private:
  F function_;
};

/// Listeners by kind of event, called in the order of their registration, those added in front before.
///
/// A listener may add, remove and clear while it runs, itself included, emit again, and destroy the table: what runs
/// stays alive until the outermost emission returns. One added during an emission does not run in it; one removed does
/// not run any more. The destructor of a listener may use the table as well.
/// An empty table owns no memory, and emitting does not allocate.
class ListenerTable {
 public:
  enum class Place : std::uint8_t { back, front };
  /// Kinds are numbers below this.
  static constexpr std::uint8_t kinds = 32;

  ListenerTable() noexcept = default;
  ListenerTable(const ListenerTable&) = delete;
  ListenerTable& operator=(const ListenerTable&) = delete;
  ~ListenerTable();

  /// Adds a listener of `kind`. With `once` it is removed before it runs.
  ListenerId add(std::uint8_t kind, std::unique_ptr<Callable> callable, Place place, bool once);

  /// Removes a listener; false if there is none of that name.
  bool remove(ListenerId id);
  /// Removes all listeners of `kind`.
  void remove_all(std::uint8_t kind);
  /// Removes all listeners and frees the memory.
  void clear() noexcept;

  [[nodiscard]] std::size_t count(std::uint8_t kind) const noexcept;
  [[nodiscard]] bool any(std::uint8_t kind) const noexcept { return (present_ >> kind & 1U) != 0; }
  [[nodiscard]] bool empty() const noexcept { return present_ == 0; }

  /// Calls the listeners of `kind` with `arguments`, a const std::tuple of what their signature says.
  /// @throws what a listener throws; the later listeners of this emission do not run then.
  void emit(std::uint8_t kind, const void* arguments) {
    if (any(kind)) call_listeners(kind, arguments);
  }

 private:
  struct Entry;
  struct Body;
  class Walk;

  void call_listeners(std::uint8_t kind, const void* arguments);
  template <class Predicate>
  bool remove_if(Predicate chosen) noexcept;
  void note_present() noexcept;

  Body* body_ = nullptr;
  std::uint64_t last_id_ = 0;
  std::uint32_t present_ = 0;  // a bit per kind that has a listener
  bool ending_ = false;        // the destructor runs: nothing can be added any more
};

static_assert(sizeof(void*) != 8 || sizeof(ListenerTable) <= 24);

}  // namespace libnet::detail

#pragma GCC visibility pop
