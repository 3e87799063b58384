/* Layer and RMS normalisation of rows, y = (x - mean) / sqrt(variance + epsilon) * scale + bias: a group of GROUP threads (a
 * warp, or the block) takes one row, VECTOR neighbouring elements per thread at a time. The variance is taken about the mean, in
 * a pass of its own; ITEMS > 0: over registers. RMS 1 skips the mean.
 */
#if GROUP > 32
#define ROW_SUM(x) block_reduce<add_of, GROUP / 32>(x, partial)
#else
#define ROW_SUM(x) warp_reduce<add_of>(x)
#endif

/* v of the elements from `at` on becomes results. */
FARM_DEVICE void norm_finish(const norm_args &args, OUT *y, int at, float *v, float mean, float factor) {
  float scale[VECTOR], bias[VECTOR];
#if HAS_SCALE
  load_vector<VECTOR>(args.scale + at, scale);
#endif
#if HAS_BIAS
  load_vector<VECTOR>(args.bias + at, bias);
#endif
  for (int e = 0; e < VECTOR; e++) {
    float r = (v[e] - mean) * factor;
    if (HAS_SCALE) r *= scale[e];
    if (HAS_BIAS) r += bias[e];
    v[e] = r;
  }
  store_vector<VECTOR>(y + at, v);
}

FARM_KERNEL(norm_rows, norm_args, THREADS) {
#if GROUP > 32
  FARM_SHARED(float, partial, GROUP / 32);
#endif
  const int per_block = THREADS / GROUP, lane = threadIdx.x % GROUP;
  for (i64 row = (i64)blockIdx.x * per_block + threadIdx.x / GROUP; row < args.rows; row += (i64)gridDim.x * per_block) {
    const IN *x = args.x + row * args.len;
    OUT *y = args.y + row * args.len;
    float mean = 0.0f, squares = 0.0f;
#if ITEMS > 0
    float v[ITEMS * VECTOR];
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      const int at = (k * GROUP + lane) * VECTOR;
      if (at < args.len) load_vector<VECTOR>(x + at, v + k * VECTOR);
      for (int e = 0; e < VECTOR; e++) {
        if (at >= args.len) v[k * VECTOR + e] = 0.0f;
        mean += v[k * VECTOR + e];
      }
    }
    mean = RMS ? 0.0f : ROW_SUM(mean) / (float)args.len;
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      if ((k * GROUP + lane) * VECTOR >= args.len) continue;
      for (int e = 0; e < VECTOR; e++) squares += (v[k * VECTOR + e] - mean) * (v[k * VECTOR + e] - mean);
    }
    const float factor = 1.0f / sqrtf(ROW_SUM(squares) / (float)args.len + args.epsilon);
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      const int at = (k * GROUP + lane) * VECTOR;
      if (at < args.len) norm_finish(args, y, at, v + k * VECTOR, mean, factor);
    }
#else
    float v[VECTOR];
    if (!RMS) {
      for (int at = lane * VECTOR; at < args.len; at += GROUP * VECTOR) {
        load_vector<VECTOR>(x + at, v);
        for (int e = 0; e < VECTOR; e++) mean += v[e];
      }
      mean = ROW_SUM(mean) / (float)args.len;
    }
    for (int at = lane * VECTOR; at < args.len; at += GROUP * VECTOR) {
      load_vector<VECTOR>(x + at, v);
      for (int e = 0; e < VECTOR; e++) squares += (v[e] - mean) * (v[e] - mean);
    }
    const float factor = 1.0f / sqrtf(ROW_SUM(squares) / (float)args.len + args.epsilon);
    for (int at = lane * VECTOR; at < args.len; at += GROUP * VECTOR) {
      load_vector<VECTOR>(x + at, v);
      norm_finish(args, y, at, v, mean, factor);
    }
#endif
  }
}
