# One step of a consumer test; see CMakeLists.txt beside this file for the variables.
cmake_minimum_required(VERSION 3.25)

set(prefix "${WORK_DIR}/prefix")
set(parent_prefix "${WORK_DIR}/parent_prefix")
set(consumer_source "${SOURCE_DIR}/test/consumer")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

function(configure_shared installs_all)
  run(${CMAKE_COMMAND} -S "${consumer_source}/parent" -B "${BUILD_DIR}" -G "${GENERATOR}"
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_BUILD_TYPE=${BUILD_TYPE} -D CMAKE_CXX_FLAGS_DEBUG=-O0
    -D LIBNET_SOURCE_DIR=${SOURCE_DIR} -D LIBNET_INSTALL=${installs_all})
endfunction()

# By default a part of another project installs no headers, but what its programs need.
function(install_shared)
  configure_shared(OFF)
  run(${CMAKE_COMMAND} --build "${BUILD_DIR}" --parallel 2)
  file(REMOVE_RECURSE "${prefix}" "${parent_prefix}")
  run(${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${parent_prefix}")
  configure_shared(ON)
endfunction()

function(step_install)
  if(KIND STREQUAL "shared")
    install_shared()
  endif()
  file(REMOVE_RECURSE "${prefix}")
  run(${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${prefix}")
endfunction()

# The program finds the library where both are installed, without being told, and after they were moved together.
function(step_B300_part_of_a_project)
  if(EXISTS "${parent_prefix}/include")
    message(FATAL_ERROR "headers are installed although nobody asked for them")
  endif()
  set(moved "${WORK_DIR}/moved")
  file(REMOVE_RECURSE "${moved}")
  file(COPY "${parent_prefix}/" DESTINATION "${moved}")
  foreach(place IN ITEMS "${parent_prefix}" "${moved}")
    run(${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH "${place}/bin/program")
  endforeach()
  message(NOTICE "CASE B300_part_of_a_project 2 listener")
endfunction()

# What the library has of its own is exported if it stands in the public headers, and not otherwise.
function(step_B300_exported_names)
  file(GLOB_RECURSE library "${prefix}/*/libnet-cpp.so")
  execute_process(COMMAND ${NM} --dynamic --defined-only --demangle "${library}"
    OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[][;]" "," names "${names}")  # they mean something in lists
  string(REPLACE "\n" ";" names "${names}")
  set(of_something "(vtable for |typeinfo for |typeinfo name for |VTT for |guard variable for |non-virtual thunk to )?")
  set(own ${names})
  list(FILTER own INCLUDE REGEX "^[0-9a-f]+ [A-Za-z] ${of_something}libnet::")
  set(inner ${own})
  list(FILTER inner INCLUDE REGEX "^[0-9a-f]+ [A-Za-z] ${of_something}libnet::(core|reactor|transport)::[A-Za-z0-9_:~]*([(<]|$)")
  if(inner)
    list(JOIN inner "\n" text)
    message(FATAL_ERROR "exported, though they are not public:\n${text}")
  endif()
  list(FILTER names INCLUDE REGEX "^[0-9a-f]+ [A-TX-Z] (spdlog|fmt)::")  # weak ones are inline code of theirs
  if(names)
    list(JOIN names "\n" text)
    message(FATAL_ERROR "exported, though they are a dependency's:\n${text}")
  endif()
  foreach(public IN ITEMS "libnet::Socket::start_read" "libnet::Server::start_listen" "libnet::is_ip" "libnet::use_reactor"
      "typeinfo for libnet::SystemError" "libnet::detail::recycle_allocate" "libnet::BlockList::" "libnet::Error::message")
    string(FIND "${own}" " ${public}" position)
    if(position EQUAL -1)
      message(FATAL_ERROR "not exported: ${public}")
    endif()
  endforeach()
  list(LENGTH own count)
  message(NOTICE "CASE B300_exported_names ${count} listener")
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
