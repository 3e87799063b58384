/* Ways back from windows to an image: MaxUnpool and Col2Im. */
#include "shape-util.h"
#include "tables.h"
#include "window.h"

/* ---- MaxUnpool: x and indices [n][c][d...] ─► zeros with x at the indices. Indices count in the shape that the window
 * gives; a larger output_shape holds that at its start. ---- */
static enum farm_status unpool_dims(const struct attrs *attrs, const struct tensor *x, int64_t *out) {
  struct window window;
  TRY(window_read(attrs, x->rank - 2, NULL, &window));
  out[0] = x->dims[0], out[1] = x->dims[1];
  for (int i = 0; i < window.axes; i++) {
    int64_t in = x->dims[i + 2];
    FAIL_IF(window.kernel[i] < 0, FARM_INVALID, "kernel_shape is required");
    FAIL_IF(in > INT32_MAX || in == 0, FARM_INVALID, "a spatial dimension is %lld", (long long)in);
    out[i + 2] = in < 0 ? DIM_UNKNOWN : (in - 1) * window.stride[i] - window.before[i] - window.after[i] + window.kernel[i];
    FAIL_IF(in >= 0 && out[i + 2] < 0, FARM_INVALID, "pads take more than there is");
  }
  return FARM_OK;
}

static enum farm_status unpool_shape(struct shape_call *call) {
  int64_t dims[TENSOR_MAX_RANK], wanted[TENSOR_MAX_RANK];
  int rank = nn_rank(call, 0), count = 0;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_type(call, 1, NN_TYPE(I64)));
  TRY(nn_check_type(call, 2, NN_TYPE(I64)));
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(nn_check_rank(call, 0, 3, TENSOR_MAX_RANK));
  TRY(nn_check_rank(call, 1, rank, rank));
  for (int i = 0; i < rank; i++) TRY(nn_check_dim(call, 1, i, nn_dim(call, 0, i)));
  TRY(unpool_dims(call->attrs, nn_type(call, 0), dims));
  bool known = nn_given(call, 2) && shape_content_dims(call->inputs[2], wanted, TENSOR_MAX_RANK, &count);
  FAIL_IF(known && count != rank, FARM_INVALID, "output_shape has %d elements for rank %d", count, rank);
  for (int i = 0; i < rank && nn_given(call, 2); i++) {
    FAIL_IF(known && wanted[i] >= 0 && dims[i] >= 0 && wanted[i] < dims[i], FARM_INVALID,
            "output_shape is smaller than the window's");
    dims[i] = known ? wanted[i] : DIM_UNKNOWN;
  }
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  return FARM_OK;
}

static enum farm_status unpool_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0], *indices = call->inputs[1];
  struct tensor *y = call->outputs[0];
  int64_t own[TENSOR_MAX_RANK], at[TENSOR_MAX_RANK];
  double *values = NULL, *out = NULL;
  TRY(unpool_dims(call->attrs, x, own));
  for (int i = 0; i < x->rank; i++)
    y->dims[i] = nn_in(call, 2) ? dtype_load_i64(call->inputs[2]->dtype, call->inputs[2]->data, i) : own[i];
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, tensor_elems(y), sizeof *out, &out));
  int64_t elems = tensor_elems(x), most = tensor_dims_product(own, x->rank);
  for (int64_t i = 0; i < elems; i++) {
    int64_t index = dtype_load_i64(indices->dtype, indices->data, i), to = 0;
    FAIL_IF(index < 0 || index >= most, FARM_INVALID, "index %lld of %lld elements", (long long)index, (long long)most);
    window_split(x->rank, own, index, at);
    for (int axis = 0; axis < x->rank; axis++) to = to * y->dims[axis] + at[axis];
    out[to] = values[i];
  }
  nn_store(y, out);
  return FARM_OK;
}
NN_REFERENCE(unpool_reference)

/* ---- Col2Im: x [n][c * taps][sites] ─► [n][c][image...], overlapping windows summed ---- */
static enum farm_status col2im_window(const struct attrs *attrs, const int64_t *image, const int64_t *block, int axes,
                                      struct window *out) {
  for (int i = 0; i < axes; i++) FAIL_IF(block[i] < 1, FARM_INVALID, "block_shape holds %lld", (long long)block[i]);
  TRY(window_read(attrs, axes, block, out));
  out->padding = WINDOW_EXPLICIT;
  return window_slide(out, image, false);
}

