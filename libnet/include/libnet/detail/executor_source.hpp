#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <type_traits>

namespace libnet::detail {

template <class T>
concept HasExecutor = requires(T& object) { object.get_executor(); };

/// An executor, or anything that has one: an io_context, a timer, another socket. The order of the two questions matters:
/// Asio must not be asked whether a Socket is an executor.
template <class T>
concept ExecutorSource =
    HasExecutor<std::remove_reference_t<T>> || std::is_convertible_v<T, boost::asio::any_io_executor>;

template <class Executor>
boost::asio::any_io_executor erased(const Executor& executor) {
  return executor;
}

/// Strands have as many types as there are executors below them. Those that the library does not know by their type become
/// the one over any executor; it is the same strand.
template <class Inner>
boost::asio::any_io_executor erased(const boost::asio::strand<Inner>& strand) {
  if constexpr (std::is_same_v<Inner, boost::asio::io_context::executor_type>) {
    return strand;
  } else {
    return boost::asio::strand<boost::asio::any_io_executor>(strand);
  }
}

template <class T>
boost::asio::any_io_executor executor_of(T&& source) {
  if constexpr (HasExecutor<std::remove_reference_t<T>>) {
    return erased(source.get_executor());
  } else {
    return erased(source);
  }
}

}  // namespace libnet::detail
