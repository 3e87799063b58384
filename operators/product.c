/* See product.h. A stack of products is one dense product per matrix; many matrices times a single one become one product. */
#include "product.h"

#include "dense.h"

#include <string.h>

/* Dims of one side as a stack of matrices; a vector gets the axis numpy would give it. */
struct side {
  int rank;
  int64_t dims[TENSOR_MAX_RANK]; // rank >= 2, as seen after the transpose
  bool vector, transposed;
};

static enum farm_status side_read(const struct tensor *tensor, bool transpose, bool left, struct side *out) {
  FAIL_IF(tensor->rank == 0, FARM_INVALID, "a matrix product of a scalar");
  *out = (struct side){.rank = tensor->rank, .vector = tensor->rank == 1, .transposed = transpose && tensor->rank > 1};
  if (out->vector) {
    out->rank = 2;
    out->dims[0] = left ? 1 : tensor->dims[0], out->dims[1] = left ? tensor->dims[0] : 1;
    return FARM_OK;
  }
  memcpy(out->dims, tensor->dims, sizeof out->dims);
  if (out->transposed) {
    int64_t rows = out->dims[out->rank - 2];
    out->dims[out->rank - 2] = out->dims[out->rank - 1], out->dims[out->rank - 1] = rows;
  }
  return FARM_OK;
}

/* Dim i of the result's batch axes on one side, 1 where that side lacks it. */
static int64_t side_batch(const struct side *side, int axes, int i) {
  int at = i - (axes - (side->rank - 2));
  return at < 0 ? 1 : side->dims[at];
}

/* 0 where a dim is unknown; also where it overflows: such a tensor has no elements. */
static int64_t stride_above(int64_t stride, int64_t dim) {
  int64_t above;
  return dim < 0 || __builtin_mul_overflow(stride, dim, &above) ? 0 : above;
}

static void batch_strides(const struct side *side, int axes, int64_t *out) {
  int64_t stride = 1;
  for (int i = side->rank - 1; i >= side->rank - 2; i--) stride = stride_above(stride, side->dims[i]);
  for (int i = axes - 1; i >= 0; i--) {
    int64_t dim = side_batch(side, axes, i);
    out[i] = dim == 1 ? 0 : stride;
    stride = stride_above(stride, dim);
  }
}

static void matrix_strides(const struct side *side, struct matrix *out) {
  int64_t rows = side->dims[side->rank - 2], columns = side->dims[side->rank - 1];
  out->row = side->transposed ? 1 : columns, out->column = side->transposed ? rows : 1;
}

static enum farm_status product_dims(const struct side *a, const struct side *b, struct product *out) {
  int axes = (a->rank > b->rank ? a->rank : b->rank) - 2, rank = axes;
  out->m = a->dims[a->rank - 2], out->n = b->dims[b->rank - 1];
  TRY(nn_dim_merge(a->dims[a->rank - 1], b->dims[b->rank - 2], &out->k));
  for (int i = 0; i < axes; i++) {
    int64_t x = side_batch(a, axes, i), y = side_batch(b, axes, i);
    if (x == 1 || y == 1)
      out->dims[i] = x == 1 ? y : x;
    else if (x < 0 && y < 0)
      out->dims[i] = x == y ? x : DIM_UNKNOWN;
    else
      TRY(nn_dim_merge(x, y, &out->dims[i]));
  }
  out->batch = tensor_dims_product(out->dims, axes);
  out->batch_axes = axes;
  if (!a->vector) out->dims[rank++] = out->m;
  if (!b->vector) out->dims[rank++] = out->n;
  out->rank = rank;
  return FARM_OK;
}

enum farm_status product_read(const struct tensor *a, const struct tensor *b, bool transpose_a, bool transpose_b,
                              struct product *out) {
  struct side left, right;
  *out = (struct product){.rank = -1, .a = {.tensor = a}, .b = {.tensor = b}};
  if (a->rank == 0 || b->rank == 0) return status_set(FARM_INVALID, "a matrix product of a scalar");
  if (a->rank < 0 || b->rank < 0) return FARM_OK;
  TRY(side_read(a, transpose_a, true, &left));
  TRY(side_read(b, transpose_b, false, &right));
  TRY(product_dims(&left, &right, out));
  int axes = (left.rank > right.rank ? left.rank : right.rank) - 2;
  batch_strides(&left, axes, out->a_batch_stride);
  batch_strides(&right, axes, out->b_batch_stride);
  matrix_strides(&left, &out->a);
  matrix_strides(&right, &out->b);
  return FARM_OK;
}

