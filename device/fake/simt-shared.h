/* Shared arrays that know who wrote and read each element when (simt-abi.h), and atomics. Part of simt.h. */
template <class T> struct simt_place {
  simt_array *array;
  long long index;
  int line;
};

/* The bookkeeping below is called for each access: not inlined, so that kernels compile quickly, and without traps of its own. */
#define SIMT_BOOKS static __attribute__((noinline, unused, no_sanitize("undefined"), no_sanitize("kernel-address"), optimize("O2")))

#define SIMT_BOOK static inline __attribute__((always_inline, no_sanitize("undefined"), no_sanitize("kernel-address")))

/* Has a barrier passed between what `who` did at `stamp` and this thread, now? */
SIMT_BOOK bool simt_in_order(const simt_thread *now, unsigned who, unsigned stamp) {
  if (stamp < now->times->block || who == now->index) return true;
  if (who < SIMT_SEVERAL) return who / SIMT_WARP == now->warp_index && stamp < now->times->warp;
  return who < SIMT_EVERYONE && who - SIMT_SEVERAL == now->warp_index && stamp < now->times->warp;
}
/* Who has read since the last barrier, now that this thread reads, too. */
SIMT_BOOKS unsigned simt_readers(const simt_thread *now, const simt_shadow *s) {
  unsigned warp = s->reader < SIMT_SEVERAL ? s->reader / SIMT_WARP : s->reader - SIMT_SEVERAL;
  if (warp != now->warp_index) return SIMT_EVERYONE;
  return simt_in_order(now, s->reader, s->read_stamp) ? now->index : SIMT_SEVERAL + warp;
}
SIMT_BOOK void simt_read_one(simt_array *array, long long index, int line) {
  if ((unsigned long long)index >= array->count) simt->shared_fault(SIMT_FAULT_BOUNDS, array, index, line);
  simt_shadow *s = &array->shadow[index];
  const simt_thread *now = simt_now;
  const simt_times *times = now->times;
  if (s->write_stamp < times->begin) simt->shared_fault(SIMT_FAULT_UNWRITTEN, array, index, line);
  if (s->writer == SIMT_COPYING) simt->shared_fault(SIMT_FAULT_COPYING, array, index, line);
  if (!simt_in_order(now, s->writer, s->write_stamp)) simt->shared_fault(SIMT_FAULT_RACE_WRITTEN, array, index, line);
  bool fresh = s->read_stamp < times->block;
  if (!fresh && s->reader == SIMT_EVERYONE) return; // more cannot be said before the next barrier
  s->reader = (unsigned short)(fresh || s->reader == now->index ? now->index : simt_readers(now, s));
  s->read_stamp = times->warp;
}
SIMT_BOOK void simt_write_one(simt_array *array, long long index, unsigned writer, int line) {
  if ((unsigned long long)index >= array->count) simt->shared_fault(SIMT_FAULT_BOUNDS, array, index, line);
  simt_shadow *s = &array->shadow[index];
  const simt_thread *now = simt_now;
  const simt_times *times = now->times;
  if (s->write_stamp >= times->begin) {
    if (s->writer == SIMT_COPYING) simt->shared_fault(SIMT_FAULT_COPYING, array, index, line);
    if (!simt_in_order(now, s->writer, s->write_stamp) && !(writer == SIMT_ATOMIC && s->writer == SIMT_ATOMIC))
      simt->shared_fault(SIMT_FAULT_RACE_WRITTEN, array, index, line);
  }
  if (s->read_stamp >= times->block && !simt_in_order(now, s->reader, s->read_stamp))
    simt->shared_fault(SIMT_FAULT_RACE_READ, array, index, line);
  s->writer = (unsigned short)writer;
  s->write_stamp = times->warp;
}

SIMT_BOOKS void simt_reads(simt_array *array, long long index, int line) { simt_read_one(array, index, line); }
SIMT_BOOKS void simt_writes(simt_array *array, long long index, unsigned writer, int line) {
  simt_write_one(array, index, writer, line);
}
SIMT_BOOKS void simt_reads16(simt_array *array, long long index, int line) {
  long long end = index + 16 / array->element_bytes;
  for (; index < end; index++) simt_read_one(array, index, line);
}
SIMT_BOOKS void simt_writes16(simt_array *array, long long index, unsigned writer, int line) {
  long long end = index + 16 / array->element_bytes;
  for (; index < end; index++) simt_write_one(array, index, writer, line);
}

