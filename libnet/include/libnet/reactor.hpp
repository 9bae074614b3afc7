#pragma once

#include <cstdint>

namespace boost::asio {
class io_context;
}

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// How a context learns that descriptors are ready.
enum class ReactorKind : std::uint8_t {
  epoll,     ///< An edge-triggered epoll set of the library's own (Linux). For contexts that one thread runs.
  portable,  ///< Asio's waits. Works with strands, several threads and other systems.
};

/// Chooses the reactor of the sockets and servers that use the context's own executor.
///
/// The default is `epoll` on Linux. A strand always gets `portable`.
/// @param context  The io_context; call this before its first Socket or Server is made.
/// @throws SystemError with Errc::wrong_reactor if the context already uses the other one.
void use_reactor(boost::asio::io_context& context, ReactorKind kind);

}  // namespace libnet

#pragma GCC visibility pop
