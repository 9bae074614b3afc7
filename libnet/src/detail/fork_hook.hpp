#pragma once

#include <atomic>

namespace libnet::detail {

/// What is the process's and no context's, such as threads: a child process does without it until one of its contexts is
/// told of the fork, since a child may be about to become another program. Null: nothing to resume.
inline constinit std::atomic<void (*)() noexcept> resume_in_child = nullptr;

}  // namespace libnet::detail
