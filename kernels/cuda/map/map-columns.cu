/* A map whose innermost dim is kept while others are reduced: a block makes COLUMNS neighbouring elements of every output, SPLIT
 * threads share one of them, each every SPLIT-th value. Neighbouring threads read neighbouring elements.
 */
FARM_KERNEL(map_columns, map_args, COLUMNS * SPLIT) {
  FARM_SHARED(float, parts, OUTPUTS * COLUMNS * SPLIT);
  const int thread = threadIdx.x, column = thread % COLUMNS, part = thread / COLUMNS;
  for (i64 first = (i64)blockIdx.x * COLUMNS; first < args.outputs; first += (i64)gridDim.x * COLUMNS) {
    const i64 output = first + column;
    float sums[OUTPUTS][1];
    INDEX c[RANK];
    for (int o = 0; o < OUTPUTS; o++) sums[o][0] = reduction::start();
    if (output < args.outputs) {
      map_coordinates<KEPT>(args, (INDEX)output, c);
      for (INDEX at = part; at < (INDEX)args.reduced; at += SPLIT) {
        float v[OUTPUTS][1];
        map_coordinates<REDUCED>(args, at, c);
        map_values<1>(args, c, v);
        for (int o = 0; o < OUTPUTS; o++) sums[o][0] = reduction::of(sums[o][0], reduction::taken(v[o][0]));
      }
    }
    for (int o = 0; o < OUTPUTS; o++) parts[o * COLUMNS * SPLIT + thread] = sums[o][0];
    __syncthreads();
    if (part == 0 && output < args.outputs) {
      for (int o = 0; o < OUTPUTS; o++) {
        float sum = sums[o][0];
        for (int i = 1; i < SPLIT; i++) sum = reduction::of(sum, parts[(o * SPLIT + i) * COLUMNS + column]);
        sums[o][0] = reduction::end(sum, (float)args.reduced);
      }
      map_store<1>(args, (INDEX)output, sums);
    }
    __syncthreads(); // before the next strip's parts
  }
}
