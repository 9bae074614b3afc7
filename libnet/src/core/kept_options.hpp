#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

#include "libnet/block_list.hpp"
#include "libnet/errc.hpp"
#include "libnet/error.hpp"
#include "libnet/options.hpp"

namespace libnet::core {

/// The bytes queued at which a further write fails.
inline std::size_t effective_max_buffered(const SocketOptions& options) noexcept {
  constexpr std::size_t usual = 64 * 1024 * 1024;
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  const std::size_t twice = options.high_water_mark <= most / 2 ? 2 * options.high_water_mark : most;
  return options.max_buffered.value_or(std::max(usual, twice));
}

/// @throws SystemError Errc::out_of_range
inline void check_type_of_service(int value) {
  if (value < 0 || value > 255) throw SystemError(Error(Errc::out_of_range, "set_type_of_service"));
}

/// A count or an interval below zero means nothing.
/// @throws SystemError Errc::out_of_range
inline void check_keep_alive(const KeepAlive& keep_alive) {
  if (keep_alive.interval.count() < 0 || keep_alive.count < 0) {
    throw SystemError(Error(Errc::out_of_range, "set_keep_alive"));
  }
}

/// A queue that is full before `write()` returns false loses the writes of who goes by it, and a 'drain' above the
/// mark would come before there was any need.
/// @throws SystemError Errc::invalid_argument
inline void check_marks(const SocketOptions& options) {
  const bool contradict =
      options.low_water_mark > options.high_water_mark || options.high_water_mark > effective_max_buffered(options);
  if (contradict) throw SystemError(Error(Errc::invalid_argument, "open"));
}

/// What may not be given to any socket, checked before anything is made or taken.
/// @throws SystemError Errc::invalid_argument, Errc::out_of_range
inline void check_options(const SocketOptions& options) {
  check_marks(options);
  if (options.type_of_service) check_type_of_service(*options.type_of_service);
}

/// Lets a pointer to somebody's block list point to a copy of it.
class KeptBlockList {
 public:
  explicit KeptBlockList(const BlockList*& list) {
    if (list != nullptr) list = &copy_.emplace(*list);
  }
  KeptBlockList(const KeptBlockList&) = delete;
  KeptBlockList& operator=(const KeptBlockList&) = delete;
  ~KeptBlockList() = default;

 private:
  std::optional<BlockList> copy_;
};

/// Options with the block lists that they point to; `max_buffered` has a value.
template <class Options>
class Kept;

template <>
class Kept<SocketOptions> : public SocketOptions {
 public:
  explicit Kept(const SocketOptions& options) : SocketOptions(options) {
    max_buffered = effective_max_buffered(options);
  }

 private:
  KeptBlockList list_{block_list};
};

template <>
class Kept<ServerOptions> : public ServerOptions {
 public:
  explicit Kept(const ServerOptions& options) : ServerOptions(options) {
    socket.max_buffered = effective_max_buffered(options.socket);
  }

 private:
  KeptBlockList list_{block_list};
  KeptBlockList list_of_sockets_{socket.block_list};
};

}  // namespace libnet::core
