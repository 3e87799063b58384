/* Vectors of floats for kernels: one source for 4, 8 and 16 lanes, through the compilers' vector extensions.
 *
 * A kernel is written once against `vfloat` and instantiated by thin files of one instruction set each (`foo-baseline.c`,
 * `foo-avx2.c`, `foo-avx512.c`). VECTOR_LANES is the width of that set unless the including file defines it before, which tests
 * do to run the 16-lane source on a CPU that has no AVX-512. Everything here is static inline; plain + - * / work on the types.
 * Only what the extensions say badly (minimum, select, partial loads, half floats) has an intrinsic beside the portable form.
 */
#ifndef KERNELS_CPU_VECTOR_H
#define KERNELS_CPU_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef VECTOR_LANES
#if defined(__AVX512F__)
#define VECTOR_LANES 16
#elif defined(__AVX2__)
#define VECTOR_LANES 8
#else
#define VECTOR_LANES 4
#endif
#endif
#if defined(__AVX512F__) && VECTOR_LANES == 16
#define VECTOR_AVX512 1
#elif defined(__AVX2__) && VECTOR_LANES == 8
#define VECTOR_AVX2 1
#endif

#define VECTOR_INLINE static inline __attribute__((always_inline, unused))

typedef float vfloat __attribute__((vector_size(4 * VECTOR_LANES)));
typedef int32_t vint __attribute__((vector_size(4 * VECTOR_LANES)));
typedef uint32_t vuint __attribute__((vector_size(4 * VECTOR_LANES)));
typedef double vdouble __attribute__((vector_size(4 * VECTOR_LANES))); // half as many lanes
typedef int64_t vlong __attribute__((vector_size(4 * VECTOR_LANES)));  // half as many lanes
typedef float vhalf __attribute__((vector_size(2 * VECTOR_LANES)));    // half a vfloat
typedef int32_t vhalf_int __attribute__((vector_size(2 * VECTOR_LANES)));

union vfloat_parts {
  vfloat whole;
  vhalf halves[2];
  float lanes[VECTOR_LANES];
};

VECTOR_INLINE vfloat vec_set(float x) { return x - (vfloat){0}; } // keeps -0 and NaN
VECTOR_INLINE vint vec_set_int(int32_t x) { return x + (vint){0}; }
VECTOR_INLINE vfloat vec_load(const float *from) {
  vfloat x;
  memcpy(&x, from, sizeof x);
  return x;
}
VECTOR_INLINE void vec_store(float *to, vfloat x) { memcpy(to, &x, sizeof x); }

/* Masks are all ones or all zeros per lane, as comparisons of vfloat give them. */
VECTOR_INLINE vfloat vec_and(vint mask, vfloat x) { return (vfloat)(mask & (vint)x); }
VECTOR_INLINE vfloat vec_select(vint mask, vfloat yes, vfloat no) {
#if defined(VECTOR_AVX512)
  return (vfloat)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)no, (__m512)yes);
#elif defined(VECTOR_AVX2)
  return (vfloat)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)mask);
#else
  return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
#endif
}
/* As the x86 instructions: the second argument when either is NaN. */
VECTOR_INLINE vfloat vec_max(vfloat a, vfloat b) {
#if defined(VECTOR_AVX512)
  return (vfloat)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(VECTOR_AVX2)
  return (vfloat)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return vec_select(a > b, a, b);
#endif
}
VECTOR_INLINE vfloat vec_min(vfloat a, vfloat b) {
#if defined(VECTOR_AVX512)
  return (vfloat)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(VECTOR_AVX2)
  return (vfloat)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return vec_select(a < b, a, b);
#endif
}
VECTOR_INLINE vfloat vec_abs(vfloat x) { return vec_and(vec_set_int(INT32_MAX), x); }
VECTOR_INLINE vfloat vec_sign_bit(vfloat x) { return vec_and(vec_set_int(INT32_MIN), x); } // -0 or +0
VECTOR_INLINE vfloat vec_xor(vfloat x, vfloat bits) { return (vfloat)((vint)x ^ (vint)bits); }
VECTOR_INLINE vfloat vec_copy_sign(vfloat magnitude, vfloat sign) {
  return (vfloat)((vint)vec_abs(magnitude) | (vint)vec_sign_bit(sign));
}
VECTOR_INLINE vfloat vec_sqrt(vfloat x) {
#if defined(VECTOR_AVX512)
  return (vfloat)_mm512_sqrt_ps((__m512)x);
#elif defined(VECTOR_AVX2)
  return (vfloat)_mm256_sqrt_ps((__m256)x);
#else
  union vfloat_parts parts = {x};
  for (int i = 0; i < VECTOR_LANES; i++) parts.lanes[i] = __builtin_sqrtf(parts.lanes[i]);
  return parts.whole;
#endif
}
/* To nearest, ties to even, for every float: beyond 2^23 there is nothing to round. Keeps the sign of zeros. */
VECTOR_INLINE vfloat vec_round(vfloat x) {
  const vfloat big = vec_copy_sign(vec_set(0x1p23f), x);
  const vfloat rounded = vec_copy_sign((x + big) - big, x);
  return vec_select(vec_abs(x) < vec_set(0x1p23f), rounded, x);
}
VECTOR_INLINE vfloat vec_floor(vfloat x) {
  const vfloat rounded = vec_round(x);
  return vec_copy_sign(rounded - vec_and(rounded > x, vec_set(1.0f)), x);
}
VECTOR_INLINE vfloat vec_ceil(vfloat x) {
  const vfloat rounded = vec_round(x);
  return vec_copy_sign(rounded + vec_and(rounded < x, vec_set(1.0f)), x);
}

