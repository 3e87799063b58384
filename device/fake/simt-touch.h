/* Every access to memory that the compiler could not keep in registers comes by here (-fsanitize=kernel-address, calls only): what a
 * kernel touches is in an allocation of the device, to the byte, or on its own stack. A pointer of the host is caught so, and a
 * read behind an allocation's end that no guard page sees. Part of simt.h. */
extern "C" {
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}
static inline SIMT_UNTOUCHED bool simt_within(const simt_range &range, u64 at, u64 bytes) {
  return at >= range.low && at + bytes <= range.high;
}
static SIMT_UNTOUCHED void simt_touches(u64 at, unsigned bytes, int writes) {
  const simt_places *places = simt_table.places;
  if (simt_within(places->last, at, bytes)) return;
  for (int i = 0; i < SIMT_RANGES; i++)
    if (simt_within(places->fixed[i], at, bytes)) return;
  if (at >= reinterpret_cast<u64>(__ehdr_start) && at < reinterpret_cast<u64>(_end)) return;
  simt_table.touch(at, bytes, writes);
}

#define SIMT_TOUCH(size)                                                                                             \
  __attribute__((visibility("hidden"), used)) SIMT_UNTOUCHED void __asan_load##size##_noabort(u64 at) {              \
    simt_touches(at, size, 0);                                                                                       \
  }                                                                                                                  \
  __attribute__((visibility("hidden"), used)) SIMT_UNTOUCHED void __asan_store##size##_noabort(u64 at) {             \
    simt_touches(at, size, 1);                                                                                       \
  }
extern "C" {
SIMT_TOUCH(1)
SIMT_TOUCH(2)
SIMT_TOUCH(4)
SIMT_TOUCH(8)
SIMT_TOUCH(16)
__attribute__((visibility("hidden"), used)) SIMT_UNTOUCHED void __asan_loadN_noabort(u64 at, u64 bytes) {
  simt_touches(at, (unsigned)bytes, 0);
}
__attribute__((visibility("hidden"), used)) SIMT_UNTOUCHED void __asan_storeN_noabort(u64 at, u64 bytes) {
  simt_touches(at, (unsigned)bytes, 1);
}
__attribute__((visibility("hidden"), used)) SIMT_UNTOUCHED void __asan_handle_no_return() {}
}
#undef SIMT_TOUCH
