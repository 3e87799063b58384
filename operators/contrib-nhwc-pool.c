/* com.microsoft's NhwcMaxPool: MaxPool of bytes, channels last. X[n,spatial…,c] -> Y[n,out…,c]; attributes as MaxPool's. */
#include "tables.h"
#include "window.h"

static enum farm_status nhwc_window(const struct attrs *attrs, const struct tensor *x, struct window *out) {
  TRY(window_read(attrs, x->rank - 2, NULL, out));
  for (int i = 0; i < out->axes; i++) FAIL_IF(out->kernel[i] < 0, FARM_INVALID, "kernel_shape is required");
  return window_slide(out, x->dims + 1, attr_int(attrs, "ceil_mode", 0) != 0);
}

static enum farm_status nhwc_shape(struct shape_call *call) {
  const int rank = nn_rank(call, 0);
  struct window window;
  TRY(nn_check_type(call, 0, NN_BYTES));
  FAIL_IF(!attr_has(call->attrs, "kernel_shape"), FARM_INVALID, "kernel_shape is required");
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(nn_check_rank(call, 0, 3, TENSOR_MAX_RANK));
  TRY(nhwc_window(call->attrs, nn_type(call, 0), &window));
  int64_t dims[TENSOR_MAX_RANK] = {nn_dim(call, 0, 0)};
  for (int i = 0; i < window.axes; i++) dims[1 + i] = window.out[i];
  dims[rank - 1] = nn_dim(call, 0, rank - 1);
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  return FARM_OK;
}

/* All channels of one site: best[c] from the image [in…][c]. */
static void site_visit(const struct window *window, const double *image, int64_t channels, const int64_t *site, double low,
                       double *best) {
  int64_t tap[WINDOW_MAX] = {0};
  for (int64_t c = 0; c < channels; c++) best[c] = low;
  do {
    const int64_t offset = window_offset(window, site, tap);
    const double *pixel = image + (offset < 0 ? 0 : offset * channels);
    for (int64_t c = 0; offset >= 0 && c < channels; c++) best[c] = pixel[c] > best[c] ? pixel[c] : best[c];
  } while (window_next(window->axes, window->kernel, tap));
}

static enum farm_status nhwc_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  struct window window;
  double *values = NULL, *best = NULL, low, high;
  TRY(nhwc_window(call->attrs, x, &window));
  TRY(reference_output(call, 0));
  if (tensor_elems(call->outputs[0]) == 0) return FARM_OK;
  const int64_t sites = window_sites(&window), channels = x->dims[x->rank - 1], image = nn_product(x, 1, x->rank);
  nn_integer_range(x->dtype, &low, &high);
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, channels, sizeof *best, &best));
  for (int64_t n = 0; n < x->dims[0]; n++) {
    int64_t site[WINDOW_MAX] = {0};
    for (int64_t s = 0; s < sites; s++) {
      site_visit(&window, values + n * image, channels, site, low, best);
      nn_store_range(call->outputs[0], (n * sites + s) * channels, channels, best);
      window_next(window.axes, window.out, site);
    }
  }
  return FARM_OK;
}
NN_REFERENCE(nhwc_reference)

const struct operator_row operators_contrib_nhwc_pool[] = {
    {"com.microsoft", "NhwcMaxPool", 1, 1, 1, 1, 1, 0, 0, nhwc_shape, nhwc_reference},
};
OPERATOR_ROWS(contrib_nhwc_pool);
