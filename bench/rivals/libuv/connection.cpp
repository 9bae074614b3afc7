#include "libuv/connection.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace bench::uv {

namespace {

std::array<char, 64 * 1024> read_buffer;  // of all connections: what was read is used before the next read

void lend_read_buffer(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  *buffer = uv_buf_init(read_buffer.data(), static_cast<unsigned>(read_buffer.size()));
}

uv_buf_t buffer_of(std::span<const char> bytes) {
  // libuv has one buffer type for both directions; it does not write to what it sends.
  return uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
}

struct LaterWrite {
  uv_write_t request{};
  std::shared_ptr<const std::vector<char>> bytes;
};

}  // namespace

void check(int result) {
  if (result < 0) throw std::runtime_error(uv_strerror(result));
}

const std::shared_ptr<const std::vector<char>>& Payload::kept() {
  if (!kept_) kept_ = std::make_shared<const std::vector<char>>(bytes_.begin(), bytes_.end());
  return kept_;
}

Connection::Connection() {
  check(uv_tcp_init(uv_default_loop(), &handle_));
  handle_.data = this;
}

void Connection::accept_from(uv_stream_t* listener) {
  if (uv_accept(listener, as_stream()) < 0 || uv_tcp_nodelay(&handle_, 1) < 0) {
    close();
  } else {
    on_accepted();
  }
}

void Connection::close() {
  if (is_closing()) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_),
           [](uv_handle_t* handle) { static_cast<Connection*>(handle->data)->on_closed(); });
  on_close();
}

void Connection::start_reading() {
  if (ended_ || is_closing()) return;
  const auto on_read = [](uv_stream_t* stream, ssize_t result, const uv_buf_t* buffer) {
    static_cast<Connection*>(stream->data)->received(result, buffer->base);
  };
  uv_read_start(as_stream(), lend_read_buffer, on_read);
}

void Connection::stop_reading() { uv_read_stop(as_stream()); }

void Connection::received(ssize_t result, const char* bytes) {
  if (result > 0) {
    on_data({bytes, static_cast<std::size_t>(result)});
  } else if (result == UV_EOF) {
    ended_ = true;
    on_end();
  } else if (result < 0) {
    close();
  }
}

bool Connection::write(std::span<const char> bytes) {
  const std::size_t taken = write_at_once(bytes);
  if (taken == bytes.size()) return true;
  const std::span<const char> rest = bytes.subspan(taken);
  write_later(std::make_shared<const std::vector<char>>(rest.begin(), rest.end()), 0);
  return false;
}

bool Connection::write(Payload& payload) {
  const std::size_t taken = write_at_once(payload.bytes());
  if (taken == payload.bytes().size()) return true;
  write_later(payload.kept(), taken);
  return false;
}

std::size_t Connection::write_at_once(std::span<const char> bytes) {
  const uv_buf_t buffer = buffer_of(bytes);
  const int result = uv_try_write(as_stream(), &buffer, 1);
  if (result < 0 && result != UV_EAGAIN) close();
  return result < 0 ? 0 : static_cast<std::size_t>(result);
}

void Connection::write_later(std::shared_ptr<const std::vector<char>> bytes, std::size_t from) {
  if (is_closing()) return;
  auto* later = new LaterWrite{{}, std::move(bytes)};
  later->request.data = later;
  const uv_buf_t buffer = buffer_of(std::span(*later->bytes).subspan(from));
  const auto on_written = [](uv_write_t* request, int status) {
    auto* connection = static_cast<Connection*>(request->handle->data);
    delete static_cast<LaterWrite*>(request->data);
    connection->written(status);
  };
  if (uv_write(&later->request, as_stream(), &buffer, 1, on_written) == 0) return;
  delete later;
  close();
}

void Connection::written(int status) {
  if (is_closing()) return;
  if (status < 0) {
    close();
  } else if (!has_waiting()) {
    on_drained();
  }
}

}  // namespace bench::uv
