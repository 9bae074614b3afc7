#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <utility>

/// The pieces of Asio's coroutines that have no public name. `asio::use_awaitable` and `asio::co_spawn` are made of them
/// and could do the same; but a frame of theirs holds an executor or a handler several times over, and has no room for
/// the operation. This folder has all that libnet takes from Asio's inner side.
namespace libnet::detail {

namespace asio = boost::asio;

/// One chain of coroutines that await each other; whoever holds it resumes it.
using CoroutineThread = asio::detail::awaitable_thread<asio::any_io_executor>;

/// The promise of each coroutine in the chain.
using CoroutineFrame = asio::detail::awaitable_frame_base<asio::any_io_executor>;

/// The handler of an awaited operation, called with (std::exception_ptr, Results...): gives the frame that awaits it the
/// result, ends that frame, and resumes the coroutine behind it.
template <class... Results>
using WaitingCoroutine = asio::detail::awaitable_handler<asio::any_io_executor, std::exception_ptr, Results...>;

/// The first coroutine of a chain.
using EntryCoroutine = asio::awaitable<asio::detail::awaitable_thread_entry_point>;

/// Names a chain as long as its first coroutine lives.
using ChainId = const void*;
inline ChainId id_of(CoroutineThread& thread) noexcept { return thread.entry_point(); }

/// Runs a new chain until it waits for the first time. To be called on `executor`.
/// @param name  Called with the chain's id before that.
template <class Name>
void launch(EntryCoroutine entry, const asio::any_io_executor& executor, Name&& name) {
  const asio::cancellation_slot never;
  using Launched = asio::detail::awaitable_handler<asio::any_io_executor, void>;
  Launched chain(std::move(entry), executor, never, asio::cancellation_state(never));
  name(id_of(chain));
  chain.launch();
}

}  // namespace libnet::detail
