#include <libnet/payload.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text_decoder.hpp"
#include "core/text_encoder.hpp"
#include "core/unicode.hpp"
#include "support/seed.hpp"

using namespace std::string_view_literals;

namespace {

using libnet::Encoding;
using libnet::Payload;
using libnet::core::encode_text;
using libnet::core::TextDecoder;

/// Bytes on the wire, and the text that they are.
struct Sample {
  Encoding encoding;
  std::string_view bytes;
  std::string_view text;
};

std::ostream& operator<<(std::ostream& out, const Sample& sample) {
  return out << "encoding " << static_cast<int>(sample.encoding) << ", " << sample.text;
}

/// Both ways: received bytes give the text, and the text gives the bytes to send.
constexpr std::array round_trips{
    Sample{Encoding::bytes, "\0\x80\xFF"sv, "\0\x80\xFF"sv},
    Sample{Encoding::utf8, "plain", "plain"},
    Sample{Encoding::utf8, "", ""},
    Sample{Encoding::utf8, "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80.", "h\u00E9 \u20AC \U0001F600."},
    Sample{Encoding::utf8, "long enough for words of ASCII \xC3\xA9 and then more of it",
           "long enough for words of ASCII \u00E9 and then more of it"},
    Sample{Encoding::utf8, "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\xF0\x90\x80\x80",
           "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\xF0\x90\x80\x80"},
    Sample{Encoding::utf8, "\xF4\x8F\xBF\xBF\0"sv, "\U0010FFFF\0"sv},
    Sample{Encoding::ascii, "seven bits", "seven bits"},
    Sample{Encoding::latin1, "caf\xE9 \xFF\x80", "caf\u00E9 \u00FF\xC2\x80"},
    Sample{Encoding::hex, "\x00\x01\x7F\x80\xFE\xFF"sv, "00017f80feff"},
    Sample{Encoding::hex, "", ""},
    Sample{Encoding::base64, "", ""},
    Sample{Encoding::base64, "f", "Zg=="},
    Sample{Encoding::base64, "fo", "Zm8="},
    Sample{Encoding::base64, "foo", "Zm9v"},
    Sample{Encoding::base64, "foob", "Zm9vYg=="},
    Sample{Encoding::base64, "fooba", "Zm9vYmE="},
    Sample{Encoding::base64, "foobar", "Zm9vYmFy"},
    Sample{Encoding::base64, "\xFB\xEF\xBE\xFF\xFF\xFF\xFB", "++++////+w=="},
    Sample{Encoding::base64url, "\xFB\xEF\xBE\xFF\xFF\xFF\xFB", "----____-w"},
    Sample{Encoding::base64url, "fo", "Zm8"},
    Sample{Encoding::utf16le, "a\0\xE9\0\xAC\x20\x3D\xD8\x00\xDE.\0"sv, "a\u00E9\u20AC\U0001F600."},
    Sample{Encoding::utf16le, "\xFF\xD7\x00\xE0\x00\xD8\x00\xDC\xFF\xDB\xFF\xDF"sv, "\uD7FF\uE000\U00010000\U0010FFFF"},
};

/// Received bytes that are not well-formed, or that no text is sent as.
constexpr std::array received_only{
    Sample{Encoding::utf8, "a\x80z", "a\uFFFDz"},
    Sample{Encoding::utf8, "\xC0\x80", "\uFFFD\uFFFD"},
    Sample{Encoding::utf8, "\xE0\x80\x80", "\uFFFD\uFFFD\uFFFD"},
    Sample{Encoding::utf8, "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
    Sample{Encoding::utf8, "\xF5\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
    Sample{Encoding::utf8, "\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
    Sample{Encoding::utf8, "\xF0\x8F\xBF\xBF", "\uFFFD\uFFFD\uFFFD\uFFFD"},
    Sample{Encoding::utf8, "\xE2\x82\"quoted\"", "\uFFFD\"quoted\""},
    Sample{Encoding::utf8, "\xF0\x9F\x98\xE2\x82\xAC\xC3", "\uFFFD\u20AC\uFFFD"},
    Sample{Encoding::utf8, "\xE2\xF0\x9F\xC3\xA9\xF0\x9F\x98", "\uFFFD\uFFFD\u00E9\uFFFD"},
    Sample{Encoding::utf8, "12345678\xFE 12345678\xFF", "12345678\uFFFD 12345678\uFFFD"},
    Sample{Encoding::ascii, "\xC1\xE2\x7F", "Ab\x7F"},
    Sample{Encoding::utf16le, "\x00\xDC\x41\x00"sv, "\uFFFDA"},
    Sample{Encoding::utf16le, "\x00\xD8\x41\x00"sv, "\uFFFDA"},
    Sample{Encoding::utf16le, "\x00\xD8\x00\xD8\x00\xDC"sv, "\uFFFD\U00010000"},
    Sample{Encoding::utf16le, "\x41"sv, "\uFFFD"},
    Sample{Encoding::utf16le, "\x41\x00\x00\xD8"sv, "A\uFFFD"},
    Sample{Encoding::utf16le, "\x41\x00\x00\xD8\x41"sv, "A\uFFFD"},
};

/// Text that can be sent, but does not come back like that.
constexpr std::array sent_only{
    Sample{Encoding::utf8, "a\xEF\xBF\xBDz\xEF\xBF\xBD", "a\x80z\xE2\x82"},
    Sample{Encoding::ascii, "caf\xE9", "caf\u00E9"},
    Sample{Encoding::latin1, "\xAC\x3D\x00\xFD"sv, "\u20AC\U0001F600\xFF"},
    Sample{Encoding::utf16le, "\xFD\xFF"sv, "\xFF"},
    Sample{Encoding::hex, "\xAB\xCD\xEF", "ABcdEF"},
    Sample{Encoding::base64, "foob", "Zm9vYg"},
    Sample{Encoding::base64, "foobar", " Zm9v\r\n\tYmFy\n"},
    Sample{Encoding::base64, "f", "Zg = =\n"},
    Sample{Encoding::base64, "\xFB\xEF\xBE\xFF\xFF\xFF", "----____"},
    Sample{Encoding::base64url, "\xFB\xEF\xBE\xFF\xFF\xFF\xFB", "++++////+w=="},
};

/// Text that is not what its encoding says.
constexpr std::array refused{
    Sample{Encoding::hex, "", "a"},          Sample{Encoding::hex, "", "abc"},
    Sample{Encoding::hex, "", "0g"},         Sample{Encoding::hex, "", "0x12"},
    Sample{Encoding::hex, "", "12 34"},      Sample{Encoding::base64, "", "Z"},
    Sample{Encoding::base64, "", "Zm9vY"},   Sample{Encoding::base64, "", "Zm9v="},
    Sample{Encoding::base64, "", "="},       Sample{Encoding::base64, "", "Zg="},
    Sample{Encoding::base64, "", "Zg==="},   Sample{Encoding::base64, "", "Zg==Zg=="},
    Sample{Encoding::base64, "", "Zg=g"},    Sample{Encoding::base64, "", "Zm8=="},
    Sample{Encoding::base64, "", "Zm9*"},    Sample{Encoding::base64url, "", "Zm9\xC3\xA9"},
    Sample{Encoding::base64, "", "Zm\0v"sv},
};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Decodes pieces, each into no more room than it asks for.
class Pieces {
 public:
  explicit Pieces(Encoding encoding) : decoder_(encoding) {}

  Pieces& add(std::string_view piece) {
    std::vector<std::byte> room(16);
    while (decoder_.most_input(room.size()) < piece.size()) room.resize(room.size() + 1);
    take(decoder_.decode(bytes_of(piece), room.data()), room);
    return *this;
  }
  std::string finish() {
    std::vector<std::byte> room(4);
    take(decoder_.finish(room.data()), room);
    BOOST_TEST(decoder_.held().empty());
    return text_;
  }
  const std::string& text() const { return text_; }
  TextDecoder& decoder() { return decoder_; }

 private:
  void take(std::size_t size, const std::vector<std::byte>& room) {
    BOOST_REQUIRE(size <= room.size());
    text_.append(reinterpret_cast<const char*>(room.data()), size);
  }

  TextDecoder decoder_;
  std::string text_;
};

void check_every_split(const Sample& sample) {
  const std::string_view bytes = sample.bytes;
  BOOST_TEST(Pieces(sample.encoding).add(bytes).finish() == sample.text);
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      Pieces pieces(sample.encoding);
      pieces.add(bytes.substr(0, first)).add(bytes.substr(first, second - first)).add(bytes.substr(second));
      BOOST_TEST(pieces.finish() == sample.text, "cut at " << first << " and " << second);
    }
  }
  Pieces single(sample.encoding);
  for (const char& byte : bytes) single.add({&byte, 1});
  BOOST_TEST(single.finish() == sample.text);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(text)

BOOST_DATA_TEST_CASE(every_way_to_cut_the_bytes_gives_the_same_text, boost::unit_test::data::make(round_trips)) {
  check_every_split(sample);
}

BOOST_DATA_TEST_CASE(every_way_to_cut_what_is_not_well_formed_gives_the_same_text,
                     boost::unit_test::data::make(received_only)) {
  check_every_split(sample);
}

BOOST_DATA_TEST_CASE(text_gives_the_bytes_that_it_stands_for, boost::unit_test::data::make(round_trips)) {
  const auto bytes = encode_text(sample.text, sample.encoding);
  BOOST_REQUIRE(bytes.has_value());
  BOOST_TEST(*bytes == sample.bytes);
}

BOOST_DATA_TEST_CASE(text_that_could_be_better_gives_bytes_as_well, boost::unit_test::data::make(sent_only)) {
  const auto bytes = encode_text(sample.text, sample.encoding);
  BOOST_REQUIRE(bytes.has_value());
  BOOST_TEST(*bytes == sample.bytes);
}

BOOST_DATA_TEST_CASE(text_that_is_not_what_its_encoding_says_gives_nothing, boost::unit_test::data::make(refused)) {
  BOOST_TEST(!encode_text(sample.text, sample.encoding).has_value());
  BOOST_TEST(!Payload(sample.text, sample.encoding).valid());
  BOOST_TEST(Payload(sample.text, sample.encoding).size() == 0U);
}

BOOST_AUTO_TEST_CASE(bytes_of_every_kind_come_back_through_hex_and_base64) {
  const std::uint64_t seed = libnet::test::seed();
  std::string bytes;
  for (unsigned i = 0; i < 1000; ++i) bytes += static_cast<char>((seed >> i % 57) + i * i);
  for (const Encoding encoding : {Encoding::hex, Encoding::base64, Encoding::base64url, Encoding::latin1}) {
    const std::string text = Pieces(encoding).add(bytes).finish();
    BOOST_TEST((encode_text(text, encoding) == bytes), "encoding " << static_cast<int>(encoding));
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_fit_into_the_room_they_ask_for) {
  const std::string bad(500, '\xFF');
  for (const Encoding encoding : {Encoding::bytes, Encoding::utf8, Encoding::ascii, Encoding::latin1, Encoding::base64,
                                  Encoding::base64url, Encoding::hex, Encoding::utf16le}) {
    Pieces pieces(encoding);
    pieces.add("\xF0\x9F").add(bad).add("\xF0").add(bad);  // Pieces checks the size
    BOOST_TEST(!pieces.finish().empty());
  }
}

BOOST_AUTO_TEST_CASE(what_is_held_back_can_be_seen_and_forgotten) {
  Pieces pieces(Encoding::utf8);
  pieces.add("a\xE2\x82");
  BOOST_TEST(pieces.text() == "a");
  BOOST_TEST(pieces.decoder().held().size() == 2U);
  pieces.decoder().forget_held();
  pieces.add("b");
  BOOST_TEST(pieces.finish() == "ab");
}

BOOST_AUTO_TEST_CASE(a_payload_views_text_whose_bytes_are_its_own) {
  const std::string text = "h\u00E9";
  for (const Encoding encoding : {Encoding::bytes, Encoding::utf8}) {
    const Payload payload(text, encoding);
    BOOST_TEST(payload.is_view());
    BOOST_TEST((payload.view().data() == bytes_of(text).data()));
    BOOST_TEST(payload.size() == 3U);
  }
  const Payload made("\xFF", Encoding::utf8);
  BOOST_TEST(!made.is_view());
  BOOST_TEST(made.valid());
  BOOST_TEST(made.size() == 3U);
}

BOOST_AUTO_TEST_SUITE_END()
