# What the library itself stands on. Boost is used for its headers only, and always as system headers.
find_package(Boost 1.81 REQUIRED)
find_package(Threads REQUIRED)
find_package(spdlog 1.10 REQUIRED)
if(LIBNET_TLS)
  find_package(OpenSSL 3.0 REQUIRED)
endif()
