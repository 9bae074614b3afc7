# One step of a consumer test; see CMakeLists.txt beside this file for the variables.
cmake_minimum_required(VERSION 3.25)

set(prefix "${WORK_DIR}/prefix")
set(consumer_source "${SOURCE_DIR}/test/consumer")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

function(build_shared)
  run(${CMAKE_COMMAND} -S "${SOURCE_DIR}" -B "${BUILD_DIR}" -G "${GENERATOR}"
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_BUILD_TYPE=${BUILD_TYPE} -D BUILD_SHARED_LIBS=ON
    -D CMAKE_CXX_FLAGS_DEBUG=-O0
    -D LIBNET_BUILD_TESTS=OFF -D LIBNET_BUILD_APPS=OFF -D LIBNET_BUILD_BENCH=OFF)
  run(${CMAKE_COMMAND} --build "${BUILD_DIR}" --parallel 2)
endfunction()

function(step_install)
  if(KIND STREQUAL "shared")
    build_shared()
  endif()
  file(REMOVE_RECURSE "${prefix}")
  run(${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${prefix}")
endfunction()

function(step_find_package)
  set(build "${WORK_DIR}/find_package")
  file(REMOVE_RECURSE "${build}")
  run(${CMAKE_COMMAND} -S "${consumer_source}" -B "${build}" -G "${GENERATOR}"
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_BUILD_TYPE=${BUILD_TYPE} -D CMAKE_PREFIX_PATH=${prefix}
    -D CMAKE_CXX_FLAGS_DEBUG=-O0)
  run(${CMAKE_COMMAND} --build "${build}")
  run("${build}/consumer")
endfunction()

function(step_pkg_config)
  file(GLOB_RECURSE pc "${prefix}/*/libnet-cpp.pc")
  cmake_path(GET pc PARENT_PATH pc_dir)
  cmake_path(GET pc_dir PARENT_PATH lib_dir)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PKG_CONFIG_PATH=${pc_dir}" pkg-config --cflags --libs libnet-cpp
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  set(program "${WORK_DIR}/consumer_pkg_config")
  run("${CXX}" -std=c++20 "${consumer_source}/main.cpp" -o "${program}" ${flags})
  run(${CMAKE_COMMAND} -E env "LD_LIBRARY_PATH=${lib_dir}" "${program}")
endfunction()

cmake_language(CALL step_${STEP})
