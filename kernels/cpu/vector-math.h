/* Mathematical functions on vectors of floats: exp, log, tanh, erf, sigmoid, sin, cos, pow and the activations made of them.
 *
 * Methods: Cody-Waite reduction (the constant split so that n * high part is exact) and minimax polynomials, fitted for this file
 * by Remez exchange in 40 digits, with coefficients rounded to float one after the other and the rest refitted. No tables, no
 * libm. Special values as C99 Annex F: infinities, NaN, denormal arguments and results, signed zeros. The largest errors that
 * vector-math-test.c allows, against base/pmath.h: exp 1.1, log 1, tanh 3, erf 2, sigmoid 3, sin and cos 2, pow 1 ulp.
 * `vector.h` says how the lane count is chosen.
 */
#ifndef KERNELS_CPU_VECTOR_MATH_H
#define KERNELS_CPU_VECTOR_MATH_H

#include "../../base/pmath.h"
#include "vector.h"

#define VEC_LN2_HIGH 0x1.62e400p-1f // 14 bits: exact times any exponent
#define VEC_LN2_LOW 0x1.7f7d1cp-20f
#define VEC_LOG2E 0x1.715476p+0f

/* 2^n for n in [-252, 254], in two steps so that results may be denormal or overflow. */
VECTOR_INLINE vfloat vec_scale_by_power(vfloat x, vint n) {
  const vint half = n >> 1;
  return x * (vfloat)((half + 127) << 23) * (vfloat)((n - half + 127) << 23);
}

/* x in [-127.4 ln 2, 128.9 ln 2] or NaN: writes round(x / ln 2), returns exp of the rest. */
VECTOR_INLINE vfloat vec_exp_reduced(vfloat x, vint *out_power) {
  const vfloat magic = vec_set(0x1.8p23f); // adding it rounds to an integer
  const vfloat shifted = x * VEC_LOG2E + magic;
  const vfloat n = shifted - magic;
  const vfloat r = (x - n * VEC_LN2_HIGH) - n * VEC_LN2_LOW;
  const vfloat square = r * r; // Estrin's order: the chain of one vector is what limits these functions
  const vfloat low = r * 0x1.55548ap-3f + 0.5f;
  const vfloat high = square * 0x1.6ce76ap-10f + (r * 0x1.123f3ep-7f + 0x1.55552ap-5f);
  const vfloat p = high * square + low;
  *out_power = (vint)shifted - (vint)magic;
  return (p * square + r) + 1.0f;
}

VECTOR_INLINE vfloat vec_exp(vfloat x) {
  vint n;
  const vfloat e = vec_exp_reduced(vec_min(vec_set(90.0f), vec_max(vec_set(-105.0f), x)), &n);
  return vec_scale_by_power(e, n);
}

/* exp of x <= 0 (or NaN), 0 below -87 where results near the least normal float: a little faster, for softmax and the like. */
VECTOR_INLINE vfloat vec_exp_negative(vfloat x) {
  const vfloat least = vec_set(-87.0f);
  vint n;
  const vfloat e = vec_exp_reduced(vec_max(least, x), &n);
  return vec_and(~(x < least), e * (vfloat)((n + 127) << 23));
}

/* Normal x > 0: writes the exponent e, returns the mantissa minus one, in [sqrt(1/2) - 1, sqrt(2) - 1). */
VECTOR_INLINE vfloat vec_log_split(vfloat x, vfloat *out_exponent) {
  const vint e =
      (vint)((vuint)x - 0x3f3504f3u) >> 23; // less sqrt(1/2); unsigned, since negative x come here, too, and are mended later
  *out_exponent = __builtin_convertvector(e, vfloat);
  return (vfloat)((vuint)x - ((vuint)e << 23)) - 1.0f;
}

VECTOR_INLINE vfloat vec_log(vfloat x) {
  const vint tiny = x < vec_set(0x1p-126f);
  vfloat e;
  const vfloat f = vec_log_split(vec_select(tiny, x * 0x1p23f, x), &e);
  e = e - vec_and(tiny, vec_set(23.0f));
  vfloat p = vec_set(-0x1.422d1cp-4f);
  p = p * f + 0x1.07df24p-3f;
  p = p * f + -0x1.0cdbb2p-3f;
  p = p * f + 0x1.226ba8p-3f;
  p = p * f + -0x1.5478a6p-3f;
  p = p * f + 0x1.99a5b8p-3f;
  p = p * f + -0x1.000220p-2f;
  p = p * f + 0x1.55554ap-2f;
  const vfloat square = f * f;
  const vfloat low = (p * f) * square + e * VEC_LN2_LOW - 0.5f * square;
  vfloat y = (f + low) + e * VEC_LN2_HIGH;
  y = vec_select(x == vec_set(__builtin_inff()), x, y);
  y = vec_select(x == vec_set(0.0f), vec_set(-__builtin_inff()), y);
  return vec_select((x < vec_set(0.0f)) | (x != x), vec_set(__builtin_nanf("")), y);
}

