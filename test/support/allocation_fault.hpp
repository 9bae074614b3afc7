#pragma once

#include <cstddef>
#include <exception>
#include <new>
#include <thread>

namespace libnet::test {

/// Lets one operator new of this thread throw std::bad_alloc. One at a time.
///
/// Only what runs inside `survives` and `insist` counts, so that a test may allocate for itself.
class AllocationFault {
 public:
  /// @param nth  Which allocation fails, from 1.
  explicit AllocationFault(std::size_t nth) noexcept;
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
  ~AllocationFault();

  bool has_fired() const noexcept;

  /// Makes a call; false if it threw std::bad_alloc.
  template <class Call>
  bool survives(Call call) {
    const Counted counted;
    try {
      call();
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }

  /// Makes a call that changes nothing when it throws: then it is made again, and the second time there is memory.
  template <class Call>
  void insist(Call call) {
    if (!survives(call)) call();
  }

 private:
  struct Counted {
    Counted() noexcept;
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted();
  };
};

/// Runs `scenario(fault)` with the first allocation failing, then the second, and so on, until none is left to fail.
///
/// Each run has a thread of its own: the caches of a new thread are empty, so that all memory comes from operator new.
/// @return  How many allocations have failed.
template <class Scenario>
std::size_t fail_each_allocation(Scenario scenario) {
  for (std::size_t nth = 1;; ++nth) {
    bool fired = false;
    std::exception_ptr thrown;
    std::thread([&] {
      try {
        AllocationFault fault(nth);
        scenario(fault);
        fired = fault.has_fired();
      } catch (...) {
        thrown = std::current_exception();
      }
    }).join();
    if (thrown) std::rethrow_exception(thrown);
    if (!fired) return nth - 1;
  }
}

}  // namespace libnet::test
