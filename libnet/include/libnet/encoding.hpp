#pragma once

#include <cstdint>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// How bytes on the wire stand for text, and text for bytes. Text in the program is UTF-8, always.
///
/// Received bytes become text by `Socket::set_encoding`; text becomes the bytes to send by `write(text, encoding)`.
/// Source: Node buffer, "Buffers and character encodings"; RFC 3629, RFC 2781, RFC 4648.
enum class Encoding : std::uint8_t {
  bytes,      ///< As they are.
  utf8,       ///< What is not well-formed becomes U+FFFD, in both directions.
  ascii,      ///< Received: the lower seven bits of each byte. Sent: as latin1.
  latin1,     ///< A byte a character, U+0000 to U+00FF. Sent, of other characters the low byte of each UTF-16 unit.
  base64,     ///< The text is base64, sent or received. To send, both alphabets, no padding and white space will do.
  base64url,  ///< The same with '-' and '_', and without padding in received text.
  hex,        ///< The text is hexadecimal digits, two a byte; received ones are small letters.
  utf16le,    ///< UTF-16, the lower byte first. Lone surrogates become U+FFFD.
};

}  // namespace libnet

#pragma GCC visibility pop
