/* Logarithms, powers, and the inverse hyperbolic functions. log(2^k m) = k ln 2 + 2 atanh(s), s = (m - 1) / (m + 1), m within
 * [sqrt(1/2), sqrt(2)). pow takes the logarithm as a pair: y log(x) needs some 11 bits more than the result has.
 */
#include "pmath-parts.h"

static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
static const struct pair ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
static const struct pair one_over_ln2 = {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56};
static const struct pair third = {1.0 / 3, 0x1.5555555555555p-56}; // 1/3 is 0.010101…: the rest repeats

/* The sum of s^(2i) / (2i + 2 first - 1), i from 0: what follows in atanh(s) / s after `first` terms, over s^(2 first). |s| <
 * 0.1716 */
static double atanh_tail(double s2, int first) {
  static const double odd[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                               1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25};
  double sum = 0;
  for (int i = (int)(sizeof odd / sizeof odd[0]) - 1; i >= first; i--) sum = sum * s2 + odd[i];
  return sum;
}

/* log(1 + f) for 1 + f within [sqrt(1/2), sqrt(2)): f - s (f - s^2 (2/3 + …)), so that f's own bits stay whole */
static double log_near_one(double f) {
  double s = f / (2 + f), s2 = s * s;
  return f - s * (f - 2 * s2 * atanh_tail(s2, 1));
}

/* x = 2^k m */
static double log_reduce(double x, int *out_k) {
  double m = pmath_frexp(x, out_k); // [0.5, 1)
  if (m >= 0x1.6a09e667f3bcdp-1) return m;
  --*out_k;
  return m * 2;
}

static bool log_special(double x, double *out) {
  if (x > 0 && x < pmath_inf()) return false;
  *out = x != x ? x : x == 0 ? -pmath_inf() : x < 0 ? pmath_nan() : x;
  return true;
}

double pmath_log(double x) {
  double special;
  if (log_special(x, &special)) return special;
  int k;
  double m = log_reduce(x, &k);
  double near = log_near_one(m - 1);
  if (k == 0) return near;
  struct pair sum = pair_sum(k * ln2_high, near);
  return sum.hi + (sum.lo + k * ln2_low);
}

double pmath_log1p(double x) {
  if (x != x || x == 0) return x;
  if (x == -1) return -pmath_inf();
  if (x < -1) return pmath_nan();
  if (x > -0.29 && x < 0.41) return log_near_one(x);
  double u = 1 + x;
  if (u == pmath_inf()) return u;
  double lost = x < 1 ? x - (u - 1) : 1 - (u - x);
  return pmath_log(u) + lost / u;
}

/* log(m) as a pair, for m within [sqrt(1/2), sqrt(2)): s and s^3/3 in pairs, the rest (below 2^-12 of it) in double */
static struct pair log_pair(double m) {
  struct pair s = pair_divide((struct pair){m - 1, 0}, pair_sum(1, m));
  struct pair s2 = pair_multiply(s, s);
  struct pair cubic = pair_multiply(pair_multiply(s2, third), s);
  double rest = s2.hi * s2.hi * s.hi * atanh_tail(s2.hi, 2);
  struct pair sum = pair_add(pair_add((struct pair){rest, 0}, cubic), s);
  return (struct pair){2 * sum.hi, 2 * sum.lo};
}

double pmath_log2(double x) {
  double special;
  if (log_special(x, &special)) return special;
  int k;
  double m = log_reduce(x, &k);
  struct pair part = pair_multiply(log_pair(m), one_over_ln2);
  return pair_add((struct pair){k, 0}, part).hi;
}

static bool is_odd(double y) {
  double a = pmath_abs(y);
  return a < 9007199254740992.0 && pmath_floor(a) == a && ((int64_t)a & 1);
}

/* |x| ^ y for finite x not 0 or 1, finite y not 0 */
static double pow_positive(double x, double y) {
  int k;
  double m = log_reduce(x, &k);
  struct pair log = pair_add(pair_multiply((struct pair){k, 0}, ln2), log_pair(m));
  if (pmath_abs(y) > 1e22) return (y > 0) == (log.hi > 0) ? pmath_inf() : 0;
  return pmath_exp_pair(pair_multiply(log, (struct pair){y, 0}));
}

double pmath_pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return x + y;
  double a = pmath_abs(x);
  bool negative = pmath_bits(x) >> 63, odd = is_odd(y);
  if (y - y != 0) { // infinite
    if (a == 1) return 1;
    return (a > 1) == (y > 0) ? pmath_inf() : 0;
  }
  double result;
  if (a == 0 || a == pmath_inf())
    result = (a == 0) == (y < 0) ? pmath_inf() : 0;
  else if (negative && pmath_floor(y) != y)
    return pmath_nan();
  else
    result = a == 1 ? 1 : pow_positive(a, y);
  return negative && odd ? -result : result;
}

double pmath_asinh(double x) {
  double a = pmath_abs(x);
  if (!(a < pmath_inf()) || x == 0) return x;
  double result = a > 268435456.0 ? pmath_log(a) + ln2.hi : pmath_log1p(a + a * a / (1 + pmath_sqrt(a * a + 1)));
  return pmath_sign_of(result, x);
}

double pmath_acosh(double x) {
  if (x != x || x < 1) return pmath_nan();
  if (x > 268435456.0) return pmath_log(x) + ln2.hi;
  double t = x - 1;
  return pmath_log1p(t + pmath_sqrt(2 * t + t * t));
}

double pmath_atanh(double x) {
  double a = pmath_abs(x);
  if (x != x || a > 1) return pmath_nan();
  if (x == 0) return x;
  double result = a == 1 ? pmath_inf() : pmath_log1p(2 * a / (1 - a)) / 2;
  return pmath_sign_of(result, x);
}
