/* MaxPool, AveragePool, LpPool over sliding windows, and their global forms over all of a channel.
 *
 * A window's taps are visited in row-major order. In ceil mode a last window may reach beyond the padding: those taps count
 * for nothing, not even for count_include_pad.
 */
#include "../base/pmath.h"
#include "tables.h"
#include "window.h"

#include <math.h>

struct pool {
  struct window window;
  int64_t planes, in_spatial, sites;
  double p;
  bool count_padding, column_major;
};

static enum farm_status pool_read(const struct attrs *attrs, const struct tensor *x, struct pool *out) {
  *out = (struct pool){.p = (double)attr_int(attrs, "p", 2),
                       .count_padding = attr_int(attrs, "count_include_pad", 0) != 0,
                       .column_major = attr_int(attrs, "storage_order", 0) == 1};
  TRY(window_read(attrs, x->rank - 2, NULL, &out->window));
  for (int i = 0; i < x->rank - 2; i++) FAIL_IF(out->window.kernel[i] < 0, FARM_INVALID, "kernel_shape is required");
  TRY(window_slide(&out->window, x->dims + 2, attr_int(attrs, "ceil_mode", 0) != 0));
  return FARM_OK;
}

static enum farm_status pool_shape_typed(struct shape_call *call, uint32_t types) {
  struct pool pool;
  int rank = nn_rank(call, 0);
  TRY(nn_check_type(call, 0, types));
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  nn_output(call, 1, DTYPE_I64, -1, NULL);
  FAIL_IF(!attr_has(call->attrs, "kernel_shape"), FARM_INVALID, "kernel_shape is required");
  if (rank < 0) return FARM_OK;
  TRY(nn_check_rank(call, 0, 3, TENSOR_MAX_RANK));
  TRY(pool_read(call->attrs, nn_type(call, 0), &pool));
  int64_t dims[TENSOR_MAX_RANK] = {nn_dim(call, 0, 0), nn_dim(call, 0, 1)};
  for (int i = 2; i < rank; i++) dims[i] = pool.window.out[i - 2];
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  nn_output(call, 1, DTYPE_I64, rank, dims);
  return FARM_OK;
}

static enum farm_status pool_shape(struct shape_call *call) { return pool_shape_typed(call, NN_FLOATS); }
static enum farm_status max_pool_shape(struct shape_call *call) { return pool_shape_typed(call, NN_FLOATS | NN_BYTES); }

static enum farm_status lp_pool_shape(struct shape_call *call) {
  FAIL_IF(attr_int(call->attrs, "p", 2) < 1, FARM_INVALID, "p must be at least 1");
  return pool_shape(call);
}

/* Calls visit for every window of every plane; the result goes to output 0. */
typedef double (*pool_visit_fn)(const struct pool *pool, const double *plane, int64_t plane_index, const int64_t *site,
                                int64_t *out_index);

static enum farm_status pool_run(struct reference_call *call, struct arena *scratch, pool_visit_fn visit) {
  const struct tensor *x = call->inputs[0];
  struct pool pool;
  double *values = NULL, *row = NULL;
  TRY(pool_read(call->attrs, x, &pool));
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  int64_t *indices = nn_out(call, 1) ? nn_out(call, 1)->data : NULL;
  pool.planes = x->dims[0] * x->dims[1], pool.in_spatial = nn_product(x, 2, x->rank), pool.sites = window_sites(&pool.window);
  if (pool.planes == 0 || pool.sites == 0) return FARM_OK;
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, pool.sites, sizeof *row, &row));
  for (int64_t plane = 0; plane < pool.planes; plane++) {
    int64_t site[WINDOW_MAX] = {0}, index = 0;
    for (int64_t i = 0; i < pool.sites; i++) {
      row[i] = visit(&pool, values + plane * pool.in_spatial, plane, site, &index);
      if (indices) indices[plane * pool.sites + i] = index;
      window_next(pool.window.axes, pool.window.out, site);
    }
    if (nn_out(call, 0)) nn_store_range(call->outputs[0], plane * pool.sites, pool.sites, row);
  }
  return FARM_OK;
}

