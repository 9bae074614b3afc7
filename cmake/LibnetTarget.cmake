# What every target of this project has in common. None of it reaches the users of libnet::libnet.

# libnet_own_target(<target>): warnings, sanitizers.
function(libnet_own_target target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
    $<$<BOOL:${LIBNET_WERROR}>:-Werror>
    # Asio allocates coroutine frames with a matching pair that g++ 12 does not recognise.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
  if(NOT LIBNET_SANITIZE STREQUAL "")
    libnet_sanitize(${target})
  endif()
endfunction()

function(libnet_sanitize target)
  if(LIBNET_SANITIZE STREQUAL "address")
    set(flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_definitions(${target} PRIVATE LIBNET_SANITIZE_ADDRESS)
    # Instrumented code makes g++ see paths that cannot be taken.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  elseif(LIBNET_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread -fno-omit-frame-pointer)
    target_compile_definitions(${target} PRIVATE LIBNET_SANITIZE_THREAD)
    # Asio's fences are not modelled by g++'s thread sanitizer, which says so for each.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  else()
    message(FATAL_ERROR "LIBNET_SANITIZE must be empty, 'address' or 'thread', not '${LIBNET_SANITIZE}'")
  endif()
  target_compile_options(${target} PRIVATE ${flags})
  target_link_options(${target} PRIVATE ${flags})
endfunction()

# libnet_precompile_headers(<target> <header>...): the named headers and those of Asio that nearly every file needs.
# The code must build without them: each file includes what it uses.
function(libnet_precompile_headers target)
  if(NOT LIBNET_PCH)
    return()
  endif()
  target_precompile_headers(${target} PRIVATE
    <algorithm> <array> <chrono> <coroutine> <cstddef> <cstdint> <deque> <functional> <map> <memory> <optional>
    <span> <string> <string_view> <system_error> <tuple> <utility> <variant> <vector>
    <boost/asio/any_completion_handler.hpp>
    <boost/asio/any_io_executor.hpp>
    <boost/asio/associated_cancellation_slot.hpp>
    <boost/asio/async_result.hpp>
    <boost/asio/awaitable.hpp>
    <boost/asio/buffer.hpp>
    <boost/asio/cancellation_signal.hpp>
    <boost/asio/co_spawn.hpp>
    <boost/asio/compose.hpp>
    <boost/asio/deferred.hpp>
    <boost/asio/detached.hpp>
    <boost/asio/dispatch.hpp>
    <boost/asio/experimental/awaitable_operators.hpp>
    <boost/asio/io_context.hpp>
    <boost/asio/ip/tcp.hpp>
    <boost/asio/local/stream_protocol.hpp>
    <boost/asio/posix/stream_descriptor.hpp>
    <boost/asio/post.hpp>
    <boost/asio/steady_timer.hpp>
    <boost/asio/strand.hpp>
    <boost/asio/use_awaitable.hpp>
    ${ARGN})
endfunction()

# libnet_reuse_precompiled_headers(<target> <owner>): shares the owner's headers; both must compile with the same flags.
function(libnet_reuse_precompiled_headers target owner)
  if(LIBNET_PCH)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

# libnet_precompiled_headers_owner(<name> LINK <library>... HEADERS <header>...): compiles headers for others to reuse.
function(libnet_precompiled_headers_owner name)
  if(NOT LIBNET_PCH OR TARGET ${name})
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK;HEADERS")
  set(source "${PROJECT_BINARY_DIR}/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "// Owns precompiled headers that several targets share.\n")
  add_library(${name} OBJECT "${source}")
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  libnet_own_target(${name})
  libnet_precompile_headers(${name} ${arg_HEADERS})
endfunction()

# libnet_reuse_program_headers(<target>): precompiled Asio for an own target that does without libnet's private ones.
function(libnet_reuse_program_headers target)
  libnet_precompiled_headers_owner(libnet_program_headers LINK libnet::libnet HEADERS <iostream>)
  libnet_reuse_precompiled_headers(${target} libnet_program_headers)
endfunction()

# libnet_program_target(<target>): a program that knows the public API alone (apps, benchmarks, documentation snippets).
function(libnet_program_target target)
  target_link_libraries(${target} PRIVATE libnet::libnet)
  libnet_own_target(${target})
  libnet_reuse_program_headers(${target})
endfunction()