/* The first `count` lanes, 0 <= count <= VECTOR_LANES; a load fills the others with zeros, neither touches memory beyond. */
VECTOR_INLINE vfloat vec_load_part(const float *from, int64_t count) {
#if defined(VECTOR_AVX512)
  return (vfloat)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#elif defined(VECTOR_AVX2)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return (vfloat)_mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane));
#else
  union vfloat_parts parts = {(vfloat){0}};
  for (int64_t i = 0; i < count; i++) parts.lanes[i] = from[i];
  return parts.whole;
#endif
}
VECTOR_INLINE void vec_store_part(float *to, vfloat x, int64_t count) {
#if defined(VECTOR_AVX512)
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)x);
#elif defined(VECTOR_AVX2)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane), (__m256)x);
#else
  const union vfloat_parts parts = {x};
  for (int64_t i = 0; i < count; i++) to[i] = parts.lanes[i];
#endif
}
/* A mask of the first `count` lanes. */
VECTOR_INLINE vint vec_first(int64_t count) {
  vint lane = {0};
  for (int i = 0; i < VECTOR_LANES; i++) lane[i] = i;
  return lane < vec_set_int((int32_t)count);
}

/* Lanes combined pairwise in a fixed order: the same bits for every caller of one width. */
#if VECTOR_LANES == 16
#define VEC_FOLD(x, op)                                                                                                          \
  x = op(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));                                \
  x = op(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));                                \
  x = op(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));                                \
  x = op(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14))
#elif VECTOR_LANES == 8
#define VEC_FOLD(x, op)                                                                                                          \
  x = op(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));                                                              \
  x = op(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5));                                                              \
  x = op(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6))
#else
#define VEC_FOLD(x, op)                                                                                                          \
  x = op(x, __builtin_shufflevector(x, x, 2, 3, 0, 1));                                                                          \
  x = op(x, __builtin_shufflevector(x, x, 1, 0, 3, 2))
#endif
/* The even and the odd lanes of a and b, in their order. */
#if VECTOR_LANES == 16
#define VEC_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define VEC_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif VECTOR_LANES == 8
#define VEC_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define VEC_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#else
#define VEC_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define VEC_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#endif

VECTOR_INLINE vfloat vec_add_(vfloat a, vfloat b) { return a + b; }
VECTOR_INLINE vfloat vec_mul_(vfloat a, vfloat b) { return a * b; }
/* NaN wins, from either side. */
VECTOR_INLINE vfloat vec_max_nan(vfloat a, vfloat b) { return vec_select(a != a, a, vec_max(a, b)); }
VECTOR_INLINE vfloat vec_min_nan(vfloat a, vfloat b) { return vec_select(a != a, a, vec_min(a, b)); }
VECTOR_INLINE float vec_sum(vfloat x) {
  VEC_FOLD(x, vec_add_);
  return x[0];
}
VECTOR_INLINE float vec_product(vfloat x) {
  VEC_FOLD(x, vec_mul_);
  return x[0];
}
VECTOR_INLINE float vec_largest(vfloat x) { // NaN when a lane is
  VEC_FOLD(x, vec_max_nan);
  return x[0];
}
VECTOR_INLINE float vec_smallest(vfloat x) { // NaN when a lane is
  VEC_FOLD(x, vec_min_nan);
  return x[0];
}

#endif