static int64_t column_major(const struct window *window, int64_t offset) {
  int64_t at[WINDOW_MAX], index = 0;
  window_split(window->axes, window->in, offset, at);
  for (int i = window->axes - 1; i >= 0; i--) index = index * window->in[i] + at[i];
  return index;
}

static double max_visit(const struct pool *pool, const double *plane, int64_t plane_index, const int64_t *site,
                        int64_t *out_index) {
  int64_t tap[WINDOW_MAX] = {0}, best_at = -1;
  double best = -INFINITY;
  do {
    int64_t offset = window_offset(&pool->window, site, tap);
    if (offset < 0 || (best_at >= 0 && (plane[offset] <= best || best != best))) continue; // the first NaN stays
    best = plane[offset], best_at = offset;
  } while (window_next(pool->window.axes, pool->window.kernel, tap));
  if (best_at >= 0 && pool->column_major) best_at = column_major(&pool->window, best_at);
  *out_index = best_at < 0 ? -1 : plane_index * pool->in_spatial + best_at;
  return best;
}

static bool within_padding(const struct window *window, const int64_t *site, const int64_t *tap) {
  for (int i = 0; i < window->axes; i++)
    if (site[i] * window->stride[i] + tap[i] * window->dilation[i] >= window->before[i] + window->in[i] + window->after[i])
      return false;
  return true;
}

static double average_visit(const struct pool *pool, const double *plane, int64_t plane_index, const int64_t *site,
                            int64_t *out_index) {
  int64_t tap[WINDOW_MAX] = {0}, count = 0;
  double sum = 0;
  (void)plane_index, (void)out_index;
  do {
    int64_t offset = window_offset(&pool->window, site, tap);
    if (offset >= 0) sum += plane[offset];
    count += offset >= 0 || (pool->count_padding && within_padding(&pool->window, site, tap));
  } while (window_next(pool->window.axes, pool->window.kernel, tap));
  return count ? sum / (double)count : 0;
}

static double power(double x, double p) {
  double a = x < 0 ? -x : x;
  return p == 1 ? a : p == 2 ? a * a : pmath_pow(a, p);
}

static double root(double x, double p) { return p == 1 ? x : p == 2 ? pmath_sqrt(x) : pmath_pow(x, 1 / p); }

static double lp_visit(const struct pool *pool, const double *plane, int64_t plane_index, const int64_t *site,
                       int64_t *out_index) {
  int64_t tap[WINDOW_MAX] = {0};
  double sum = 0;
  (void)plane_index, (void)out_index;
  do {
    int64_t offset = window_offset(&pool->window, site, tap);
    if (offset >= 0) sum += power(plane[offset], pool->p);
  } while (window_next(pool->window.axes, pool->window.kernel, tap));
  return root(sum, pool->p);
}

static enum farm_status max_pool_reference_body(struct reference_call *call, struct arena *scratch) {
  return pool_run(call, scratch, max_visit);
}
static enum farm_status average_pool_reference_body(struct reference_call *call, struct arena *scratch) {
  return pool_run(call, scratch, average_visit);
}
static enum farm_status lp_pool_reference_body(struct reference_call *call, struct arena *scratch) {
  return pool_run(call, scratch, lp_visit);
}
NN_REFERENCE(max_pool_reference)
NN_REFERENCE(average_pool_reference)
NN_REFERENCE(lp_pool_reference)

/* ---- global: one value per channel ---- */
static enum farm_status global_shape(struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  FAIL_IF(attr_int(call->attrs, "p", 2) < 1, FARM_INVALID, "p must be at least 1");
  int64_t dims[TENSOR_MAX_RANK] = {nn_dim(call, 0, 0), nn_dim(call, 0, 1), 1, 1, 1, 1, 1, 1};
  nn_output(call, 0, nn_dtype(call, 0), nn_rank(call, 0), dims);
  return FARM_OK;
}

typedef double (*global_fn)(const double *x, int64_t count, double p);

static double global_average(const double *x, int64_t count, double p) {
  double sum = 0;
  (void)p;
  for (int64_t i = 0; i < count; i++) sum += x[i];
  return sum / (double)count;
}

