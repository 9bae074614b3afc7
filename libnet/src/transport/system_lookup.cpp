#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include <netdb.h>
#include <sys/socket.h>
#include <boost/asio/error.hpp>

#include "libnet/address.hpp"
#include "libnet/lookup.hpp"

/// getaddrinfo on threads of our own. Asio's resolver is not used: a getaddrinfo that hangs would make its cancellation,
/// run() and the end of the context wait.
namespace libnet {

namespace asio = boost::asio;

namespace {

// Names whose lookup hangs hold a thread each; the others share what is left.
constexpr std::size_t most_threads = 16;

struct Job {
  std::string host;
  LookupOptions options;
  std::vector<LookupAnswer> answers;

  bool asks(std::string_view other, const LookupOptions& with) const {
    return host == other && options.family == with.family && options.hints == with.hints;
  }
};

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

struct Found {
  error_code code;
  std::vector<LookupAddress> addresses;
};

Found ask_system(const std::string& host, const LookupOptions& options) {
  addrinfo wanted{};
  wanted.ai_family = options.family == 4 ? AF_INET : options.family == 6 ? AF_INET6 : AF_UNSPEC;
  wanted.ai_flags = options.hints;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  Found found;
  if (const int result = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list)) found.code = resolver_error(result);
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    const auto address = SocketAddress::from_native(info->ai_addr, info->ai_addrlen);
    if (address) found.addresses.push_back({address->address(), address->family() == Family::ipv6 ? 6 : 4});
  }
  if (list != nullptr) ::freeaddrinfo(list);
  return found;
}

/// Threads are made on demand and stay. They are detached: a stuck getaddrinfo must not hold up the end of the program.
class Pool {
 public:
  static Pool& instance() {
    static Pool* const pool = new Pool;  // never destroyed: detached threads use it to the end
    return *pool;
  }

  void submit(std::string_view host, const LookupOptions& options, LookupAnswer answer) {
    const std::lock_guard lock(mutex_);
    for (auto* jobs : {&waiting_, &running_}) {
      const auto same = std::find_if(jobs->begin(), jobs->end(), [&](Job& job) { return job.asks(host, options); });
      if (same != jobs->end()) return same->answers.push_back(std::move(answer));
    }
    waiting_.push_back({std::string(host), options, {std::move(answer)}});
    if (idle_ < waiting_.size() && threads_ < most_threads) {
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
      wake_.wait(lock, [this] { return !waiting_.empty(); });
      --idle_;
      const auto job = waiting_.begin();
      running_.splice(running_.end(), waiting_, job);
      const bool wanted = std::any_of(job->answers.begin(), job->answers.end(), std::mem_fn(&LookupAnswer::wanted));
      lock.unlock();  // equal lookups may still join the job
      const Found found = wanted ? ask_system(job->host, job->options) : Found();
      lock.lock();
      std::list<Job> done;
      done.splice(done.end(), running_, job);
      lock.unlock();
      answer_all(done.front(), found);
      done.clear();
      lock.lock();
    }
  }

  static void answer_all(const Job& job, const Found& found) {
    for (const LookupAnswer& answer : job.answers) {
      found.code ? answer(Error(found.code)) : answer(found.addresses);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Job> waiting_;
  std::list<Job> running_;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
};

}  // namespace

void system_lookup(std::string_view host, const LookupOptions& options, LookupAnswer answer) {
  Pool::instance().submit(host, options, std::move(answer));
}

}  // namespace libnet
