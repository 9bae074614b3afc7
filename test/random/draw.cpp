#include <algorithm>
#include <array>
#include <random>
#include <span>

#include "random/case.hpp"
#include "support/behaviour.hpp"

namespace libnet::test::random {

namespace {

template <class T>
struct Weighted {
  T value;
  std::uint32_t weight;
};

/// The same on every system, which the distributions of the standard library are not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool one_in(std::uint32_t times) { return below(times) == 0; }
  template <class T>
  T of(std::span<const Weighted<T>> choices) {
    std::uint32_t sum = 0;
    for (const auto& choice : choices) sum += choice.weight;
    std::uint32_t left = below(sum);
    for (const auto& choice : choices) {
      if (left < choice.weight) return choice.value;
      left -= choice.weight;
    }
    return choices.front().value;
  }

 private:
  std::mt19937_64 random_;
};

constexpr std::array<Weighted<Verb>, 34> verbs{{
    {Verb::connect, 10},     {Verb::connect_refused, 1},
    {Verb::write, 40},       {Verb::end, 6},
    {Verb::destroy, 2},      {Verb::destroy_with_error, 2},
    {Verb::destroy_soon, 2}, {Verb::reset, 2},
    {Verb::close, 2},        {Verb::drop, 1},
    {Verb::data_on, 9},      {Verb::data_off, 3},
    {Verb::read, 20},        {Verb::read_some, 8},
    {Verb::on_read, 3},      {Verb::pause, 5},
    {Verb::resume, 6},       {Verb::unshift, 5},
    {Verb::cork, 4},         {Verb::uncork, 6},
    {Verb::encoding, 5},     {Verb::timeout, 3},
    {Verb::pipe, 4},         {Verb::unpipe, 2},
    {Verb::drain, 6},        {Verb::wait, 6},
    {Verb::cancel, 10},      {Verb::throw_here, 1},
    {Verb::accept, 8},       {Verb::serve_return, 3},
    {Verb::serve_throw, 1},  {Verb::listen, 2},
    {Verb::close_server, 2}, {Verb::advance, 5},
}};

constexpr std::array<Weighted<Where>, 10> places{{{Where::tick, 50},
                                                  {Where::with, 16},
                                                  {Where::then, 14},
                                                  {Where::on_connect, 3},
                                                  {Where::on_data, 8},
                                                  {Where::on_end, 3},
                                                  {Where::on_drain, 3},
                                                  {Where::on_finish, 2},
                                                  {Where::on_error, 1},
                                                  {Where::on_close, 3}}};

constexpr std::array<Weighted<Form>, 6> forms{
    {{Form::plain, 3}, {Form::callback, 4}, {Form::handler, 3}, {Form::slot, 3}, {Form::tuple, 3}, {Form::thrown, 3}}};

constexpr std::array<Weighted<std::uint32_t>, 4> pauses{{{0, 30}, {1, 15}, {3, 15}, {Step::settles, 40}}};

constexpr std::array<Weighted<std::uint64_t>, 5> wires{{{1, 3}, {2, 1}, {4, 3}, {8, 3}, {16, 2}}};

/// Around all limits: nothing, a few bytes, the marks, what is written through, a block, and more than any wire takes.
std::uint32_t draw_size(Dice& dice, const Setup& setup) {
  const auto mark = static_cast<std::uint32_t>(setup.high_water);
  const std::array<Weighted<std::uint32_t>, 9> sizes{{{0, 2},
                                                      {1, 8},
                                                      {2 + dice.below(100), 30},
                                                      {1000 + dice.below(4000), 20},
                                                      {mark, 8},
                                                      {16 * 1024 + dice.below(3) - 1, 6},
                                                      {64 * 1024 + dice.below(3) - 1, 6},
                                                      {200'000, 6},
                                                      {setup.wire > 4 ? 300'000U : 6'000'000U, 2}}};
  return dice.of<std::uint32_t>(sizes);
}

std::uint32_t draw_amount(Dice& dice, const Setup& setup, Verb verb) {
  switch (verb) {
    case Verb::write: return draw_size(dice, setup);
    case Verb::end: return dice.one_in(2) ? 0 : draw_size(dice, setup);
    case Verb::on_read: return 30 + dice.below(3000);
    case Verb::read_some: return 1 + dice.below(dice.one_in(3) ? 70'000 : 300);
    case Verb::unshift: return 1 + dice.below(50);
    case Verb::timeout:
    case Verb::advance: return dice.one_in(4) ? 3000 : dice.below(60);
    case Verb::wait:
    case Verb::encoding:
    case Verb::cancel:
    case Verb::pipe: return dice.below(64);
    default: return 0;
  }
}

Where draw_place(Dice& dice, Verb verb) {
  constexpr std::array<Weighted<Where>, 2> after_bytes{{{Where::on_data, 2}, {Where::then, 1}}};
  constexpr std::array<Weighted<Where>, 3> in_listeners{
      {{Where::on_data, 3}, {Where::on_connect, 1}, {Where::on_end, 1}}};
  if (verb == Verb::unshift) return dice.of<Where>(after_bytes);
  if (verb == Verb::throw_here) return dice.of<Where>(in_listeners);
  return dice.of<Where>(places);
}

bool starts_operation(Verb verb) {
  switch (verb) {
    case Verb::connect:
    case Verb::connect_refused:
    case Verb::write:
    case Verb::end:
    case Verb::close:
    case Verb::read:
    case Verb::read_some:
    case Verb::pipe:
    case Verb::drain:
    case Verb::wait:
    case Verb::accept:
    case Verb::close_server: return true;
    default: return false;
  }
}

/// What a step has no use for stays out of it.
void tidy(Step& step, const Setup& setup) {
  if (!starts_operation(step.verb)) step.limit = 0;
  if (!starts_operation(step.verb) && step.verb != Verb::resume) step.form = Form::plain;
  if (step.verb != Verb::write && step.verb != Verb::end && step.verb != Verb::pipe) step.data = Data::view;
  if (step.form == Form::plain || step.form == Form::callback || step.form == Form::thrown) step.limit = 0;
  if (step.verb != Verb::write || setup.cancels_writes != 0) return;
  step.limit = 0;
  if (step.form == Form::slot) step.form = Form::handler;
}

Step draw_step(Dice& dice, const Setup& setup) {
  Step step;
  step.verb = dice.of<Verb>(verbs);
  step.where = draw_place(dice, step.verb);
  step.who = dice.below(dice.one_in(3) ? 4 : 2);
  step.form = dice.of<Form>(forms);
  step.data = static_cast<Data>(dice.below(static_cast<std::uint32_t>(Data::some) + 1));
  step.amount = draw_amount(dice, setup, step.verb);
  if (dice.one_in(6)) step.limit = 1 + (dice.one_in(2) ? 0 : dice.below(50));
  step.run = dice.of<std::uint32_t>(pauses);
  tidy(step, setup);
  return step;
}

std::uint64_t draw_mark(Dice& dice) {
  const std::array<Weighted<std::uint64_t>, 4> marks{{{64 * 1024, 4}, {0, 1}, {1 + dice.below(100), 1}, {5000, 2}}};
  return dice.of<std::uint64_t>(marks);
}

Setup draw_setup(Dice& dice, std::uint64_t seed, bool strands) {
  Setup setup;
  setup.seed = seed;
  setup.wire = dice.of<std::uint64_t>(wires);
  if (strands && setup.wire > 4) setup.wire = 1;
  setup.reactor = dice.below(2);
  setup.strands = strands ? 1 : 0;
  setup.accept = dice.below(3);
  setup.client_listens = dice.one_in(4) ? 0 : 1;
  setup.accepted_listens = dice.one_in(4) ? 0 : 1;
  setup.client_half_open = dice.below(2);
  setup.accepted_half_open = dice.below(2);
  setup.high_water = draw_mark(dice);
  setup.low_water = dice.one_in(3) ? setup.high_water / 2 : 0;
  if (dice.one_in(4)) setup.max_buffered = std::max<std::uint64_t>(setup.high_water, 1) * 2 + dice.below(1000);
  setup.overflow_destroys = dice.one_in(3) ? 1 : 0;
  setup.most_moved = dice.one_in(3) ? 1 + dice.below(3000) : 0;
  setup.cancels_writes = strands ? 1 : dice.below(2);
  setup.finale = dice.of<std::uint64_t>(std::array<Weighted<std::uint64_t>, 3>{{{0, 5}, {1, 3}, {2, 2}}});
  return setup;
}

}  // namespace

Case draw(std::uint64_t seed, std::size_t steps, bool strands) {
  Dice dice(seed);
  Case drawn;
  drawn.setup = draw_setup(dice, seed, strands);
  if (steps == 0) steps = 8 + dice.below(60);
  const std::uint32_t lines = dice.one_in(3) ? 2 : 1;
  for (std::uint32_t line = 0; line < lines; ++line) {
    drawn.steps.push_back({.verb = Verb::connect, .who = 2 * line, .form = dice.of<Form>(forms), .run = Step::settles});
  }
  while (drawn.steps.size() < steps) drawn.steps.push_back(draw_step(dice, drawn.setup));
  return drawn;
}

}  // namespace libnet::test::random
