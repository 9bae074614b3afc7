#include "core/resolver.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

namespace libnet::core {

namespace asio = boost::asio;

namespace {

// A few lookups may hang at once without holding up the others.
constexpr std::size_t most_threads = 4;

error_code resolver_error(int code) {
  switch (code) {
    case EAI_NONAME: return asio::error::host_not_found;
#ifdef EAI_NODATA
    case EAI_NODATA: return asio::error::no_data;
#endif
    case EAI_AGAIN: return asio::error::host_not_found_try_again;
    case EAI_FAIL: return asio::error::no_recovery;
    case EAI_SERVICE: return asio::error::service_not_found;
    case EAI_SYSTEM: return {errno, boost::system::system_category()};
    case EAI_MEMORY: return asio::error::no_memory;
    default: return asio::error::host_not_found;
  }
}

}  // namespace

/// Shared by the one who asks and the thread that looks up; `answer` is empty once nobody wants to know.
struct Lookup::Job : std::enable_shared_from_this<Job> {
  std::string host;
  int family;
  std::uint16_t port;

  std::mutex mutex;
  asio::any_io_executor executor;
  Answer answer;

  void run();
  void deliver(const error_code& code, std::vector<SocketAddress> addresses);
  Answer take_answer();
};

namespace {

/// Threads are made on demand and stay. They are detached: a stuck getaddrinfo must not hold up the end of the program.
class Pool {
 public:
  static Pool& instance() {
    static Pool* const pool = new Pool;  // never destroyed: detached threads use it to the end
    return *pool;
  }

  void submit(std::shared_ptr<Lookup::Job> job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (idle_ < jobs_.size() && threads_ < most_threads) {
      ++threads_;
      std::thread([this] { work(); }).detach();
    }
    wake_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return !jobs_.empty(); });
      --idle_;
      const std::shared_ptr<Lookup::Job> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job->run();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Lookup::Job>> jobs_;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
};

SocketAddress with_port(const sockaddr* native, socklen_t length, std::uint16_t port) {
  sockaddr_storage storage{};
  std::copy_n(reinterpret_cast<const char*>(native), length, reinterpret_cast<char*>(&storage));
  if (native->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  }
  return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), length).value_or(SocketAddress());
}

}  // namespace

void Lookup::Job::run() {
  {
    const std::lock_guard lock(mutex);
    if (!answer) return;
  }
  addrinfo hints{};
  hints.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int result = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  std::vector<SocketAddress> addresses;
  const error_code code = result == 0 ? error_code() : resolver_error(result);
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    addresses.push_back(with_port(info->ai_addr, info->ai_addrlen, port));
  }
  if (found != nullptr) ::freeaddrinfo(found);
  deliver(code, std::move(addresses));
}

/// Posts under the lock: the context cannot end meanwhile, since its end destroys the Lookup, which takes the lock.
void Lookup::Job::deliver(const error_code& code, std::vector<SocketAddress> addresses) {
  const std::lock_guard lock(mutex);
  if (!answer) return;
  Error error;
  if (code) error = Error(code, ErrorInfo{.operation = "getaddrinfo", .host = host});
  asio::post(executor, [job = shared_from_this(), error, addresses = std::move(addresses)]() mutable {
    const Answer wanted = job->take_answer();
    if (wanted) wanted(error, std::move(addresses));
  });
}

Lookup::Answer Lookup::Job::take_answer() {
  const std::lock_guard lock(mutex);
  return std::exchange(answer, nullptr);
}

Lookup::Lookup(reactor::Loop& loop, std::string host, int family, std::uint16_t port, Answer answer)
    : job_(std::make_shared<Job>()) {
  job_->host = std::move(host);
  job_->family = family;
  job_->port = port;
  job_->executor = loop.executor();
  job_->answer = std::move(answer);
  Pool::instance().submit(job_);
}

Lookup::~Lookup() {
  const Answer unwanted = job_->take_answer();
  const std::lock_guard lock(job_->mutex);
  job_->executor = {};
}

}  // namespace libnet::core
