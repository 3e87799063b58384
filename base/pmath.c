/* The exact part of pmath.h: functions on the bits of a double. The rest is in pmath-exp.c, pmath-log.c, pmath-trig.c and
 * pmath-special.c.
 */
#include "pmath.h"

#include "pmath-parts.h"

static const double exact_limit = 4503599627370496.0; // 2^52: from here on every double is an integer

/* Correctly rounded by IEEE 754: one instruction wherever -fno-math-errno is in force. */
double pmath_sqrt(double x) { return __builtin_sqrt(x); }

double pmath_floor(double x) {
  if (!(pmath_abs(x) < exact_limit)) return x;
  double whole = (double)(int64_t)x;
  return pmath_sign_of(whole > x ? whole - 1 : whole, x);
}

double pmath_ceil(double x) { return -pmath_floor(-x); }

double pmath_round_even(double x) {
  double magnitude = pmath_abs(x);
  if (!(magnitude < exact_limit)) return x;
  return pmath_sign_of((magnitude + exact_limit) - exact_limit, x);
}

double pmath_frexp(double x, int *out_exponent) {
  uint64_t bits = pmath_bits(x);
  int exponent = (int)(bits >> 52 & 0x7ff), shift = 0;
  *out_exponent = 0;
  if (exponent == 0x7ff || x == 0) return x;
  if (exponent == 0) {
    bits = pmath_bits(x * 18014398509481984.0); // 2^54
    exponent = (int)(bits >> 52 & 0x7ff);
    shift = 54;
  }
  *out_exponent = exponent - 1022 - shift;
  return pmath_from_bits((bits & 0x800fffffffffffffu) | 0x3fe0000000000000u);
}

static double power_of_two(int exponent) { return pmath_from_bits((uint64_t)(exponent + 1023) << 52); }

double pmath_ldexp(double x, int exponent) {
  if (x == 0 || x - x != 0) return x;
  int own;
  double fraction = pmath_frexp(x, &own);
  int64_t total = (int64_t)own + exponent;
  if (total > 1024) return pmath_sign_of(pmath_inf(), x);
  if (total >= -1021) return fraction * 2 * power_of_two((int)total - 1);
  if (total < -1080) return pmath_sign_of(0, x);
  return fraction * power_of_two(-1021) * power_of_two((int)total + 1021); // only the last product rounds
}

static double integer_scaled(uint64_t value, int exponent) { return pmath_ldexp((double)value, exponent); }

double pmath_fmod(double x, double y) {
  if (x - x != 0 || y == 0 || y != y) return pmath_nan();
  if (y - y != 0 || pmath_abs(x) < pmath_abs(y)) return x;
  int x_exponent, y_exponent;
  uint64_t rest = (uint64_t)(pmath_frexp(pmath_abs(x), &x_exponent) * 9007199254740992.0); // 2^53: integers
  uint64_t divisor = (uint64_t)(pmath_frexp(pmath_abs(y), &y_exponent) * 9007199254740992.0);
  rest %= divisor;
  for (int left = x_exponent - y_exponent; left > 0 && rest;) {
    int step = left < 11 ? left : 11;
    rest = (rest << step) % divisor;
    left -= step;
  }
  return pmath_sign_of(integer_scaled(rest, y_exponent - 53), x);
}
