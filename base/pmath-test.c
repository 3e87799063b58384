/* Accuracy against the host's long double libm (whose own error is far below a double's ulp), special values against Annex F. */
#include "pmath.h"

#include "../tests/kit/test.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t noise_state = 88172645463325252u;

static double uniform(double low, double high) {
  noise_state ^= noise_state << 13;
  noise_state ^= noise_state >> 7;
  noise_state ^= noise_state << 17;
  return low + (high - low) * ((double)(noise_state >> 11) / 9007199254740992.0);
}

/* Error in units in the last place of the right result. */
static double ulps(double actual, long double expected) {
  double rounded = (double)expected;
  if (isnan(actual) || isnan(rounded)) return isnan(actual) && isnan(rounded) ? 0 : INFINITY;
  if (isinf(rounded) || isinf(actual)) return actual == rounded ? 0 : INFINITY;
  double ulp = nextafter(fabs(rounded), INFINITY) - fabs(rounded);
  return (double)(fabsl((long double)actual - expected) / (long double)ulp);
}

typedef double (*pmath_fn)(double);
typedef long double (*exact_fn)(long double);

static const struct {
  const char *name;
  pmath_fn fn;
  exact_fn exact;
  double low, high, allowed; // ulps
} ranges[] = {
    {"exp", pmath_exp, expl, -740, 709.7, 1},
    {"exp", pmath_exp, expl, -1, 1, 1},
    {"expm1", pmath_expm1, expm1l, -60, 700, 1.5},
    {"expm1", pmath_expm1, expm1l, -0.8, 0.8, 1.5},
    {"log", pmath_log, logl, 0, 1e300, 1},
    {"log", pmath_log, logl, 0.3, 3, 1.5},
    {"log", pmath_log, logl, 0.999, 1.001, 1},
    {"log1p", pmath_log1p, log1pl, -1, 2, 2},
    {"log1p", pmath_log1p, log1pl, -1e-5, 1e-5, 1},
    {"log1p", pmath_log1p, log1pl, 0, 1e18, 1.5},
    {"log2", pmath_log2, log2l, 0, 1e10, 1},
    {"log2", pmath_log2, log2l, 0.7, 1.4, 1},
    {"sin", pmath_sin, sinl, -10, 10, 1},
    {"cos", pmath_cos, cosl, -10, 10, 1},
    {"tan", pmath_tan, tanl, -10, 10, 2.5},
    {"sin", pmath_sin, sinl, -1e15, 1e15, 1},
    {"cos", pmath_cos, cosl, -1e300, 1e300, 1},
    {"sin", pmath_sin, sinl, -1e300, 1e300, 1},
    {"tan", pmath_tan, tanl, -1e8, 1e8, 2.5},
    {"asin", pmath_asin, asinl, -1, 1, 2.5},
    {"acos", pmath_acos, acosl, -1, 1, 3},
    {"acos", pmath_acos, acosl, 0.99, 1, 3},
    {"atan", pmath_atan, atanl, -3, 3, 1.5},
    {"atan", pmath_atan, atanl, -1e5, 1e5, 1.5},
    {"sinh", pmath_sinh, sinhl, -710, 710, 3},
    {"sinh", pmath_sinh, sinhl, -1, 1, 3},
    {"cosh", pmath_cosh, coshl, -710, 710, 3},
    {"tanh", pmath_tanh, tanhl, -5, 5, 3},
    {"asinh", pmath_asinh, asinhl, -10, 10, 3},
    {"asinh", pmath_asinh, asinhl, -1e100, 1e100, 2},
    {"acosh", pmath_acosh, acoshl, 1, 4, 3},
    {"acosh", pmath_acosh, acoshl, 1, 1e12, 2},
    {"atanh", pmath_atanh, atanhl, -1, 1, 3},
    {"atanh", pmath_atanh, atanhl, -0.1, 0.1, 3},
    {"erf", pmath_erf, erfl, -6, 6, 7},
    {"erf", pmath_erf, erfl, -0.3, 0.3, 4},
    {"sqrt", pmath_sqrt, sqrtl, 0, 1e9, 0.5001},
    {"floor", pmath_floor, floorl, -1e6, 1e6, 0},
    {"ceil", pmath_ceil, ceill, -1e6, 1e6, 0},
    {"round", pmath_round_even, rintl, -1e3, 1e3, 0},
};

TEST(pmath_is_within_a_few_ulp_of_the_truth, "") {
  for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
    double worst = 0, at = 0;
    for (int i = 0; i < 20000; i++) {
      double x = uniform(ranges[r].low, ranges[r].high);
      if (i % 4 == 0) x *= pmath_ldexp(1, -(i / 4 % 60)); // small arguments too
      if (x < ranges[r].low) continue;
      double error = ulps(ranges[r].fn(x), ranges[r].exact((long double)x));
      if (error > worst) worst = error, at = x;
    }
    CHECK_MESSAGE(worst <= ranges[r].allowed, "%s on [%g, %g]: %.2f ulp at %a", ranges[r].name, ranges[r].low, ranges[r].high,
                  worst, at);
  }
}

