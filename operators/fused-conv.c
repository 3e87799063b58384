/* tunefarm.Conv: a convolution with an epilogue, channels first or last. See fused.h. The reference works channels first: a
 * channels-last input is turned while it is loaded, and each result goes to its channels-last place.
 */
#include "convolve.h"
#include "fused.h"
#include "tables.h"

/* [n][c][...] of a tensor whose dims are [n][...][c]. */
static struct tensor channels_first(const struct tensor *tensor) {
  struct tensor turned = *tensor;
  if (tensor->rank < 3) return turned;
  turned.dims[1] = tensor->dims[tensor->rank - 1];
  for (int i = 2; i < tensor->rank; i++) turned.dims[i] = tensor->dims[i - 1];
  return turned;
}

static enum farm_status conv_shape(struct shape_call *call) {
  struct convolution convolution;
  TRY(fused_layout_check(call->attrs));
  for (int i = 0; i < 2; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  TRY(nn_check_same_type(call, 0, 1));
  const struct tensor *x = nn_type(call, 0), *w = nn_type(call, 1);
  FAIL_IF(!x || !w, FARM_INVALID, "input and weights are required");
  const bool nhwc = fused_is_nhwc(call->attrs);
  const struct tensor turned = nhwc ? channels_first(x) : *x;
  TRY(convolution_read(call->attrs, &turned, w, false, &convolution));
  FAIL_IF(convolution.rank > 4, FARM_INVALID, "a fused convolution has one or two spatial axes");
  int64_t dims[TENSOR_MAX_RANK] = {convolution.batch, convolution.out_channels};
  for (int i = 2; i < convolution.rank; i++) dims[nhwc ? i - 1 : i] = convolution.window.out[i - 2];
  if (nhwc && convolution.rank > 0) dims[convolution.rank - 1] = convolution.out_channels;
  nn_output(call, 0, nn_dtype(call, 0), convolution.rank, dims);
  return fused_epilogue_shape(call, 2, convolution.rank < 0 ? DIM_UNKNOWN : convolution.out_channels);
}

struct conv_end {
  struct fused_end end;
  struct tensor *y;
  bool nhwc;
  int64_t channels, sites;
};

static void conv_write(void *context, int64_t first, int64_t channel, int count, const double *sums) {
  const struct conv_end *conv = context;
  for (int i = 0; i < count; i++) {
    int64_t at = first + i;
    if (conv->nhwc) at = (at / (conv->channels * conv->sites) * conv->sites + at % conv->sites) * conv->channels + channel;
    double value = fused_end_apply(&conv->end, sums[i], at, channel);
    nn_store_range(conv->y, at, 1, &value);
  }
}

/* [n][sites][c] -> [n][c][sites] */
static enum farm_status load_turned(struct arena *scratch, const struct tensor *x, double **out) {
  double *from = NULL, *to = NULL;
  TRY(nn_load(scratch, x, &from));
  TRY(nn_alloc(scratch, tensor_elems(x), sizeof *to, &to));
  const int64_t channels = x->dims[x->rank - 1], sites = nn_product(x, 1, x->rank - 1);
  for (int64_t n = 0; n < x->dims[0]; n++)
    for (int64_t s = 0; s < sites; s++)
      for (int64_t c = 0; c < channels; c++) to[(n * channels + c) * sites + s] = from[(n * sites + s) * channels + c];
  *out = to;
  return FARM_OK;
}

static enum farm_status conv_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  struct convolution convolution;
  struct conv_end conv = {.nhwc = fused_is_nhwc(call->attrs)};
  const struct tensor turned = conv.nhwc ? channels_first(x) : *x;
  double *x_values = NULL, *w_values = NULL;
  TRY(convolution_read(call->attrs, &turned, call->inputs[1], false, &convolution));
  TRY(reference_output(call, 0));
  if (conv.nhwc)
    TRY(load_turned(scratch, x, &x_values));
  else
    TRY(nn_load(scratch, x, &x_values));
  TRY(nn_load(scratch, call->inputs[1], &w_values));
  TRY(fused_end_load(call, scratch, 2, &conv.end));
  conv.y = call->outputs[0], conv.channels = convolution.out_channels, conv.sites = window_sites(&convolution.window);
  convolution.x = x_values, convolution.w = w_values;
  convolution.context = &conv, convolution.write = conv_write;
  return convolution_run(&convolution, scratch);
}
NN_REFERENCE(conv_reference)

const struct operator_row operators_fused_conv[] = {
    {"tunefarm", "Conv", 1, 2, 2 + EPILOGUE_MAX, 1, 1, 0, 0, conv_shape, conv_reference},
};
OPERATOR_ROWS(fused_conv);
