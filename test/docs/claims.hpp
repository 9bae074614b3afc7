#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <source_location>

/// What the documentation's programs have in common: they say what the text claims, and end by themselves.

/// Ends the program unless the text is right.
inline void claim(bool holds, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: the text is wrong here\n", where.file_name(), static_cast<unsigned>(where.line()));
  std::exit(1);
}

/// Runs the context until nothing keeps it running, and for a minute at most.
inline void run_to_the_end(boost::asio::io_context& context,
                           std::source_location where = std::source_location::current()) {
  context.run_for(std::chrono::seconds(10));
  claim(context.stopped(), where);
}

/// For co_spawn: what a coroutine throws leaves run_to_the_end().
inline constexpr auto rethrow = [](std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
};
