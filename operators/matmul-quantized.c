/* Products of quantised matrices: MatMulInteger, QLinearMatMul; com.microsoft MatMulIntegerToFloat and DynamicQuantizeMatMul.
 *
 * Operands are loaded as doubles less their zero points (and scaled, when the result is not an integer).
 */
#include "product.h"
#include "tables.h"

/* A zero point or scale of a [.., rows, columns] operand: one element; or one per row of the left, per column of the right side,
 * as [n] or [.., n, 1] / [.., 1, n]. The element that belongs to matrix element i: */
static int64_t parameter_at(const struct tensor *parameter, const struct tensor *operand, bool left, int64_t i) {
  int64_t count = tensor_elems(parameter), columns = operand->dims[operand->rank - 1];
  if (count <= 1) return 0;
  int64_t rows = operand->rank > 1 ? operand->dims[operand->rank - 2] : 1;
  int64_t within = left ? i / columns % rows : i % columns, per_matrix = left ? rows : columns;
  return count == per_matrix ? within : i / (rows * columns) * per_matrix + within;
}

static enum farm_status check_parameter(const struct shape_call *call, int parameter, int operand, bool left) {
  const struct tensor *p = nn_type(call, parameter), *x = nn_type(call, operand);
  if (!p || !x || p->rank < 0 || x->rank < 1) return FARM_OK;
  int64_t count = tensor_elems(p), elems = tensor_elems(x);
  if (count < 0 || count == 1 || elems < 0) return FARM_OK;
  int64_t columns = x->dims[x->rank - 1], rows = x->rank > 1 ? x->dims[x->rank - 2] : 1, each = left ? rows : columns;
  int64_t matrices = x->rank > 2 ? tensor_dims_product(x->dims, x->rank - 2) : 1;
  FAIL_IF(count != each && (p->rank < 2 || count != matrices * each), FARM_INVALID, "input %d has %lld elements for input %d",
          parameter, (long long)count, operand);
  return FARM_OK;
}

struct quantised { // an operand: indices of its inputs
  int values, scale, zero_point;
};

/* (x - zero_point) * scale as doubles; scale -1: none. */
static enum farm_status load_operand(const struct reference_call *call, struct arena *scratch, const struct quantised *q,
                                     bool left, bool scaled, const double **out) {
  const struct tensor *x = nn_in(call, q->values), *zero = q->zero_point < 0 ? NULL : nn_in(call, q->zero_point);
  const struct tensor *scale = scaled ? nn_in(call, q->scale) : NULL;
  double *values = NULL;
  TRY(nn_load(scratch, x, &values));
  int64_t elems = tensor_elems(x);
  for (int64_t i = 0; zero && i < elems; i++)
    values[i] -= dtype_load_f64(zero->dtype, zero->data, parameter_at(zero, x, left, i));
  for (int64_t i = 0; scale && i < elems; i++)
    values[i] *= dtype_load_f64(scale->dtype, scale->data, parameter_at(scale, x, left, i));
  *out = values;
  return FARM_OK;
}

static enum farm_status quantised_product(const struct reference_call *call, struct arena *scratch, const struct quantised *a,
                                          const struct quantised *b, bool scaled, struct product *out) {
  TRY(product_read(nn_in(call, a->values), nn_in(call, b->values), false, false, out));
  TRY(load_operand(call, scratch, a, true, scaled, &out->a.values));
  return load_operand(call, scratch, b, false, scaled, &out->b.values);
}

static void wrapped_write(void *context, int64_t first, int count, const double *sums) {
  int32_t *y = context;
  for (int i = 0; i < count; i++) y[first + i] = (int32_t)(uint32_t)(int64_t)sums[i];
}

static enum farm_status matmul_integer_shape(struct shape_call *call) {
  for (int i = 0; i < 4; i++) TRY(nn_check_type(call, i, NN_BYTES));
  TRY(nn_check_same_type(call, 0, 2));
  TRY(nn_check_same_type(call, 1, 3));
  TRY(check_parameter(call, 2, 0, true));
  TRY(check_parameter(call, 3, 1, false));
  return product_shape(call, 0, 1, false, false, DTYPE_I32);
}

static enum farm_status matmul_integer_reference_body(struct reference_call *call, struct arena *scratch) {
  struct product product;
  TRY(quantised_product(call, scratch, &(struct quantised){0, -1, 2}, &(struct quantised){1, -1, 3}, false, &product));
  TRY(reference_output(call, 0));
  product.context = call->outputs[0]->data, product.write = wrapped_write;
  return product_run(&product);
}
NN_REFERENCE(matmul_integer_reference)

static enum farm_status qlinear_matmul_shape(struct shape_call *call) {
  static const int values[] = {0, 2, 3, 5, 7}, scales[] = {1, 4, 6};
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, values[i], NN_BYTES | NN_FLOAT8S));
  for (int i = 0; i < 3; i++) TRY(nn_check_type(call, scales[i], NN_FLOATS));
  for (int i = 1; i <= 2; i++) TRY(check_parameter(call, i, 0, true));
  for (int i = 4; i <= 5; i++) TRY(check_parameter(call, i, 3, false));
  for (int i = 6; i <= 7; i++) TRY(nn_check_single(call, i));
  return product_shape(call, 0, 3, false, false, nn_dtype(call, 7));
}

struct quantise_end {
  struct tensor *y;
  float scale;
  double zero_point;
};

