/* What C++ leaves undefined, as the compiler's instrumentation finds it (-fsanitize=undefined): its handlers are these and not a
 * sanitizer's library; each is told where, first. Part of simt.h. */
struct simt_source {
  const char *file;
  unsigned line, column;
};
static inline SIMT_UNTOUCHED void simt_undefined(const char *what, const void *site) {
  simt->fault(what, (int)static_cast<const simt_source *>(site)->line);
}
#define SIMT_UNDEFINED(name, text)                                                                                   \
  __attribute__((visibility("hidden"), used)) void __ubsan_handle_##name##_abort(const void *site) { simt_undefined(text, site); }
extern "C" {
SIMT_UNDEFINED(type_mismatch_v1, "an access at an address that its type does not allow")
SIMT_UNDEFINED(alignment_assumption, "an access at an address that is not aligned as was promised")
SIMT_UNDEFINED(out_of_bounds, "an index beyond a local array")
SIMT_UNDEFINED(pointer_overflow, "a pointer that wraps around")
SIMT_UNDEFINED(shift_out_of_bounds, "a shift by too many bits, or of a negative number")
SIMT_UNDEFINED(add_overflow, "an overflow of signed integers")
SIMT_UNDEFINED(sub_overflow, "an overflow of signed integers")
SIMT_UNDEFINED(mul_overflow, "an overflow of signed integers")
SIMT_UNDEFINED(negate_overflow, "an overflow of signed integers")
SIMT_UNDEFINED(divrem_overflow, "a division that overflows or by zero")
SIMT_UNDEFINED(load_invalid_value, "a bool or enum without a value of its type")
SIMT_UNDEFINED(vla_bound_not_positive, "an array of no size")
SIMT_UNDEFINED(nonnull_arg, "a null pointer where none may be")
SIMT_UNDEFINED(invalid_builtin, "a count of bits of zero")
__attribute__((visibility("hidden"), used)) void __ubsan_handle_builtin_unreachable(const void *site) {
  simt_undefined("a place that cannot be reached", site);
}
}
#undef SIMT_UNDEFINED
