#pragma once

#include <optional>

#include "libnet/block_list.hpp"

namespace libnet::core {

/// SocketOptions or ServerOptions with the block list that they point to.
template <class Options>
class Kept : public Options {
 public:
  explicit Kept(const Options& options) : Options(options) {
    if (options.block_list != nullptr) this->block_list = &list_.emplace(*options.block_list);
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() = default;

 private:
  std::optional<BlockList> list_;
};

}  // namespace libnet::core
