#include "core/thrown_error.hpp"

#include <new>

namespace libnet::core {

Error error_of(const std::exception_ptr& thrown, Errc otherwise, const char* operation) {
  try {
    std::rethrow_exception(thrown);
  } catch (const SystemError& known) {
    return known.error();
  } catch (const std::bad_alloc&) {
    return {boost::system::errc::make_error_code(boost::system::errc::not_enough_memory), operation};
  } catch (...) {
    return {otherwise, ErrorInfo{.operation = operation, .exception = &thrown}};
  }
}

}  // namespace libnet::core
