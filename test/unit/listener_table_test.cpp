#include <libnet/detail/listener_table.hpp>
#include <libnet/listener_id.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using libnet::ListenerId;
using libnet::detail::Callable;
using libnet::detail::CallableFor;
using libnet::detail::ListenerTable;
using Place = ListenerTable::Place;

constexpr std::uint8_t kind = 3;
constexpr std::uint8_t other_kind = 31;

template <class F>
std::unique_ptr<Callable> callable(F function) {
  return std::make_unique<CallableFor<F>>(std::move(function));
}

// Calls `function` when it is destroyed; moving it moves that duty.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> function) : function_(std::move(function)) {}
  AtEnd(AtEnd&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (function_) function_();
  }

 private:
  std::function<void()> function_;
};

struct Fixture {
  template <class F>
  ListenerId on(F function, std::uint8_t which = kind) {
    return table->add(which, callable(std::move(function)), Place::back, false);
  }
  template <class F>
  ListenerId once(F function) {
    return table->add(kind, callable(std::move(function)), Place::back, true);
  }
  template <class F>
  ListenerId prepend(F function) {
    return table->add(kind, callable(std::move(function)), Place::front, false);
  }
  // A listener that writes `letter` into the log.
  auto note(char letter) {
    return [this, letter] { log += letter; };
  }
  // What one emission writes into the log.
  std::string emit(std::uint8_t which = kind) {
    log.clear();
    const std::tuple<> nothing;
    table->emit(which, &nothing);
    return log;
  }
  void emit_inside() {
    const std::tuple<> nothing;
    table->emit(kind, &nothing);
  }

  std::string log;
  std::unique_ptr<ListenerTable> table = std::make_unique<ListenerTable>();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(listener_table, Fixture)

BOOST_AUTO_TEST_CASE(an_empty_table_is_small_and_calls_nobody) {
  static_assert(sizeof(ListenerTable) <= 24);
  BOOST_TEST(table->empty());
  BOOST_TEST(!table->any(kind));
  BOOST_TEST(table->count(kind) == 0U);
  BOOST_TEST(!table->remove(ListenerId{1}));
  table->remove_all(kind);
  table->clear();
  BOOST_TEST(emit() == "");
}

BOOST_AUTO_TEST_CASE(listeners_run_in_the_order_of_their_registration) {
  on(note('a'));
  on(note('b'));
  on(note('c'));
  BOOST_TEST(emit() == "abc");
  BOOST_TEST(emit() == "abc");
}

BOOST_AUTO_TEST_CASE(prepended_listeners_run_first) {
  on(note('a'));
  prepend(note('b'));
  on(note('c'));
  prepend(note('d'));
  BOOST_TEST(emit() == "dbac");
}

BOOST_AUTO_TEST_CASE(each_kind_has_its_own_listeners) {
  on(note('a'));
  on(note('x'), other_kind);
  on(note('b'));
  on(note('y'), 0);
  BOOST_TEST(emit() == "ab");
  BOOST_TEST(emit(other_kind) == "x");
  BOOST_TEST(emit(0) == "y");
  BOOST_TEST(emit(7) == "");
  BOOST_TEST(table->count(kind) == 2U);
  BOOST_TEST(table->count(other_kind) == 1U);
  table->remove_all(kind);
  BOOST_TEST(!table->any(kind));
  BOOST_TEST(table->any(other_kind));
  BOOST_TEST(table->any(0));
  BOOST_TEST(!table->empty());
  BOOST_TEST(emit() == "");
  BOOST_TEST(emit(other_kind) == "x");
}

BOOST_AUTO_TEST_CASE(a_removed_listener_does_not_run_any_more) {
  on(note('a'));
  const ListenerId second = on(note('b'));
  on(note('c'));
  BOOST_TEST(table->remove(second));
  BOOST_TEST(!table->remove(second));
  BOOST_TEST(table->count(kind) == 2U);
  BOOST_TEST(emit() == "ac");
}

BOOST_AUTO_TEST_CASE(the_last_one_removed_leaves_nothing) {
  const ListenerId only = on(note('a'));
  BOOST_TEST(table->any(kind));
  BOOST_TEST(!table->empty());
  BOOST_TEST(table->remove(only));
  BOOST_TEST(!table->any(kind));
  BOOST_TEST(table->empty());
}

BOOST_AUTO_TEST_CASE(ids_are_never_used_twice) {
  std::set<ListenerId> ids;
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(ids.insert(on(note('a'))).second);
    BOOST_TEST(ids.insert(once(note('b'))).second);
    emit();
    if (i % 3 == 0) table->clear();
    if (i % 3 == 1) table->remove_all(kind);
  }
  for (ListenerId id : ids) table->remove(id);
  BOOST_TEST(table->empty());
}

