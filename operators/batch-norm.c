/* BatchNormalization. Before opset 14 extra outputs ask for training, which inference graphs never do: they are refused. From
 * 14 on training_mode computes the batch's statistics and the running ones.
 */
#include "../base/pmath.h"
#include "tables.h"
#include "nn-util.h"

static enum farm_status batch_shape(struct shape_call *call) {
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  bool spatial = attr_int(call->attrs, "spatial", 1) != 0;
  if (!spatial && nn_rank(call, 0) == 2) spatial = true; // the two are one without space
  FAIL_IF(!spatial, FARM_UNSUPPORTED, "spatial=0 is not supported");
  for (int i = 1; i < 5; i++) TRY(nn_check_vector(call, i, nn_dim(call, 0, 1)));
  shape_same_as_input(call, 0, 0);
  int64_t channels = nn_dim(call, 0, 1);
  for (int i = 1; i < 5; i++) TRY(nn_dim_merge(channels, nn_dim(call, i, 0), &channels));
  for (int i = 1; i < call->output_count; i++) nn_output(call, i, nn_dtype(call, i % 2 ? 3 : 4), 1, &channels);
  return FARM_OK;
}

struct batch { // [channels] each
  double *scale, *bias, *mean, *variance;
};

static void batch_statistics(const double *x, int64_t batch, int64_t channels, int64_t spatial, int64_t channel, double *out_mean,
                             double *out_variance) {
  double sum = 0, squares = 0, count = (double)(batch * spatial);
  for (int64_t n = 0; n < batch; n++)
    for (int64_t i = 0; i < spatial; i++) sum += x[(n * channels + channel) * spatial + i];
  double mean = sum / count;
  for (int64_t n = 0; n < batch; n++)
    for (int64_t i = 0; i < spatial; i++) {
      double deviation = x[(n * channels + channel) * spatial + i] - mean;
      squares += deviation * deviation;
    }
  *out_mean = mean, *out_variance = squares / count;
}

/* Replaces mean and variance by the batch's, and writes the running ones. */
static void batch_train(struct reference_call *call, const double *x, struct batch *b, int64_t batch, int64_t channels,
                        int64_t spatial) {
  double momentum = (double)attr_float(call->attrs, "momentum", 0.9f);
  for (int64_t c = 0; c < channels; c++) {
    double mean, variance;
    batch_statistics(x, batch, channels, spatial, c, &mean, &variance);
    double running_mean = b->mean[c] * momentum + mean * (1 - momentum);
    double running_variance = b->variance[c] * momentum + variance * (1 - momentum);
    if (nn_out(call, 1)) nn_store_range(call->outputs[1], c, 1, &running_mean);
    if (nn_out(call, 2)) nn_store_range(call->outputs[2], c, 1, &running_variance);
    b->mean[c] = mean, b->variance[c] = variance;
  }
}

static enum farm_status batch_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL, epsilon = (double)attr_float(call->attrs, "epsilon", 1e-5f);
  struct batch b = {0};
  double **parameters[] = {&b.scale, &b.bias, &b.mean, &b.variance};
  bool training = attr_int(call->attrs, "training_mode", 0) != 0;
  for (int i = 1; i < call->output_count; i++)
    FAIL_IF(!training && call->outputs[i], FARM_UNSUPPORTED, "output %d exists in training only", i);
  TRY(nn_load(scratch, x, &values));
  for (int i = 0; i < 4; i++) TRY(nn_load(scratch, call->inputs[i + 1], parameters[i]));
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  int64_t channels = x->dims[1], spatial = nn_product(x, 2, x->rank), elems = tensor_elems(x);
  if (training) batch_train(call, values, &b, x->dims[0], channels, spatial);
  for (int64_t c = 0; c < channels; c++) b.variance[c] = b.scale[c] / pmath_sqrt(b.variance[c] + epsilon);
  for (int64_t i = 0; i < elems; i++) {
    int64_t c = i / spatial % channels;
    values[i] = (values[i] - b.mean[c]) * b.variance[c] + b.bias[c];
  }
  if (nn_out(call, 0)) nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(batch_reference)

const struct operator_row operators_batch_norm[] = {
    {"", "BatchNormalization", 7, 5, 5, 1, 5, 0, 0, batch_shape, batch_reference},
    {"", "BatchNormalization", 9, 5, 5, 1, 5, 0, 0, batch_shape, batch_reference},
    {"", "BatchNormalization", 14, 5, 5, 1, 3, 0, 0, batch_shape, batch_reference},
    {"", "BatchNormalization", 15, 5, 5, 1, 3, 0, 0, batch_shape, batch_reference},
};
OPERATOR_ROWS(batch_norm);
