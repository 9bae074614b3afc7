#pragma once

#include <boost/asio/detail/config.hpp>
#include <boost/asio/detail/thread_info_base.hpp>
#include <boost/version.hpp>

#include <string_view>

/// What a program and the library must have in common, since types of Asio stand in our headers and Asio's code is compiled
/// into both: where one of these differs, the two would see one object with two layouts, or look for it in two ways.
///
/// Each is a function that the library defines for its own answer alone, and of which every source that includes our
/// headers takes the address. So a program that does not fit does not link, and the linker says what does not fit:
/// `undefined reference to void libnet::must_match_the_library::asio_threads<0>()`.
///
/// The list: a name, and the answer. A macro counts when Asio's configuration is done.
#define LIBNET_BUILD_FACTS(fact)                                                                                       \
  fact(boost_1_minor_version, BOOST_VERSION / 100 % 1000) fact(run_time_type_information,                              \
                                                               LIBNET_IS_DEFINED(__cpp_rtti))                          \
      fact(asio_exceptions, !LIBNET_IS_DEFINED(BOOST_ASIO_NO_EXCEPTIONS)) fact(                                        \
          asio_typeid, !LIBNET_IS_DEFINED(BOOST_ASIO_NO_TYPEID)) fact(asio_threads,                                    \
                                                                      LIBNET_IS_DEFINED(BOOST_ASIO_HAS_THREADS))       \
          fact(asio_thread_keyword, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_THREAD_KEYWORD_EXTENSION)) fact(                  \
              asio_epoll, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_EPOLL)) fact(asio_eventfd,                                  \
                                                                        LIBNET_IS_DEFINED(BOOST_ASIO_HAS_EVENTFD))     \
              fact(asio_timerfd, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_TIMERFD)) fact(                                      \
                  asio_kqueue, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_KQUEUE))                                               \
                  fact(asio_io_uring, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_IO_URING)) fact(                                \
                      asio_io_uring_as_default, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT))                 \
                      fact(asio_recycling_allocator_cache_size, BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE) fact(       \
                          asio_small_block_recycling, !LIBNET_IS_DEFINED(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING))    \
                          fact(asio_awaitable_frame_recycling,                                                         \
                               !LIBNET_IS_DEFINED(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING))                       \
                              fact(asio_handler_tracking, LIBNET_IS_DEFINED(BOOST_ASIO_ENABLE_HANDLER_TRACKING)) fact( \
                                  asio_custom_handler_tracking, LIBNET_IS_DEFINED(BOOST_ASIO_CUSTOM_HANDLER_TRACKING)) \
                                  fact(asio_ts_executor_as_default,                                                    \
                                       LIBNET_IS_DEFINED(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT))                       \
                                      fact(asio_std_aligned_alloc,                                                     \
                                           LIBNET_IS_DEFINED(BOOST_ASIO_HAS_STD_ALIGNED_ALLOC))                        \
                                          fact(asio_std_atomic, LIBNET_IS_DEFINED(BOOST_ASIO_HAS_STD_ATOMIC))          \
                                              fact(asio_std_exception_ptr,                                             \
                                                   LIBNET_IS_DEFINED(BOOST_ASIO_HAS_STD_EXCEPTION_PTR))                \
                                                  fact(asio_std_shared_ptr,                                            \
                                                       LIBNET_IS_DEFINED(BOOST_ASIO_HAS_STD_SHARED_PTR))

/// What a macro stands for is its own name if it is not defined.
#define LIBNET_IS_DEFINED(macro) (std::string_view(#macro) != LIBNET_TEXT_OF(macro))
#define LIBNET_TEXT_OF(...) #__VA_ARGS__

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet::must_match_the_library {

#define LIBNET_DECLARE_FACT(name, answer) \
  template <int answer_of_the_program>    \
  void name();
LIBNET_BUILD_FACTS(LIBNET_DECLARE_FACT)
#undef LIBNET_DECLARE_FACT

namespace {

// NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a template
#define LIBNET_ADDRESS_OF_FACT(name, answer) &name<(answer)>,
[[gnu::used, gnu::retain]] void (*const facts[])() = {LIBNET_BUILD_FACTS(LIBNET_ADDRESS_OF_FACT)};
#undef LIBNET_ADDRESS_OF_FACT

}  // namespace

}  // namespace libnet::must_match_the_library

#pragma GCC visibility pop