BOOST_AUTO_TEST_CASE(once_runs_once) {
  once(note('a'));
  on(note('b'));
  BOOST_TEST(emit() == "ab");
  BOOST_TEST(emit() == "b");
}

BOOST_AUTO_TEST_CASE(once_is_removed_before_it_runs) {
  once([this] {
    log += 'a';
    BOOST_TEST(table->count(kind) == 0U);
    BOOST_TEST(!table->any(kind));
    BOOST_TEST(table->empty());
    emit_inside();
  });
  BOOST_TEST(emit() == "a");
}

BOOST_AUTO_TEST_CASE(one_added_during_an_emission_does_not_run_in_it) {
  once([this] {
    log += 'a';
    on(note('b'));
    prepend(note('c'));
    for (int i = 0; i < 100; ++i) prepend(note('d'));
    table->remove_all(other_kind);
  });
  on(note('e'));
  on(note('x'), other_kind);
  BOOST_TEST(emit() == "ae");
  BOOST_TEST(emit() == std::string(100, 'd') + "ceb");
}

BOOST_AUTO_TEST_CASE(prepending_does_not_let_one_run_twice) {
  on([this] {
    log += 'a';
    prepend([] {});
  });
  on(note('b'));
  BOOST_TEST(emit() == "ab");
  BOOST_TEST(emit() == "ab");
}

BOOST_AUTO_TEST_CASE(prepending_in_a_nested_emission_moves_the_outer_one_on) {
  bool nested = false;
  on([&] {
    log += 'a';
    if (!std::exchange(nested, true)) emit_inside();
  });
  on([this] {
    log += 'b';
    prepend([] {});
  });
  on(note('c'));
  BOOST_TEST(emit() == "aabcbc");
}

BOOST_AUTO_TEST_CASE(one_removed_during_an_emission_does_not_run_any_more) {
  std::optional<ListenerId> second, third;
  on([&] {
    log += 'a';
    if (third) table->remove(*third);
    third.reset();
    BOOST_TEST(table->count(kind) == 3U);
  });
  second = on(note('b'));
  third = on(note('c'));
  on(note('d'));
  BOOST_TEST(emit() == "abd");
  BOOST_TEST(emit() == "abd");
}

BOOST_AUTO_TEST_CASE(a_listener_that_removes_itself_lives_until_it_returned) {
  const auto alive = std::make_shared<std::string>("alive");
  std::optional<ListenerId> self;
  self = on([this, alive, &self] {
    BOOST_TEST(table->remove(*self));
    BOOST_TEST(!table->remove(*self));
    on([] {});
    log += *alive;
  });
  BOOST_TEST(alive.use_count() == 2);
  BOOST_TEST(emit() == "alive");
  BOOST_TEST(alive.use_count() == 1);
  BOOST_TEST(emit() == "");
}

BOOST_AUTO_TEST_CASE(a_listener_may_remove_all_of_its_kind) {
  const auto alive = std::make_shared<std::string>("alive");
  on([this, alive] {
    table->remove_all(kind);
    BOOST_TEST(table->count(kind) == 0U);
    log += *alive;
  });
  on(note('b'));
  on(note('x'), other_kind);
  BOOST_TEST(emit() == "alive");
  BOOST_TEST(alive.use_count() == 1);
  BOOST_TEST(emit(other_kind) == "x");
}

BOOST_AUTO_TEST_CASE(a_listener_may_clear_the_table_and_add_anew) {
  const auto alive = std::make_shared<std::string>("alive");
  on([this, alive] {
    table->clear();
    BOOST_TEST(table->empty());
    on(note('n'));
    prepend(note('m'));
    log += *alive;
    BOOST_TEST(table->count(kind) == 2U);
  });
  on(note('b'));
  BOOST_TEST(emit() == "alive");
  BOOST_TEST(alive.use_count() == 1);
  BOOST_TEST(emit() == "mn");
}

