/* Conv, ConvTranspose, ConvInteger, QLinearConv, and the fused Conv of com.microsoft: what surrounds the sums of convolve.c. */
#include "activation.h"
#include "convolve.h"
#include "tables.h"

/* ---- floating point ---- */
struct float_end {
  struct tensor *y;
  const double *bias; // [out_channels] or NULL
  const double *add;  // like y, or NULL
  struct activation activation;
};

static void float_end_write(void *context, int64_t first, int64_t channel, int count, const double *sums) {
  const struct float_end *end = context;
  double values[64];
  double bias = end->bias ? end->bias[channel] : 0;
  for (int i = 0; i < count; i++) {
    values[i] = sums[i] + bias;
    if (end->add) values[i] += end->add[first + i];
    if (end->activation.apply) values[i] = end->activation.apply(values[i], end->activation.alpha, end->activation.beta);
  }
  nn_store_range(end->y, first, count, values);
}

static enum farm_status conv_float(struct reference_call *call, struct arena *scratch, bool transposed, struct float_end *end) {
  const struct tensor *x = call->inputs[0], *w = call->inputs[1];
  struct convolution convolution;
  double *x_values = NULL, *w_values = NULL, *bias = NULL;
  TRY(convolution_read(call->attrs, x, w, transposed, &convolution));
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &x_values));
  TRY(nn_load(scratch, w, &w_values));
  TRY(nn_load(scratch, nn_in(call, 2), &bias));
  end->y = call->outputs[0], end->bias = bias;
  convolution.x = x_values, convolution.w = w_values;
  convolution.context = end, convolution.write = float_end_write;
  return convolution_run(&convolution, scratch);
}

static enum farm_status conv_reference_body(struct reference_call *call, struct arena *scratch) {
  return conv_float(call, scratch, false, &(struct float_end){0});
}
NN_REFERENCE(conv_reference)

static enum farm_status conv_transpose_reference_body(struct reference_call *call, struct arena *scratch) {
  return conv_float(call, scratch, true, &(struct float_end){0});
}
NN_REFERENCE(conv_transpose_reference)

static enum farm_status float_types(const struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_same_type(call, 0, 1));
  return nn_check_same_type(call, 0, 2);
}

static enum farm_status conv_shape(struct shape_call *call) {
  TRY(float_types(call));
  return convolution_shape(call, 0, 1, 2, false, nn_dtype(call, 0));
}

static enum farm_status conv_transpose_shape(struct shape_call *call) {
  TRY(float_types(call));
  return convolution_shape(call, 0, 1, 2, true, nn_dtype(call, 0));
}

/* ---- com.microsoft.FusedConv: activation(Conv(X, W, B) + Z) ---- */
static enum farm_status fused_activation(const struct attrs *attrs, struct activation *out) {
  TRY(activation_find(attr_string(attrs, "activation", ""), out));
  float parameters[2];
  int count = attr_floats(attrs, "activation_params", parameters, 2);
  if (count > 0) out->alpha = (double)parameters[0];
  if (count > 1) out->beta = (double)parameters[1];
  return FARM_OK;
}

static enum farm_status fused_conv_shape(struct shape_call *call) {
  struct activation activation;
  TRY(fused_activation(call->attrs, &activation));
  TRY(conv_shape(call));
  TRY(nn_check_same_type(call, 0, 3));
  const struct tensor *y = call->output_count > 0 ? &call->outputs[0].type : NULL;
  if (!y || y->rank < 0 || nn_rank(call, 3) < 0) return FARM_OK;
  TRY(nn_check_rank(call, 3, y->rank, y->rank));
  for (int i = 0; i < y->rank; i++) TRY(nn_check_dim(call, 3, i, y->dims[i]));
  return FARM_OK;
}

static enum farm_status fused_conv_reference_body(struct reference_call *call, struct arena *scratch) {
  struct float_end end = {0};
  double *add = NULL;
  TRY(fused_activation(call->attrs, &end.activation));
  TRY(nn_load(scratch, nn_in(call, 3), &add));
  end.add = add;
  return conv_float(call, scratch, false, &end);
}
NN_REFERENCE(fused_conv_reference)

/* ---- integers: exact in double while |sum| < 2^53; int32 results wrap ---- */
struct integer_end {
  struct tensor *y;
  const double *bias;       // [out_channels] or NULL
  const float *multipliers; // [out_channels]; NULL: y is int32, not quantised
  double zero_point;
};

static void integer_end_write(void *context, int64_t first, int64_t channel, int count, const double *sums) {
  const struct integer_end *end = context;
  for (int i = 0; i < count; i++) {
    double sum = sums[i] + (end->bias ? end->bias[channel] : 0);
    if (end->multipliers)
      dtype_store_f64(end->y->dtype, end->y->data, first + i,
                      nn_requantize(sum, end->multipliers[channel], end->zero_point, end->y->dtype));
    else
      ((int32_t *)end->y->data)[first + i] = (int32_t)(uint32_t)(int64_t)sum;
  }
}

/* Loads a tensor less its zero point: one, or one per index of axis 0. */
static enum farm_status load_centred(struct arena *scratch, const struct tensor *tensor, const struct tensor *zero_point,
                                     double **out) {
  TRY(nn_load(scratch, tensor, out));
  if (!zero_point) return FARM_OK;
  int64_t channels = tensor_elems(zero_point), elems = tensor_elems(tensor), each = channels > 0 ? elems / channels : 0;
  for (int64_t i = 0; i < channels * each; i++) (*out)[i] -= dtype_load_f64(zero_point->dtype, zero_point->data, i / each);
  return FARM_OK;
}

