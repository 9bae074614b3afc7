#include "transport/binding.hpp"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/native.hpp"
#include "transport/socket_calls.hpp"

namespace libnet::transport {

namespace {

namespace fs = std::filesystem;

/// Who replaces a stale file holds the lock of its directory meanwhile: else two who found it stale could each remove it,
/// the second one that of the first. Nothing is left behind, and a process that ends gives it back.
class DirectoryLock {
 public:
  explicit DirectoryLock(const fs::path& directory) noexcept
      : directory_(::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    for (int waits = 0; !held_ && directory_.get() >= 0 && waits < most_waits; ++waits) {
      if (waits != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      held_ = ::flock(directory_.get(), LOCK_EX | LOCK_NB) == 0;
      if (!held_ && errno != EWOULDBLOCK && errno != EINTR) return;
    }
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  /// By name: a process that was forked meanwhile would keep it else.
  ~DirectoryLock() {
    if (held_) ::flock(directory_.get(), LOCK_UN);
  }

  bool held() const noexcept { return held_; }

 private:
  // The others need a few system calls. Who holds it for longer is no libnet.
  static constexpr int most_waits = 500;

  const Descriptor directory_;
  bool held_ = false;
};

bool is_socket_file(const std::string& path) noexcept {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

// --- the file ------------------------------------------------------------------------------------------------------

SocketFile::SocketFile(const std::string& path) : path_(path), maker_(::getpid()) {
  if (path.empty() || path.front() == '\0') return;
  std::error_code unknown;  // the current directory may have been removed
  const fs::path absolute = fs::absolute(path, unknown);
  if (!unknown) path_ = absolute.string();
}

bool SocketFile::claim() noexcept {
  claimed_ = identify();
  return claimed_.has_value();
}

void SocketFile::remove() const noexcept {
  if (maker_ == ::getpid() && claimed_ && identify() == claimed_) ::unlink(path_.c_str());
}

std::optional<SocketFile::Identity> SocketFile::identify() const noexcept {
  struct stat status{};
  if (path_.empty() || path_.front() == '\0' || ::lstat(path_.c_str(), &status) != 0) return std::nullopt;
  return Identity(status.st_dev, status.st_ino);
}

// --- the descriptor ------------------------------------------------------------------------------------------------

error_code Binding::bind(const SocketAddress& address, const BindOptions& options, BoundSocket& made) {
  Descriptor descriptor;
  if (const error_code code = open_stream(address.family(), descriptor)) return code;
  auto binding = std::make_shared<Binding>(descriptor.get());
  descriptor.release();
  if (const error_code code = binding->apply(options, address.family())) return code;
  SocketFile file(address.family() == Family::unix_path ? address.address() : std::string());
  if (const error_code code = binding->bind(address)) return code;
  if (file.claim()) binding->file_ = std::move(file);
  binding->address_ = local_address(binding->descriptor_);
  made = BoundSocket(std::move(binding));
  return {};
}

BoundSocket Binding::adopt(int descriptor) {
  auto binding = std::make_shared<Binding>(descriptor);
  try {
    binding->address_ = local_address(descriptor);
  } catch (...) {
    binding->take();
    throw;
  }
  MadeNonBlocking(descriptor).keep();
  return BoundSocket(std::move(binding));
}

error_code Binding::apply(const BindOptions& options, Family family) const noexcept {
  if (family == Family::unix_path) return {};
  set_option(descriptor_, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == Family::ipv6) set_option(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
  return options.reuse_port ? set_option(descriptor_, SOL_SOCKET, SO_REUSEPORT, 1) : error_code();
}

error_code Binding::bind(const SocketAddress& address) {
  const error_code code = bind_to(descriptor_, address);
  if (code != boost::system::errc::address_in_use || address.family() != Family::unix_path) return code;
  return replace_stale_file(address);
}

/// A file behind which there is no socket any more; where that cannot be told for certain it is in use.
error_code Binding::replace_stale_file(const SocketAddress& address) {
  const std::string path = address.address();
  const DirectoryLock lock(fs::path(path).parent_path());
  const error_code code = bind_to(descriptor_, address);  // it may have gone meanwhile
  if (code != boost::system::errc::address_in_use || !lock.held()) return code;
  if (!is_socket_file(path) || is_bound_to(address)) return code;
  ::unlink(path.c_str());
  return bind_to(descriptor_, address);
}

void Binding::close() noexcept {
  // Before the descriptor goes: from then on the file looks stale, and another process may put its own in its place.
  if (file_) file_->remove();
  if (descriptor_ >= 0) ::close(take());
  file_.reset();
  address_.reset();
}

}  // namespace libnet::transport
