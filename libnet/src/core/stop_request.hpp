#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include <boost/asio/post.hpp>

#include "reactor/loop.hpp"

namespace libnet::core {

/// Runs an action inside the loop once a stop_token is stopped, from whatever thread. Destroying it forgets the action.
class StopRequest {
 public:
  StopRequest(reactor::Loop& loop, const std::stop_token& token, std::function<void()> action)
      : action_(std::make_shared<std::function<void()>>(std::move(action))),
        callback_(token, Post{loop.executor(), action_}) {}

 private:
  struct Post {
    void operator()() const {
      boost::asio::post(executor, [weak = action] {
        if (const auto alive = weak.lock()) (*alive)();
      });
    }
    boost::asio::any_io_executor executor;
    std::weak_ptr<std::function<void()>> action;
  };

  std::shared_ptr<std::function<void()>> action_;
  std::stop_callback<Post> callback_;
};

}  // namespace libnet::core
