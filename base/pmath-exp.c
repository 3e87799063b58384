/* exp, expm1 and the hyperbolic functions made of them. exp(x) = 2^k exp(r), |r| <= ln 2 / 2, Taylor series of r. */
#include "pmath-parts.h"

static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33; // k * ln2_high is exact
static const double one_over_ln2 = 0x1.71547652b82fep+0;

/* exp(r) - 1 - r for |r| <= 0.35: the terms from r^2/2! on; the first one left out is below 2^-60 of r. */
static double exp_tail(double r) {
  static const double over_factorial[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                          1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                          1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  double sum = 0;
  for (int i = (int)(sizeof over_factorial / sizeof over_factorial[0]) - 1; i >= 0; i--) sum = sum * r + over_factorial[i];
  return sum * r * r;
}

/* x = k ln 2 + r.hi + r.lo */
static int exp_reduce(struct pair x, struct pair *out_r) {
  int k = (int)pmath_round_even(x.hi * one_over_ln2);
  struct pair r = pair_sum(x.hi - k * ln2_high, -(k * ln2_low));
  *out_r = pair_normal(r.hi, r.lo + x.lo);
  return k;
}

double pmath_exp_pair(struct pair x) {
  if (x.hi != x.hi) return x.hi;
  if (x.hi > 710) return pmath_inf();
  if (x.hi < -746) return 0;
  struct pair r;
  int k = exp_reduce(x, &r);
  struct pair one = pair_sum(1, r.hi);
  return pmath_ldexp(one.hi + (one.lo + (exp_tail(r.hi) + r.lo * (1 + r.hi))), k);
}

double pmath_exp(double x) { return pmath_exp_pair((struct pair){x, 0}); }

double pmath_expm1(double x) {
  if (x != x || x == 0) return x;
  if (x > 40) return pmath_exp(x);
  if (x < -40) return -1;
  struct pair r;
  int k = exp_reduce((struct pair){x, 0}, &r);
  double less_one = r.hi + (exp_tail(r.hi) + r.lo * (1 + r.hi));
  if (k == 0) return less_one;
  double scale = pmath_ldexp(1, k);
  struct pair sum = pair_sum(scale - 1, scale * less_one); // scale - 1 is exact for -53 <= k <= 53; beyond, it does not matter
  return sum.hi + sum.lo;
}

/* exp(x) / 2 where exp(x) alone may overflow */
static double half_exp_large(double x) {
  double root = pmath_exp(x / 2);
  return root / 2 * root;
}

double pmath_sinh(double x) {
  double a = pmath_abs(x);
  if (a > 709) return pmath_sign_of(half_exp_large(a), x);
  double t = pmath_expm1(a);
  return pmath_sign_of(a < 1e-9 ? a : (t + t / (t + 1)) / 2, x);
}

double pmath_cosh(double x) {
  double a = pmath_abs(x);
  if (a > 709) return half_exp_large(a);
  double e = pmath_exp(a);
  return e / 2 + 0.5 / e;
}

double pmath_tanh(double x) {
  double a = pmath_abs(x);
  if (x != x || a < 1e-9) return x;
  if (a > 22) return pmath_sign_of(1, x);
  double t = pmath_expm1(2 * a);
  return pmath_sign_of(a < 0.5 ? t / (t + 2) : 1 - 2 / (t + 2), x);
}
