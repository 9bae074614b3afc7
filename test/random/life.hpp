#pragma once

#include <libnet/net.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "random/case.hpp"
#include "random/faults.hpp"
#include "random/stream.hpp"

namespace boost::asio {
class cancellation_signal;
}

namespace libnet::test::random {

class Life;
struct Side;

/// A socket's state just before a call.
struct State {
  bool fresh = false;  ///< Never connected.
  bool connecting = false;
  bool over = false;
  bool writable = false;
  bool consumed = false;  ///< There is a reader, or a listener that takes bytes.
  std::size_t buffered = 0;
  error_code error;
};

/// An operation that was started. It has to complete exactly once, with a code that the oracle permits.
struct Call {
  Verb verb = Verb::read;
  std::string text;  ///< For messages.
  Life* life = nullptr;
  Side* side = nullptr;
  std::size_t size = 0;   ///< Of a write.
  bool by_libnet = true;  ///< Libnet owes a completion.
  bool limited = false;
  bool may_be_destroyed = false;
  bool may_be_busy = false;  ///< Another reader may still be there.
  bool cancelled = false;
  bool comes_too_late_to_hear = false;  ///< Closes what has failed: that leaves the error to others.
  bool while_connecting = false;
  bool must_succeed = false;  ///< B280.
  std::vector<error_code>
      only{};  ///< Not empty: it completes with one of these, "no error" among them if it stands here.
  std::optional<std::size_t> write{};  ///< In the stream of its life.
  bool done = false;
  int generation = 0;       ///< Of an accept.
  std::uint64_t piped = 0;  ///< [bytes] By a pipe.
  std::string memory{};     ///< What it borrows.
  std::string received{};   ///< What read_some reads into.
  bool counted = false;     ///< Among the readers of its side.
  std::unique_ptr<boost::asio::cancellation_signal> signal{};
  std::optional<std::size_t> then{};  ///< The step that its completion makes.
};

/// What the oracle knows of one end of one connection: what the program did to it, and what it was told. Each function
/// notes one thing and says what does not hold.
class Life {
 public:
  Life(std::string name, std::uint64_t salt, Faults& faults) : out(salt), name_(std::move(name)), faults_(faults) {}

  const std::string& name() const { return name_; }

  /// @name What the program does
  /// @{
  /// @param offered  What waits is offered to the wire first, and the wire has room for it.
  void note_destroyed(const error_code& given = {}, bool offered = false);
  /// By an exception of a listener.
  void note_cut(const error_code& given, bool offered = false);
  /// Destroyed once more, after it had failed: late operations are told so.
  void note_destroyed_late() { says_destroyed_ = true; }
  void note_ended() { ended_ = true; }
  void note_lingers();
  /// The last handle went. With listeners it lives on.
  void note_dropped();
  void note_resets() { resets_ = true; }
  /// From now on the connection may fail with this code.
  void may_fail_with(const error_code& code) { causes_.push_back(code); }
  void note_server_closed() { server_closed_ = true; }
  /// It was connected before anybody could listen.
  void note_accepted() { connected_ = true; }
  void note_pipe_may_end() { pipe_may_end_ = true; }
  /// 'error' and 'close' have to follow.
  void note_must_close() { must_close_ = true; }
  /// Somebody received the error.
  void note_heard() { heard_ = true; }
  /// @}

  /// @name What is told
  /// @{
  void told_connect();
  void told_ready();
  void told_bytes(std::string_view bytes, Encoding encoding, bool by_event, bool paused);
  void told_end(bool by_event);
  void told_drain(const Socket& socket, std::size_t low_water);
  void told_finish();
  void told_error(const error_code& code);
  void told_close(bool had_error);
  void told_other(const char* event);
  /// @}

  /// The next bytes, put back or new ones, for somebody else; less if there are not so many.
  std::string take(std::size_t size);

  /// @name Writes
  /// @{
  /// An accepted write: in the stream, and in the order of completions if it has one.
  void wrote(std::string bytes, Call* call, bool may_be_removed);
  /// A write() returned false; or another one left the queue at the mark, which may ask for a 'drain'.
  void owe_drain() { owes_drain_ = true; }
  void may_owe_drain() { may_owe_drain_ = true; }
  bool owes_drain() const { return owes_drain_; }
  void queue_refused(Call& call) { order_.push_back(&call); }
  void completed_write(Call& call, const error_code& code, std::size_t bytes);
  /// @}

  /// Whether an operation may complete with this error.
  bool permits(const Call& call, const error_code& code) const;
  bool permits_failure(const error_code& code) const;

  /// @name What is known
  /// @{
  /// Late operations get Errc::destroyed.
  bool destroyed() const { return says_destroyed_; }
  bool resets() const { return resets_; }
  bool lingers() const { return lingers_; }
  bool connected() const { return connected_; }
  bool end_told() const { return end_told_; }
  bool closed() const { return close_told_; }
  bool must_close() const { return must_close_; }
  bool heard() const { return heard_ || error_told_; }
  const std::vector<error_code>& causes() const { return causes_; }
  /// Its descriptor may be closed already, or its connection may be failing.
  bool may_be_gone() const;
  /// Its peer may see the end of its side.
  bool may_have_ended() const;
  bool peer_may_have_ended() const;
  bool has_open_writes() const { return !order_.empty(); }
  void check_rest(const Socket& socket, std::size_t low_water);
  /// @}

  Stream out;
  Life* peer = nullptr;
  bool half_open = false;
  bool listens = false;      ///< Events are told.
  std::string put_back{};    ///< Comes before all else.
  bool out_of_sync = false;  ///< Bytes were discarded.

 private:
  bool peer_may_be_gone() const;
  void require(bool holds, const char* rule, const std::string& what) {
    faults_.require(holds, rule, name_ + ": " + what);
  }
  std::string_view take_put_back(std::string_view bytes);
  void receive_text(std::string_view text, Encoding encoding);
  void check_whole_input();

  std::string name_;
  Faults& faults_;
  std::vector<error_code> causes_;
  std::deque<Call*> order_;  // writes that wait
  bool destroyed_ = false;
  bool says_destroyed_ = false;
  bool ended_ = false;
  bool dropped_ = false;
  bool lingers_ = false;
  bool resets_ = false;
  bool server_closed_ = false;
  bool connected_ = false;
  bool connect_told_ = false;
  bool ready_told_ = false;
  bool end_told_ = false;
  bool end_read_ = false;
  bool finish_told_ = false;
  bool error_told_ = false;
  bool close_told_ = false;
  bool owes_drain_ = false;
  bool may_owe_drain_ = false;
  bool pipe_may_end_ = false;
  bool must_close_ = false;
  bool heard_ = false;
};

/// As in a message: the code's name, "ok" for none.
std::string text_of(const error_code& code);

}  // namespace libnet::test::random
