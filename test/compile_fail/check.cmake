# cmake -D CXX=<compiler> -D SOURCE=<file> -D INCLUDE=<directory> -P check.cmake
cmake_minimum_required(VERSION 3.25)

# The part of the message that a user sees without scrolling.
set(first_lines 12)

function(compile result_name output_name)
  execute_process(
    COMMAND ${CXX} -std=c++20 -fsyntax-only -fdiagnostics-color=never -I ${INCLUDE} ${ARGN} ${SOURCE}
    RESULT_VARIABLE result
    ERROR_VARIABLE output
    OUTPUT_QUIET)
  set(${result_name} "${result}" PARENT_SCOPE)
  set(${output_name} "${output}" PARENT_SCOPE)
endfunction()

compile(right_result right_output)
if(NOT right_result EQUAL 0)
  message(FATAL_ERROR "What is right does not compile:\n${right_output}")
endif()

compile(wrong_result wrong_output -DWRONG)
if(wrong_result EQUAL 0)
  message(FATAL_ERROR "What is wrong compiles.")
endif()

string(REPLACE "void (" "void(" wrong_output "${wrong_output}")  # clang writes both in its own way
string(REPLACE "_Bool" "bool" wrong_output "${wrong_output}")
string(REGEX REPLACE "[][;]" "," wrong_output "${wrong_output}")  # they mean something in lists
string(REPLACE "\n" ";" lines "${wrong_output}")
list(SUBLIST lines 0 ${first_lines} lines)
string(REPLACE ";" "\n" head "${lines}")
file(STRINGS "${SOURCE}" expectations REGEX "^// says: ")
if(expectations STREQUAL "")
  message(FATAL_ERROR "${SOURCE} does not tell what the compiler has to say.")
endif()
foreach(expectation IN LISTS expectations)
  string(REPLACE "// says: " "" text "${expectation}")
  string(FIND "${head}" "${text}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "The first lines do not say '${text}':\n${head}")
  endif()
endforeach()
