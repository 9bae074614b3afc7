#include "core/thrown_error.hpp"

#include <new>

#include "libnet/detail/operation.hpp"

namespace libnet::core {

Error described(const error_code& code, const ErrorInfo& info) noexcept try {
  return {code, info};
} catch (const std::bad_alloc&) {
  return {code, info.operation};
}

Error error_of(const std::exception_ptr& thrown, Errc otherwise, const char* operation) noexcept {
  try {
    std::rethrow_exception(thrown);
  } catch (const SystemError& known) {
    return known.error();
  } catch (const std::bad_alloc&) {
    return {detail::out_of_memory(), operation};
  } catch (...) {
    return described(otherwise, {.operation = operation, .exception = &thrown});
  }
}

}  // namespace libnet::core
