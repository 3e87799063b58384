/* How values are reduced; a NaN anywhere is the result of max and min. REDUCE is the kind's name. */
#define REDUCE_OF(kind) REDUCE_OF_(kind)
#define REDUCE_OF_(kind) reduce_##kind

struct reduce_sum {
  FARM_DEVICE float start() { return 0.0f; }
  FARM_DEVICE float taken(float x) { return x; }
  FARM_DEVICE float of(float a, float b) { return a + b; }
  FARM_DEVICE float end(float x, float) { return x; }
};
struct reduce_mean : reduce_sum {
  FARM_DEVICE float end(float x, float count) { return x / count; }
};
struct reduce_sumsq : reduce_sum {
  FARM_DEVICE float taken(float x) { return x * x; }
};
struct reduce_prod : reduce_sum {
  FARM_DEVICE float start() { return 1.0f; }
  FARM_DEVICE float of(float a, float b) { return a * b; }
};
struct reduce_max : reduce_sum {
  FARM_DEVICE float start() { return minus_infinity(); }
  FARM_DEVICE float of(float a, float b) { return map_max(a, b); }
};
struct reduce_min : reduce_sum {
  FARM_DEVICE float start() { return -minus_infinity(); }
  FARM_DEVICE float of(float a, float b) { return map_min(a, b); }
};
typedef REDUCE_OF(REDUCE) reduction;
