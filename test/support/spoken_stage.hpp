#pragma once

#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/stage.hpp"
#include "support/record_transport.hpp"
#include "transport/transport.hpp"

namespace libnet::test {

/// A stage that does what its peer says, one letter at a time:
///   g  answers "w" and is done            r  goes on in records from here, and is done
///   f  fails with EBADMSG                 t  throws
/// and anything else keeps it waiting. An end or an error of the connection fails it.
class SpokenStage final : public core::Stage {
 public:
  struct Counts {
    std::size_t made = 0;
    std::size_t alive = 0;
    std::size_t steps = 0;
    std::function<void()> on_step = [] {};
  };

  SpokenStage(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<Counts> counts)
      : loop_(std::move(loop)), counts_(std::move(counts)) {
    ++counts_->made;
    ++counts_->alive;
  }
  ~SpokenStage() override { --counts_->alive; }

  static core::Stages one(const std::shared_ptr<Counts>& counts) {
    return {
        [counts](const std::shared_ptr<reactor::Loop>& loop) { return std::make_unique<SpokenStage>(loop, counts); }};
  }

  const char* operation() const noexcept override { return "greet"; }

  Outcome advance(std::unique_ptr<transport::Transport>& transport) override {
    ++counts_->steps;
    counts_->on_step();
    while (!agreed_) {
      if (!transport->ready_to_read()) return Outcome::waits();
      std::byte letter{};
      const transport::Result read = transport->try_read({&letter, 1});
      if (read.status == transport::Status::error) return failed(read.error);
      if (read.status == transport::Status::end) return failed(system_error(ECONNRESET));
      if (read.bytes == 1) {
        if (auto outcome = obey(static_cast<char>(letter), transport)) return *outcome;
      }
    }
    return answer(*transport);
  }

 private:
  static error_code system_error(int code) { return {code, boost::system::system_category()}; }
  Outcome failed(const error_code& code) const { return Outcome::failed(Error(code, operation())); }

  std::optional<Outcome> obey(char letter, std::unique_ptr<transport::Transport>& transport) {
    if (letter == 'f') return failed(system_error(EBADMSG));
    if (letter == 't') throw std::runtime_error("a stage that throws");
    if (letter == 'g') agreed_ = true;
    if (letter != 'r') return std::nullopt;
    transport = std::make_unique<RecordTransport>(loop_, std::move(transport));
    return Outcome::done();
  }

  Outcome answer(transport::Transport& transport) const {
    while (transport.ready_to_write()) {
      char welcome = 'w';
      const iovec only{&welcome, 1};
      const transport::Result written = transport.try_write({&only, 1});
      if (written.status == transport::Status::error) return failed(written.error);
      if (written.bytes == 1) return Outcome::done();
    }
    return Outcome::waits();
  }

  std::shared_ptr<reactor::Loop> loop_;
  std::shared_ptr<Counts> counts_;
  bool agreed_ = false;
};

/// A stage that is done at once: its connection is due again with the next one.
class InstantStage final : public core::Stage {
 public:
  explicit InstantStage(std::function<void()> on_step) : on_step_(std::move(on_step)) {}

  static core::Stages many(std::size_t count, const std::function<void()>& on_step) {
    return core::Stages(count, [on_step](const auto&) { return std::make_unique<InstantStage>(on_step); });
  }

  Outcome advance(std::unique_ptr<transport::Transport>&) override {
    on_step_();
    return Outcome::done();
  }
  const char* operation() const noexcept override { return "pass"; }

 private:
  std::function<void()> on_step_;
};

}  // namespace libnet::test
