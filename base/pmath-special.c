/* The error function. Below 2: the series 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 5 … (2n+1)), whose terms are all
 * positive. From 2 on: 1 - erfc(x), erfc (below 0.005) by its continued fraction.
 */
#include "pmath-parts.h"

static const double two_over_root_pi = 0x1.20dd750429b6dp+0;

/* x (1 + q/3 (1 + q/5 (1 + q/7 …))), q = 2 x^2; what the number of terms leaves out is below 2^-57 */
static double series(double x, double x2) {
  double sum = 1, q = 2 * x2;
  for (int n = 9 + (int)(13 * x); n >= 1; n--) sum = 1 + sum * q / (2 * n + 1);
  return sum * x;
}

/* 1 / (x + (1/2) / (x + (2/2) / (x + (3/2) / (x + …)))) = sqrt(pi) exp(x^2) erfc(x) */
static double fraction(double x) {
  double rest = x;
  for (int n = (int)(120 / x); n >= 1; n--) rest = x + n * 0.5 / rest;
  return 1 / rest;
}

double pmath_erf(double x) {
  double a = pmath_abs(x);
  if (x != x || x == 0) return x;
  if (a >= 6) return pmath_sign_of(1, x);
  struct pair square = pair_product(a, a);
  double gauss = pmath_exp_pair((struct pair){-square.hi, -square.lo});
  double result = a < 2 ? two_over_root_pi * gauss * series(a, square.hi) : 1 - two_over_root_pi / 2 * gauss * fraction(a);
  return pmath_sign_of(result, x);
}
