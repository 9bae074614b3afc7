#include "connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

Connection::Connection(Loop& loop, int descriptor) : loop_(loop), descriptor_(descriptor) {
  loop_.add(descriptor_, interest_, *this);
}

Connection::~Connection() { ::close(descriptor_); }

void Connection::on_ready(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close();
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & EPOLLIN) != 0 && wants_input()) receive();
  if (peer_ended_ && outbox_.empty()) close();
  update_interest();
}

void Connection::receive() {
  const ssize_t result = ::recv(descriptor_, read_buffer.data(), read_buffer.size(), 0);
  if (result > 0) return on_received(std::span(read_buffer).first(static_cast<std::size_t>(result)));
  if (result == 0) {
    peer_ended_ = true;
  } else if (errno != EAGAIN) {
    close();
  }
}

void Connection::send(std::span<const char> bytes) {
  if (!outbox_.send(descriptor_, bytes)) close();
  update_interest();
}

void Connection::flush() {
  if (!outbox_.flush(descriptor_)) return close();
  on_flushed();
}

void Connection::close() {
  if (retired()) return;
  loop_.retire(*this);
  on_closed();
}

void Connection::update_interest() {
  if (retired()) return;
  const bool reads = !peer_ended_ && wants_input();
  const std::uint32_t interest = (reads ? EPOLLIN : 0U) | (outbox_.empty() ? 0U : EPOLLOUT);
  if (interest == interest_) return;
  interest_ = interest;
  loop_.modify(descriptor_, interest_, *this);
}