static double global_max(const double *x, int64_t count, double p) {
  double best = -INFINITY;
  (void)p;
  for (int64_t i = 0; i < count; i++) best = x[i] > best || x[i] != x[i] ? x[i] : best;
  return best;
}

static double global_lp(const double *x, int64_t count, double p) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += power(x[i], p);
  return root(sum, p);
}

static enum farm_status global_run(struct reference_call *call, struct arena *scratch, global_fn reduce) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL, p = (double)attr_int(call->attrs, "p", 2);
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  int64_t planes = tensor_elems(call->outputs[0]), spatial = nn_product(x, 2, x->rank);
  for (int64_t i = 0; i < planes; i++) {
    double result = reduce(values + i * spatial, spatial, p);
    nn_store_range(call->outputs[0], i, 1, &result);
  }
  return FARM_OK;
}

static enum farm_status global_average_reference_body(struct reference_call *call, struct arena *scratch) {
  return global_run(call, scratch, global_average);
}
static enum farm_status global_max_reference_body(struct reference_call *call, struct arena *scratch) {
  return global_run(call, scratch, global_max);
}
static enum farm_status global_lp_reference_body(struct reference_call *call, struct arena *scratch) {
  return global_run(call, scratch, global_lp);
}
NN_REFERENCE(global_average_reference)
NN_REFERENCE(global_max_reference)
NN_REFERENCE(global_lp_reference)

const struct operator_row operators_pool[] = {
    {"", "MaxPool", 1, 1, 1, 1, 1, 0, 0, max_pool_shape, max_pool_reference},
    {"", "MaxPool", 8, 1, 1, 1, 2, 0, 0, max_pool_shape, max_pool_reference},
    {"", "MaxPool", 10, 1, 1, 1, 2, 0, 0, max_pool_shape, max_pool_reference},
    {"", "MaxPool", 11, 1, 1, 1, 2, 0, 0, max_pool_shape, max_pool_reference},
    {"", "MaxPool", 12, 1, 1, 1, 2, 0, 0, max_pool_shape, max_pool_reference},
    {"", "MaxPool", 22, 1, 1, 1, 2, 0, 0, max_pool_shape, max_pool_reference},
    {"", "AveragePool", 7, 1, 1, 1, 1, 0, 0, pool_shape, average_pool_reference},
    {"", "AveragePool", 10, 1, 1, 1, 1, 0, 0, pool_shape, average_pool_reference},
    {"", "AveragePool", 11, 1, 1, 1, 1, 0, 0, pool_shape, average_pool_reference},
    {"", "AveragePool", 19, 1, 1, 1, 1, 0, 0, pool_shape, average_pool_reference},
    {"", "AveragePool", 22, 1, 1, 1, 1, 0, 0, pool_shape, average_pool_reference},
    {"", "LpPool", 2, 1, 1, 1, 1, 0, 0, lp_pool_shape, lp_pool_reference},
    {"", "LpPool", 11, 1, 1, 1, 1, 0, 0, lp_pool_shape, lp_pool_reference},
    {"", "LpPool", 18, 1, 1, 1, 1, 0, 0, lp_pool_shape, lp_pool_reference},
    {"", "LpPool", 22, 1, 1, 1, 1, 0, 0, lp_pool_shape, lp_pool_reference},
    {"", "GlobalAveragePool", 1, 1, 1, 1, 1, 0, 0, global_shape, global_average_reference},
    {"", "GlobalAveragePool", 22, 1, 1, 1, 1, 0, 0, global_shape, global_average_reference},
    {"", "GlobalMaxPool", 1, 1, 1, 1, 1, 0, 0, global_shape, global_max_reference},
    {"", "GlobalMaxPool", 22, 1, 1, 1, 1, 0, 0, global_shape, global_max_reference},
    {"", "GlobalLpPool", 2, 1, 1, 1, 1, 0, 0, global_shape, global_lp_reference},
    {"", "GlobalLpPool", 22, 1, 1, 1, 1, 0, 0, global_shape, global_lp_reference},
};
OPERATOR_ROWS(pool);
