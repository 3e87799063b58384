/* MatMul and the fused product of com.microsoft. */
#include "product.h"
#include "tables.h"

/* ---- MatMul ---- */
static void tensor_write(void *context, int64_t first, int count, const double *sums) {
  nn_store_range(context, first, count, sums);
}
static void tensor_write_integer(void *context, int64_t at, uint64_t sum) {
  struct tensor *y = context;
  if (dtype_bits(y->dtype) == 64)
    ((uint64_t *)y->data)[at] = sum;
  else
    ((uint32_t *)y->data)[at] = (uint32_t)sum;
}

static const uint32_t PRODUCT_TYPES = NN_FLOATS | NN_INDICES | NN_TYPE(U32) | NN_TYPE(U64);

static enum farm_status matmul_shape(struct shape_call *call) {
  TRY(nn_check_type(call, 0, PRODUCT_TYPES));
  TRY(nn_check_same_type(call, 0, 1));
  return product_shape(call, 0, 1, false, false, nn_dtype(call, 0));
}

static enum farm_status matmul_reference(struct reference_call *call) {
  struct product product;
  TRY(product_read(call->inputs[0], call->inputs[1], false, false, &product));
  TRY(reference_output(call, 0));
  product.integer = !dtype_is_float(call->inputs[0]->dtype);
  product.context = call->outputs[0], product.write = tensor_write, product.write_integer = tensor_write_integer;
  return product_run(&product);
}

/* ---- com.microsoft.FusedMatMul: alpha * op(A) x op(B) ---- */
static enum farm_status fused_flags(const struct attrs *attrs, bool *out_a, bool *out_b) {
  bool batch = attr_int(attrs, "transBatchA", 0) || attr_int(attrs, "transBatchB", 0);
  FAIL_IF(batch, FARM_UNSUPPORTED, "transBatchA and transBatchB are not supported");
  *out_a = attr_int(attrs, "transA", 0) != 0, *out_b = attr_int(attrs, "transB", 0) != 0;
  return FARM_OK;
}

static enum farm_status fused_matmul_shape(struct shape_call *call) {
  bool transpose_a, transpose_b;
  TRY(fused_flags(call->attrs, &transpose_a, &transpose_b));
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_same_type(call, 0, 1));
  return product_shape(call, 0, 1, transpose_a, transpose_b, nn_dtype(call, 0));
}

struct scaled_end {
  struct tensor *y;
  double alpha;
};

static void scaled_write(void *context, int64_t first, int count, const double *sums) {
  const struct scaled_end *end = context;
  double values[64];
  for (int i = 0; i < count; i++) values[i] = end->alpha * sums[i];
  nn_store_range(end->y, first, count, values);
}

static enum farm_status fused_matmul_reference(struct reference_call *call) {
  struct product product;
  bool transpose_a, transpose_b;
  TRY(fused_flags(call->attrs, &transpose_a, &transpose_b));
  TRY(product_read(call->inputs[0], call->inputs[1], transpose_a, transpose_b, &product));
  TRY(reference_output(call, 0));
  struct scaled_end end = {call->outputs[0], (double)attr_float(call->attrs, "alpha", 1)};
  product.context = &end, product.write = scaled_write;
  return product_run(&product);
}

const struct operator_row operators_matmul[] = {
    {"", "MatMul", 1, 2, 2, 1, 1, 0, 0, matmul_shape, matmul_reference},
    {"", "MatMul", 9, 2, 2, 1, 1, 0, 0, matmul_shape, matmul_reference},
    {"", "MatMul", 13, 2, 2, 1, 1, 0, 0, matmul_shape, matmul_reference},
    {"com.microsoft", "FusedMatMul", 1, 2, 2, 1, 1, 0, 0, fused_matmul_shape, fused_matmul_reference},
};
OPERATOR_ROWS(matmul);
