#pragma once

#include <libnet/detail/listener_table.hpp>

#include <boost/asio/buffer.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

/// Receiving into the caller's memory.
namespace libnet::detail {

/// One read: what it put where, and what the receiver says to that.
struct Reception {
  std::span<std::byte> memory;  ///< In: of this read. Out: of the next one.
  std::size_t bytes = 0;        ///< None: only memory is asked for.
  bool go_on = true;
};

inline std::span<std::byte> as_memory(std::span<std::byte> memory) noexcept { return memory; }
inline std::span<std::byte> as_memory(const boost::asio::mutable_buffer& buffer) noexcept {
  return {static_cast<std::byte*>(buffer.data()), buffer.size()};
}

/// A std::span<std::byte>, an asio::mutable_buffer, or what becomes one of the two.
template <class T>
concept Memory = requires(T&& memory) { as_memory(std::forward<T>(memory)); };

template <class T>
concept MemoryFactory = !Memory<T> && requires(std::decay_t<T>& factory) {
  { factory() } -> Memory;
};

template <class F>
concept ReceiverFunction = requires(std::decay_t<F>& function, std::size_t bytes, std::span<std::byte> memory) {
  requires std::same_as<decltype(function(bytes, memory)), void> ||
               std::same_as<decltype(function(bytes, memory)), bool>;
};

/// The caller's function, and where its memory comes from.
template <class Factory, class Function>
class Receiver final : public Callable {
 public:
  Receiver(Factory factory, Function function) : factory_(std::move(factory)), function_(std::move(function)) {}

  void call(const void* arguments) override {
    Reception& reception = *std::get<0>(*static_cast<const std::tuple<Reception*>*>(arguments));
    if (reception.bytes != 0) reception.go_on = receive(reception);
    reception.memory = as_memory(factory_());
  }

 private:
  bool receive(const Reception& reception) {
    if constexpr (std::is_void_v<std::invoke_result_t<Function&, std::size_t, std::span<std::byte>>>) {
      function_(reception.bytes, reception.memory);
      return true;
    } else {
      return function_(reception.bytes, reception.memory);
    }
  }

  Factory factory_;
  Function function_;
};

}  // namespace libnet::detail

#pragma GCC visibility pop