/* One element: reads as a value, takes assignments; its address is only good for atomics. */
template <class T> struct simt_reference {
  simt_place<T> place;
  T *bytes() const { return reinterpret_cast<T *>(place.array->bytes) + place.index; }
  T get() const {
    simt_reads(place.array, place.index, place.line);
    return *bytes();
  }
  operator T() const { return get(); }
  T operator=(const T &value) const {
    simt_writes(place.array, place.index, simt_now->index, place.line);
    return *bytes() = value;
  }
  T operator=(const simt_reference &other) const { return *this = other.get(); }
  template <class V> T operator+=(const V &v) const { return *this = (T)(get() + v); }
  template <class V> T operator-=(const V &v) const { return *this = (T)(get() - v); }
  template <class V> T operator*=(const V &v) const { return *this = (T)(get() * v); }
  template <class V> T operator/=(const V &v) const { return *this = (T)(get() / v); }
  template <class V> T operator|=(const V &v) const { return *this = (T)(get() | v); }
  template <class V> T operator&=(const V &v) const { return *this = (T)(get() & v); }
  template <class V> T operator^=(const V &v) const { return *this = (T)(get() ^ v); }
  simt_place<T> operator&() const { return place; }
};

struct simt_index {
  long long i;
  int line;
  template <class I> simt_index(I at, SIMT_LINE) : i((long long)at), line(line) {}
};

template <class T, unsigned elements> struct simt_shared {
  simt_array *array;
  simt_shared(const void *tag, const char *name) : array(simt->shared(tag, name, sizeof(T), elements)) {}
  simt_reference<T> operator[](simt_index at) const { return simt_reference<T>{{array, at.i, at.line}}; }
  void check16(long long i, int line) const {
    if (i >= 0 && i * (long long)sizeof(T) % 16 != 0) simt->shared_fault(SIMT_FAULT_UNALIGNED, array, i, line);
  }
  uint4 load(long long i, int line) const {
    check16(i, line);
    simt_reads16(array, i, line);
    uint4 v;
    __builtin_memcpy(&v, array->bytes + i * (long long)sizeof(T), sizeof v);
    return v;
  }
  void store(long long i, uint4 v, int line) const {
    check16(i, line);
    simt_writes16(array, i, simt_now->index, line);
    __builtin_memcpy(array->bytes + i * (long long)sizeof(T), &v, sizeof v);
  }
  void copy(long long i, const void *from, bool valid, int line) const {
    check16(i, line);
    if (valid) simt_aligned(from, "copy_async from an address that is no multiple of 16", line);
    if (valid) simt_touches(reinterpret_cast<u64>(from), 16, 0);
    simt_writes16(array, i, SIMT_COPYING, line);
    simt->async_copy(array, (unsigned)i, from, valid);
  }
};

#define FARM_SHARED(type, name, count)                                                                               \
  static char name##_tag;                                                                                            \
  const simt_shared<type, count> name(&name##_tag, #name)
#define shared_load4(name, i) ((name).load((long long)(i), __LINE__))
#define shared_store4(name, i, v) ((name).store((long long)(i), v, __LINE__))
#define copy_async(name, i, from, valid) ((name).copy((long long)(i), from, valid, __LINE__))
static inline void copy_async_commit() { simt->async_commit(); }
template <int n> static inline void copy_async_wait() { simt->async_wait(n); }

SIMT_BOOKS void simt_updates(simt_array *array, long long index, int line) {
  if ((unsigned long long)index < array->count && array->shadow[index].write_stamp < simt_now->times->begin)
    simt->shared_fault(SIMT_FAULT_UNWRITTEN, array, index, line);
  simt_writes(array, index, SIMT_ATOMIC, line);
}

/* Atomics: threads run one after another, so plain code is atomic; in shared arrays they are in order among themselves only. */
#define SIMT_ATOMIC_OP(name, expression)                                                                             \
  template <class T> static inline T name(T *to, decltype(T() + T()) value) {                                        \
    T old = *to;                                                                                                     \
    *to = (T)(expression);                                                                                           \
    return old;                                                                                                      \
  }                                                                                                                  \
  template <class T> static inline T name(simt_place<T> to, decltype(T() + T()) value) {                             \
    simt_updates(to.array, to.index, to.line);                                                                       \
    return name(reinterpret_cast<T *>(to.array->bytes) + to.index, value);                                           \
  }
SIMT_ATOMIC_OP(atomicAdd, old + value)
SIMT_ATOMIC_OP(atomicSub, old - value)
SIMT_ATOMIC_OP(atomicMax, old < (T)value ? (T)value : old)
SIMT_ATOMIC_OP(atomicMin, (T)value < old ? (T)value : old)
SIMT_ATOMIC_OP(atomicExch, value)
SIMT_ATOMIC_OP(atomicOr, (T)((long long)old | (long long)value))
SIMT_ATOMIC_OP(atomicAnd, (T)((long long)old & (long long)value))
template <class T> static inline T atomicCAS(T *to, T expected, T value) {
  T old = *to;
  if (old == expected) *to = value;
  return old;
}
