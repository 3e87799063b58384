/* The largest error of each vector function over samples of all floats, every instruction set that this CPU has, against
 * base/pmath.h; and the special values of C99 Annex F, through the same comparison: they are among the samples. */
#include "../../base/pmath.h"
#include "../../tests/kit/test.h"
#include "map/map-loops.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024, MAX_LANES = 16 };

static const struct map_loops *loops_at(int i) {
  if (i == 0) return &map_loops__baseline;
  if (i == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &map_loops__avx2;
  if (i == 2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &map_loops__wide;
  if (i == 3 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) return &map_loops__avx512;
  return NULL;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Distance in units of the last place of the right result, at least those of the denormals. Results below `least` are as good as
 * it. */
static double ulps_above(double least, float got, double want) {
  if (fabs(want) < least && fabs((double)got) < 2 * least) return 0;
  const float rounded = (float)want;
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
  if (got == rounded) return signbit(got) == signbit(rounded) || want != 0 ? 0 : INFINITY;
  if (isinf(rounded) && fabsf(got) == 0x1.fffffep127f && signbit(got) == signbit(rounded)) return 1;
  if (isinf(got) && fabs(want) > 0x1.fffffcp127 && signbit(got) == signbit(rounded)) return 1;
  if (isinf(got) || isinf(rounded)) return INFINITY;
  int exponent;
  pmath_frexp(want, &exponent);
  return fabs((double)got - want) / pmath_ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

static double ulps(float got, double want) { return ulps_above(0, got, want); }

static double ref_sigmoid(double x) { return 1 / (1 + pmath_exp(-x)); }
static double ref_softplus(double x) { return x > 40 ? x : pmath_log1p(pmath_exp(x)); }
static double ref_reciprocal(double x) { return 1 / x; }
static double ref_sqrt(double x) { return x < 0 ? NAN : pmath_sqrt(x); }

static const struct unary {
  enum map_op op;
  const char *name;
  double (*reference)(double);
  double bound; // ulps
  double least; // results as small as this need not be told from it
} unaries[] = {
    {MAP_EXP, "exp", pmath_exp, 1.1, 0},
    {MAP_LOG, "log", pmath_log, 1, 0},
    {MAP_TANH, "tanh", pmath_tanh, 3, 0},
    {MAP_ERF, "erf", pmath_erf, 2, 0},
    {MAP_SIGMOID, "sigmoid", ref_sigmoid, 3, 0x1p-126},
    {MAP_SOFTPLUS, "softplus", ref_softplus, 3, 0},
    {MAP_SIN, "sin", pmath_sin, 2, 0},
    {MAP_COS, "cos", pmath_cos, 2, 0},
    {MAP_FLOOR, "floor", pmath_floor, 0, 0},
    {MAP_CEIL, "ceil", pmath_ceil, 0, 0},
    {MAP_ROUND, "round", pmath_round_even, 0, 0},
    {MAP_SQRT, "sqrt", ref_sqrt, 0.5, 0},
    {MAP_RECIPROCAL, "reciprocal", ref_reciprocal, 0.5, 0},
};

static void run_unary(const struct map_loops *loops, enum map_op op, const float *x, float *out) {
  const struct map_stream argument = {x, loops->lanes};
  loops->loops[op](&argument, out, CHUNK);
}

static void check_unary(const struct unary *unary, const float *x, double worst[4], float where[4]) {
  double want[CHUNK];
  float got[CHUNK];
  for (int i = 0; i < CHUNK; i++) want[i] = unary->reference((double)x[i]);
  for (int k = 0; k < 4; k++) {
    if (!loops_at(k)) continue;
    run_unary(loops_at(k), unary->op, x, got);
    for (int i = 0; i < CHUNK; i++) {
      const double error = ulps_above(unary->least, got[i], want[i]);
      if (error > worst[k]) worst[k] = error, where[k] = x[i];
    }
  }
}

/* All exponents and both signs evenly, then [-16, 16] evenly, then the edges. */
static void sweep(const struct unary *unary, double worst[4], float where[4]) {
  float x[CHUNK];
  const float edges[] = {0.0f,       -0.0f,           INFINITY, -INFINITY, NAN,     0x1p-149f, -0x1p-149f,
                         0x1p-126f,  88.7228f,        88.7229f, -87.3365f, -103.9f, -103.98f,  -104.1f,
                         1.0f,       -1.0f,           0.5f,     1.5f,      2.5f,    -2.5f,     0x1p23f,
                         8388607.5f, 0x1.fffffep127f, 1e6f,     22.0f,     355.0f,  103993.0f, 0.92f,
                         0.625f,     3.95f,           10.0f,    -0.3f};
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += (uint64_t)CHUNK * 7919) {
    for (int i = 0; i < CHUNK; i++) x[i] = float_of((uint32_t)(bits + (uint64_t)i * 7919));
    check_unary(unary, x, worst, where);
  }
  for (int block = 0; block < 256; block++) {
    for (int i = 0; i < CHUNK; i++) x[i] = (float)(block * CHUNK + i - 128 * CHUNK) * 0x1p-13f;
    check_unary(unary, x, worst, where);
  }
  for (int i = 0; i < CHUNK; i++) x[i] = edges[i % (int)(sizeof edges / sizeof *edges)];
  check_unary(unary, x, worst, where);
}

TEST(vector_functions_err_by_few_ulps, "timeout:120") {
  for (size_t f = 0; f < sizeof unaries / sizeof *unaries; f++) {
    double worst[4] = {0};
    float where[4] = {0};
    sweep(&unaries[f], worst, where);
    printf("%-10s max ulp: baseline %.3f at %.9g, avx2 %.3f at %.9g, 16 lanes %.3f, avx512 %.3f\n", unaries[f].name, worst[0],
           (double)where[0], worst[1], (double)where[1], worst[2], worst[3]);
    for (int k = 0; k < 4; k++)
      CHECK_MESSAGE(worst[k] <= unaries[f].bound, "%s: %.3f ulp at %.9g in set %d", unaries[f].name, worst[k], (double)where[k],
                    k);
  }
}

static void check_pow(const float *x, const float *y, double worst[4]) {
  float got[CHUNK];
  for (int k = 0; k < 4; k++) {
    if (!loops_at(k)) continue;
    const struct map_stream arguments[2] = {{x, loops_at(k)->lanes}, {y, loops_at(k)->lanes}};
    loops_at(k)->loops[MAP_POW](arguments, got, CHUNK);
    for (int i = 0; i < CHUNK; i++) {
      const double error = ulps(got[i], pmath_pow((double)x[i], (double)y[i]));
      CHECK_MESSAGE(error <= 1, "pow(%.9g, %.9g) = %.9g: %.3f ulp in set %d", (double)x[i], (double)y[i], (double)got[i], error,
                    k);
      if (error > worst[k]) worst[k] = error;
    }
  }
}

static double ref_gelu(double x) { return 0.5 * x * (1 + pmath_erf(x * 0.70710678118654752440)); }
static double ref_gelu_tanh(double x) { return 0.5 * x * (1 + pmath_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }
static double ref_silu(double x) { return x / (1 + pmath_exp(-x)); }

/* Activations: errors in units of the argument's last place, which bounds their size; finite arguments only. */
TEST(vector_activations_err_by_few_ulps_of_x, "") {
  static const struct unary activations[] = {
      {MAP_GELU, "gelu", ref_gelu, 2, 0}, {MAP_GELU_TANH, "gelu_tanh", ref_gelu_tanh, 4, 0}, {MAP_SILU, "silu", ref_silu, 3, 0}};
  float x[CHUNK], got[CHUNK];
  for (int f = 0; f < 3; f++)
    for (int k = 0; k < 4; k++) {
      double worst = 0;
      for (int block = -64; block < 64 && loops_at(k); block++) {
        for (int i = 0; i < CHUNK; i++) x[i] = (float)(block * CHUNK + i) * 0x1p-12f;
        if (block == 63)
          for (int i = 0; i < CHUNK; i++) x[i] = float_of((uint32_t)i * 0x3fbfffu + (uint32_t)(i & 1) * 0x80000000u);
        run_unary(loops_at(k), activations[f].op, x, got);
        for (int i = 0; i < CHUNK; i++) {
          if (!isfinite(x[i]) || fabsf(x[i]) < 0x1p-120f) continue;
          const double error = fabs((double)got[i] - activations[f].reference((double)x[i])) / (fabs((double)x[i]) * 0x1p-24);
          CHECK_MESSAGE(error <= activations[f].bound, "%s(%.9g) = %.9g: %.2f", activations[f].name, (double)x[i], (double)got[i],
                        error);
          if (error > worst) worst = error;
        }
      }
      printf("%-10s set %d: max error %.3f ulps of x\n", activations[f].name, k, worst);
    }
}

TEST(vector_pow_errs_by_an_ulp, "") {
  const float edges[] = {
      0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY,       NAN,       2.0f,       -2.0f,         3.0f,           -3.0f,
      0.5f, -0.5f, 2.5f, -2.5f, 0x1p24f,  0x1.fffffep127f, 0x1p-149f, -0x1p-149f, 0x1.000002p0f, 0x1.fffffep-1f, 1e6f};
  const int count = sizeof edges / sizeof *edges;
  float x[CHUNK], y[CHUNK];
  double worst[4] = {0};
  for (int i = 0; i < CHUNK; i++) x[i] = edges[i % count], y[i] = edges[i / count % count];
  check_pow(x, y, worst);
  uint32_t state = 1;
  for (int block = 0; block < 300; block++) {
    for (int i = 0; i < CHUNK; i++) {
      state = state * 1664525u + 1013904223u;
      x[i] = float_of((state & 0x7fffffffu) >> 1 | (uint32_t)(block % 7 == 0) << 31); // up to 2, sometimes negative
      state = state * 1664525u + 1013904223u;
      y[i] = (float)((double)(int32_t)state * 0x1p-28) * (block % 3 ? 1.0f : 12.0f);
    }
    check_pow(x, y, worst);
  }
  printf("pow        max ulp: baseline %.3f, avx2 %.3f, 16 lanes %.3f, avx512 %.3f\n", worst[0], worst[1], worst[2], worst[3]);
}

/* One scalar exponent takes shortcuts; they must say what the long way says. */
TEST(vector_pow_shortcuts_agree, "") {
  const float powers[] = {2.0f, 3.0f, 0.5f, -1.0f, 1.7f};
  float x[CHUNK], y[MAX_LANES], got[CHUNK];
  for (int i = 0; i < CHUNK; i++) x[i] = (float)(i - CHUNK / 2) * 0.37f;
  x[0] = -INFINITY, x[1] = INFINITY, x[2] = NAN, x[3] = -0.0f, x[4] = 0x1p-140f;
  for (size_t p = 0; p < sizeof powers / sizeof *powers; p++)
    for (int k = 0; k < 4; k++) {
      if (!loops_at(k)) continue;
      for (int i = 0; i < MAX_LANES; i++) y[i] = powers[p];
      const struct map_stream arguments[2] = {{x, loops_at(k)->lanes}, {y, 0}};
      loops_at(k)->loops[MAP_POW](arguments, got, CHUNK);
      for (int i = 0; i < CHUNK; i++)
        CHECK_MESSAGE(ulps(got[i], pmath_pow((double)x[i], (double)powers[p])) <= 1.5, "pow(%g, %g) = %g", (double)x[i],
                      (double)powers[p], (double)got[i]);
    }
}
