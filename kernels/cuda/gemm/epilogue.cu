/* The steps of an epilogue on one value in f32, as problem/epilogue.h defines them. A NaN stays one.
 *
 * Behind this the host writes `end_value(x, end, index, channel)`: the steps of its problem in their order.
 */
FARM_DEVICE float at_least(float x, float low) { return x < low ? low : x; }
FARM_DEVICE float at_most(float x, float high) { return x > high ? high : x; }
FARM_DEVICE float end_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
FARM_DEVICE float end_silu(float x) { return x / (1.0f + expf(-x)); }
FARM_DEVICE float end_gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }
FARM_DEVICE float end_gelu_tanh(float x) { return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x))); }
FARM_DEVICE float end_hard_swish(float x) { return x * at_most(at_least(x / 6.0f + 0.5f, 0.0f), 1.0f); }
FARM_DEVICE float end_hard_sigmoid(float x, float p0, float p1) { return at_most(at_least(p0 * x + p1, 0.0f), 1.0f); }

template <class T> FARM_DEVICE float end_operand(const void *data, i64 index) {
  return to_float(reinterpret_cast<const T *>(data)[index]);
}

/* Two neighbours in one store; index is even. */
template <class T> FARM_DEVICE void store_pair(void *data, i64 index, float x, float y) {
  struct alignas(2 * sizeof(T)) pair {
    T first, second;
  };
  *reinterpret_cast<pair *>(reinterpret_cast<T *>(data) + index) = pair{from_float<T>(x), from_float<T>(y)};
}
