/* What the instructions of a map compute, in the terms of problem/map-evaluate.c: NaN goes through all but comparisons, logic
 * and sign.
 */
FARM_DEVICE float map_add(float a, float b) { return a + b; }
FARM_DEVICE float map_sub(float a, float b) { return a - b; }
FARM_DEVICE float map_mul(float a, float b) { return a * b; }
FARM_DEVICE float map_div(float a, float b) { return a / b; }
FARM_DEVICE float map_min(float a, float b) { return a != a || a < b ? a : b; }
FARM_DEVICE float map_max(float a, float b) { return a != a || a > b ? a : b; }
FARM_DEVICE float map_pow(float a, float b) { return powf(a, b); }
FARM_DEVICE float map_neg(float a) { return -a; }
FARM_DEVICE float map_abs(float a) { return fabsf(a); }
FARM_DEVICE float map_sign(float a) { return a > 0.0f ? 1.0f : a < 0.0f ? -1.0f : a; }
FARM_DEVICE float map_sqrt(float a) { return sqrtf(a); }
FARM_DEVICE float map_reciprocal(float a) { return 1.0f / a; }
FARM_DEVICE float map_exp(float a) { return expf(a); }
FARM_DEVICE float map_log(float a) { return logf(a); }
FARM_DEVICE float map_sin(float a) { return sinf(a); }
FARM_DEVICE float map_cos(float a) { return cosf(a); }
FARM_DEVICE float map_tanh(float a) { return tanhf(a); }
FARM_DEVICE float map_erf(float a) { return erff(a); }
FARM_DEVICE float map_sigmoid(float a) { return 1.0f / (1.0f + expf(-a)); }
FARM_DEVICE float map_softplus(float a) { return (a > 0.0f ? a : 0.0f) + (a != a ? a : log1pf(expf(-fabsf(a)))); }
FARM_DEVICE float map_floor(float a) { return floorf(a); }
FARM_DEVICE float map_ceil(float a) { return ceilf(a); }
FARM_DEVICE float map_round(float a) { return rintf(a); }
FARM_DEVICE float map_relu(float a) { return a < 0.0f ? 0.0f : a; }
FARM_DEVICE float map_gelu(float a) { return 0.5f * a * (1.0f + erff(a * 0.70710678f)); }
FARM_DEVICE float map_gelu_tanh(float a) { return 0.5f * a * (1.0f + tanhf(0.79788456f * (a + 0.044715f * a * a * a))); }
FARM_DEVICE float map_silu(float a) { return a * map_sigmoid(a); }
FARM_DEVICE float map_hard_swish(float a) { return a * map_min(map_max(a / 6.0f + 0.5f, 0.0f), 1.0f); }
FARM_DEVICE float map_equal(float a, float b) { return a == b ? 1.0f : 0.0f; }
FARM_DEVICE float map_less(float a, float b) { return a < b ? 1.0f : 0.0f; }
FARM_DEVICE float map_less_equal(float a, float b) { return a <= b ? 1.0f : 0.0f; }
FARM_DEVICE float map_not(float a) { return a == 0.0f ? 1.0f : 0.0f; }
FARM_DEVICE float map_and(float a, float b) { return a != 0.0f && b != 0.0f ? 1.0f : 0.0f; }
FARM_DEVICE float map_or(float a, float b) { return a != 0.0f || b != 0.0f ? 1.0f : 0.0f; }
FARM_DEVICE float map_where(float a, float b, float c) { return a != 0.0f ? b : c; }

/* The coordinates along the dims of `mask`, of element `at` in their row-major order. */
template <u32 mask> FARM_DEVICE void map_coordinates(const map_args &args, INDEX at, INDEX *c) {
#pragma unroll
  for (int d = RANK - 1; d >= 0; d--) {
    if (!(mask >> d & 1)) continue;
    if ((mask & ((1u << d) - 1)) == 0) {
      c[d] = at;
    } else {
      const INDEX dim = (INDEX)args.dims[d];
      c[d] = at % dim;
      at /= dim;
    }
  }
}
