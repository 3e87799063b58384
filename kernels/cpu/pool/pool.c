/* See pool.h. */
#include "pool.h"

void pool_shape_read(const struct problem *problem, struct pool_shape *out) {
  const int64_t *d = problem->dims;
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  *out = (struct pool_shape){
      .n = d[POOL_N],
      .c = d[POOL_C],
      .h = {d[POOL_H], h, d[POOL_R], d[POOL_STRIDE_H], d[POOL_DIL_H], d[POOL_PAD_T], d[POOL_PAD_B]},
      .w = {d[POOL_W], w, d[POOL_S], d[POOL_STRIDE_W], d[POOL_DIL_W], d[POOL_PAD_L], d[POOL_PAD_R]},
      .average = d[POOL_MODE] == POOL_AVERAGE,
      .count_padding = d[POOL_COUNT_PAD],
  };
}

static int64_t clamp(int64_t x, int64_t most) { return x < 0 ? 0 : x > most ? most : x; }
static int64_t divide_up(int64_t x, int64_t by) { return x <= 0 ? 0 : (x + by - 1) / by; }

/* How many taps from the first on lie before `limit`. */
static int64_t taps_before(const struct pool_axis *axis, int64_t start, int64_t limit) {
  return clamp(divide_up(limit - start, axis->dilation), axis->window);
}

void pool_taps(const struct pool_axis *axis, int64_t o, int64_t *out_first, int64_t *out_end) {
  const int64_t start = o * axis->stride - axis->pad_before;
  *out_first = taps_before(axis, start, 0);
  *out_end = taps_before(axis, start, axis->in);
}

int64_t pool_count(const struct pool_axis *axis, int64_t o, bool count_padding) {
  int64_t first, end;
  if (count_padding) return taps_before(axis, o * axis->stride - axis->pad_before, axis->in + axis->pad_after);
  pool_taps(axis, o, &first, &end);
  return end - first;
}

bool pool_is_f32(const struct problem *problem) {
  return problem->kind == PROBLEM_POOL2D && problem->operands[0].dtype == DTYPE_F32 && problem->operands[1].dtype == DTYPE_F32;
}

bool pool_is_global(const struct problem *problem) {
  const int64_t *d = problem->dims;
  const bool padded = d[POOL_PAD_T] || d[POOL_PAD_L] || d[POOL_PAD_B] || d[POOL_PAD_R];
  return !padded && d[POOL_R] == d[POOL_H] && d[POOL_S] == d[POOL_W] && d[POOL_DIL_H] == 1 && d[POOL_DIL_W] == 1;
}

double pool_work(const struct problem *problem) {
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  const int64_t *d = problem->dims;
  return (double)d[POOL_N] * (double)d[POOL_C] * (double)h * (double)w * (double)d[POOL_R] * (double)d[POOL_S];
}
