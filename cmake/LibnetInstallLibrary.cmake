# Installs the library file. As a part of another project that is all that is installed unless LIBNET_INSTALL is on: the
# programs of that project need it.
include(GNUInstallDirs)

install(TARGETS libnet EXPORT libnet-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/libnet-cpp")

# libnet_let_programs_find_it(): what links the library in this build looks for it beside its own directory as well, where
# both are installed. The paths into the build tree do not outlive the installation.
function(libnet_let_programs_find_it)
  if(NOT CMAKE_EXECUTABLE_FORMAT STREQUAL "ELF")
    return()
  endif()
  file(RELATIVE_PATH to_library "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
  # In a file, since CMake's generators and the shell do not agree about the dollar.
  set(options "${PROJECT_BINARY_DIR}/libnet-rpath.txt")
  file(WRITE "${options}" "-rpath=$ORIGIN/${to_library}\n")
  target_link_options(libnet INTERFACE "$<BUILD_INTERFACE:LINKER:@${options}>")
endfunction()
