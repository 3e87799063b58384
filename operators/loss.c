/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: scores [n][classes][d...], labels [n][d...], weights per class. */
#include "softmax.h"
#include "tables.h"

#include <string.h>

enum reduction { REDUCE_MEAN, REDUCE_SUM, REDUCE_NONE };

static enum farm_status reduction_read(const struct attrs *attrs, enum reduction *out) {
  static const char *const names[] = {"mean", "sum", "none"};
  const char *text = attr_string(attrs, "reduction", "mean");
  for (int i = 0; i < 3; i++)
    if (strcmp(names[i], text) == 0) return *out = (enum reduction)i, FARM_OK;
  return status_set(FARM_INVALID, "reduction is \"%s\"", text);
}

static enum farm_status loss_shape(struct shape_call *call) {
  enum reduction reduction = REDUCE_MEAN;
  int rank = nn_rank(call, 0);
  int64_t dims[TENSOR_MAX_RANK];
  TRY(reduction_read(call->attrs, &reduction));
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_type(call, 1, NN_INDICES));
  TRY(nn_check_same_type(call, 0, 2));
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  TRY(nn_check_vector(call, 2, nn_dim(call, 0, 1)));
  if (rank >= 0) TRY(nn_check_rank(call, 1, rank - 1, rank - 1));
  for (int i = 0; i < rank - 1; i++) {
    TRY(nn_check_dim(call, 1, i, nn_dim(call, 0, i ? i + 1 : 0)));
    TRY(nn_dim_merge(nn_dim(call, 0, i ? i + 1 : 0), nn_dim(call, 1, i), &dims[i]));
  }
  if (reduction != REDUCE_NONE)
    nn_output(call, 0, nn_dtype(call, 0), 0, NULL);
  else
    nn_output(call, 0, nn_dtype(call, 0), rank < 0 ? -1 : rank - 1, dims);
  if (call->output_count > 1) shape_same_as_input(call, 1, 0);
  return FARM_OK;
}

/* log_prob: [n][classes][spatial] */
static enum farm_status loss_reduce(struct reference_call *call, struct arena *scratch, const double *log_prob) {
  const struct tensor *x = call->inputs[0], *labels = call->inputs[1];
  enum reduction reduction = REDUCE_MEAN;
  int64_t classes = x->dims[1], count = tensor_elems(labels), spatial = nn_product(x, 2, x->rank);
  bool ignores = attr_has(call->attrs, "ignore_index");
  int64_t ignored = attr_int(call->attrs, "ignore_index", 0);
  double *weights = NULL, *losses = NULL, sum = 0, total = 0;
  TRY(reduction_read(call->attrs, &reduction));
  TRY(nn_load(scratch, nn_in(call, 2), &weights));
  TRY(nn_alloc(scratch, count, sizeof *losses, &losses));
  for (int64_t i = 0; i < count; i++) {
    int64_t label = dtype_load_i64(labels->dtype, labels->data, i);
    if (ignores && label == ignored) continue;
    FAIL_IF(label < 0 || label >= classes, FARM_INVALID, "label %lld of %lld classes", (long long)label, (long long)classes);
    double weight = weights ? weights[label] : 1;
    losses[i] = -weight * log_prob[(i / spatial * classes + label) * spatial + i % spatial];
    sum += losses[i], total += weight;
  }
  if (!nn_out(call, 0)) return FARM_OK;
  if (reduction == REDUCE_NONE)
    nn_store(call->outputs[0], losses);
  else
    nn_store(call->outputs[0], &(double){reduction == REDUCE_SUM ? sum : sum / total});
  return FARM_OK;
}

static enum farm_status loss_run(struct reference_call *call, struct arena *scratch, bool softmax) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL;
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(nn_load(scratch, x, &values));
  int64_t classes = x->dims[1], spatial = nn_product(x, 2, x->rank), elems = tensor_elems(x);
  for (int64_t i = 0; softmax && elems && i < elems / classes; i++)
    softmax_line(values + i / spatial * classes * spatial + i % spatial, classes, spatial, true);
  if (nn_out(call, 1)) nn_store(call->outputs[1], values);
  return loss_reduce(call, scratch, values);
}

static enum farm_status nll_reference_body(struct reference_call *call, struct arena *scratch) {
  return loss_run(call, scratch, false);
}
static enum farm_status cross_entropy_reference_body(struct reference_call *call, struct arena *scratch) {
  return loss_run(call, scratch, true);
}
NN_REFERENCE(nll_reference)
NN_REFERENCE(cross_entropy_reference)

const struct operator_row operators_loss[] = {
    {"", "NegativeLogLikelihoodLoss", 12, 2, 3, 1, 1, 0, 0, loss_shape, nll_reference},
    {"", "NegativeLogLikelihoodLoss", 13, 2, 3, 1, 1, 0, 0, loss_shape, nll_reference},
    {"", "NegativeLogLikelihoodLoss", 22, 2, 3, 1, 1, 0, 0, loss_shape, nll_reference},
    {"", "SoftmaxCrossEntropyLoss", 12, 2, 3, 1, 2, 0, 0, loss_shape, cross_entropy_reference},
    {"", "SoftmaxCrossEntropyLoss", 13, 2, 3, 1, 2, 0, 0, loss_shape, cross_entropy_reference},
};
OPERATOR_ROWS(loss);
