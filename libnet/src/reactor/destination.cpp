#include "reactor/destination.hpp"

#include <memory>
#include <string_view>
#include <typeinfo>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include "libnet/detail/asio/strand_identity.hpp"

namespace libnet::reactor {

namespace {

template <class... T>
struct Types {};

/// The variants of an io_context's executor: blocking or not, relation, tracked work.
template <unsigned Bits>
using ContextExecutor = asio::io_context::basic_executor_type<std::allocator<void>, Bits>;
using ContextExecutors = Types<ContextExecutor<0>, ContextExecutor<1>, ContextExecutor<2>, ContextExecutor<3>,
                               ContextExecutor<4>, ContextExecutor<5>, ContextExecutor<6>, ContextExecutor<7>>;

template <class... T>
Types<asio::strand<T>..., asio::strand<asio::any_io_executor>> strands_over(Types<T...>);
template <class... T>
Types<asio::strand<T>...> strands_over_strands(Types<T...>);

using Strands = decltype(strands_over(ContextExecutors()));
using NestedStrands = decltype(strands_over_strands(Strands()));
using DeeperStrands = decltype(strands_over_strands(NestedStrands()));

/// Calls the visitor with what the executor is, if it is one of the types.
template <class Visitor, class... T>
bool visit(const asio::any_io_executor& executor, const Visitor& visitor, Types<T...>) {
  const auto visit_if = [&](const auto* target) {
    if (target != nullptr) visitor(*target);
    return target != nullptr;
  };
  return (... || visit_if(executor.target<T>()));
}

template <class Visitor>
bool visit_strand(const asio::any_io_executor& executor, const Visitor& visitor) {
  return visit(executor, visitor, Strands()) || visit(executor, visitor, NestedStrands()) ||
         visit(executor, visitor, DeeperStrands());
}

#if !defined(BOOST_ASIO_NO_TYPEID)
/// Whether the executor's type is `Example` with another allocator: which one it is, is the last that the name tells.
template <class Example>
bool is_like(const asio::any_io_executor& executor) {
  constexpr std::string_view last = "basic_executor_type";
  const std::string_view example = typeid(Example).name();
  const std::string_view common = example.substr(0, example.find(last) + last.size());
  return std::string_view(executor.target_type().name()).starts_with(common);
}
#else
template <class>
bool is_like(const asio::any_io_executor&) {
  return false;
}
#endif

template <class... T>
bool is_like_one_of(const asio::any_io_executor& executor) {
  return (... || is_like<T>(executor));
}

bool is_context_executor(const asio::any_io_executor& executor) {
  return visit(executor, [](const auto&) {}, ContextExecutors()) || is_like<ContextExecutor<0>>(executor);
}

bool is_strand_with_other_allocator(const asio::any_io_executor& executor) {
  using One = asio::strand<ContextExecutor<0>>;
  using Two = asio::strand<One>;
  using Three = asio::strand<Two>;
  return is_like_one_of<One, Two, Three, asio::strand<Three>>(executor);
}

template <class Allocator, auto Bits>
bool leads_to_context(const asio::io_context::basic_executor_type<Allocator, Bits>&) {
  return true;
}
bool leads_to_context(const asio::any_io_executor& executor) {
  return executor && destination_of(executor).kind != Destination::Kind::elsewhere;
}
template <class Inner>
bool leads_to_context(const asio::strand<Inner>& strand) {
  return leads_to_context(strand.get_inner_executor());
}

const void* identity_of(const asio::strand<ContextExecutor<0>>& strand) { return detail::identity_of(strand); }
const void* identity_of(const asio::strand<asio::any_io_executor>& strand) { return detail::identity_of(strand); }
template <class Inner>
const void* identity_of(const asio::strand<Inner>& strand) {
  return detail::identity_of(asio::strand<asio::any_io_executor>(strand));
}

}  // namespace

Destination destination_of(const asio::any_io_executor& executor) {
  if (is_context_executor(executor)) return {Destination::Kind::context, nullptr};
  Destination found;
  visit_strand(executor, [&found](const auto& strand) {
    if (leads_to_context(strand)) found = {Destination::Kind::strand, identity_of(strand)};
  });
  if (is_strand_with_other_allocator(executor)) found.kind = Destination::Kind::strand;
  return found;
}

bool runs_here(const asio::any_io_executor& executor, bool otherwise) noexcept {
  bool here = otherwise;
  const auto ask = [&here](const auto& known) { here = known.running_in_this_thread(); };
  if (!visit(executor, ask, ContextExecutors())) visit_strand(executor, ask);
  return here;
}

}  // namespace libnet::reactor
