#include "core/operation_name.hpp"

namespace libnet::core {

const char* name_of(detail::Operation::Kind kind) noexcept {
  using Kind = detail::Operation::Kind;
  switch (kind) {
    case Kind::read:
    case Kind::read_some: return "read";
    case Kind::pipe:
    case Kind::writable: return "pipe";
    case Kind::write: return "write";
    case Kind::connect: return "connect";
    case Kind::drain: return "drain";
    case Kind::end: return "end";
    case Kind::close: return "close";
    case Kind::event: return "wait";
    case Kind::accept: return "accept";
    case Kind::listen: return "listen";
    case Kind::count: break;
  }
  return "";
}

}  // namespace libnet::core
