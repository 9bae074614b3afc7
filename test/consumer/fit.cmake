# cmake -D CXX=<compiler> -D INCLUDE=<directory> -D LIBRARY=<file> -D WORK_DIR=<directory> -P fit.cmake
cmake_minimum_required(VERSION 3.25)

set(source "${CMAKE_CURRENT_LIST_DIR}/fit.cpp")
file(MAKE_DIRECTORY "${WORK_DIR}")
set(misfits 0)

# build(<flag>...): sets `result` and `output`.
function(build)
  execute_process(
    COMMAND ${CXX} -std=c++20 ${ARGN} -I "${INCLUDE}" "${source}" -o "${WORK_DIR}/fit" "${LIBRARY}" -pthread
    RESULT_VARIABLE result ERROR_VARIABLE output OUTPUT_QUIET)
  set(result "${result}" PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect_fit)
  build(${ARGN})
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "does not link with '${ARGN}':\n${output}")
  endif()
endfunction()

# expect_misfit(<name of the fact> <flag>...)
function(expect_misfit fact)
  build(${ARGN})
  if(result EQUAL 0)
    message(FATAL_ERROR "links with '${ARGN}'")
  endif()
  string(REGEX MATCHALL "libnet::must_match_the_library::[a-z0-9_]+" facts "${output}")
  if(NOT "libnet::must_match_the_library::${fact}" IN_LIST facts)
    message(FATAL_ERROR "with '${ARGN}' the linker does not say '${fact}':\n${output}")
  endif()
  math(EXPR misfits "${misfits} + 1")
  set(misfits "${misfits}" PARENT_SCOPE)
endfunction()

expect_fit()
expect_fit(-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections)
expect_fit(-fvisibility=hidden -fvisibility-inlines-hidden)
expect_fit(-DBOOST_ASIO_DISABLE_SERIAL_PORT -DBOOST_ASIO_NO_DEPRECATED) # of no interest

expect_misfit(run_time_type_information -fno-rtti)
expect_misfit(asio_typeid -fno-rtti)
expect_misfit(asio_exceptions -DBOOST_ASIO_NO_EXCEPTIONS)
expect_misfit(asio_threads -DBOOST_ASIO_DISABLE_THREADS)
expect_misfit(asio_threads -DBOOST_ASIO_DISABLE_THREADS -DALL_HEADERS) # every public header leads to the list
expect_misfit(asio_threads -DBOOST_ASIO_DISABLE_THREADS -O2 -ffunction-sections -fdata-sections -Wl,--gc-sections)
expect_misfit(asio_thread_keyword -DBOOST_ASIO_DISABLE_THREAD_KEYWORD_EXTENSION)
expect_misfit(asio_epoll -DBOOST_ASIO_DISABLE_EPOLL)
expect_misfit(asio_timerfd -DBOOST_ASIO_DISABLE_EPOLL) # without epoll there is none
expect_misfit(asio_eventfd -DBOOST_ASIO_DISABLE_EVENTFD)
expect_misfit(asio_kqueue -DBOOST_ASIO_HAS_KQUEUE)
expect_misfit(asio_io_uring -DBOOST_ASIO_HAS_IO_URING)
expect_misfit(asio_io_uring_as_default -DBOOST_ASIO_HAS_IO_URING -DBOOST_ASIO_DISABLE_EPOLL)
expect_misfit(asio_recycling_allocator_cache_size -DBOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=4)
expect_misfit(asio_small_block_recycling -DBOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
expect_misfit(asio_awaitable_frame_recycling -DBOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)
expect_misfit(asio_handler_tracking -DBOOST_ASIO_ENABLE_HANDLER_TRACKING)
expect_misfit(asio_custom_handler_tracking "-DBOOST_ASIO_CUSTOM_HANDLER_TRACKING=<boost/version.hpp>")
expect_misfit(asio_ts_executor_as_default -DBOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
expect_misfit(asio_std_aligned_alloc -DBOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC)
expect_misfit(asio_std_atomic -DBOOST_ASIO_DISABLE_STD_ATOMIC)
expect_misfit(asio_std_exception_ptr -DBOOST_ASIO_DISABLE_STD_EXCEPTION_PTR)
expect_misfit(asio_std_shared_ptr -DBOOST_ASIO_DISABLE_STD_SHARED_PTR)

# Another Boost: its number alone.
file(WRITE "${WORK_DIR}/boost_1_999/boost/version.hpp"
  "#include_next <boost/version.hpp>\n#undef BOOST_VERSION\n#define BOOST_VERSION 199900\n")
expect_misfit(boost_1_minor_version -I "${WORK_DIR}/boost_1_999")

message(NOTICE "CASE B299_programs_that_do_not_fit ${misfits} listener")