BOOST_AUTO_TEST_CASE(a_listener_may_destroy_the_table) {
  const auto alive = std::make_shared<std::string>("alive");
  on([this, alive] {
    table.reset();
    log += *alive;
  });
  once(note('b'));
  on(note('c'));
  BOOST_TEST(emit() == "alive");
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(a_nested_emission_may_destroy_the_table) {
  const auto alive = std::make_shared<std::string>("alive");
  int depth = 0;
  on([this, alive, &depth] {
    if (++depth < 3) {
      emit_inside();
    } else {
      table.reset();
    }
    log += *alive;
  });
  on(note('b'));
  BOOST_TEST(emit() == "alivealivealive");
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(emissions_nest) {
  int depth = 0;
  on([&] {
    log += 'a';
    if (++depth == 1) emit_inside();
  });
  once(note('o'));
  on(note('b'));
  BOOST_TEST(emit() == "aaobb");
  BOOST_TEST(emit() == "ab");
}

BOOST_AUTO_TEST_CASE(one_removed_by_a_nested_emission_is_still_alive_in_the_outer_one) {
  const auto alive = std::make_shared<std::string>("alive");
  std::optional<ListenerId> self;
  self = on([this, alive, &self] {
    if (self) {
      const ListenerId id = *std::exchange(self, std::nullopt);
      emit_inside();
      table->remove(id);
      emit_inside();
    }
    log += *alive;
  });
  BOOST_TEST(emit() == "alivealive");
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(an_exception_passes_through_and_ends_the_emission) {
  on(note('a'));
  once([]() -> void { throw std::runtime_error("thrown"); });
  on(note('b'));
  BOOST_CHECK_EXCEPTION(emit(), std::runtime_error,
                        [](const auto& error) { return std::string("thrown") == error.what(); });
  BOOST_TEST(log == "a");
  BOOST_TEST(emit() == "ab");
  BOOST_TEST(table->count(kind) == 2U);
}

BOOST_AUTO_TEST_CASE(an_exception_may_leave_a_table_that_is_gone) {
  on([this] {
    table.reset();
    throw std::runtime_error("thrown");
  });
  BOOST_CHECK_THROW(emit(), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(the_destructor_of_a_listener_may_use_the_table) {
  const auto use_all = [this] {
    log += static_cast<char>('0' + table->count(kind));
    on(note('n'));
    on(note('x'), other_kind);
    prepend(note('m'));
    emit_inside();
    table->remove_all(other_kind);
  };
  const ListenerId only = on([at_end = AtEnd(use_all)] {});
  table->remove(only);
  BOOST_TEST(log == "0mn");
  BOOST_TEST(emit() == "mn");
  once([at_end = AtEnd(use_all)] {});
  BOOST_TEST(emit() == "mn2mmnn");
  BOOST_TEST(table->count(kind) == 4U);
  BOOST_TEST(!table->any(other_kind));
}

BOOST_AUTO_TEST_CASE(a_destructor_may_remove_others_clear_or_destroy_the_table) {
  std::optional<ListenerId> next;
  const ListenerId first = on([at_end = AtEnd([&] { table->remove(*next); })] {});
  next = on([at_end = AtEnd([&] { table->clear(); })] {});
  on([at_end = AtEnd([&] {
        log += 'c';
        table.reset();
      })] {});
  on(note('d'));
  table->remove(first);
  BOOST_TEST(log == "c");
  BOOST_TEST(!table);
}

BOOST_AUTO_TEST_CASE(what_a_destructor_adds_while_all_are_cleared_stays) {
  on([at_end = AtEnd([this] { on(note('n')); })] {});
  table->clear();
  BOOST_TEST(emit() == "n");
}

BOOST_AUTO_TEST_CASE(nothing_can_be_added_to_a_table_that_ends) {
  const auto alive = std::make_shared<int>(1);
  std::optional<ListenerTable> ending;
  ending.emplace();
  ListenerTable& raw = *ending;
  raw.add(kind, callable([alive, at_end = AtEnd([&raw, alive] {
                                   raw.add(kind, callable([alive] {}), Place::back, false);
                                   raw.add(kind, callable([alive] {}), Place::front, true);
                                   BOOST_TEST(raw.count(kind) == 0U);
                                   BOOST_TEST(raw.empty());
                                   BOOST_TEST(!raw.remove(ListenerId{1}));
                                   raw.clear();
                                 })] {}),
          Place::back, false);
  ending.reset();
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(arguments_are_looked_at_or_copied) {
  const auto text = std::make_shared<const std::string>("text");
  const std::tuple<std::shared_ptr<const std::string>, int> arguments(text, 5);
  int calls = 0;
  const auto look = [&](const std::shared_ptr<const std::string>& passed, int number) {
    BOOST_TEST(passed.get() == text.get());
    BOOST_TEST(number == 5);
    ++calls;
  };
  auto copy = [&calls, own = std::make_unique<int>(1)](std::shared_ptr<const std::string> passed, int) mutable {
    passed.reset();
    return *own += ++calls;  // what it returns is not looked at
  };
  table->add(kind,
             std::make_unique<CallableFor<decltype(copy), std::shared_ptr<const std::string>, int>>(std::move(copy)),
             Place::back, false);
  table->add(kind, std::make_unique<CallableFor<decltype(look), std::shared_ptr<const std::string>, int>>(look),
             Place::back, false);
  table->emit(kind, &arguments);
  BOOST_TEST(calls == 2);
  BOOST_TEST(text.use_count() == 2);
}

BOOST_AUTO_TEST_CASE(listeners_die_with_their_table) {
  const auto alive = std::make_shared<int>(1);
  on([alive] {});
  once([alive] {});
  on([alive] {}, other_kind);
  BOOST_TEST(alive.use_count() == 4);
  table.reset();
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
