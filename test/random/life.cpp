#include "random/life.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>

#include "core/text_decoder.hpp"

namespace libnet::test::random {

namespace {

namespace asio = boost::asio;

/// What the system says when the other side is not there any more; the record protocol says ECONNABORTED.
bool is_loss_of_peer(const error_code& code) {
  return code == boost::system::errc::broken_pipe || code == boost::system::errc::connection_reset ||
         code == boost::system::errc::connection_aborted;
}

bool contains(const std::vector<error_code>& codes, const error_code& code) {
  return std::ranges::find(codes, code) != codes.end();
}

/// What is made of the bytes that a decoder holds when nothing more comes.
std::string rest_of(core::TextDecoder decoder) {
  std::array<std::byte, 4> text;
  return {reinterpret_cast<const char*>(text.data()), decoder.finish(text.data())};
}

}  // namespace

std::string text_of(const error_code& code) { return code ? error_name(code) : "ok"; }

// --- what the program does -------------------------------------------------------------------------------------------

void Life::note_destroyed(const error_code& given, bool offered) {
  note_cut(given, offered);
  says_destroyed_ = true;
}

void Life::note_cut(const error_code& given, bool offered) {
  destroyed_ = true;
  for (Call* call : order_) call->must_succeed = call->must_succeed || offered;
  if (given) may_fail_with(given);
}

/// If the peer does not take what is queued, it is cut, and then bytes are lost.
void Life::note_lingers() {
  lingers_ = true;
  ended_ = true;
  may_fail_with(Errc::timed_out);
}

void Life::note_dropped() {
  note_lingers();
  dropped_ = true;
}

// --- what is told ----------------------------------------------------------------------------------------------------

void Life::told_connect() {
  require(!connect_told_, "events", "a second 'connect'");
  told_other("connect");
  connect_told_ = true;
  connected_ = true;
}

void Life::told_ready() {
  require(connect_told_ && !ready_told_, "events", "'ready' is not the one behind 'connect'");
  told_other("ready");
  ready_told_ = true;
}

/// 'close' is the last event.
void Life::told_other(const char* event) {
  require(!close_told_, "events", std::string("'") + event + "' after 'close'");
}

void Life::told_bytes(std::string_view bytes, Encoding encoding, bool by_event, bool paused) {
  if (by_event) told_other("data");
  require(!by_event || !paused, "pause", "'data' while paused");
  require(connected_ || !listens, "events", "bytes before 'connect'");
  require(!end_told_ && !end_read_, "events", "bytes behind the end");
  if (out_of_sync) return;
  if (peer == nullptr) return require(bytes.empty(), "bytes", "bytes without a peer");
  bytes = take_put_back(bytes);
  if (bytes.empty()) return;
  if (encoding != Encoding::bytes) return receive_text(bytes, encoding);
  const std::uint64_t at = peer->out.received();
  require(peer->out.receive(bytes), "bytes",
          std::to_string(bytes.size()) + " bytes are not those that come at " + std::to_string(at) + " of " +
              std::to_string(peer->out.written()));
}

/// What was put back comes first, as it is.
std::string_view Life::take_put_back(std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), put_back.size());
  require(bytes.substr(0, size) == std::string_view(put_back).substr(0, size), "bytes",
          "what was put back does not come first");
  put_back.erase(0, size);
  return bytes.substr(size);
}

/// The text has to be that of the next bytes, decoded one after the other; at the end what is left of them gives the rest.
void Life::receive_text(std::string_view text, Encoding encoding) {
  const std::string raw = peer->out.peek(4 * text.size() + 8);
  core::TextDecoder decoder(encoding);
  std::string decoded;
  std::size_t taken = 0;
  std::optional<std::size_t> end;  // if it has come behind so many bytes, this is the text
  const bool may_end = peer->may_have_ended() || may_be_gone();
  const auto ends_here = [&] {
    const bool close_to_it = decoded.size() < text.size() && text.size() <= decoded.size() + 4;
    return may_end && close_to_it && decoded + rest_of(decoder) == text;
  };
  for (; decoded.size() < text.size() && taken < raw.size(); ++taken) {
    if (ends_here()) end = taken;
    std::array<std::byte, 64> piece;
    const std::size_t size = decoder.decode(std::as_bytes(std::span(raw).subspan(taken, 1)), piece.data());
    decoded.append(reinterpret_cast<const char*>(piece.data()), size);
  }
  if (ends_here()) end = taken;
  if (decoded == text) return peer->out.skip(taken - decoder.held().size());
  require(end.has_value(), "bytes",
          "text that is not that of the bytes at " + std::to_string(peer->out.received()) + ": '" + std::string(text) +
              "' where '" + decoded + "' was due");
  if (end) peer->out.skip(*end);
}

std::string Life::take(std::size_t size) {
  std::string taken = put_back.substr(0, size);
  put_back.erase(0, taken.size());
  if (peer == nullptr) return taken;
  const std::string next = peer->out.peek(size - taken.size());
  peer->out.skip(next.size());
  return taken + next;
}

void Life::told_end(bool by_event) {
  if (by_event) {
    told_other("end");
    require(!end_told_, "events", "a second 'end'");
    end_told_ = true;
  }
  if (!end_read_ && !lingers_) check_whole_input();
  end_read_ = true;
}

