#pragma once

#include <string>
#include <vector>

#include "result.hpp"

namespace bench {

/// Columns of text, as wide as what is in them; the first is aligned left, the others right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head) : rows_{std::move(head)} {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Everything a reader at a terminal wants: a table for each scenario, failures, missing rivals, notes, goals.
std::string report(const Result& result);

/// A count or a size with three digits that matter.
std::string number(double value);

}  // namespace bench
