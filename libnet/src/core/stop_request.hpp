#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "reactor/loop.hpp"

namespace libnet::core {

/// Runs an action inside the loop once a stop_token is stopped, from whatever thread. Destroying it forgets the action.
class StopRequest {
 public:
  StopRequest(reactor::Loop& loop, const std::stop_token& token, std::function<void()> action)
      : token_(token),
        request_(std::make_shared<Request>(loop.shared_mailbox(), std::move(action))),
        callback_(token, Send{request_}) {}
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  ~StopRequest() { request_->wanted = false; }

  /// True as soon as the stop was requested: the action may still be on its way.
  bool stop_requested() const noexcept { return token_.stop_requested(); }

 private:
  struct Request final : reactor::Letter {
    Request(std::shared_ptr<reactor::Mailbox> to, std::function<void()> what)
        : mailbox(std::move(to)), action(std::move(what)) {}

    void deliver_letter() override {
      const auto self = std::move(keep);
      if (wanted) action();
    }
    void discard_letter() noexcept override { const auto last = std::move(keep); }

    std::shared_ptr<reactor::Mailbox> mailbox;
    std::function<void()> action;
    std::shared_ptr<Request> keep;  // while the letter is under way
    bool wanted = true;             // used inside the loop only
  };

  struct Send {
    void operator()() const noexcept {
      request->keep = request;
      if (!request->mailbox->send(*request)) request->keep.reset();
    }
    std::shared_ptr<Request> request;
  };

  std::stop_token token_;
  std::shared_ptr<Request> request_;
  std::stop_callback<Send> callback_;
};

}  // namespace libnet::core
