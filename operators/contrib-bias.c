/* com.microsoft's sums with a bias, as exporters of diffusion models make them:
 *
 *   BiasAdd        X[n,s,c]  bias[c]  skip[n,s,c]  ->  Y[n,s,c] = X + bias + skip
 *   BiasSplitGelu  X[n,s,d]  bias[d]               ->  Y[n,s,d/2] = left * gelu(right), the halves of each row of X + bias
 */
#include "activation.h"
#include "nn-util.h"
#include "tables.h"

/* X has rank 3, the bias lies along its last axis. */
static enum farm_status check_biased(const struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 3, 3));
  TRY(nn_check_same_type(call, 0, 1));
  return nn_check_vector(call, 1, nn_dim(call, 0, 2));
}

/* X and skip are of one shape, so what one of them leaves open the other may tell. */
static enum farm_status add_shape(struct shape_call *call) {
  int64_t dims[3];
  TRY(check_biased(call));
  TRY(nn_check_rank(call, 2, 3, 3));
  TRY(nn_check_same_type(call, 0, 2));
  for (int i = 0; i < 3; i++) TRY(nn_dim_merge(nn_dim(call, 0, i), nn_dim(call, 2, i), &dims[i]));
  nn_output(call, 0, nn_dtype(call, 0), 3, dims);
  return FARM_OK;
}

static enum farm_status add_reference_body(struct reference_call *call, struct arena *scratch) {
  double *values = NULL, *bias = NULL, *skip = NULL;
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, call->inputs[0], &values));
  TRY(nn_load(scratch, call->inputs[1], &bias));
  TRY(nn_load(scratch, call->inputs[2], &skip));
  const int64_t elems = tensor_elems(call->inputs[0]), width = call->inputs[0]->dims[2];
  for (int64_t i = 0; i < elems; i++) values[i] += bias[i % width] + skip[i];
  nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(add_reference)

static enum farm_status split_shape(struct shape_call *call) {
  TRY(check_biased(call));
  const int64_t width = nn_dim(call, 0, 2);
  FAIL_IF(width > 0 && width % 2, FARM_INVALID, "the last axis has %lld elements and is to be split in halves", (long long)width);
  nn_output(call, 0, nn_dtype(call, 0), 3,
            (int64_t[]){nn_dim(call, 0, 0), nn_dim(call, 0, 1), width < 0 ? DIM_UNKNOWN : width / 2});
  return FARM_OK;
}

static enum farm_status split_reference_body(struct reference_call *call, struct arena *scratch) {
  double *values = NULL, *bias = NULL, *results = NULL;
  const int64_t elems = tensor_elems(call->outputs[0]), half = call->outputs[0]->dims[2];
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, call->inputs[0], &values));
  TRY(nn_load(scratch, call->inputs[1], &bias));
  TRY(nn_alloc(scratch, elems, sizeof *results, &results));
  for (int64_t i = 0; i < elems; i++) {
    const int64_t left = i / half * 2 * half + i % half;
    results[i] = (values[left] + bias[i % half]) * activation_gelu(values[left + half] + bias[half + i % half]);
  }
  nn_store(call->outputs[0], results);
  return FARM_OK;
}
NN_REFERENCE(split_reference)

const struct operator_row operators_contrib_bias[] = {
    {"com.microsoft", "BiasAdd", 1, 3, 3, 1, 1, OPERATOR_ELEMENTWISE, 0, add_shape, add_reference},
    {"com.microsoft", "BiasSplitGelu", 1, 2, 2, 1, 1, 0, 0, split_shape, split_reference},
};
OPERATOR_ROWS(contrib_bias);
