#include "libnet/payload.hpp"

#include "core/text_encoder.hpp"
#include "core/unicode.hpp"

namespace libnet {

Payload::Payload(std::string_view text, Encoding encoding) : Payload(text) {
  const bool its_own_bytes =
      encoding == Encoding::bytes || (encoding == Encoding::utf8 && core::well_formed_utf8(view_) == view_.size());
  if (its_own_bytes) return;
  view_ = {};
  if (auto bytes = core::encode_text(text, encoding)) {
    owner_ = std::move(*bytes);
  } else {
    owner_ = Invalid();
  }
}

}  // namespace libnet
