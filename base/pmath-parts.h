/* What the pmath files share: bits of doubles, and sums and products as an unevaluated pair hi + lo (about 106 bits).
 * The pair operations are exact only without contraction and excess precision (-ffp-contract=off, SSE2 or AArch64).
 */
#ifndef BASE_PMATH_PARTS_H
#define BASE_PMATH_PARTS_H

#include "pmath.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct pair {
  double hi, lo;
};

static inline uint64_t pmath_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline double pmath_from_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline double pmath_abs(double x) { return pmath_from_bits(pmath_bits(x) & INT64_MAX); }
static inline double pmath_sign_of(double magnitude, double sign) {
  return pmath_from_bits((pmath_bits(magnitude) & INT64_MAX) | (pmath_bits(sign) & ~(uint64_t)INT64_MAX));
}
static inline double pmath_nan(void) { return pmath_from_bits(0x7ff8000000000000u); }
static inline double pmath_inf(void) { return pmath_from_bits(0x7ff0000000000000u); }

static inline struct pair pair_sum(double a, double b) { // Knuth: any order of magnitudes
  double s = a + b, bb = s - a;
  return (struct pair){s, (a - (s - bb)) + (b - bb)};
}

static inline struct pair pair_normal(double hi, double lo) { // |hi| >= |lo|
  double s = hi + lo;
  return (struct pair){s, lo - (s - hi)};
}

static inline struct pair pair_product(double a, double b) { // Dekker; |a|, |b| < 2^970
  double p = a * b, ca = 134217729.0 * a, cb = 134217729.0 * b;
  double ah = ca - (ca - a), al = a - ah, bh = cb - (cb - b), bl = b - bh;
  return (struct pair){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static inline struct pair pair_add(struct pair a, struct pair b) {
  struct pair s = pair_sum(a.hi, b.hi);
  return pair_normal(s.hi, s.lo + (a.lo + b.lo));
}

static inline struct pair pair_multiply(struct pair a, struct pair b) {
  struct pair p = pair_product(a.hi, b.hi);
  return pair_normal(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static inline struct pair pair_divide(struct pair a, struct pair b) {
  double q = a.hi / b.hi;
  struct pair back = pair_product(q, b.hi);
  double rest = ((a.hi - back.hi) - back.lo) + a.lo - q * b.lo;
  return pair_normal(q, rest / b.hi);
}

/* exp(x.hi + x.lo) for |x.lo| tiny beside 1. */
double pmath_exp_pair(struct pair x);

#endif
