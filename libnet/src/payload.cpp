#include "libnet/payload.hpp"

#include <utility>

#include "core/text_encoder.hpp"
#include "core/unicode.hpp"

namespace libnet {

Payload::Payload(std::string_view text, Encoding encoding) : Payload(text) {
  const bool its_own_bytes =
      encoding == Encoding::bytes || (encoding == Encoding::utf8 && core::well_formed_utf8(view_) == view_.size());
  if (its_own_bytes) return;
  auto bytes = core::encode_text(text, encoding);
  valid_ = bytes.has_value();
  owner_ = valid_ ? Bytes(std::move(*bytes)) : Bytes();
  view_ = owner_.span();
}

}  // namespace libnet
