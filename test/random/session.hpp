#pragma once

#include <libnet/net.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "random/case.hpp"
#include "random/life.hpp"
#include "support/behaviour.hpp"

namespace libnet::test::random {

struct Line;
class Session;

/// A socket that the steps name, and what the session needs to know to call it.
struct Side {
  std::string name;
  Line* line = nullptr;
  Socket socket;
  Life* life = nullptr;
  bool listens = false;
  bool is_client = false;
  bool dropped = false;
  std::optional<ListenerId> data{};
  std::optional<ListenerId> receiver{};
  std::size_t readers = 0;  ///< Reads and pipes that have not completed.
  int corks = 0;
  bool paused = false;
  bool discarding = false;
  bool has_pipe = false;  ///< Something is piped into it.
  Encoding encoding = Encoding::bytes;
  std::string last_bytes{};  ///< While a listener or a completion runs that got them.
  std::map<Where, std::deque<std::size_t>> armed{};
  asio::steady_timer* gate = nullptr;  ///< Until it is cancelled, the handler of `serve` stays.
  bool gate_throws = false;
};

/// A server, its client, and what it accepted.
struct Line {
  std::uint32_t index = 0;
  Server server;
  bool listening = false;  ///< As the server says, for those on another strand.
  std::unique_ptr<Side> client{};
  std::unique_ptr<Side> accepted{};
  std::optional<ConnectOptions> where{};
  int generation = 0;  ///< Counts the calls of listen().
  int closes_due = 0;
  std::map<int, Life*>
      unpaired{};  ///< The client's end of a connection that was not accepted yet, for each generation.
};

/// Bytes on their way from what one life receives to what another one sends.
struct Piping {
  Call* call;
  Life* from;
  Life* to;
  Side* source;
  Side* destination;
};

/// What completes an operation.
struct Result {
  std::string bytes{};
  std::uint64_t count = 0;
  Socket socket{};
};

/// Runs one case on libnet, and lets the oracle look at all that is told.
class Session {
 public:
  Session(const Case& given, Faults& faults);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  void run();

  /// How many calls of libnet this thread is in.
  static int& calling();

 private:
  /// User code of the session: with strands, one piece at a time.
  class Entry {
   public:
    explicit Entry(Session& session) : lock_(session.mutex_, std::defer_lock) {
      if (session.strands()) lock_.lock();
    }

   private:
    std::unique_lock<std::recursive_mutex> lock_;
  };
  /// A call of libnet: nothing may be told inside it.
  class Calling {
   public:
    explicit Calling(Session& session) : session_(session) { ++session_.calling(); }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;
    ~Calling() { --session_.calling(); }

   private:
    Session& session_;
  };
  /// What runs a step.
  enum class By : std::uint8_t { handler, listener };
  struct StepThrew {};

  bool strands() const { return case_.setup.strands != 0; }
  asio::any_io_executor executor(bool of_client) const { return executors_[of_client ? 0 : 1]; }
  Accept accept_style() const { return static_cast<Accept>(case_.setup.accept); }
  SocketOptions options(bool of_client) const;
  void require(bool holds, const char* rule, const std::string& what) { faults_.require(holds, rule, what); }

  // session.cpp: the run
  void run_alone();
  void run_on_strands();
  void run_step(std::size_t index);
  void post_from(std::size_t index);
  void let_run(std::uint32_t handlers);
  bool settle();
  void check_rest();
  void check_count(const Side& side);
  void advance(std::uint32_t milliseconds);
  void forget_steps(const std::vector<Side*>& of);
  void finish_alone();
  void finish_gracefully();
  void open_gates();
  void end_side(Side& side);
  void destroy_all(bool of_clients);
  void close_servers();
  bool wait_for_the_end();
  bool settle_to_the_end();
  void advance_only(std::uint32_t milliseconds);
  void check_the_end();
  void finish_on_strands();
  void destroy_later(bool of_clients, std::chrono::milliseconds delay);
  std::vector<Side*> sides_of(bool of_clients);
  void use_after_the_end();
  std::vector<Side*> sides();
  bool all_over();
  bool somebody_lives_on();