static enum farm_status col2im_shape(struct shape_call *call) {
  struct window window;
  int64_t image[WINDOW_MAX], block[WINDOW_MAX], dims[TENSOR_MAX_RANK] = {nn_dim(call, 0, 0), DIM_UNKNOWN},
                                                rows = nn_dim(call, 0, 1);
  int axes = 0, blocks = 0;
  TRY(nn_check_type(call, 0, NN_NUMBERS));
  TRY(nn_check_rank(call, 0, 3, 3));
  for (int i = 1; i < 3; i++) {
    TRY(nn_check_type(call, i, NN_TYPE(I64)));
    TRY(nn_check_rank(call, i, 1, 1));
  }
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (!nn_known_ints(call, 1, image, WINDOW_MAX, &axes) || !nn_known_ints(call, 2, block, WINDOW_MAX, &blocks)) return FARM_OK;
  FAIL_IF(axes != blocks || axes < 1, FARM_INVALID, "image_shape and block_shape have %d and %d elements", axes, blocks);
  for (int i = 0; i < axes; i++) FAIL_IF(image[i] < 0, FARM_INVALID, "image_shape holds %lld", (long long)image[i]);
  TRY(col2im_window(call->attrs, image, block, axes, &window));
  int64_t taps = window_taps(&window);
  FAIL_IF(taps < 1 || (rows >= 0 && rows % taps), FARM_INVALID, "%lld rows do not divide into blocks of %lld", (long long)rows,
          (long long)taps);
  TRY(nn_check_dim(call, 0, 2, window_sites(&window)));
  if (rows >= 0) dims[1] = rows / taps;
  for (int i = 0; i < axes; i++) dims[i + 2] = image[i];
  nn_output(call, 0, nn_dtype(call, 0), axes + 2, dims);
  return FARM_OK;
}

static void col2im_plane(const struct window *window, const double *x, double *y) {
  int64_t tap[WINDOW_MAX] = {0}, sites = window_sites(window);
  do {
    int64_t site[WINDOW_MAX] = {0};
    for (int64_t i = 0; i < sites; i++, x++) {
      int64_t at = window_offset(window, site, tap);
      if (at >= 0) y[at] += *x;
      window_next(window->axes, window->out, site);
    }
  } while (window_next(window->axes, window->kernel, tap));
}

static enum farm_status col2im_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0], *image = call->inputs[1], *block = call->inputs[2];
  struct tensor *y = call->outputs[0];
  struct window window;
  int64_t in[WINDOW_MAX], kernel[WINDOW_MAX];
  double *values = NULL, *out = NULL;
  int axes = (int)image->dims[0];
  FAIL_IF(image->dims[0] > WINDOW_MAX || block->dims[0] != image->dims[0], FARM_INVALID, "image_shape has %d elements", axes);
  for (int i = 0; i < axes; i++) {
    in[i] = dtype_load_i64(image->dtype, image->data, i), kernel[i] = dtype_load_i64(block->dtype, block->data, i);
    FAIL_IF(in[i] < 0, FARM_INVALID, "image_shape holds %lld", (long long)in[i]);
  }
  TRY(col2im_window(call->attrs, in, kernel, axes, &window));
  int64_t taps = window_taps(&window), sites = window_sites(&window), pixels = tensor_dims_product(in, axes);
  FAIL_IF(taps < 1 || pixels < 0 || x->dims[1] % taps || x->dims[2] != sites, FARM_INVALID, "the columns do not fit the image");
  y->rank = axes + 2, y->dims[0] = x->dims[0], y->dims[1] = x->dims[1] / taps;
  for (int i = 0; i < axes; i++) y->dims[i + 2] = in[i];
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, tensor_elems(y), sizeof *out, &out));
  if (sites == 0 || pixels == 0) return nn_store(y, out), FARM_OK;
  for (int64_t i = 0; i < y->dims[0] * y->dims[1]; i++) col2im_plane(&window, values + i * taps * sites, out + i * pixels);
  nn_store(y, out);
  return FARM_OK;
}
NN_REFERENCE(col2im_reference)

const struct operator_row operators_unpool[] = {
    {"", "MaxUnpool", 9, 2, 3, 1, 1, 0, 1 << 2, unpool_shape, unpool_reference},
    {"", "MaxUnpool", 11, 2, 3, 1, 1, 0, 1 << 2, unpool_shape, unpool_reference},
    {"", "MaxUnpool", 22, 2, 3, 1, 1, 0, 1 << 2, unpool_shape, unpool_reference},
    {"", "Col2Im", 18, 3, 3, 1, 1, 0, 1 << 1 | 1 << 2, col2im_shape, col2im_reference},
};
OPERATOR_ROWS(unpool);
