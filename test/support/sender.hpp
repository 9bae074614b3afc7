#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "core/sending.hpp"
#include "support/scripted_transport.hpp"
#include "support/socket_pair.hpp"
#include "support/waiting.hpp"
#include "transport/kernel_pipe.hpp"

namespace libnet::test {

/// A write, and what became of it.
struct Write final : Waiting<detail::WriteOperation> {
  std::size_t size() const noexcept { return static_cast<std::size_t>(end - begin); }

  int completions = 0;
  error_code code;
};

/// A pipe of the kernel with something inside.
inline std::shared_ptr<transport::KernelPipe> pipe_with(std::string_view text) {
  const auto [near, far] = unix_pair();
  std::shared_ptr<transport::KernelPipe> pipe = transport::KernelPipe::open();
  BOOST_REQUIRE(pipe);
  BOOST_REQUIRE(::send(near, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  BOOST_REQUIRE(pipe->take_from(far) == static_cast<ssize_t>(text.size()));
  ::close(near);
  ::close(far);
  return pipe;
}

/// One flush, whose error does not matter.
inline core::Sending::Flushed flush(core::Sending& sending, transport::Transport& transport, int most) {
  error_code ignored;
  return sending.flush(transport, most, ignored);
}

/// The sending half, driven a step at a time as a connection drives it.
class Sender {
 public:
  explicit Sender(ScriptedTransport& transport) : transport_(&transport) { sending.attach(transport); }
  ~Sender() {
    while (sending.pop_any() != nullptr) {
    }
    sending.drop_data();
  }

  Write& write(std::string_view text, core::Sending::Views views = core::Sending::Views::borrowed) {
    const std::uint64_t begin = sending.appended();
    sending.append(Payload(text), views);
    return await(begin);
  }
  Write& await(std::uint64_t begin) {
    Write& operation = writes.emplace_back();
    sending.await_bytes(operation, begin, sending.appended());
    return operation;
  }
  void replace(ScriptedTransport& transport) {
    static_cast<void>(sending.pass_barrier(*transport_));
    transport_ = &transport;
    sending.attach(transport);
  }

  void step(int most = 16) {
    if (failure) return;
    error_code error;
    if (sending.flush(*transport_, most, error).failed) return fail(error);
    complete();
    if (sending.take_drain(0)) ++drains;
    if (const error_code code = sending.send_end(*transport_)) return fail(code);
    if (sending.take_end_sent()) ++ends;
  }
  void steps(int count) {
    while (count-- > 0) step();
  }
  std::size_t completed() const {
    return static_cast<std::size_t>(
        std::count_if(writes.begin(), writes.end(), [](const Write& write) { return write.completions != 0; }));
  }

  core::Sending sending;
  std::deque<Write> writes;
  error_code failure;
  int drains = 0;
  int ends = 0;

 private:
  void complete() {
    while (auto* const operation = sending.pop_completed()) note(*operation, {});
  }
  void fail(const error_code& code) {
    failure = code;
    complete();
    while (auto* const operation = sending.pop_any()) note(*operation, code);
    sending.drop_data();
  }
  void note(detail::WriteOperation& operation, const error_code& code) {
    auto& write = static_cast<Write&>(operation);
    BOOST_REQUIRE(&write == &writes[completed()]);  // in the order of the calls
    ++write.completions;
    write.code = code;
  }

  ScriptedTransport* transport_;
};

}  // namespace libnet::test