static enum farm_status conv_integer(struct reference_call *call, struct arena *scratch, const int inputs[4],
                                     struct integer_end *end) {
  const struct tensor *x = call->inputs[inputs[0]], *w = call->inputs[inputs[2]];
  struct convolution convolution;
  double *x_values = NULL, *w_values = NULL;
  TRY(convolution_read(call->attrs, x, w, false, &convolution));
  TRY(reference_output(call, 0));
  TRY(load_centred(scratch, x, nn_in(call, inputs[1]), &x_values));
  TRY(load_centred(scratch, w, nn_in(call, inputs[3]), &w_values));
  end->y = call->outputs[0];
  convolution.x = x_values, convolution.w = w_values;
  convolution.context = end, convolution.write = integer_end_write;
  return convolution_run(&convolution, scratch);
}

static enum farm_status conv_integer_reference_body(struct reference_call *call, struct arena *scratch) {
  return conv_integer(call, scratch, (const int[4]){0, 2, 1, 3}, &(struct integer_end){0});
}
NN_REFERENCE(conv_integer_reference)

/* A scale or zero point of the weights: one element, or one per output channel. */
static enum farm_status check_per_channel(const struct shape_call *call, int input, int64_t channels) {
  if (nn_rank(call, input) == 1 && nn_dim(call, input, 0) != 1) return nn_check_vector(call, input, channels);
  return nn_check_single(call, input);
}

static enum farm_status conv_integer_shape(struct shape_call *call) {
  for (int i = 0; i < 4; i++) TRY(nn_check_type(call, i, NN_BYTES));
  TRY(nn_check_same_type(call, 0, 2));
  TRY(nn_check_same_type(call, 1, 3));
  TRY(nn_check_single(call, 2));
  TRY(check_per_channel(call, 3, nn_dim(call, 1, 0)));
  return convolution_shape(call, 0, 1, -1, false, DTYPE_I32);
}

static enum farm_status qlinear_conv_shape(struct shape_call *call) {
  static const uint32_t types[] = {NN_BYTES, NN_TYPE(F32), NN_BYTES, NN_BYTES,    NN_TYPE(F32),
                                   NN_BYTES, NN_TYPE(F32), NN_BYTES, NN_TYPE(I32)};
  for (int i = 0; i < 9; i++) TRY(nn_check_type(call, i, types[i]));
  TRY(nn_check_same_type(call, 0, 2));
  TRY(nn_check_same_type(call, 3, 5));
  static const int single[] = {1, 2, 6, 7};
  for (int i = 0; i < 4; i++) TRY(nn_check_single(call, single[i]));
  TRY(check_per_channel(call, 4, nn_dim(call, 3, 0)));
  TRY(check_per_channel(call, 5, nn_dim(call, 3, 0)));
  return convolution_shape(call, 0, 3, 8, false, nn_dtype(call, 7));
}

static enum farm_status qlinear_conv_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *w = call->inputs[3], *w_scale = call->inputs[4];
  struct integer_end end = {.zero_point = nn_scalar(call->inputs[7], 0)};
  double *bias = NULL;
  float *multipliers = NULL;
  float x_scale = (float)nn_scalar(call->inputs[1], 1), y_scale = (float)nn_scalar(call->inputs[6], 1);
  TRY(nn_load(scratch, nn_in(call, 8), &bias));
  TRY(nn_alloc(scratch, w->dims[0], sizeof *multipliers, &multipliers));
  bool per_channel = tensor_elems(w_scale) > 1;
  for (int64_t i = 0; i < w->dims[0]; i++)
    multipliers[i] = x_scale * (float)dtype_load_f64(w_scale->dtype, w_scale->data, per_channel ? i : 0) / y_scale;
  end.bias = bias, end.multipliers = multipliers;
  return conv_integer(call, scratch, (const int[4]){0, 2, 3, 5}, &end);
}
NN_REFERENCE(qlinear_conv_reference)

const struct operator_row operators_conv[] = {
    {"", "Conv", 1, 2, 3, 1, 1, 0, 0, conv_shape, conv_reference},
    {"", "Conv", 11, 2, 3, 1, 1, 0, 0, conv_shape, conv_reference},
    {"", "Conv", 22, 2, 3, 1, 1, 0, 0, conv_shape, conv_reference},
    {"", "ConvTranspose", 1, 2, 3, 1, 1, 0, 0, conv_transpose_shape, conv_transpose_reference},
    {"", "ConvTranspose", 11, 2, 3, 1, 1, 0, 0, conv_transpose_shape, conv_transpose_reference},
    {"", "ConvTranspose", 22, 2, 3, 1, 1, 0, 0, conv_transpose_shape, conv_transpose_reference},
    {"", "ConvInteger", 10, 2, 4, 1, 1, 0, 0, conv_integer_shape, conv_integer_reference},
    {"", "QLinearConv", 10, 8, 9, 1, 1, 0, 0, qlinear_conv_shape, qlinear_conv_reference},
    {"com.microsoft", "FusedConv", 1, 2, 4, 1, 1, 0, 0, fused_conv_shape, fused_conv_reference},
};
OPERATOR_ROWS(conv);
