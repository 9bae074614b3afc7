#include "page.hpp"

#include <stdexcept>
#include <string_view>

#include <boost/algorithm/string/replace.hpp>

#include "json.hpp"

namespace bench {

extern const std::string_view page_template;  // page.html, put into the program when it is built

std::string to_page(const Result& result) {
  constexpr std::string_view place = "/*RESULT*/null";
  std::string page(page_template);
  const std::size_t found = page.find(place);
  if (found == std::string::npos) throw std::runtime_error("the page has no place for the result");
  // In JSON this character is in strings only; there it could end the script.
  const std::string json = boost::replace_all_copy(to_json(result), "<", "\\u003c");
  return page.replace(found, place.size(), json);
}

}  // namespace bench
