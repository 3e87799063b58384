/* Softmax and LogSoftmax. Before opset 13 the input is seen as a matrix, split at `axis`; from 13 on each line along `axis` is
 * a distribution of its own. Hardmax is with the comparisons.
 */
#include "../base/pmath.h"
#include "softmax.h"
#include "tables.h"

#include <math.h>

void softmax_line(double *x, int64_t count, int64_t step, bool log) {
  double most = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; i++) most = x[i * step] > most ? x[i * step] : most;
  if (most == -INFINITY) most = 0;
  for (int64_t i = 0; i < count; i++) {
    double e = pmath_exp(x[i * step] - most);
    if (!log) x[i * step] = e;
    sum += e;
  }
  double log_sum = log ? pmath_log(sum) + most : 0;
  for (int64_t i = 0; i < count; i++) x[i * step] = log ? x[i * step] - log_sum : x[i * step] / sum;
}

static bool flattens(const struct operator_row *row) { return row->since_version < 13; }

static enum farm_status softmax_axis(const struct operator_row *row, const struct attrs *attrs, int rank, int *out) {
  int64_t axis = attr_int(attrs, "axis", flattens(row) ? 1 : -1);
  *out = 0;
  if (rank == 0) return FARM_OK;
  if (flattens(row) && axis == rank) return *out = rank, FARM_OK;
  return shape_axis(axis, rank, out);
}

static enum farm_status softmax_shape(struct shape_call *call) {
  int axis;
  if (nn_rank(call, 0) >= 0) TRY(softmax_axis(call->row, call->attrs, nn_rank(call, 0), &axis));
  return nn_shape_float_map(call);
}

static enum farm_status softmax_run(struct reference_call *call, struct arena *scratch, bool log) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL;
  int axis;
  TRY(softmax_axis(call->row, call->attrs, x->rank, &axis));
  TRY(reference_output(call, 0));
  int64_t elems = tensor_elems(x);
  if (elems == 0) return FARM_OK;
  bool whole = x->rank == 0 || flattens(call->row);
  int64_t count = whole ? nn_product(x, axis, x->rank) : x->dims[axis], inner = whole ? 1 : nn_product(x, axis + 1, x->rank);
  TRY(nn_load(scratch, x, &values));
  for (int64_t outer = 0; outer < elems / (count * inner); outer++)
    for (int64_t i = 0; i < inner; i++) softmax_line(values + outer * count * inner + i, count, inner, log);
  nn_store(call->outputs[0], values);
  return FARM_OK;
}

static enum farm_status softmax_reference_body(struct reference_call *call, struct arena *scratch) {
  return softmax_run(call, scratch, false);
}
static enum farm_status log_softmax_reference_body(struct reference_call *call, struct arena *scratch) {
  return softmax_run(call, scratch, true);
}
NN_REFERENCE(softmax_reference)
NN_REFERENCE(log_softmax_reference)

const struct operator_row operators_softmax[] = {
    {"", "Softmax", 1, 1, 1, 1, 1, 0, 0, softmax_shape, softmax_reference},
    {"", "Softmax", 11, 1, 1, 1, 1, 0, 0, softmax_shape, softmax_reference},
    {"", "Softmax", 13, 1, 1, 1, 1, 0, 0, softmax_shape, softmax_reference},
    {"", "LogSoftmax", 1, 1, 1, 1, 1, 0, 0, softmax_shape, log_softmax_reference},
    {"", "LogSoftmax", 11, 1, 1, 1, 1, 0, 0, softmax_shape, log_softmax_reference},
    {"", "LogSoftmax", 13, 1, 1, 1, 1, 0, 0, softmax_shape, log_softmax_reference},
};
OPERATOR_ROWS(softmax);
