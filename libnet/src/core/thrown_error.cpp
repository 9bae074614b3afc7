#include "core/thrown_error.hpp"

#include <new>

#include "libnet/detail/operation.hpp"

namespace libnet::core {

namespace {

/// The name of an operation that is not libnet's own takes memory as well.
Error named(const error_code& code, const char* operation) noexcept try {
  return {code, operation};
} catch (const std::bad_alloc&) {
  return {code};
}

}  // namespace

Error described(const error_code& code, const ErrorInfo& info) noexcept try {
  return {code, info};
} catch (const std::bad_alloc&) {
  return named(code, info.operation);
}

Error error_of(const std::exception_ptr& thrown, Errc otherwise, const char* operation) noexcept {
  try {
    std::rethrow_exception(thrown);
  } catch (const SystemError& known) {
    return known.error();
  } catch (const std::bad_alloc&) {
    return named(detail::out_of_memory(), operation);
  } catch (...) {
    return described(otherwise, {.operation = operation, .exception = &thrown});
  }
}

}  // namespace libnet::core