/* log(1 + x) for x >= 0 or NaN: the rounding of 1 + x is put back to first order. */
VECTOR_INLINE vfloat vec_log1p_positive(vfloat x) {
  const vfloat y = 1.0f + x;
  const vfloat lost = (x - (y - 1.0f)) / y;
  return vec_log(y) + vec_and(y < vec_set(0x1p24f), lost);
}

VECTOR_INLINE vfloat vec_tanh(vfloat x) {
  const vfloat a = vec_abs(x), z = x * x;
  vfloat p = vec_set(0x1.1acecap-9f);
  p = p * z + -0x1.0c8976p-7f;
  p = p * z + 0x1.63ad1ap-6f;
  p = p * z + -0x1.b9f220p-5f;
  p = p * z + 0x1.11107cp-3f;
  p = p * z + -0x1.555554p-2f;
  const vfloat near = (p * z) * x + x;
  vint n;
  const vfloat e = vec_exp_reduced(vec_min(vec_set(20.0f), a + a), &n);
  const vfloat far = 1.0f - 2.0f / (vec_scale_by_power(e, n) + 1.0f);
  return vec_copy_sign(vec_select(a < vec_set(0.625f), near, far), x);
}

VECTOR_INLINE vfloat vec_erf(vfloat x) {
  const vfloat a = vec_min(vec_set(3.95f), vec_abs(x)), z = x * x;
  vfloat p = vec_set(0x1.4f562ep-14f);
  p = p * z + -0x1.a606c2p-11f;
  p = p * z + 0x1.5449e4p-8f;
  p = p * z + -0x1.b80118p-6f;
  p = p * z + 0x1.ce2d64p-4f;
  p = p * z + -0x1.812740p-2f;
  p = p * z + 0x1.06eba8p-3f;
  const vfloat near = p * x + x;
  vfloat q = vec_set(-0x1.61f6c4p-16f); // log(1 - erf a)
  q = q * a + 0x1.c797cap-12f;
  q = q * a + -0x1.115c54p-8f;
  q = q * a + 0x1.9b8f2ep-6f;
  q = q * a + -0x1.bb840cp-4f;
  q = q * a + -0x1.44460ap-1f;
  q = q * a + -0x1.2127e4p+0f;
  q = q * a + 0x1.6e55fap-13f;
  vint n;
  const vfloat e = vec_exp_reduced(q, &n);
  const vfloat far = 1.0f - e * (vfloat)((n + 127) << 23);
  return vec_select(vec_abs(x) < vec_set(0.92f), near, vec_copy_sign(far, x));
}

/* exp(-x), infinite from x < -88.4 on: for quotients 1 / (1 + e), where that is as good. */
VECTOR_INLINE vfloat vec_exp_minus(vfloat x) {
  vint n;
  const vfloat e = vec_exp_reduced(vec_min(vec_set(88.9f), vec_max(vec_set(-87.0f), -x)), &n);
  return e * (vfloat)((n + 127) << 23);
}

VECTOR_INLINE vfloat vec_sigmoid(vfloat x) { return 1.0f / (1.0f + vec_exp_minus(x)); }
VECTOR_INLINE vfloat vec_softplus(vfloat x) { return vec_max(vec_set(0.0f), x) + vec_log1p_positive(vec_exp(-vec_abs(x))); }
VECTOR_INLINE vfloat vec_silu(vfloat x) { return x / (1.0f + vec_exp_minus(x)); }

