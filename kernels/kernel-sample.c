/* What is expected of results too large to compute in full: samples, and for linear operations a random projection of everything.
 *
 * Samples: each row and each column of the output matrix (gemm: m by n; conv: pixels by channels) is met at least once, so every
 * edge between tiles is, whatever their size; at least 4,096 in all. The projection sums an output row with random weights r; by
 * linearity it equals one dot product with the projected weights sum_n r[n] w[.][n], at 1/n of the cost.
 */
#include "kernel-case.h"

#include "../base/random.h"

#include <stdlib.h>

enum { SAMPLES_LEAST = 4096, SAMPLES_MOST = 1 << 16, SEED_SAMPLES = 100, SEED_PROJECTION = 101 };

/* The output as a matrix: rows of a gemm (batch items one after the other) or pixels of a conv, by channels. */
struct matrix_view {
  const struct problem *problem;
  int64_t rows, columns, depth;
  int64_t out_h, out_w;
};

static struct matrix_view view_of(const struct problem *problem) {
  const int64_t *d = problem->dims;
  struct matrix_view view = {.problem = problem};
  if (problem->kind == PROBLEM_GEMM) {
    view.rows = d[GEMM_B] * d[GEMM_M], view.columns = d[GEMM_N], view.depth = d[GEMM_K];
    return view;
  }
  problem_output_hw(problem, &view.out_h, &view.out_w);
  view.rows = d[CONV_N] * view.out_h * view.out_w;
  view.columns = d[CONV_K];
  view.depth = d[CONV_C] / d[CONV_G] * d[CONV_R] * d[CONV_S];
  return view;
}

static int64_t output_index(const struct matrix_view *view, int64_t row, int64_t column) {
  if (view->problem->kind == PROBLEM_GEMM) return row * view->columns + column;
  int64_t pixels = view->out_h * view->out_w;
  return (row / pixels * view->columns + column) * pixels + row % pixels;
}

/* One element of an operand; f32, the usual type, without a call. */
static double load(const struct tensor *type, int64_t index) {
  return type->dtype == DTYPE_F32 ? (double)((const float *)type->data)[index] : dtype_load_f64(type->dtype, type->data, index);
}

/* Element `at` of A's row: what meets weight `at` of the channel's column. */
static double gemm_left(const struct matrix_view *view, const struct tensor *a, int64_t row, int64_t at) {
  const int64_t *d = view->problem->dims;
  int64_t item = row / d[GEMM_M], m = row % d[GEMM_M];
  int64_t first = d[GEMM_A_SHARED] ? 0 : item * d[GEMM_M] * d[GEMM_K];
  return load(a, first + (d[GEMM_TA] ? at * d[GEMM_M] + m : m * d[GEMM_K] + at));
}

static double conv_left(const struct matrix_view *view, const struct tensor *x, int64_t row, int64_t group, int64_t at) {
  const int64_t *d = view->problem->dims;
  int64_t pixels = view->out_h * view->out_w, n = row / pixels, oh = row % pixels / view->out_w, ow = row % view->out_w;
  int64_t s = at % d[CONV_S], r = at / d[CONV_S] % d[CONV_R], c = at / (d[CONV_S] * d[CONV_R]) + group * (d[CONV_C] / d[CONV_G]);
  int64_t h = oh * d[CONV_STRIDE_H] - d[CONV_PAD_T] + r * d[CONV_DIL_H],
          w = ow * d[CONV_STRIDE_W] - d[CONV_PAD_L] + s * d[CONV_DIL_W];
  if (h < 0 || h >= d[CONV_H] || w < 0 || w >= d[CONV_W]) return 0;
  return load(x, ((n * d[CONV_C] + c) * d[CONV_H] + h) * d[CONV_W] + w);
}

static double left(const struct kernel_case *made, const struct matrix_view *view, int64_t row, int64_t group, int64_t at) {
  const struct tensor *type = &made->types[0];
  return view->problem->kind == PROBLEM_GEMM ? gemm_left(view, type, row, at) : conv_left(view, type, row, group, at);
}

/* Weight `at` of a channel; row tells the batch item of a gemm. */
static double right(const struct kernel_case *made, const struct matrix_view *view, int64_t row, int64_t column, int64_t at) {
  const int64_t *d = view->problem->dims;
  const struct tensor *w = &made->types[1];
  if (view->problem->kind != PROBLEM_GEMM) return load(w, column * view->depth + at);
  int64_t first = d[GEMM_B_SHARED] ? 0 : row / d[GEMM_M] * d[GEMM_K] * d[GEMM_N];
  return load(w, first + (d[GEMM_TB] ? column * d[GEMM_K] + at : at * d[GEMM_N] + column));
}

static int64_t group_of(const struct matrix_view *view, int64_t column) {
  const int64_t *d = view->problem->dims;
  return view->problem->kind == PROBLEM_GEMM ? 0 : column / (d[CONV_K] / d[CONV_G]);
}

static double with_epilogue(const struct kernel_case *made, double x, int64_t index, int64_t column) {
  const struct epilogue *epilogue = &made->scalars.epilogue;
  int operand = 2;
  for (int i = 0; i < epilogue->count; i++) {
    double extra = 0;
    if (epilogue_op_takes_operand(epilogue->steps[i].op)) {
      extra = load(&made->types[operand++], epilogue->steps[i].op == EPILOGUE_BIAS ? column : index);
    }
    x = epilogue_apply(&epilogue->steps[i], x, extra);
  }
  return x;
}

