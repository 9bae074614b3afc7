#include "random/shrink.hpp"

#include <algorithm>
#include <array>

namespace libnet::test::random {

namespace {

using Fails = std::function<bool(const Case&)>;

Case without(const Case& whole, std::size_t begin, std::size_t count) {
  Case rest = whole;
  const auto first = rest.steps.begin() + static_cast<std::ptrdiff_t>(begin);
  rest.steps.erase(first, first + static_cast<std::ptrdiff_t>(std::min(count, whole.steps.size() - begin)));
  return rest;
}

/// One pass with pieces of one size; whether anything could go.
bool remove_pieces(Case& failing, std::size_t size, const Fails& fails) {
  bool removed = false;
  for (std::size_t begin = 0; begin < failing.steps.size();) {
    Case candidate = without(failing, begin, size);
    if (fails(candidate)) {
      failing = std::move(candidate);
      removed = true;
    } else {
      begin += size;
    }
  }
  return removed;
}

void remove_steps(Case& failing, const Fails& fails) {
  for (std::size_t size = std::max<std::size_t>(failing.steps.size() / 2, 1);; size /= 2) {
    const bool removed = remove_pieces(failing, std::max<std::size_t>(size, 1), fails);
    if (size <= 1 && !removed) return;
    if (size <= 1) size = 2;
  }
}

/// Ways to make a step plainer.
constexpr std::array<void (*)(Step&), 8> simplifications{
    [](Step& step) { step.where = Where::tick; }, [](Step& step) { step.where = Where::with; },
    [](Step& step) { step.form = Form::plain; },  [](Step& step) { step.form = Form::handler; },
    [](Step& step) { step.data = Data::view; },   [](Step& step) { step.limit = 0; },
    [](Step& step) { step.run = Step::settles; }, [](Step& step) { step.amount = std::min(step.amount, 1U); }};

/// Ways to make the setup plainer.
constexpr std::array<void (*)(Setup&), 10> usual{
    [](Setup& setup) { setup.wire = 8; },
    [](Setup& setup) { setup.wire = 1; },
    [](Setup& setup) { setup.reactor = 0; },
    [](Setup& setup) { setup.accept = 0; },
    [](Setup& setup) { setup.high_water = 65536; },
    [](Setup& setup) { setup.low_water = 0; },
    [](Setup& setup) { setup.max_buffered = Setup().max_buffered; },
    [](Setup& setup) { setup.most_moved = 0; },
    [](Setup& setup) { setup.finale = 1; },
    [](Setup& setup) { setup.client_listens = setup.accepted_listens = 1; }};

void simplify(Case& failing, const Fails& fails) {
  for (const auto& change : usual) {
    Case candidate = failing;
    change(candidate.setup);
    if (candidate.setup.strands != 0 && candidate.setup.wire > 4) continue;
    if (candidate.setup != failing.setup && fails(candidate)) failing = std::move(candidate);
  }
  for (std::size_t index = 0; index < failing.steps.size(); ++index) {
    for (const auto& change : simplifications) {
      Case candidate = failing;
      change(candidate.steps[index]);
      if (candidate.steps[index] != failing.steps[index] && fails(candidate)) failing = std::move(candidate);
    }
  }
}

}  // namespace

Case shrink(Case failing, const Fails& fails) {
  remove_steps(failing, fails);
  simplify(failing, fails);
  remove_steps(failing, fails);
  return failing;
}

}  // namespace libnet::test::random
