#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <string_view>

/// Standard input or output among the waits of the loop, whatever it is: file, pipe, terminal, socket or device.
///
/// O_NONBLOCK stays as it is: it belongs to the open file, which the shell and other programs share, so even waiting with
/// Asio's own descriptor, which sets it, would change it for them. In its place, a call is made when poll(2) says that it
/// will go through at once, and for no more than is then sure to.
class StandardStream {
 public:
  /// @param events  What poll(2) calls that for which it waits.
  StandardStream(const boost::asio::any_io_executor& executor, int descriptor, short events);

  /// Whether a call would go through at once.
  bool ready() const noexcept;
  /// Whether it may ever have to wait; files do not.
  bool waits() const noexcept { return watch_.is_open(); }
  /// Completes when ready, with true, or with false when cancelled.
  boost::asio::awaitable<bool> wait();
  void cancel();

 private:
  int descriptor_;
  short events_;
  boost::asio::posix::stream_descriptor watch_;  // an epoll set of its own, readable when the descriptor is ready
};

/// Standard input.
class StandardInput {
 public:
  explicit StandardInput(const boost::asio::any_io_executor& executor);

  /// The next bytes; none at the end, or when cancelled while there were none. Valid until the next read.
  /// Throws libnet::SystemError.
  boost::asio::awaitable<std::string_view> read();
  /// Ends the waiting of `read`.
  void cancel() { stream_.cancel(); }

  /// Whether `read` would not wait.
  bool ready() const noexcept { return stream_.ready(); }
  bool at_end() const noexcept { return at_end_; }
  bool failed() const noexcept { return failed_; }

 private:
  StandardStream stream_;
  std::array<char, std::size_t{64} * 1024> buffer_{};
  bool at_end_ = false;
  bool failed_ = false;
};

/// Standard output.
class StandardOutput {
 public:
  explicit StandardOutput(const boost::asio::any_io_executor& executor);

  /// Writes some of the bytes.
  /// @return  How many [bytes]; 0 when cancelled while there was no room. Throws libnet::SystemError.
  boost::asio::awaitable<std::size_t> write_some(std::string_view bytes);
  /// Ends the waiting of `write_some`.
  void cancel() { stream_.cancel(); }

  bool failed() const noexcept { return failed_ || reader_gone_; }
  /// Whether it failed because nobody reads it any more.
  bool reader_gone() const noexcept { return reader_gone_; }

 private:
  StandardStream stream_;
  bool failed_ = false;
  bool reader_gone_ = false;
};

/// Gives those of standard input, output and error that are closed something in their place that fails as they would:
/// else the next descriptor that is opened would pass for one of them.
void fill_standard_descriptors();
