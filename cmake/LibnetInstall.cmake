# Install rules: headers, library, CMake package `libnet`, pkg-config file `libnet-cpp`.
include(LibnetInstallLibrary)
include(CMakePackageConfigHelpers)

set(libnet_include_dir "${CMAKE_INSTALL_INCLUDEDIR}/libnet-cpp")
set(libnet_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/libnet")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/libnet/include/libnet"
  DESTINATION "${libnet_include_dir}"
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp")
install(EXPORT libnet-targets NAMESPACE libnet:: DESTINATION "${libnet_cmake_dir}")

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/libnet-config.cmake.in" "${PROJECT_BINARY_DIR}/libnet-config.cmake"
  INSTALL_DESTINATION "${libnet_cmake_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/libnet-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/libnet-config.cmake" "${PROJECT_BINARY_DIR}/libnet-config-version.cmake"
  DESTINATION "${libnet_cmake_dir}")

# The prefix is told relative to the .pc file, so an installed tree can be moved.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR libnet_libdir_is_absolute)
if(libnet_libdir_is_absolute)
  set(LIBNET_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH libnet_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  set(LIBNET_PC_PREFIX "\${pcfiledir}/${libnet_to_prefix}")
endif()
cmake_path(APPEND libnet_pc_lib "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND libnet_pc_include "\${prefix}" "${libnet_include_dir}")
set(LIBNET_PC_LIBDIR "${libnet_pc_lib}")
set(LIBNET_PC_INCLUDEDIR "${libnet_pc_include}")
# A static library brings its dependencies to the user's link line; a shared one has them inside.
set(libnet_pc_modules "spdlog")
if(LIBNET_TLS)
  string(APPEND libnet_pc_modules ", openssl >= 3.0")
endif()
if(BUILD_SHARED_LIBS)
  set(LIBNET_PC_REQUIRES "")
else()
  set(LIBNET_PC_REQUIRES "${libnet_pc_modules}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/libnet-cpp.pc.in" "${PROJECT_BINARY_DIR}/libnet-cpp.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/libnet-cpp.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/libnet-cpp")
