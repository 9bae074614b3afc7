#pragma once

#include "core/deadline.hpp"
#include "libnet/detail/operation.hpp"
#include "reactor/loop.hpp"

namespace libnet::core {

namespace asio = boost::asio;
using detail::Operation;
using detail::OperationList;

/// Lets an operation that has to wait be ended from outside: by its cancellation slot or its time limit.
void watch_operation(Operation& operation, detail::OperationOwner& owner, reactor::Loop& loop);

/// Takes the operations out of `from` that `chosen` says and puts them behind `to`, with the result they have: they wait no
/// longer.
template <class Predicate>
std::size_t move_operations(OperationList& from, OperationList& to, Predicate chosen) {
  struct Kept {
    ~Kept() { list.prepend(operations); }
    OperationList& list;
    OperationList operations;
  } kept{from, {}};
  std::size_t moved = 0;
  while (!from.empty()) {
    Operation& operation = from.front();
    const bool moves = chosen(operation);  // may throw: then it stays where it is
    OperationList::remove(operation);
    (moves ? to : kept.operations).push_back(operation);
    if (!moves) continue;
    operation.waits = false;
    ++moved;
  }
  return moved;
}

/// The same, with a new result.
template <class Predicate>
std::size_t finish_operations(OperationList& from, OperationList& to, const error_code& result, Predicate chosen) {
  return move_operations(from, to, [&](Operation& operation) {
    if (!chosen(operation)) return false;
    operation.result = result;
    return true;
  });
}

/// Frees all operations of a list without calling their handlers.
void abandon_all(OperationList& list) noexcept;

}  // namespace libnet::core
