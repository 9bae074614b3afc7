#include <libnet/chunk.hpp>

#include <ostream>

namespace libnet {

std::ostream& operator<<(std::ostream& out, Chunk chunk) { return out << std::string_view(chunk); }

}  // namespace libnet