static double matrix_load(const struct matrix *matrix, int64_t i, int64_t j) {
  int64_t at = matrix->first + i * matrix->row + j * matrix->column;
  if (matrix->values) return matrix->values[at];
  if (matrix->tensor->dtype == DTYPE_F32) return (double)((const float *)matrix->tensor->data)[at];
  return dtype_load_f64(matrix->tensor->dtype, matrix->tensor->data, at);
}

static void product_row(void *context, int64_t row, double *out) {
  const struct product *p = context;
  for (int64_t i = 0; i < p->k; i++) out[i] = matrix_load(&p->a, row, i);
}

static void product_panel(void *context, int64_t column, int count, double *out) {
  const struct product *p = context;
  if (p->b.column == 1) {
    for (int64_t i = 0; i < p->k; i++, out += DENSE_COLUMNS)
      for (int j = 0; j < count; j++) out[j] = matrix_load(&p->b, i, column + j);
    return;
  }
  for (int j = 0; j < count; j++)
    for (int64_t i = 0; i < p->k; i++) out[i * DENSE_COLUMNS + j] = matrix_load(&p->b, i, column + j);
}

struct placed { // a product at one batch element
  struct product *product;
  int64_t first;
};

static void placed_row(void *context, int64_t row, double *out) { product_row(((struct placed *)context)->product, row, out); }
static void placed_panel(void *context, int64_t column, int count, double *out) {
  product_panel(((struct placed *)context)->product, column, count, out);
}
static void placed_write(void *context, int64_t row, int64_t column, int count, const double *sums) {
  const struct placed *placed = context;
  placed->product->write(placed->product->context, placed->first + row * placed->product->n + column, count, sums);
}

static uint64_t integer_load(const struct matrix *matrix, int64_t i, int64_t j) {
  return (uint64_t)dtype_load_i64(matrix->tensor->dtype, matrix->tensor->data,
                                  matrix->first + i * matrix->row + j * matrix->column);
}

static void product_integers(const struct product *p, int64_t first) {
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t j = 0; j < p->n; j++) {
      uint64_t sum = 0;
      for (int64_t k = 0; k < p->k; k++) sum += integer_load(&p->a, i, k) * integer_load(&p->b, k, j);
      p->write_integer(p->context, first + i * p->n + j, sum);
    }
}

static enum farm_status product_run_one(struct product *p, int64_t first) {
  struct placed placed = {p, first};
  struct arena working = {0};
  struct dense dense = {p->m, p->n, p->k, &placed, placed_row, placed_panel, placed_write};
  if (p->integer) return product_integers(p, first), FARM_OK;
  enum farm_status status = dense_multiply(&dense, &working);
  arena_free(&working);
  return status;
}

/* Many matrices times one: their rows are one long matrix, so that the panels of b are made once. */
static void product_flatten(struct product *p) {
  bool shared = p->a.column == 1;
  for (int i = 0; i < p->batch_axes; i++) {
    int64_t below = p->m * p->k;
    for (int j = i + 1; j < p->batch_axes; j++) below *= p->dims[j];
    if (p->dims[i] != 1 && (p->b_batch_stride[i] != 0 || p->a_batch_stride[i] != below)) shared = false;
  }
  if (!shared || p->batch <= 0) return;
  p->m *= p->batch, p->batch = 1, p->batch_axes = 0;
}

enum farm_status product_run(struct product *p) {
  if (p->batch <= 0 || p->m <= 0 || p->n <= 0) return FARM_OK;
  product_flatten(p);
  for (int64_t i = 0; i < p->batch; i++) {
    int64_t left = i;
    p->a.first = p->b.first = 0;
    for (int axis = p->batch_axes - 1; axis >= 0; left /= p->dims[axis], axis--) {
      p->a.first += left % p->dims[axis] * p->a_batch_stride[axis];
      p->b.first += left % p->dims[axis] * p->b_batch_stride[axis];
    }
    TRY(product_run_one(p, i * p->m * p->n));
  }
  return FARM_OK;
}

enum farm_status product_shape(struct shape_call *call, int a, int b, bool transpose_a, bool transpose_b, enum dtype dtype) {
  struct product product;
  FAIL_IF(!nn_given(call, a) || !nn_given(call, b), FARM_INVALID, "two operands are required");
  TRY(product_read(nn_type(call, a), nn_type(call, b), transpose_a, transpose_b, &product));
  nn_output(call, 0, dtype, product.rank, product.dims);
  return FARM_OK;
}
