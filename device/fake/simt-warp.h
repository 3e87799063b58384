/* What threads do together: barriers, shuffles, votes, matrix fragments. Part of simt.h; the emulator does the work (simt-warp.c). */
static inline void __syncthreads(SIMT_LINE) { simt->barrier(line); }
static inline void __syncwarp(unsigned mask = 0xffffffffu, SIMT_LINE) {
  simt_exchange exchange = {};
  simt->collective(SIMT_SYNCWARP, mask, &exchange, line);
}

template <class T> static inline T simt_shuffle(int kind, unsigned mask, T value, unsigned from, int width, int line) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles take 4 or 8 bytes");
  simt_exchange exchange = {};
  __builtin_memcpy(&exchange.value, &value, sizeof value);
  exchange.from = from;
  exchange.width = (unsigned)width;
  simt->collective(kind, mask, &exchange, line);
  __builtin_memcpy(&value, &exchange.value, sizeof value);
  return value;
}
template <class T> static inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32, SIMT_LINE) {
  return simt_shuffle(SIMT_SHUFFLE, mask, value, (unsigned)lane, width, line);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, SIMT_LINE) {
  return simt_shuffle(SIMT_SHUFFLE_UP, mask, value, by, width, line);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, SIMT_LINE) {
  return simt_shuffle(SIMT_SHUFFLE_DOWN, mask, value, by, width, line);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, SIMT_LINE) {
  return simt_shuffle(SIMT_SHUFFLE_XOR, mask, value, (unsigned)lanes, width, line);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, SIMT_LINE) {
  simt_exchange exchange = {};
  exchange.value = predicate != 0;
  simt->collective(SIMT_BALLOT, mask, &exchange, line);
  return (unsigned)exchange.value;
}
static inline int __any_sync(unsigned mask, int predicate, SIMT_LINE) { return __ballot_sync(mask, predicate, line) != 0; }
static inline int __all_sync(unsigned mask, int predicate, SIMT_LINE) { return __ballot_sync(mask, !predicate, line) == 0; }

template <class S> static inline void simt_ldmatrix(int kind, u32 r[4], const S &shared, long long i, int line) {
  simt_exchange exchange = {};
  uint4 row = shared.load(i, line);
  __builtin_memcpy(exchange.words, &row, sizeof row);
  simt->collective(kind, 0xffffffffu, &exchange, line);
  __builtin_memcpy(r, exchange.words, sizeof exchange.words);
}
#define ldmatrix_x4(r, name, i) simt_ldmatrix(SIMT_LDMATRIX, r, name, (long long)(i), __LINE__)
#define ldmatrix_x4_trans(r, name, i) simt_ldmatrix(SIMT_LDMATRIX_TRANS, r, name, (long long)(i), __LINE__)

static inline void simt_mma(int kind, float d[4], const u32 *a, const u32 *b, int line) {
  simt_exchange exchange = {};
  exchange.d = d;
  exchange.a = a;
  exchange.b = b;
  simt->collective(kind, 0xffffffffu, &exchange, line);
}
static inline void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2], f16, SIMT_LINE) {
  simt_mma(SIMT_MMA_F16, d, a, b, line);
}
#if __CUDA_ARCH__ >= 800
static inline void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2], bf16, SIMT_LINE) {
  simt_mma(SIMT_MMA_BF16, d, a, b, line);
}
static inline void mma_16x8x8_tf32(float d[4], const u32 a[4], const u32 b[2], SIMT_LINE) {
  simt_mma(SIMT_MMA_TF32, d, a, b, line);
}
#endif
