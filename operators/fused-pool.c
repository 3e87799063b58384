/* tunefarm.Pool: max and average pooling in one operator, channels first or last; `global` takes the whole plane. See fused.h. */
#include "fused.h"
#include "tables.h"
#include "window.h"

#include <math.h>
#include <string.h>

struct pool {
  struct window window;
  bool average, count_padding, nhwc;
  int64_t batch, channels;
};

static int spatial_axis(const struct pool *pool, int i) { return pool->nhwc ? 1 + i : 2 + i; }

static enum farm_status pool_window(const struct attrs *attrs, const int64_t *in, int axes, struct window *out) {
  if (!attr_int(attrs, "global", 0)) {
    TRY(window_read(attrs, axes, NULL, out));
    for (int i = 0; i < axes; i++) FAIL_IF(out->kernel[i] < 0, FARM_INVALID, "kernel_shape is required");
    return window_slide(out, in, attr_int(attrs, "ceil_mode", 0) != 0);
  }
  *out = (struct window){.axes = axes};
  for (int i = 0; i < axes; i++) {
    FAIL_IF(in[i] == 0, FARM_INVALID, "a spatial dimension is 0");
    out->in[i] = out->kernel[i] = in[i];
    out->out[i] = out->stride[i] = out->dilation[i] = 1;
  }
  return FARM_OK;
}

static enum farm_status pool_read(const struct attrs *attrs, const struct tensor *x, struct pool *out) {
  const char *mode = attr_string(attrs, "mode", "");
  struct pool pool = {.average = !strcmp(mode, "average"), .nhwc = fused_is_nhwc(attrs), .batch = x->dims[0]};
  int64_t in[WINDOW_MAX];
  FAIL_IF(!pool.average && strcmp(mode, "max"), FARM_INVALID, "mode is \"%.20s\"", mode);
  TRY(fused_layout_check(attrs));
  FAIL_IF(x->rank < 3 || x->rank > 4, FARM_INVALID, "a fused pooling has one or two spatial axes");
  pool.count_padding = attr_int(attrs, "count_include_pad", 0) != 0;
  pool.channels = x->dims[pool.nhwc ? x->rank - 1 : 1];
  for (int i = 0; i < x->rank - 2; i++) in[i] = x->dims[spatial_axis(&pool, i)];
  TRY(pool_window(attrs, in, x->rank - 2, &pool.window));
  *out = pool;
  return FARM_OK;
}

static enum farm_status pool_shape(struct shape_call *call) {
  struct pool pool;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  const int rank = nn_rank(call, 0);
  if (rank < 0) return FARM_OK;
  TRY(pool_read(call->attrs, nn_type(call, 0), &pool));
  int64_t dims[TENSOR_MAX_RANK];
  memcpy(dims, nn_type(call, 0)->dims, sizeof dims);
  for (int i = 0; i < rank - 2; i++) dims[spatial_axis(&pool, i)] = pool.window.out[i];
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  return FARM_OK;
}

/* Taps that fall on padding count for the divisor only when asked to, and never those beyond it (ceil mode). */
static bool tap_in_padding(const struct window *window, const int64_t *site, const int64_t *tap) {
  for (int i = 0; i < window->axes; i++) {
    int64_t at = site[i] * window->stride[i] - window->before[i] + tap[i] * window->dilation[i];
    if (at >= window->in[i] + window->after[i]) return false;
  }
  return true;
}

/* One site of one channel; element (h, w) of the plane stands at plane[(h w-extent + w) * step]. */
static double pool_site(const struct pool *pool, const double *plane, int64_t step, const int64_t *site) {
  int64_t tap[WINDOW_MAX] = {0}, count = 0;
  double sum = 0, best = -INFINITY;
  do {
    int64_t offset = window_offset(&pool->window, site, tap);
    if (offset < 0) {
      count += pool->count_padding && tap_in_padding(&pool->window, site, tap);
      continue;
    }
    double value = plane[offset * step];
    sum += value, count++;
    best = value > best || value != value ? value : best;
  } while (window_next(pool->window.axes, pool->window.kernel, tap));
  return pool->average ? sum / (double)count : best;
}

static enum farm_status pool_reference_body(struct reference_call *call, struct arena *scratch) {
  struct pool pool;
  double *values = NULL;
  TRY(pool_read(call->attrs, call->inputs[0], &pool));
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, call->inputs[0], &values));
  const int64_t sites = window_sites(&pool.window), plane = tensor_dims_product(pool.window.in, pool.window.axes);
  const int64_t step = pool.nhwc ? pool.channels : 1;
  for (int64_t i = 0; i < pool.batch * pool.channels; i++) {
    int64_t n = i / pool.channels, c = i % pool.channels, site[WINDOW_MAX] = {0};
    const double *from = values + (pool.nhwc ? n * plane * pool.channels + c : i * plane);
    for (int64_t s = 0; s < sites; s++) {
      double result = pool_site(&pool, from, step, site);
      nn_store_range(call->outputs[0], pool.nhwc ? (n * sites + s) * pool.channels + c : i * sites + s, 1, &result);
      window_next(pool.window.axes, pool.window.out, site);
    }
  }
  return FARM_OK;
}
NN_REFERENCE(pool_reference)

const struct operator_row operators_fused_pool[] = {
    {"tunefarm", "Pool", 1, 1, 1, 1, 1, 0, 0, pool_shape, pool_reference},
};
OPERATOR_ROWS(fused_pool);