  // lines.cpp: servers and their connections
  void make_lines();
  void watch(Line& line);
  void make_client(Line& line);
  void listen(Line& line);
  Call* close_server(Line& line, const Step& step);
  Call* accept(Line& line, const Step& step);
  void serve_line(Line& line);
  asio::awaitable<void> serve(Line& line, Socket socket);
  Side& arrived(Line& line, const Socket& socket, int generation);
  void note_closed(Line& line);
  Life& begin_life(Side& side, const std::string& name);
  void retire(std::unique_ptr<Side>& side);
  void listen_to(Side& side);

  // told.cpp: events, completions
  void told(Side& side, Where event, const std::function<void(Life&)>& note);
  void told_data(Side& side, const Chunk& chunk);
  void told_memory(Side& side, std::string_view bytes);
  void told_close(Side& side, bool had_error);
  void run_armed(Side& side, Where event);
  void deliver(Side& side, Life& life, std::string_view bytes, Encoding encoding, bool by_event);
  void completed(Call& call, const error_code& code, const Result& result);
  void completed_read(Call& call, const error_code& code, const Result& result);
  void completed_pipe(Call& call, const error_code& code, const Result& result);
  static void note_heard(const Side& side, Life& life, const error_code& code);
  void sync_pipes();
  bool sync(const Piping& piping);

  // steps.cpp: what a step does
  void execute(std::size_t index, By by);
  Call* perform(const Step& step, By by);
  Call* perform_on_socket(Side& side, const Step& step);
  Side* side_of(std::uint32_t who);
  State state_of(const Side& side) const;
  Call& new_call(Side& side, const Step& step);
  bool others_hear(const Call& late) const;
  void expect_late(Call& call, const State& state) const;
  void cancel(Side& side, std::uint32_t choice);
  void adjust(Side& side, const Step& step);
  void set_encoding(Side& side, std::uint32_t choice);
  void unshift(Side& side, std::uint32_t size);
  void resume(Side& side, const Step& step);
  void data_on(Side& side);
  void data_off(Side& side);
  void on_read(Side& side, const Step& step);

  // starts.cpp: operations
  Call* connect(Side& side, const Step& step);
  Call* read(Side& side, const Step& step);
  Call* write(Side& side, const Step& step);
  Call* write_at_once(Call& call, Side& side, const Step& step, bool begun);
  Call* end(Side& side, const Step& step);
  void note_lingers(Side& side);
  Call* close(Side& side, const Step& step);
  Call* drain(Side& side, const Step& step);
  Call* wait(Side& side, const Step& step);
  Call* pipe(Side& side, const Step& step);
  bool wire_has_room(const Side& side) const;
  void destroy(Side& side, const Step& step);
  void drop(Side& side);
  void begin_connect(Call& call, Side& side, bool refusing);
  void begin_read(Call& call, Side& side);
  bool begin_write(Call& call, Side& side, const Step& step);
  void note_refused_write(Call& call, Side& side, const State& state);
  void begin_end(Call& call, Side& side);
  bool would_go_round(const Side& source, const Side& destination) const;
  void begin_pipe(Call& call, Side& side, Side& destination, bool ends);

  template <class Begin, class Start>
  Call* start(Call& call, const Step& step, const asio::any_io_executor& executor, Begin begin, Start start);
  template <class Start>
  void start_with_handler(Call& call, const Step& step, Start& start);
  template <class Begin, class Start>
  static asio::awaitable<void> start_awaited(Session& session, Call& call, Step step, Begin begin, Start start);
  template <class Start, class Token>
  static asio::awaitable<void> await_tuple(Session& session, Call& call, Start start, Token token);
  template <class Start>
  static asio::awaitable<void> await_thrown(Session& session, Call& call, Start start);
  auto note(Call& call);

  const Case case_;
  Faults& faults_;
  std::unique_ptr<World> world_;
  std::unique_ptr<asio::io_context> threaded_;  // with strands
  asio::any_io_executor executors_[2];
  std::recursive_mutex mutex_;
  std::deque<std::unique_ptr<Life>> lives_;
  std::deque<std::unique_ptr<Call>> calls_;
  std::deque<std::string> memories_;  // of on_read
  std::deque<std::unique_ptr<Side>> retired_;
  std::deque<std::unique_ptr<Line>> lines_;
  std::vector<Piping> pipings_;
  bool told_something_ = false;  // since somebody asked
};

/// Runs a case in a thread of its own, so that all caches of the thread are gone with it.
void run_case(const Case& given, Faults& faults);

}  // namespace libnet::test::random
