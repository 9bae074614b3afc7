#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>

#include "common-asio/listen.hpp"

namespace bench {

/// The socket of a stream, which for Asio is the stream itself.
template <class Stream>
auto& socket_of(Stream& stream) {
  if constexpr (requires { stream.socket(); }) {
    return stream.socket();
  } else {
    return stream;
  }
}

/// A client and the connection made for it. Each direction has a buffer; a failure closes both sockets.
template <class Stream>
class RelaySession : public std::enable_shared_from_this<RelaySession<Stream>> {
 public:
  explicit RelaySession(Stream client) : client_(std::move(client)), server_(client_.get_executor()) {}

  void start(std::uint16_t upstream) {
    server_.async_connect(loopback(upstream), [self = this->shared_from_this()](const error_code& code) {
      if (!code) self->on_connected();
    });
  }

 private:
  struct Way {
    Stream& from;
    Stream& to;
    std::array<char, relay_buffer_size> buffer;

    Way(Stream& source, Stream& sink) : from(source), to(sink) {}
  };

  void on_connected() {
    error_code failed;  // the first read tells too
    socket_of(server_).set_option(tcp::no_delay(true), failed);
    read(up_);
    read(down_);
  }

  void read(Way& way) {
    way.from.async_read_some(asio::buffer(way.buffer),
                             [&way, self = this->shared_from_this()](const error_code& code, std::size_t size) {
                               self->on_read(way, code, size);
                             });
  }

  void on_read(Way& way, const error_code& code, std::size_t size) {
    if (code == asio::error::eof) return pass_end_on(way);
    if (code) return close();
    asio::async_write(way.to, asio::buffer(way.buffer, size),
                      [&way, self = this->shared_from_this()](const error_code& failed, std::size_t) {
                        failed ? self->close() : self->read(way);
                      });
  }

  void pass_end_on(Way& way) {
    error_code failed;
    socket_of(way.to).shutdown(tcp::socket::shutdown_send, failed);
    if (failed) close();
  }

  void close() {
    client_.close();
    server_.close();
  }

  Stream client_;
  Stream server_;
  Way up_{client_, server_};
  Way down_{server_, client_};
};

template <class Stream>
void serve_relay_sessions(std::uint16_t upstream) {
  asio::io_context context(1);
  run_server(context, [&](Socket socket) {
    std::make_shared<RelaySession<Stream>>(Stream(std::move(socket)))->start(upstream);
  });
}

}  // namespace bench
