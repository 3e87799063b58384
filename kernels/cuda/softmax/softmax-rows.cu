/* Softmax of rows [outer][len]: a group of GROUP threads (a warp, or the block) takes one row, VECTOR neighbouring elements per
 * thread at a time. ITEMS > 0: the row stays in registers. ITEMS 0: largest element and sum in one pass, results in a second
 * one.
 */
#if GROUP > 32
#define ROW_REDUCE(op, x) block_reduce<op, GROUP / 32>(x, partial)
#else
#define ROW_REDUCE(op, x) warp_reduce<op>(x)
#endif

FARM_KERNEL(softmax_rows, softmax_args, THREADS) {
#if GROUP > 32
  FARM_SHARED(float, partial, GROUP / 32);
#endif
  const int per_block = THREADS / GROUP, lane = threadIdx.x % GROUP;
  for (i64 row = (i64)blockIdx.x * per_block + threadIdx.x / GROUP; row < args.outer; row += (i64)gridDim.x * per_block) {
    const IN *x = args.x + row * args.len;
    OUT *y = args.y + row * args.len;
#if ITEMS > 0
    float v[ITEMS * VECTOR], most = minus_infinity(), sum = 0.0f;
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      const int at = (k * GROUP + lane) * VECTOR;
      if (at < args.len) load_vector<VECTOR>(x + at, v + k * VECTOR);
      for (int e = 0; e < VECTOR; e++) {
        if (at >= args.len) v[k * VECTOR + e] = minus_infinity();
        most = fmaxf(most, v[k * VECTOR + e]);
      }
    }
    most = ROW_REDUCE(most_of, most);
#pragma unroll
    for (int k = 0; k < ITEMS * VECTOR; k++) {
#if LOGARITHM
      sum += expf(v[k] - most);
#else
      sum += v[k] = expf(v[k] - most);
#endif
    }
    const float scale = softmax_scale(ROW_REDUCE(add_of, sum));
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      const int at = (k * GROUP + lane) * VECTOR;
      for (int e = 0; e < VECTOR; e++)
        v[k * VECTOR + e] = LOGARITHM ? (v[k * VECTOR + e] - most) - scale : v[k * VECTOR + e] * scale;
      if (at < args.len) store_vector<VECTOR>(y + at, v + k * VECTOR);
    }
#else
    running own = running_start();
    float v[VECTOR];
    for (int at = lane * VECTOR; at < args.len; at += GROUP * VECTOR) {
      load_vector<VECTOR>(x + at, v);
      for (int e = 0; e < VECTOR; e++) running_add(own, v[e]);
    }
    const float most = ROW_REDUCE(most_of, own.most);
    const float scale = softmax_scale(ROW_REDUCE(add_of, running_rescaled(own, most)));
    for (int at = lane * VECTOR; at < args.len; at += GROUP * VECTOR) {
      load_vector<VECTOR>(x + at, v);
      for (int e = 0; e < VECTOR; e++) v[e] = softmax_result(v[e], most, scale);
      store_vector<VECTOR>(y + at, v);
    }
#endif
  }
}