static double element(const struct kernel_case *made, const struct matrix_view *view, int64_t row, int64_t column) {
  double sum = 0;
  int64_t group = group_of(view, column);
  for (int64_t at = 0; at < view->depth; at++) sum += left(made, view, row, group, at) * right(made, view, row, column, at);
  return with_epilogue(made, sum, output_index(view, row, column), column);
}

static bool is_linear(const struct epilogue *epilogue) {
  for (int i = 0; i < epilogue->count; i++)
    if (epilogue->steps[i].op > EPILOGUE_SCALE || epilogue->steps[i].op == EPILOGUE_MUL) return false;
  return true;
}

/* What the epilogue adds to a row's projection: the sum of r[n] * epilogue(0), since a linear epilogue is f(x) = f(0) + s x. */
static double projected_row(const struct kernel_case *made, const struct matrix_view *view, const double *r,
                            const double *weights, int64_t groups, int64_t row) {
  double sum = 0, slope = 1;
  for (int i = 0; i < made->scalars.epilogue.count; i++)
    if (made->scalars.epilogue.steps[i].op == EPILOGUE_SCALE) slope *= (double)made->scalars.epilogue.steps[i].p[0];
  for (int64_t group = 0; group < groups; group++)
    for (int64_t at = 0; at < view->depth; at++) sum += left(made, view, row, group, at) * weights[group * view->depth + at];
  sum *= slope;
  for (int64_t column = 0; column < view->columns; column++)
    sum += r[column] * with_epilogue(made, 0, output_index(view, row, column), column);
  return sum;
}

/* weights[group][at] = sum over the group's channels of r[n] w[at][n], for one batch item. */
static void project_weights(const struct kernel_case *made, const struct matrix_view *view, const double *r, int64_t row,
                            double *weights) {
  for (int64_t column = 0; column < view->columns; column++) {
    double *to = weights + group_of(view, column) * view->depth;
    for (int64_t at = 0; at < view->depth; at++) to[at] += r[column] * right(made, view, row, column, at);
  }
}

static enum farm_status project(const struct kernel_case *made, const struct matrix_view *view, struct kernel_samples *out) {
  const int64_t *d = view->problem->dims;
  int64_t groups = view->problem->kind == PROBLEM_GEMM ? 1 : d[CONV_G];
  int64_t per_item = view->problem->kind == PROBLEM_GEMM ? d[GEMM_M] : view->rows;
  out->projections = view->rows;
  out->projection = calloc((size_t)view->rows, sizeof *out->projection);
  out->weights = calloc((size_t)view->columns, sizeof *out->weights);
  double *weights = calloc((size_t)(groups * view->depth), sizeof *weights);
  if (!out->projection || !out->weights || !weights) {
    free(weights);
    return status_set(FARM_NO_MEMORY, "no memory for a projection of %lld rows", (long long)view->rows);
  }
  uint64_t seed = kernel_case_seed(view->problem, SEED_PROJECTION);
  for (int64_t n = 0; n < view->columns; n++) out->weights[n] = random_uniform(seed, (uint64_t)n) < 0.5 ? -1 : 1;
  for (int64_t row = 0; row < view->rows; row++) {
    if (row % per_item == 0) {
      for (int64_t i = 0; i < groups * view->depth; i++) weights[i] = 0;
      project_weights(made, view, out->weights, row, weights);
    }
    out->projection[row] = projected_row(made, view, out->weights, weights, groups, row);
  }
  free(weights);
  return FARM_OK;
}

enum farm_status kernel_samples_make(struct kernel_case *kernel_case, struct kernel_samples *out) {
  struct matrix_view view = view_of(kernel_case->problem);
  int64_t longest = view.rows > view.columns ? view.rows : view.columns;
  out->count = longest < SAMPLES_LEAST ? SAMPLES_LEAST : longest > SAMPLES_MOST ? SAMPLES_MOST : longest;
  out->index = calloc((size_t)out->count, sizeof *out->index);
  out->expected = calloc((size_t)out->count, sizeof *out->expected);
  FAIL_IF(!out->index || !out->expected, FARM_NO_MEMORY, "no memory for %lld samples", (long long)out->count);
  uint64_t seed = kernel_case_seed(kernel_case->problem, SEED_SAMPLES);
  for (int64_t i = 0; i < out->count; i++) {
    int64_t row = i % view.rows, column = i % view.columns;
    if (i >= view.columns && i < view.rows) column = (int64_t)(random_u64(seed, (uint64_t)i) % (uint64_t)view.columns);
    if (i >= view.rows) row = (int64_t)(random_u64(seed, (uint64_t)i) % (uint64_t)view.rows);
    out->index[i] = output_index(&view, row, column);
    out->expected[i] = element(kernel_case, &view, row, column);
  }
  out->linear = is_linear(&kernel_case->scalars.epilogue);
  return out->linear ? project(kernel_case, &view, out) : FARM_OK;
}

void kernel_samples_free(struct kernel_samples *samples) {
  free(samples->index);
  free(samples->expected);
  free(samples->projection);
  free(samples->weights);
  *samples = (struct kernel_samples){0};
}
