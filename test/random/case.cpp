#include "random/case.hpp"

#include <algorithm>
#include <array>
#include <istream>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace libnet::test::random {

namespace {

// In the order of the enumerators.
constexpr std::array verb_names{"connect",      "connect_refused",
                                "write",        "end",
                                "destroy",      "destroy_with_error",
                                "destroy_soon", "reset",
                                "close",        "drop",
                                "data_on",      "data_off",
                                "read",         "read_some",
                                "on_read",      "pause",
                                "resume",       "unshift",
                                "cork",         "uncork",
                                "encoding",     "timeout",
                                "pipe",         "unpipe",
                                "drain",        "wait",
                                "cancel",       "throw",
                                "accept",       "serve_return",
                                "serve_throw",  "listen",
                                "close_server", "advance"};
constexpr std::array where_names{"tick",   "with",     "then",      "on_connect", "on_data",
                                 "on_end", "on_drain", "on_finish", "on_error",   "on_close"};
constexpr std::array form_names{"plain", "callback", "handler", "slot", "tuple", "thrown"};
constexpr std::array data_names{"view", "string", "vector", "bytes", "hex", "base64", "some"};
static_assert(verb_names.size() == static_cast<std::size_t>(Verb::advance) + 1);
static_assert(where_names.size() == static_cast<std::size_t>(Where::on_close) + 1);
static_assert(form_names.size() == static_cast<std::size_t>(Form::thrown) + 1);
static_assert(data_names.size() == static_cast<std::size_t>(Data::some) + 1);

struct Number {
  const char* name;
  std::uint64_t Setup::* value;
};
constexpr std::array numbers{
    Number{"seed", &Setup::seed},
    Number{"wire", &Setup::wire},
    Number{"reactor", &Setup::reactor},
    Number{"strands", &Setup::strands},
    Number{"accept", &Setup::accept},
    Number{"client_listens", &Setup::client_listens},
    Number{"accepted_listens", &Setup::accepted_listens},
    Number{"client_half_open", &Setup::client_half_open},
    Number{"accepted_half_open", &Setup::accepted_half_open},
    Number{"high_water", &Setup::high_water},
    Number{"low_water", &Setup::low_water},
    Number{"max_buffered", &Setup::max_buffered},
    Number{"overflow_destroys", &Setup::overflow_destroys},
    Number{"most_moved", &Setup::most_moved},
    Number{"cancels_writes", &Setup::cancels_writes},
    Number{"finale", &Setup::finale},
};

template <class Names>
std::size_t find(const Names& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) throw std::runtime_error("unknown word '" + std::string(text) + "'");
  return static_cast<std::size_t>(found - names.begin());
}

template <class Enum>
const char* name(const auto& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

std::ostream& operator<<(std::ostream& out, const Step& step) {
  out << "  " << name(where_names, step.where) << ' ' << name_of_side(step.who) << '.' << name(verb_names, step.verb);
  if (step.amount != 0) out << ' ' << step.amount;
  if (step.form != Form::plain) out << " form=" << name(form_names, step.form);
  if (step.data != Data::view) out << " data=" << name(data_names, step.data);
  if (step.limit != 0) out << " limit=" << step.limit - 1 << "ms";
  if (step.run == Step::settles) return out << " settle";
  if (step.run != 0) out << " run=" << step.run;
  return out;
}

std::uint32_t number(std::string_view text) { return static_cast<std::uint32_t>(std::stoul(std::string(text))); }

void read_word(Step& step, std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  if (key == "form") {
    step.form = static_cast<Form>(find(form_names, value));
  } else if (key == "data") {
    step.data = static_cast<Data>(find(data_names, value));
  } else if (key == "limit") {
    step.limit = number(value) + 1;
  } else if (key == "run") {
    step.run = number(value);
  } else if (key == "settle") {
    step.run = Step::settles;
  } else {
    step.amount = number(word);
  }
}

Step read_step(std::istream& line, const std::string& where) {
  Step step;
  step.where = static_cast<Where>(find(where_names, where));
  std::string call;
  line >> call;
  const std::size_t dot = call.find('.');
  if (dot != 2) throw std::runtime_error("no socket in '" + call + "'");
  step.who = (call[0] == 'a' ? 1U : 0U) + 2 * number(call.substr(1, 1));
  step.verb = static_cast<Verb>(find(verb_names, std::string_view(call).substr(3)));
  for (std::string word; line >> word;) read_word(step, word);
  return step;
}

bool read_setting(Setup& setup, std::string_view word) {
  for (const Number& each : numbers) {
    const std::string_view key(each.name);
    if (!word.starts_with(key) || word.substr(key.size(), 1) != "=") continue;
    setup.*each.value = std::stoull(std::string(word.substr(key.size() + 1)));
    return true;
  }
  return false;
}

}  // namespace

std::string name_of_side(std::uint32_t who) { return (who % 2 == 0 ? "c" : "a") + std::to_string(who / 2); }

std::string name_of(const Step& step) {
  std::ostringstream text;
  text << step;
  return text.str().substr(2);
}

std::ostream& operator<<(std::ostream& out, const Case& value) {
  const Setup usual;
  for (const Number& each : numbers) {
    if (value.setup.*each.value != usual.*each.value) out << each.name << '=' << value.setup.*each.value << '\n';
  }
  for (const Step& step : value.steps) out << step << '\n';
  return out;
}

Case parse_case(std::istream& in) {
  Case read;
  for (std::string text; std::getline(in, text);) {
    std::istringstream line(text);
    std::string word;
    if (!(line >> word) || word.starts_with('#') || read_setting(read.setup, word)) continue;
    read.steps.push_back(read_step(line, word));
  }
  return read;
}

}  // namespace libnet::test::random
