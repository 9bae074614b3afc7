#pragma once

#include <cstddef>
#include <span>

#include "core/text_decoder.hpp"
#include "libnet/listener_id.hpp"

namespace libnet::core {

/// What few sockets have between the transport and the one who consumes: an encoding, or memory of the caller's.
struct InputFilter {
  TextDecoder decoder;          ///< Of Encoding::bytes if none is set.
  std::span<std::byte> memory;  ///< Where the next read of `receiver` goes; empty if there is none.
  ListenerId receiver{};
};

}  // namespace libnet::core
