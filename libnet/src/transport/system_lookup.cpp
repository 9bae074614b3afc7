#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>
#include <boost/asio/error.hpp>

#include "detail/fork_hook.hpp"
#include "libnet/address.hpp"
#include "libnet/lookup.hpp"
#include "transport/lookup_pool.hpp"
#include "transport/native.hpp"

/// getaddrinfo on threads of our own. Asio's resolver is not used: a getaddrinfo that hangs would make its cancellation,
/// run() and the end of the context wait.
namespace libnet {

namespace asio = boost::asio;

namespace {

using transport::Found;
using transport::LookupPool;
using transport::Question;

error_code resolver_error(int code) {
  switch (code) {
    case EAI_NONAME: return asio::error::host_not_found;
#ifdef EAI_NODATA
    case EAI_NODATA: return asio::error::no_data;
#endif
    case EAI_AGAIN: return asio::error::host_not_found_try_again;
    case EAI_FAIL: return asio::error::no_recovery;
    case EAI_SERVICE: return asio::error::service_not_found;
    case EAI_SYSTEM: return transport::system_error(errno);
    case EAI_MEMORY: return asio::error::no_memory;
    default: return asio::error::host_not_found;
  }
}

Found ask_system(const Question& question) {
  addrinfo wanted{};
  wanted.ai_family = question.family == 4 ? AF_INET : question.family == 6 ? AF_INET6 : AF_UNSPEC;
  wanted.ai_flags = question.hints;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int result = ::getaddrinfo(question.host.c_str(), nullptr, &wanted, &list)) {
    return {resolver_error(result), {}};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  Found found;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    const auto address = SocketAddress::from_native(info->ai_addr, info->ai_addrlen);
    if (!address) continue;
    found.addresses.push_back({address->address(), address->family() == Family::ipv6 ? 6 : 4, address});
  }
  return found;
}

Found ask(const Question& question) noexcept try { return ask_system(question); } catch (const std::bad_alloc&) {
  return {transport::system_error(ENOMEM), {}};
}

LookupPool& pool();

/// Threads do not live on in a child process: the pool is told of each fork.
LookupPool* make_pool() {
  auto made = std::make_unique<LookupPool>(&ask);
  const auto before = [] { pool().before_fork(); };
  const auto in_parent = [] { pool().after_fork_in_parent(); };
  const auto in_child = [] { pool().after_fork_in_child(); };
  if (::pthread_atfork(before, in_parent, in_child) != 0) throw std::bad_alloc();
  detail::resume_in_child = []() noexcept { pool().resume(); };
  return made.release();
}

LookupPool& pool() {
  static LookupPool* const pool = make_pool();  // never destroyed: its threads use it to the end
  return *pool;
}

/// The system would read the name up to its first NUL.
bool is_cut_off(std::string_view host) noexcept { return host.find('\0') != host.npos; }

}  // namespace

void system_lookup(std::string_view host, const LookupOptions& options, LookupAnswer answer) try {
  if (is_cut_off(host)) return answer(Error(Errc::invalid_address));
  const std::string_view name = host.empty() ? default_host : host;
  pool().submit({std::string(name), options.family, options.hints}, answer);
} catch (const std::bad_alloc&) {
  answer(Error(transport::system_error(ENOMEM), "getaddrinfo"));
}

}  // namespace libnet
