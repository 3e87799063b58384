/* A map whose innermost dim is reduced: a group of GROUP threads (a warp, or the block) makes one element of every output, VECTOR
 * neighbouring elements per thread at a time.
 */
#if GROUP > 32
#define ROW_REDUCE(x) block_reduce<reduction, GROUP / 32>(x, partial)
#else
#define ROW_REDUCE(x) warp_reduce<reduction>(x)
#endif

FARM_KERNEL(map_rows, map_args, THREADS) {
#if GROUP > 32
  FARM_SHARED(float, partial, GROUP / 32);
#endif
  const int per_block = THREADS / GROUP, lane = threadIdx.x % GROUP;
  for (i64 row = (i64)blockIdx.x * per_block + threadIdx.x / GROUP; row < args.outputs; row += (i64)gridDim.x * per_block) {
    float sums[OUTPUTS][1];
    INDEX c[RANK];
    for (int o = 0; o < OUTPUTS; o++) sums[o][0] = reduction::start();
    map_coordinates<KEPT>(args, (INDEX)row, c);
    for (INDEX at = (INDEX)lane * VECTOR; at < (INDEX)args.reduced; at += GROUP * VECTOR) {
      float v[OUTPUTS][VECTOR];
      map_coordinates<REDUCED>(args, at, c);
      map_values<VECTOR>(args, c, v);
      for (int o = 0; o < OUTPUTS; o++)
        for (int e = 0; e < VECTOR; e++) sums[o][0] = reduction::of(sums[o][0], reduction::taken(v[o][e]));
    }
    for (int o = 0; o < OUTPUTS; o++) sums[o][0] = reduction::end(ROW_REDUCE(sums[o][0]), (float)args.reduced);
    if (lane == 0) map_store<1>(args, (INDEX)row, sums);
  }
}
