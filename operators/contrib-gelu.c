/* com.microsoft's GELU family: Gelu(X), BiasGelu(A, B), FastGelu(X, bias?) by tanh, QuickGelu(X) by sigmoid. */
#include "../base/pmath.h"
#include "activation.h"
#include "nn-util.h"
#include "tables.h"

typedef double (*gelu_fn)(double x, double alpha);

static double exact(double x, double alpha) {
  (void)alpha;
  return activation_gelu(x);
}

static double fast(double x, double alpha) {
  (void)alpha;
  return 0.5 * x * (1 + pmath_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static double quick(double x, double alpha) { return x * activation_sigmoid(alpha * x); }

static enum farm_status gelu_shape(struct shape_call *call) {
  int rank = nn_rank(call, 0);
  TRY(nn_check_same_type(call, 0, 1));
  if (rank >= 0 && nn_given(call, 1)) {
    FAIL_IF(rank == 0, FARM_INVALID, "a bias needs an axis to lie along");
    TRY(nn_check_vector(call, 1, nn_dim(call, 0, rank - 1)));
  }
  return nn_shape_float_map(call);
}

static enum farm_status gelu_run(struct reference_call *call, struct arena *scratch, gelu_fn gelu) {
  const struct tensor *x = call->inputs[0], *bias = nn_in(call, 1);
  double *values = NULL, *biases = NULL, alpha = (double)attr_float(call->attrs, "alpha", 1.702f);
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, bias, &biases));
  int64_t elems = tensor_elems(x);
  for (int64_t i = 0; i < elems; i++) values[i] = gelu(biases ? values[i] + biases[i % bias->dims[0]] : values[i], alpha);
  nn_store(call->outputs[0], values);
  return FARM_OK;
}

static enum farm_status exact_reference_body(struct reference_call *call, struct arena *scratch) {
  return gelu_run(call, scratch, exact);
}
static enum farm_status fast_reference_body(struct reference_call *call, struct arena *scratch) {
  return gelu_run(call, scratch, fast);
}
static enum farm_status quick_reference_body(struct reference_call *call, struct arena *scratch) {
  return gelu_run(call, scratch, quick);
}
NN_REFERENCE(exact_reference)
NN_REFERENCE(fast_reference)
NN_REFERENCE(quick_reference)

const struct operator_row operators_contrib_gelu[] = {
    {"com.microsoft", "Gelu", 1, 1, 1, 1, 1, OPERATOR_ELEMENTWISE, 0, gelu_shape, exact_reference},
    {"com.microsoft", "BiasGelu", 1, 2, 2, 1, 1, OPERATOR_ELEMENTWISE, 0, gelu_shape, exact_reference},
    {"com.microsoft", "FastGelu", 1, 1, 2, 1, 1, OPERATOR_ELEMENTWISE, 0, gelu_shape, fast_reference},
    {"com.microsoft", "QuickGelu", 1, 1, 1, 1, 1, OPERATOR_ELEMENTWISE, 0, gelu_shape, quick_reference},
};
OPERATOR_ROWS(contrib_gelu);
