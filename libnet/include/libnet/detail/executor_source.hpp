#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <type_traits>

namespace libnet::detail {

template <class T>
concept HasExecutor = requires(T& object) { object.get_executor(); };

/// An executor, or anything that has one: an io_context, a timer, another socket. The order of the two questions matters:
/// Asio must not be asked whether a Socket is an executor.
template <class T>
concept ExecutorSource =
    HasExecutor<std::remove_reference_t<T>> || std::is_convertible_v<T, boost::asio::any_io_executor>;

template <class T>
boost::asio::any_io_executor executor_of(T&& source) {
  if constexpr (HasExecutor<std::remove_reference_t<T>>) {
    return source.get_executor();
  } else {
    return source;
  }
}

}  // namespace libnet::detail