static void quantise_write(void *context, int64_t first, int count, const double *sums) {
  const struct quantise_end *end = context;
  bool integer = dtype_is_integer(end->y->dtype);
  for (int i = 0; i < count; i++) {
    double value = integer ? nn_quantize_value((float)sums[i], end->scale, end->zero_point, end->y->dtype)
                           : sums[i] / (double)end->scale + end->zero_point;
    dtype_store_f64(end->y->dtype, end->y->data, first + i, value);
  }
}

static enum farm_status qlinear_matmul_reference_body(struct reference_call *call, struct arena *scratch) {
  struct product product;
  TRY(quantised_product(call, scratch, &(struct quantised){0, 1, 2}, &(struct quantised){3, 4, 5}, true, &product));
  TRY(reference_output(call, 0));
  struct quantise_end end = {call->outputs[0], (float)nn_scalar(call->inputs[6], 1), nn_scalar(call->inputs[7], 0)};
  product.context = &end, product.write = quantise_write;
  return product_run(&product);
}
NN_REFERENCE(qlinear_matmul_reference)

struct bias_end {
  struct tensor *y;
  const double *bias; // [n] or NULL
  int64_t n;
};

static void bias_write(void *context, int64_t first, int count, const double *sums) {
  const struct bias_end *end = context;
  double values[64];
  for (int i = 0; i < count; i++) values[i] = sums[i] + (end->bias ? end->bias[(first + i) % end->n] : 0);
  nn_store_range(end->y, first, count, values);
}

static enum farm_status product_with_bias(struct reference_call *call, struct arena *scratch, struct product *product, int bias) {
  struct bias_end end = {call->outputs[0], NULL, product->n};
  double *values = NULL;
  TRY(nn_load(scratch, nn_in(call, bias), &values));
  end.bias = values;
  product->context = &end, product->write = bias_write;
  return product_run(product);
}

/* A, B, a_scale, b_scale, a_zero_point?, b_zero_point?, bias? */
static enum farm_status integer_to_float_shape(struct shape_call *call) {
  static const uint32_t types[] = {NN_BYTES, NN_BYTES, NN_FLOATS, NN_FLOATS, NN_BYTES, NN_BYTES, NN_FLOATS};
  for (int i = 0; i < 7; i++) TRY(nn_check_type(call, i, types[i]));
  for (int i = 2; i <= 4; i += 2) TRY(check_parameter(call, i, 0, true));
  for (int i = 3; i <= 5; i += 2) TRY(check_parameter(call, i, 1, false));
  if (nn_rank(call, 1) > 0) TRY(nn_check_vector(call, 6, nn_dim(call, 1, nn_rank(call, 1) - 1)));
  return product_shape(call, 0, 1, false, false, nn_dtype(call, 2));
}

static enum farm_status integer_to_float_reference_body(struct reference_call *call, struct arena *scratch) {
  struct product product;
  TRY(quantised_product(call, scratch, &(struct quantised){0, 2, 4}, &(struct quantised){1, 3, 5}, true, &product));
  TRY(reference_output(call, 0));
  return product_with_bias(call, scratch, &product, 6);
}
NN_REFERENCE(integer_to_float_reference)

/* A (float), B, b_scale, b_zero_point?, bias?: A is quantised to u8 on the way, as DynamicQuantizeLinear does. */
static enum farm_status dynamic_matmul_shape(struct shape_call *call) {
  static const uint32_t types[] = {NN_TYPE(F32), NN_BYTES, NN_TYPE(F32), NN_BYTES, NN_TYPE(F32)};
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, i, types[i]));
  for (int i = 2; i <= 3; i++) TRY(check_parameter(call, i, 1, false));
  if (nn_rank(call, 1) > 0) TRY(nn_check_vector(call, 4, nn_dim(call, 1, nn_rank(call, 1) - 1)));
  return product_shape(call, 0, 1, false, false, DTYPE_F32);
}

static enum farm_status dynamic_matmul_reference_body(struct reference_call *call, struct arena *scratch) {
  struct product product;
  double *a = NULL;
  int64_t elems = tensor_elems(call->inputs[0]);
  float scale, zero_point;
  TRY(product_read(call->inputs[0], call->inputs[1], false, false, &product));
  TRY(load_operand(call, scratch, &(struct quantised){1, 2, 3}, false, true, &product.b.values));
  TRY(nn_load(scratch, call->inputs[0], &a));
  nn_dynamic_range(a, elems, &scale, &zero_point);
  for (int64_t i = 0; i < elems; i++)
    a[i] = (nn_quantize_value((float)a[i], scale, (double)zero_point, DTYPE_U8) - (double)zero_point) * (double)scale;
  product.a.values = a;
  TRY(reference_output(call, 0));
  return product_with_bias(call, scratch, &product, 4);
}
NN_REFERENCE(dynamic_matmul_reference)

const struct operator_row operators_matmul_quantized[] = {
    {"", "MatMulInteger", 10, 2, 4, 1, 1, 0, 0, matmul_integer_shape, matmul_integer_reference},
    {"", "QLinearMatMul", 10, 8, 8, 1, 1, 0, 0, qlinear_matmul_shape, qlinear_matmul_reference},
    {"", "QLinearMatMul", 21, 8, 8, 1, 1, 0, 0, qlinear_matmul_shape, qlinear_matmul_reference},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 4, 7, 1, 1, 0, 0, integer_to_float_shape, integer_to_float_reference},
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 3, 5, 1, 1, 0, 0, dynamic_matmul_shape, dynamic_matmul_reference},
};
OPERATOR_ROWS(matmul_quantized);
