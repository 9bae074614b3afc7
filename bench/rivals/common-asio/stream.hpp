#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>

#include "common-asio/listen.hpp"

namespace bench {

/// Sends its block again and again, and reads to learn of the peer's end.
template <class Stream>
class StreamSession : public std::enable_shared_from_this<StreamSession<Stream>> {
 public:
  StreamSession(Stream stream, asio::const_buffer block) : stream_(std::move(stream)), block_(block) {}

  void start() {
    write();
    read();
  }

 private:
  void write() {
    asio::async_write(stream_, block_, [self = this->shared_from_this()](const error_code& code, std::size_t) {
      if (!code && !self->ended_) self->write();
    });
  }

  void read() {
    stream_.async_read_some(asio::buffer(ignored_),
                            [self = this->shared_from_this()](const error_code& code, std::size_t) {
                              self->ended_ = static_cast<bool>(code);
                              if (!code) self->read();
                            });
  }

  Stream stream_;
  asio::const_buffer block_;
  std::array<char, message_buffer_size> ignored_;
  bool ended_ = false;
};

template <class Stream>
void serve_stream_sessions(std::size_t size) {
  asio::io_context context(1);
  const auto block = make_block(size);
  run_server(context, [&](Socket socket) {
    std::make_shared<StreamSession<Stream>>(Stream(std::move(socket)), asio::buffer(block))->start();
  });
}

}  // namespace bench