/* max(x, 0) - |x|/2 erfc(|x| / sqrt 2): one polynomial, for log erfc, serves all x, and the left tail keeps its digits. */
VECTOR_INLINE vfloat vec_gelu(vfloat x) {
  const vfloat a = vec_min(vec_set(5.8f), vec_abs(x)), square = a * a, fourth = square * square;
  const vfloat low = (a * 0x1.3de960p-8f + -0x1.29f79cp-5f) * square + (a * -0x1.45f05cp-2f + -0x1.988476p-1f);
  const vfloat high = (a * -0x1.6bb194p-18f + 0x1.769566p-15f) * square + (a * -0x1.6c0214p-13f + -0x1.1578eep-15f);
  const vfloat p = (fourth * 0x1.260772p-22f + high) * fourth + low;
  vint n;
  const vfloat e = vec_exp_reduced(p * a, &n);
  const vfloat tail = vec_and(~(a == vec_set(5.8f)), e * (vfloat)((n + 127) << 23));
  return vec_max(vec_set(0.0f), x) - (0.5f * a) * tail;
}
VECTOR_INLINE vfloat vec_gelu_tanh(vfloat x) { // x sigmoid(2 u), u as the tanh form has it
  const vfloat u = x * (0x1.988454p+0f + 0x1.2444f2p-4f * (x * x));
  return x / (1.0f + vec_exp_minus(u));
}
VECTOR_INLINE vfloat vec_relu(vfloat x) { return vec_max(vec_set(0.0f), x); }                               // NaN passes
VECTOR_INLINE vfloat vec_clip(vfloat x, vfloat low, vfloat high) { return vec_min(high, vec_max(low, x)); } // NaN passes
VECTOR_INLINE vfloat vec_hard_sigmoid(vfloat x, float slope, float offset) {
  return vec_clip(x * slope + offset, vec_set(0.0f), vec_set(1.0f));
}
VECTOR_INLINE vfloat vec_hard_swish(vfloat x) { return x * vec_hard_sigmoid(x, 1.0f / 6.0f, 0.5f); }

/* ---- sine and cosine: the reduction runs in double, arguments beyond 1e6 go to base/pmath.h lane by lane ---- */

/* x = n pi/2 + r, |r| <= pi/4. Writes n modulo 4 in the low bits. */
VECTOR_INLINE vhalf vec_half_quadrant(vhalf x, vhalf_int *out_quadrant) {
  const vdouble wide = __builtin_convertvector(x, vdouble);
  const vdouble shifted = wide * 0x1.45f306dc9c883p-1 + 0x1.8p52;
  const vdouble n = shifted - 0x1.8p52;
  const vdouble r = (wide - n * 0x1.921fb544p+0) - n * 0x1.0b4611a626331p-34; // 33 bits of pi/2, then the next 53
  *out_quadrant = __builtin_convertvector((vlong)shifted & 3, vhalf_int);
  return __builtin_convertvector(r, vhalf);
}

VECTOR_INLINE vfloat vec_sin_shifted(vfloat x, int quadrants, double (*scalar)(double)) {
  const vfloat most = vec_set(1e6f);
  const vint far = ~(vec_abs(x) < most);
  union vfloat_parts in = {vec_and(~far, x)}, r;
  union {
    vint whole;
    vhalf_int halves[2];
  } quadrant;
  for (int i = 0; i < 2; i++) r.halves[i] = vec_half_quadrant(in.halves[i], &quadrant.halves[i]);
  const vint turn = quadrant.whole + quadrants;
  const vfloat z = r.whole * r.whole;
  vfloat s = vec_set(0x1.7cd82cp-19f);
  s = s * z + -0x1.a05bbap-13f;
  s = s * z + 0x1.111176p-7f;
  s = s * z + -0x1.555556p-3f;
  s = (s * z) * r.whole + r.whole;
  vfloat c = vec_set(-0x1.37242ap-22f);
  c = c * z + 0x1.a075e8p-16f;
  c = c * z + -0x1.6c1762p-10f;
  c = c * z + 0x1.555556p-5f;
  c = (c * z) * z + (1.0f - 0.5f * z);
  union vfloat_parts y = {vec_xor(vec_select((turn & 1) != 0, c, s), (vfloat)((turn & 2) << 30))};
  if (!quadrants) y.whole = vec_select(x == vec_set(0.0f), x, y.whole); // the sign of zero
  for (int i = 0; i < VECTOR_LANES; i++)
    if (__builtin_expect(far[i], 0)) y.lanes[i] = (float)scalar((double)x[i]);
  return y.whole;
}
VECTOR_INLINE vfloat vec_sin(vfloat x) { return vec_sin_shifted(x, 0, pmath_sin); }
VECTOR_INLINE vfloat vec_cos(vfloat x) { return vec_sin_shifted(x, 1, pmath_cos); }

