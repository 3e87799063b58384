/* com.microsoft's QGemm, what a quantiser makes of a classifier's Gemm:
 *
 *   alpha * a_scale * b_scale * ((op(A) - a_zero) x (op(B) - b_zero) + C), quantised where y_scale is given, f32 otherwise
 *
 * A, a_scale, a_zero, B, b_scale, b_zero, C?, y_scale?, y_zero?: C is i32 and broadcast; b_scale and b_zero may have one element
 * per column of the result.
 */
#include "product.h"
#include "tables.h"

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, C, Y_SCALE, Y_ZERO, INPUTS };

static bool transposed(const struct attrs *attrs, int side) { return attr_int(attrs, side == A ? "transA" : "transB", 0) != 0; }

/* Scale or zero point of B: one element, or one per column of y. */
static enum farm_status check_columns(const struct shape_call *call, int input) {
  const struct tensor *p = nn_type(call, input), *y = &call->outputs[0].type;
  if (!p || p->rank < 0 || y->rank != 2 || tensor_elems(p) == 1) return FARM_OK;
  return nn_check_vector(call, input, y->dims[1]);
}

static enum farm_status check_c(const struct shape_call *call) {
  const struct tensor *y = &call->outputs[0].type;
  int rank = nn_rank(call, C);
  TRY(nn_check_rank(call, C, 0, 2));
  for (int i = 0; i < rank; i++)
    if (y->rank == 2 && nn_dim(call, C, i) != 1) TRY(nn_check_dim(call, C, i, y->dims[i + 2 - rank]));
  return FARM_OK;
}

static enum farm_status qgemm_shape(struct shape_call *call) {
  static const uint32_t types[INPUTS] = {NN_BYTES, NN_TYPE(F32), NN_BYTES,     NN_BYTES, NN_TYPE(F32),
                                         NN_BYTES, NN_TYPE(I32), NN_TYPE(F32), NN_BYTES};
  static const int singles[] = {A_SCALE, A_ZERO, Y_SCALE, Y_ZERO};
  for (int i = 0; i < INPUTS; i++) TRY(nn_check_type(call, i, types[i]));
  for (int i = 0; i < 4; i++) TRY(nn_check_single(call, singles[i]));
  TRY(nn_check_rank(call, A, 2, 2));
  TRY(nn_check_rank(call, B, 2, 2));
  TRY(nn_check_same_type(call, A, A_ZERO));
  TRY(nn_check_same_type(call, B, B_ZERO));
  enum dtype quantised = nn_given(call, Y_ZERO) ? nn_dtype(call, Y_ZERO) : nn_dtype(call, A);
  TRY(product_shape(call, A, B, transposed(call->attrs, A), transposed(call->attrs, B),
                    nn_given(call, Y_SCALE) ? quantised : DTYPE_F32));
  TRY(check_columns(call, B_SCALE));
  TRY(check_columns(call, B_ZERO));
  return check_c(call);
}

struct end {
  struct tensor *y;
  int64_t n, c_row, c_column;   // strides of C in the shape of y
  const double *c, *scale;      // C or NULL; scales of B
  int64_t scale_step;           // 0: one for all columns
  double factor;                // alpha * a_scale
  const struct tensor *y_scale; // NULL: y is f32
  double y_zero;
};

static void qgemm_write(void *context, int64_t first, int count, const double *sums) {
  const struct end *end = context;
  double values[64];
  for (int i = 0; i < count; i++) {
    int64_t row = (first + i) / end->n, column = (first + i) % end->n;
    double sum = sums[i] + (end->c ? end->c[row * end->c_row + column * end->c_column] : 0);
    values[i] = sum * (end->factor * end->scale[column * end->scale_step]);
    if (end->y_scale)
      values[i] = nn_quantize_value((float)values[i], (float)nn_scalar(end->y_scale, 1), end->y_zero, end->y->dtype);
  }
  nn_store_range(end->y, first, count, values);
}

/* An operand less its zero points; those of B stand one per column of op(B). */
static enum farm_status load_less_zero(const struct reference_call *call, struct arena *scratch, int input, bool rows,
                                       const double **out) {
  const struct tensor *x = call->inputs[input];
  double *values = NULL, *zero = NULL;
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, nn_in(call, input + 2), &zero));
  int64_t elems = tensor_elems(x), columns = x->dims[1], zeros = zero ? tensor_elems(nn_in(call, input + 2)) : 0;
  for (int64_t i = 0; zeros && i < elems; i++) values[i] -= zero[zeros == 1 ? 0 : rows ? i / columns : i % columns];
  *out = values;
  return FARM_OK;
}

static enum farm_status qgemm_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *c = nn_in(call, C);
  bool transpose_a = transposed(call->attrs, A), transpose_b = transposed(call->attrs, B);
  struct product product;
  double *c_values = NULL, *scales = NULL;
  TRY(product_read(call->inputs[A], call->inputs[B], transpose_a, transpose_b, &product));
  TRY(load_less_zero(call, scratch, A, transpose_a, &product.a.values));
  TRY(load_less_zero(call, scratch, B, transpose_b, &product.b.values));
  TRY(nn_load(scratch, c, &c_values));
  TRY(nn_load(scratch, call->inputs[B_SCALE], &scales));
  TRY(reference_output(call, 0));
  struct end end = {.y = call->outputs[0], .n = product.n, .c = c_values, .scale = scales, .y_scale = nn_in(call, Y_SCALE)};
  end.scale_step = tensor_elems(call->inputs[B_SCALE]) > 1, end.y_zero = nn_scalar(nn_in(call, Y_ZERO), 0);
  end.factor = (double)attr_float(call->attrs, "alpha", 1) * nn_scalar(call->inputs[A_SCALE], 1);
  if (c && c->rank > 0 && c->dims[c->rank - 1] != 1) end.c_column = 1;
  if (c && c->rank > 1 && c->dims[0] != 1) end.c_row = c->dims[1];
  product.context = &end, product.write = qgemm_write;
  return product_run(&product);
}
NN_REFERENCE(qgemm_reference)

const struct operator_row operators_contrib_qgemm[] = {
    {"com.microsoft", "QGemm", 1, 6, 9, 1, 1, 0, 0, qgemm_shape, qgemm_reference},
};
OPERATOR_ROWS(contrib_qgemm);
