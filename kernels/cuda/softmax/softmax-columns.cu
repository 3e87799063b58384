/* Softmax over the middle of [outer][len][inner]: a block takes COLUMNS neighbouring columns, SPLIT threads share one of them,
 * each every SPLIT-th element. Neighbouring threads read neighbouring columns.
 */
FARM_KERNEL(softmax_columns, softmax_args, COLUMNS * SPLIT) {
  FARM_SHARED(float, mosts, COLUMNS * SPLIT);
  FARM_SHARED(float, sums, COLUMNS * SPLIT);
  const int thread = threadIdx.x, column = thread % COLUMNS, part = thread / COLUMNS;
  const i64 strips = (args.inner + COLUMNS - 1) / COLUMNS;
  for (i64 tile = blockIdx.x; tile < args.outer * strips; tile += gridDim.x) {
    const i64 first = tile / strips * args.len * args.inner, at = tile % strips * COLUMNS + column;
    const bool there = at < args.inner;
    const IN *x = args.x + first + at;
    OUT *y = args.y + first + at;
    running own = running_start();
    for (int i = part; there && i < args.len; i += SPLIT) running_add(own, to_float(x[i * args.inner]));
    mosts[thread] = own.most;
    sums[thread] = own.sum;
    __syncthreads();
    float most = minus_infinity(), sum = 0.0f;
    for (int i = 0; i < SPLIT; i++) most = fmaxf(most, mosts[i * COLUMNS + column]);
    for (int i = 0; i < SPLIT; i++) {
      running other = {mosts[i * COLUMNS + column], sums[i * COLUMNS + column]};
      sum += running_rescaled(other, most);
    }
    const float scale = softmax_scale(sum);
    for (int i = part; there && i < args.len; i += SPLIT)
      y[i * args.inner] = from_float<OUT>(softmax_result(to_float(x[i * args.inner]), most, scale));
    __syncthreads(); // before the next tile's sums
  }
}
