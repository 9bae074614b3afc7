#include "core/pipe.hpp"

/// Piping: what one socket receives is queued at another one, a block at a time, each when the last has left.
namespace libnet::detail {

namespace {

// What moves fewer bytes at once is better copied: a pipe of the kernel costs two descriptors. [bytes]
constexpr std::size_t small_splice = 16 * 1024;

}  // namespace

void PipeDeleter::operator()(Pipe* pipe) const noexcept { delete pipe; }

void Pipe::complete() {
  if (result || !source_.reads_for(operation_)) return source_.finish_pipe(operation_, result);  // frees this
  destination().tell_when_writable(*this);
  source_.go_on_piping();
}

transport::Result Pipe::pass_on(core::Receiving& input, transport::Transport& source) {
  const bool spliced = shortcut_ && !input.has_put_back() && may_splice();
  return spliced ? pass_on_spliced(input, source) : pass_on_copied(input, source);
}

/// A read that fills a whole block is worth a pipe of the kernel for the next one.
transport::Result Pipe::pass_on_copied(core::Receiving& input, transport::Transport& source) {
  core::Block block = core::Block::take();
  const transport::Result read = input.read_into(source, {block.data(), block.size()});
  const bool bulk = read.bytes == block.size() && may_splice();
  if (bulk && !shortcut_) shortcut_ = transport::KernelPipe::open();
  if (!bulk && read.bytes != 0) shortcut_.reset();
  if (read.bytes != 0) destination().take_over({block.data(), read.bytes});
  return read;
}

transport::Result Pipe::pass_on_spliced(core::Receiving& input, transport::Transport& source) {
  const std::shared_ptr<transport::KernelPipe> filled = shortcut_;
  const transport::Result read = input.splice(source, *filled);
  if (read.bytes == 0) return read.status == transport::Status::more ? pass_on_copied(input, source) : read;
  if (read.bytes < small_splice) shortcut_.reset();
  destination().take_over(filled);
  return read;
}

}  // namespace libnet::detail