TEST(pmath_pow_is_within_an_ulp, "") {
  double worst = 0, at_x = 0, at_y = 0;
  for (int i = 0; i < 100000; i++) {
    double x = i % 2 ? uniform(0, 20) : pmath_exp(uniform(-700, 700)), y = uniform(-700, 700);
    if (i % 3 == 0) y = uniform(-3, 3);
    double error = ulps(pmath_pow(x, y), powl((long double)x, (long double)y));
    if (pmath_pow(x, y) > DBL_MIN && error > worst) worst = error, at_x = x, at_y = y;
  }
  CHECK_MESSAGE(worst <= 1, "pow: %.2f ulp at %a, %a", worst, at_x, at_y);
  for (int base = 2; base < 12; base++)
    for (int power = 0; power < 15; power++) {
      double product = 1;
      for (int i = 0; i < power; i++) product *= base;
      CHECK(pmath_pow(base, power) == product && pmath_pow(-base, power) == (power % 2 ? -product : product));
    }
}

TEST(pmath_two_arguments_agree_with_libm, "") {
  for (int i = 0; i < 50000; i++) {
    double y = uniform(-5, 5), x = uniform(-5, 5);
    CHECK(ulps(pmath_atan2(y, x), atan2l((long double)y, (long double)x)) <= 1.5);
    double a = pmath_ldexp(y, (int)(x * 100)), b = pmath_ldexp(x, (int)(y * 60));
    if (b != 0) CHECK(pmath_fmod(a, b) == fmod(a, b));
    int mine, theirs, shift = (int)(x * 230);
    CHECK(pmath_frexp(a, &mine) == frexp(a, &theirs) && mine == theirs);
    CHECK(pmath_ldexp(y, shift) == ldexp(y, shift));
    CHECK(pmath_ldexp(y, -1060 + i % 40) == ldexp(y, -1060 + i % 40)); // rounding among subnormals
  }
}

static bool same(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)); }

TEST(pmath_special_values_are_those_of_annex_f, "") {
  static const double values[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, NAN,      2,        -2,
                                  0.5, -0.5, 3, -3, 1e300,    -1e300,    4.9e-324, -4.9e-324};
  static const struct {
    const char *name;
    pmath_fn fn, exact;
  } functions[] = {{"sqrt", pmath_sqrt, sqrt},    {"floor", pmath_floor, floor},
                   {"ceil", pmath_ceil, ceil},    {"round", pmath_round_even, rint},
                   {"sinh", pmath_sinh, sinh},    {"exp", pmath_exp, exp},
                   {"erf", pmath_erf, erf},       {"asinh", pmath_asinh, asinh},
                   {"acosh", pmath_acosh, acosh}, {"atanh", pmath_atanh, atanh},
                   {"log1p", pmath_log1p, log1p}, {"expm1", pmath_expm1, expm1},
                   {"sin", pmath_sin, sin},       {"tan", pmath_tan, tan},
                   {"asin", pmath_asin, asin},    {"atan", pmath_atan, atan},
                   {"tanh", pmath_tanh, tanh},    {"log", pmath_log, log},
                   {"log2", pmath_log2, log2},    {"acos", pmath_acos, acos},
                   {"cosh", pmath_cosh, cosh},    {"cos", pmath_cos, cos}};
  int count = (int)(sizeof values / sizeof values[0]);
  for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
    for (int i = 0; i < count; i++) {
      double mine = functions[f].fn(values[i]), theirs = functions[f].exact(values[i]);
      bool close = same(mine, theirs) || (signbit(mine) == signbit(theirs) && ulps(mine, (long double)theirs) < 4);
      CHECK_MESSAGE(close, "%s(%g) gave %a, not %a", functions[f].name, values[i], mine, theirs);
    }
  for (int i = 0; i < count; i++)
    for (int k = 0; k < count; k++) {
      double x = values[i], y = values[k], mine = pmath_pow(x, y), theirs = pow(x, y);
      CHECK_MESSAGE(same(mine, theirs) || fabs(mine - theirs) <= 4e-16 * fabs(theirs), "pow(%g, %g) gave %a, not %a", x, y, mine,
                    theirs);
      mine = pmath_atan2(x, y), theirs = atan2(x, y);
      CHECK_MESSAGE(same(mine, theirs) || fabs(mine - theirs) <= 4e-16 * fabs(theirs), "atan2(%g, %g) gave %a, not %a", x, y,
                    mine, theirs);
      mine = pmath_fmod(x, y), theirs = fmod(x, y);
      CHECK_MESSAGE(same(mine, theirs), "fmod(%g, %g) gave %a, not %a", x, y, mine, theirs);
    }
}

/* The bits themselves: what another machine must give too. */
TEST(pmath_bits_are_pinned, "") {
  uint64_t hash = 14695981039346656037u;
  noise_state = 4242;
  for (int i = 0; i < 4000; i++) {
    double x = uniform(-8, 8);
    const double results[] = {pmath_exp(x), pmath_log(fabs(x)),      pmath_sin(x), pmath_cos(x), pmath_tanh(x),
                              pmath_erf(x), pmath_pow(fabs(x), 1.7), pmath_atan(x)};
    for (size_t r = 0; r < sizeof results / sizeof results[0]; r++) {
      uint64_t bits;
      memcpy(&bits, &results[r], sizeof bits);
      hash = (hash ^ bits) * 1099511628211u;
    }
  }
  CHECK_MESSAGE(hash == 0x4ed408e920108ae6u, "hash is now %016llx", (unsigned long long)hash);
}