/* ---- powers: y log x needs more digits than a float has, so it runs in double on half vectors ---- */

VECTOR_INLINE vdouble vec_half_log(vdouble x) { // of doubles made from positive floats, so never denormal
  const vlong bits = (vlong)x - 0x3fe6a09e667f3bcdLL;
  const vlong e = bits >> 52;
  const vdouble m = (vdouble)((vlong)x - (e << 52));
  const vdouble s = (m - 1.0) / (m + 1.0), z = s * s;
  vdouble p = 0x1.58899ef184c33p-3 - (vdouble){0};
  p = p * z + 0x1.732ab438f18b6p-3;
  p = p * z + 0x1.c72282ef4e488p-3;
  p = p * z + 0x1.249241655e907p-2;
  p = p * z + 0x1.999999a2ae328p-2;
  p = p * z + 0x1.5555555553901p-1;
  return ((p * z) * s + 2.0 * s) + __builtin_convertvector(e, vdouble) * 0x1.62e42fefa39efp-1;
}

VECTOR_INLINE vdouble vec_half_exp(vdouble x) { // |x| <= 700
  const vdouble shifted = x * 0x1.71547652b82fep+0 + 0x1.8p52;
  const vdouble n = shifted - 0x1.8p52;
  const vdouble r = (x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
  vdouble p = 0x1.28bc987b366fap-22 - (vdouble){0};
  p = p * r + 0x1.72ea2010c84fep-19;
  p = p * r + 0x1.a0198923c0134p-16;
  p = p * r + 0x1.a0198c59e6983p-13;
  p = p * r + 0x1.6c16c18a84512p-10;
  p = p * r + 0x1.111111260098cp-7;
  p = p * r + 0x1.555555554ebcfp-5;
  p = p * r + 0x1.555555555060cp-3;
  p = p * r + 0.5;
  const vdouble e = (p * (r * r) + r) + 1.0;
  return (vdouble)((vlong)e + ((vlong)shifted << 52));
}

VECTOR_INLINE vhalf vec_half_pow(vhalf x, vhalf y) { // finite x > 0, finite y
  vdouble product = __builtin_convertvector(y, vdouble) * vec_half_log(__builtin_convertvector(x, vdouble));
  const vlong low = product<-200.0, high = product> 200.0; // beyond any float: clamp before the exponent wraps
  product = (vdouble)(((vlong)product & ~(low | high)) | (low & (vlong)(-200.0 - (vdouble){0})) |
                      (high & (vlong)(200.0 - (vdouble){0})));
  return __builtin_convertvector(vec_half_exp(product), vhalf);
}

/* x^y for |x| = 0 or infinite, or y infinite: 0, 1 or infinity by which side of 1 the base is and the sign of y. */
VECTOR_INLINE vfloat vec_pow_extreme(vfloat a, vfloat y) {
  const vfloat zero = vec_set(0.0f), infinite = vec_set(__builtin_inff());
  return vec_select((a > vec_set(1.0f)) == (y > zero), infinite, zero);
}

VECTOR_INLINE vfloat vec_pow(vfloat x, vfloat y) {
  const vfloat zero = vec_set(0.0f), one = vec_set(1.0f), infinite = vec_set(__builtin_inff());
  const vfloat a = vec_abs(x), b = vec_abs(y);
  const vint extreme = (a == zero) | (a == infinite) | (b == infinite);
  const union vfloat_parts base = {vec_select(extreme, one, a)}, power = {vec_select(extreme, one, y)};
  union vfloat_parts r;
  for (int i = 0; i < 2; i++) r.halves[i] = vec_half_pow(base.halves[i], power.halves[i]);
  r.whole = vec_select(extreme, vec_pow_extreme(a, y), r.whole);
  const vint whole = vec_floor(y) == y, odd = whole & (vec_floor(y * 0.5f) != y * 0.5f);
  r.whole = vec_xor(r.whole, vec_and(odd, vec_sign_bit(x)));
  r.whole = vec_select((x < zero) & (a != infinite) & ~whole, vec_set(__builtin_nanf("")), r.whole);
  r.whole = vec_select((x != x) | (y != y), x + y, r.whole);
  return vec_select((y == zero) | (x == one) | ((a == one) & (b == infinite)), one, r.whole);
}

#endif
