/* Squares of words transposed in registers: 8 x 8 where vectors have 8 lanes or more, else 4 x 4. */
#ifndef KERNELS_CPU_SQUARE_H
#define KERNELS_CPU_SQUARE_H

#include "vector.h"

#if VECTOR_LANES == 4
#define SQUARE 4
#define SQUARE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define SQUARE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define SQUARE_EVEN(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define SQUARE_ODD(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#else
#define SQUARE 8
#define SQUARE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define SQUARE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define SQUARE_EVEN(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define SQUARE_ODD(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#endif

typedef float vsquare __attribute__((vector_size(4 * SQUARE)));

/* v[0..3]: rows become columns within each group of 4 lanes. */
VECTOR_INLINE void square_quads(vsquare *v) {
  const vsquare a = SQUARE_LOW(v[0], v[1]), b = SQUARE_HIGH(v[0], v[1]), c = SQUARE_LOW(v[2], v[3]), d = SQUARE_HIGH(v[2], v[3]);
  v[0] = SQUARE_EVEN(a, c);
  v[1] = SQUARE_ODD(a, c);
  v[2] = SQUARE_EVEN(b, d);
  v[3] = SQUARE_ODD(b, d);
}

/* out[i * step_out + j] = in[j * step_in + i] for i, j < SQUARE */
VECTOR_INLINE void square_transpose(const float *in, int64_t step_in, float *out, int64_t step_out) {
  vsquare v[SQUARE];
  for (int j = 0; j < SQUARE; j++) memcpy(&v[j], in + j * step_in, sizeof v[j]);
  square_quads(v);
#if SQUARE == 8
  square_quads(v + 4);
  for (int k = 0; k < 4; k++) {
    const vsquare low = __builtin_shufflevector(v[k], v[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    const vsquare high = __builtin_shufflevector(v[k], v[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    memcpy(out + k * step_out, &low, sizeof low);
    memcpy(out + (k + 4) * step_out, &high, sizeof high);
  }
#else
  for (int k = 0; k < 4; k++) memcpy(out + k * step_out, &v[k], sizeof v[k]);
#endif
}

#endif
