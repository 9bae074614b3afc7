# Builds the benchmark's servers of libnet as the release preset does, since what counts instructions says nothing of code
# that is not optimised. SOURCE_DIR, BUILD_DIR and CXX are given.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result WORKING_DIRECTORY "${SOURCE_DIR}")
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --preset release -B "${BUILD_DIR}" -D CMAKE_CXX_COMPILER=${CXX}
  -D LIBNET_BUILD_TESTS=OFF -D LIBNET_BUILD_APPS=OFF)
run(${CMAKE_COMMAND} --build "${BUILD_DIR}" --target bench-libnet --parallel 2)
