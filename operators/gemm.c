/* Gemm, alpha * op(A) x op(B) + beta * C, and com.microsoft's FusedGemm with an activation on top. */
#include "activation.h"
#include "product.h"
#include "tables.h"

struct gemm_end {
  struct tensor *y;
  const double *c;            // NULL: none
  int64_t n, c_row, c_column; // strides of C in the shape of y
  double alpha, beta;
  struct activation activation;
  const struct tensor *c_tensor;
};

static void gemm_write(void *context, int64_t first, int count, const double *sums) {
  const struct gemm_end *end = context;
  double values[64];
  for (int i = 0; i < count; i++) {
    int64_t row = (first + i) / end->n, column = (first + i) % end->n;
    values[i] = end->alpha * sums[i];
    if (end->c) values[i] += end->beta * end->c[row * end->c_row + column * end->c_column];
    if (end->activation.apply) values[i] = end->activation.apply(values[i], end->activation.alpha, end->activation.beta);
  }
  nn_store_range(end->y, first, count, values);
}

/* Integer types: alpha and beta are taken as integers when they are whole, as they should be. */
static void gemm_write_integer(void *context, int64_t at, uint64_t sum) {
  const struct gemm_end *end = context;
  int64_t row = at / end->n, column = at % end->n;
  uint64_t value = sum * (uint64_t)(int64_t)end->alpha;
  if (end->c_tensor)
    value += (uint64_t)(int64_t)end->beta *
             (uint64_t)dtype_load_i64(end->c_tensor->dtype, end->c_tensor->data, row * end->c_row + column * end->c_column);
  if (dtype_bits(end->y->dtype) == 64)
    ((uint64_t *)end->y->data)[at] = value;
  else
    ((uint32_t *)end->y->data)[at] = (uint32_t)value;
}

static bool gemm_transposed(const struct attrs *attrs, char side) {
  return attr_int(attrs, side == 'A' ? "transA" : "transB", 0) != 0;
}

static enum farm_status gemm_check_c(const struct shape_call *call) {
  const struct tensor *y = &call->outputs[0].type;
  int rank = nn_rank(call, 2);
  TRY(nn_check_rank(call, 2, 0, 2));
  for (int i = 0; i < rank; i++) {
    int64_t dim = nn_dim(call, 2, i);
    if (y->rank == 2 && dim != 1) TRY(nn_check_dim(call, 2, i, y->dims[i + 2 - rank]));
  }
  return FARM_OK;
}

static enum farm_status gemm_shape(struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_FLOATS | NN_INDICES | NN_TYPE(U32) | NN_TYPE(U64)));
  TRY(nn_check_same_type(call, 0, 1));
  TRY(nn_check_same_type(call, 0, 2));
  for (int i = 0; i < 2; i++) TRY(nn_check_rank(call, i, 2, 2));
  double alpha = (double)attr_float(call->attrs, "alpha", 1), beta = (double)attr_float(call->attrs, "beta", 1);
  bool whole = alpha > -1e15 && alpha < 1e15 && beta > -1e15 && beta < 1e15;
  FAIL_IF(nn_dtype(call, 0) != DTYPE_NONE && !dtype_is_float(nn_dtype(call, 0)) && !whole, FARM_INVALID,
          "alpha or beta is no integer");
  if (call->output_count < 1) return FARM_OK;
  TRY(product_shape(call, 0, 1, gemm_transposed(call->attrs, 'A'), gemm_transposed(call->attrs, 'B'), nn_dtype(call, 0)));
  return gemm_check_c(call);
}

static enum farm_status gemm_run(struct reference_call *call, struct arena *scratch, struct gemm_end *end) {
  const struct tensor *c = nn_in(call, 2);
  struct product product;
  double *c_values = NULL;
  TRY(product_read(call->inputs[0], call->inputs[1], gemm_transposed(call->attrs, 'A'), gemm_transposed(call->attrs, 'B'),
                   &product));
  TRY(reference_output(call, 0));
  product.integer = !dtype_is_float(call->inputs[0]->dtype);
  if (!product.integer) TRY(nn_load(scratch, c, &c_values));
  end->y = call->outputs[0], end->c = c_values, end->c_tensor = c, end->n = product.n;
  end->alpha = (double)attr_float(call->attrs, "alpha", 1), end->beta = (double)attr_float(call->attrs, "beta", 1);
  if (c && c->rank > 0 && c->dims[c->rank - 1] != 1) end->c_column = 1;
  if (c && c->rank > 1 && c->dims[0] != 1) end->c_row = c->dims[1];
  product.context = end, product.write = gemm_write, product.write_integer = gemm_write_integer;
  return product_run(&product);
}

static enum farm_status gemm_reference_body(struct reference_call *call, struct arena *scratch) {
  return gemm_run(call, scratch, &(struct gemm_end){0});
}
NN_REFERENCE(gemm_reference)

static enum farm_status fused_gemm_activation(const struct attrs *attrs, struct activation *out) {
  TRY(activation_find(attr_string(attrs, "activation", ""), out));
  out->alpha = (double)attr_float(attrs, "activation_alpha", (float)out->alpha);
  out->beta = (double)attr_float(attrs, "activation_beta", (float)out->beta);
  return FARM_OK;
}

static enum farm_status fused_gemm_shape(struct shape_call *call) {
  struct activation activation;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(fused_gemm_activation(call->attrs, &activation));
  return gemm_shape(call);
}

static enum farm_status fused_gemm_reference_body(struct reference_call *call, struct arena *scratch) {
  struct gemm_end end = {0};
  TRY(fused_gemm_activation(call->attrs, &end.activation));
  return gemm_run(call, scratch, &end);
}
NN_REFERENCE(fused_gemm_reference)

const struct operator_row operators_gemm[] = {
    {"", "Gemm", 7, 3, 3, 1, 1, 0, 0, gemm_shape, gemm_reference},
    {"", "Gemm", 9, 3, 3, 1, 1, 0, 0, gemm_shape, gemm_reference},
    {"", "Gemm", 11, 2, 3, 1, 1, 0, 0, gemm_shape, gemm_reference},
    {"", "Gemm", 13, 2, 3, 1, 1, 0, 0, gemm_shape, gemm_reference},
    {"com.microsoft", "FusedGemm", 1, 2, 3, 1, 1, 0, 0, fused_gemm_shape, fused_gemm_reference},
};
OPERATOR_ROWS(gemm);