void Life::check_whole_input() {
  if (peer == nullptr) return require(server_closed_, "end", "an end, though nobody was there to end");
  require(peer->may_have_ended(), "end", "an end, though the peer has not ended");
  if (out_of_sync) return;
  require(put_back.empty(), "bytes", "the end comes before what was put back");
  const bool cut = peer->destroyed_ || peer->resets_ || !peer->causes_.empty();
  const bool whole = cut ? peer->out.is_complete_to_what_was_sent() : peer->out.is_complete();
  require(whole, "lost",
          "the end comes behind " + std::to_string(peer->out.received()) + " of " +
              std::to_string(peer->out.written()) + " bytes");
}

void Life::told_drain(const Socket& socket, std::size_t low_water) {
  told_other("drain");
  require(owes_drain_ || may_owe_drain_, "drain", "'drain' without need");
  require(!ended_ || dropped_, "drain", "'drain' after end()");
  require(socket == Socket() || socket.buffered() <= low_water, "drain",
          "'drain' with " + std::to_string(socket.buffered()) + " bytes queued");
  owes_drain_ = may_owe_drain_ = false;
}

void Life::told_finish() {
  told_other("finish");
  require(!finish_told_, "events", "a second 'finish'");
  require(may_have_ended(), "events", "'finish' without an end");
  require(order_.empty(), "events", "'finish' before the writes have completed");
  finish_told_ = true;
}

void Life::told_error(const error_code& code) {
  told_other("error");
  require(!error_told_, "events", "a second 'error'");
  require(permits_failure(code), "codes", "'error' " + text_of(code) + " has no cause");
  error_told_ = true;
}

void Life::told_close(bool had_error) {
  told_other("close");
  require(order_.empty(), "completions", "'close' before " + std::to_string(order_.size()) + " writes have completed");
  require(had_error == error_told_, "events", "'close' says the opposite of 'error'");
  if (!destroyed_ && !error_told_ && !lingers_ && connected_) {
    require(end_told_, "events", "'close' before 'end'");
    require(finish_told_, "events", "'close' before 'finish'");
  }
  close_told_ = true;
}

// --- writes ----------------------------------------------------------------------------------------------------------

void Life::wrote(std::string bytes, Call* call, bool may_be_removed) {
  const std::size_t write =
      out.append(std::move(bytes), may_be_removed ? Stream::Fate::may_be_removed : Stream::Fate::certain);
  if (call == nullptr) return;
  call->write = write;
  order_.push_back(call);
}

void Life::completed_write(Call& call, const error_code& code, std::size_t bytes) {
  const auto place = std::ranges::find(order_, &call);
  if (place == order_.end()) return;
  const bool alone = code && (call.limited || call.cancelled) && bytes == 0;
  require(place == order_.begin() || alone, "completions", call.text + " completes before those made before it");
  order_.erase(place);
  if (!call.write) return;
  require(!code || !call.must_succeed || call.limited || call.cancelled, "lost",
          call.text + " was not offered before the socket was destroyed");
  require(bytes <= call.size && (code || bytes == call.size), "completions",
          call.text + " completes with " + std::to_string(bytes) + " of " + std::to_string(call.size) + " bytes");
  if (!code) out.note_sent(*call.write);
  require(out.decide(*call.write, code && bytes == 0), "bytes",
          call.text + (code ? " was cancelled, and its bytes came" : " succeeded, and its bytes did not come"));
}

// --- what is permitted -----------------------------------------------------------------------------------------------

bool Life::may_be_gone() const {
  return destroyed_ || lingers_ || resets_ || !causes_.empty() || error_told_ || close_told_;
}

bool Life::may_have_ended() const {
  if (ended_ || pipe_may_end_ || may_be_gone()) return true;
  return !half_open && peer_may_have_ended();
}

bool Life::peer_may_have_ended() const {
  return peer == nullptr || peer->ended_ || peer->pipe_may_end_ || peer->may_be_gone();
}

bool Life::peer_may_be_gone() const { return peer == nullptr ? server_closed_ : peer->may_be_gone(); }

bool Life::permits_failure(const error_code& code) const {
  return contains(causes_, code) || (is_loss_of_peer(code) && peer_may_be_gone());
}

/// Besides the errors that can end the connection an operation may be cancelled, or come too late.
bool Life::permits(const Call& call, const error_code& code) const {
  if (!call.only.empty()) return contains(call.only, code);
  if (!code || permits_failure(code)) return true;
  if (call.verb == Verb::pipe) return code != Errc::busy || call.may_be_busy;  // it hears of two sockets
  if (code == asio::error::operation_aborted) return call.cancelled || destroyed_ || resets_ || lingers_;
  if (code == Errc::timed_out) return call.limited;
  if (code == Errc::busy) return call.may_be_busy;
  if (code == Errc::destroyed) return call.may_be_destroyed || resets_;
  if (code == Errc::closed_before_connection) return call.while_connecting && destroyed_;
  if (code == asio::error::eof) return call.verb == Verb::read_some;
  if (code == Errc::closed) return call.verb == Verb::wait;
  return false;
}

/// With nothing left to do: a 'drain' that is owed has come.
void Life::check_rest(const Socket& socket, std::size_t low_water) {
  if (!listens || !connected_ || ended_ || may_be_gone() || !owes_drain_ || socket.error()) return;
  require(socket.buffered() > low_water, "drain", "a 'drain' that was owed did not come");
}

}  // namespace libnet::test::random
