#pragma once

#include <uv.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace bench::uv {

/// @throws std::runtime_error if a call of libuv failed.
void check(int result);

/// Bytes for several connections: copied once, and only if one of them cannot take them at once.
class Payload {
 public:
  explicit Payload(std::span<const char> bytes) : bytes_(bytes) {}

  std::span<const char> bytes() const { return bytes_; }
  const std::shared_ptr<const std::vector<char>>& kept();

 private:
  std::span<const char> bytes_;
  std::shared_ptr<const std::vector<char>> kept_;
};

/// A TCP connection of the default loop, made by new. It deletes itself once it is closed.
///
/// All connections read into one buffer. After a failure, or when the peer has gone, it closes itself.
class Connection {
 public:
  Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void accept_from(uv_stream_t* listener);
  void close();

 protected:
  virtual ~Connection() = default;

  virtual void on_accepted() { start_reading(); }
  virtual void on_data(std::span<const char> bytes) = 0;  ///< Valid during the call.
  virtual void on_end() { close(); }                      ///< The peer has ended its direction.
  virtual void on_drained() {}                            ///< All that waited to be written is written.
  virtual void on_close() {}                              ///< It closes, for whatever reason.
  virtual void on_closed() { delete this; }               ///< The last call; libuv has let go of it.

  void start_reading();
  void stop_reading();
  /// Writes what the kernel takes at once and keeps a copy of the rest until it has been written.
  /// @return false if something waits, or the connection failed.
  bool write(std::span<const char> bytes);
  bool write(Payload& payload);  ///< @copydoc write
  bool has_waiting() const { return uv_stream_get_write_queue_size(as_stream()) != 0; }
  bool is_closing() const { return uv_is_closing(reinterpret_cast<const uv_handle_t*>(&handle_)) != 0; }
  uv_tcp_t* handle() { return &handle_; }
  const uv_stream_t* as_stream() const { return reinterpret_cast<const uv_stream_t*>(&handle_); }
  uv_stream_t* as_stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }

 private:
  std::size_t write_at_once(std::span<const char> bytes);
  void write_later(std::shared_ptr<const std::vector<char>> bytes, std::size_t from);
  void received(ssize_t result, const char* bytes);
  void written(int status);

  uv_tcp_t handle_{};
  bool ended_ = false;
};

}  // namespace bench::uv
