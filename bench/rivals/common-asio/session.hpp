#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <memory>

#include "common-asio/listen.hpp"

namespace bench {

/// Reads with callbacks and answers. It lives as long as an operation of it waits; at its end the socket closes.
template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  explicit Session(Stream stream) : stream_(std::move(stream)) {}
  virtual ~Session() = default;

  void read() {
    before_read();
    stream_.async_read_some(asio::buffer(buffer_),
                            [self = this->shared_from_this()](const error_code& code, std::size_t size) {
                              if (!code) self->on_read(size);
                            });
  }

 protected:
  virtual void before_read() {}
  /// So many bytes are in the buffer. Calls read() when they are answered.
  virtual void on_read(std::size_t size) = 0;

  Stream& stream() { return stream_; }
  asio::const_buffer received(std::size_t size) const { return asio::buffer(buffer_, size); }

 private:
  Stream stream_;
  std::array<char, message_buffer_size> buffer_;
};

template <class Stream>
class EchoSession : public Session<Stream> {
 public:
  using Session<Stream>::Session;

 private:
  void on_read(std::size_t size) override {
    asio::async_write(this->stream(), this->received(size),
                      [self = this->shared_from_this()](const error_code& code, std::size_t) {
                        if (!code) self->read();
                      });
  }
};

template <class Stream>
class PiecesSession final : public Session<Stream> {
 public:
  PiecesSession(Stream stream, std::size_t piece) : Session<Stream>(std::move(stream)), piece_(piece) {}

 private:
  void on_read(std::size_t size) override {
    left_ = this->received(size);
    write();
  }

  void write() {
    if (left_.size() == 0) return this->read();
    asio::async_write(this->stream(), asio::buffer(left_, piece_),
                      [this, self = this->shared_from_this()](const error_code& code, std::size_t written) {
                        left_ += written;
                        if (!code) write();
                      });
  }

  std::size_t piece_;  // [bytes]
  asio::const_buffer left_;
};

/// Runs a server of sessions that read first.
/// @param settings  Passed to each session, after its stream.
template <class MadeSession, class Stream, class... Settings>
void serve_sessions(const Settings&... settings) {
  asio::io_context context(1);
  run_server(context,
             [=](Socket socket) { std::make_shared<MadeSession>(Stream(std::move(socket)), settings...)->read(); });
}

}  // namespace bench
