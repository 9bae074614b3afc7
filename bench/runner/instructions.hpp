#pragma once

#include <string>

#include "trial.hpp"

namespace bench {

/// The package of the program that counts instructions.
inline constexpr const char* instructions_need = "valgrind";

/// Is valgrind there?
/// @throws std::runtime_error that names the package if not.
void require_instruction_counter();

/// What a server executes in user space for each unit, counted by valgrind's callgrind. The load goes by rounds of one
/// exchange on every connection; two runs of different length are subtracted, so that starting, connecting and ending
/// do not count.
/// @throws std::runtime_error that says how the server failed.
double count_instructions(const Scenario& scenario, const Rival& rival, const TrialSettings& settings);

}  // namespace bench
