/* Shared arrays that know who wrote and read each element when (simt-abi.h), and atomics. Part of simt.h. */
template <class T> struct simt_place {
  simt_array *array;
  long long index;
  int line;
};

/* Has a barrier passed between what `who` did at `stamp` and this thread, now? */
static inline bool simt_in_order(unsigned who, unsigned stamp) {
  if (stamp < simt_now->block_time->time || who == simt_now->index) return true;
  if (who < SIMT_SEVERAL) return who / SIMT_WARP == simt_now->warp_index && stamp < simt_now->warp_time->time;
  return who < SIMT_EVERYONE && who - SIMT_SEVERAL == simt_now->warp_index && stamp < simt_now->warp_time->time;
}
static inline simt_shadow *simt_element(simt_array *array, long long index, int line) {
  if (index < 0 || index >= array->count) simt->shared_fault(SIMT_FAULT_BOUNDS, array, index, line);
  return &array->shadow[index];
}
static inline void simt_reads(simt_array *array, long long index, int line) {
  simt_shadow *s = simt_element(array, index, line);
  const simt_thread *now = simt_now;
  if (s->write_stamp < now->block_time->begin) simt->shared_fault(SIMT_FAULT_UNWRITTEN, array, index, line);
  if (s->writer == SIMT_COPYING) simt->shared_fault(SIMT_FAULT_COPYING, array, index, line);
  if (!simt_in_order(s->writer, s->write_stamp)) simt->shared_fault(SIMT_FAULT_RACE_WRITTEN, array, index, line);
  unsigned reader = now->index;
  if (s->read_stamp >= now->block_time->time && s->reader != reader) // others have read since the last barrier
    reader = (s->reader < SIMT_SEVERAL ? s->reader / SIMT_WARP : s->reader - SIMT_SEVERAL) == now->warp_index
                 ? (simt_in_order(s->reader, s->read_stamp) ? reader : SIMT_SEVERAL + now->warp_index)
                 : (unsigned)SIMT_EVERYONE;
  s->reader = (unsigned short)reader;
  s->read_stamp = now->warp_time->time;
}
static inline void simt_writes(simt_array *array, long long index, unsigned writer, int line) {
  simt_shadow *s = simt_element(array, index, line);
  const simt_thread *now = simt_now;
  if (s->write_stamp >= now->block_time->begin) {
    if (s->writer == SIMT_COPYING) simt->shared_fault(SIMT_FAULT_COPYING, array, index, line);
    if (!simt_in_order(s->writer, s->write_stamp) && !(writer == SIMT_ATOMIC && s->writer == SIMT_ATOMIC))
      simt->shared_fault(SIMT_FAULT_RACE_WRITTEN, array, index, line);
  }
  if (s->read_stamp >= now->block_time->begin && !simt_in_order(s->reader, s->read_stamp))
    simt->shared_fault(SIMT_FAULT_RACE_READ, array, index, line);
  s->writer = (unsigned short)writer;
  s->write_stamp = now->warp_time->time;
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
    for (unsigned e = 0; e < 16 / sizeof(T); e++) simt_reads(array, i + e, line);
    uint4 v;
    __builtin_memcpy(&v, array->bytes + i * (long long)sizeof(T), sizeof v);
    return v;
  }
  void store(long long i, uint4 v, int line) const {
    check16(i, line);
    for (unsigned e = 0; e < 16 / sizeof(T); e++) simt_writes(array, i + e, simt_now->index, line);
    __builtin_memcpy(array->bytes + i * (long long)sizeof(T), &v, sizeof v);
  }
  void copy(long long i, const void *from, bool valid, int line) const {
    check16(i, line);
    if (valid) simt_aligned(from, "copy_async from an address that is no multiple of 16", line);
    for (unsigned e = 0; e < 16 / sizeof(T); e++) simt_writes(array, i + e, SIMT_COPYING, line);
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

/* Atomics: threads run one after another, so plain code is atomic; in shared arrays they are in order among themselves only. */
#define SIMT_ATOMIC_OP(name, expression)                                                                             \
  template <class T> static inline T name(T *to, decltype(T() + T()) value) {                                        \
    T old = *to;                                                                                                     \
    *to = (T)(expression);                                                                                           \
    return old;                                                                                                      \
  }                                                                                                                  \
  template <class T> static inline T name(simt_place<T> to, decltype(T() + T()) value) {                             \
    simt_shadow *s = simt_element(to.array, to.index, to.line);                                                      \
    if (s->write_stamp < simt_now->block_time->begin)                                                                \
      simt->shared_fault(SIMT_FAULT_UNWRITTEN, to.array, to.index, to.line);                                         \
    simt_writes(to.array, to.index, SIMT_ATOMIC, to.line);                                                           \
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
