/* Matrix products by numpy's rules: dims of the result, and the sums batch by batch. MatMul, Gemm, their quantised and fused
 * relatives put their ends around it.
 */
#ifndef OPERATORS_PRODUCT_H
#define OPERATORS_PRODUCT_H

#include "nn-util.h"

/* One side of a product: element (i, j) of the matrix stands at first + i * row + j * column. */
struct matrix {
  const struct tensor *tensor; // read when `values` is NULL
  const double *values;        // the tensor's elements, already loaded (less zero points, scaled, …)
  int64_t first, row, column;
};

struct product {
  int64_t batch, m, n, k; // unknown dims are negative in shape inference; batch: of the result
  int rank, batch_axes;   // of the result; -1 unknown
  int64_t dims[TENSOR_MAX_RANK];
  struct matrix a, b; // a: [m][k], b: [k][n]; first is set per batch element
  int64_t a_batch_stride[TENSOR_MAX_RANK], b_batch_stride[TENSOR_MAX_RANK]; // per dim of the result, 0 where broadcast
  bool integer;                                                             // sums wrap modulo 2^64 instead of being doubles
  void *context;
  /* `count` sums of one row of the result, from element `first` of it; or one sum of integers. */
  void (*write)(void *context, int64_t first, int count, const double *sums);
  void (*write_integer)(void *context, int64_t at, uint64_t sum);
};

/* Dims and strides of a x b with optional transposes of the last two axes; 1-D operands as in numpy. */
enum farm_status product_read(const struct tensor *a, const struct tensor *b, bool transpose_a, bool transpose_b,
                              struct product *out);
/* The shape function around it: output 0. */
enum farm_status product_shape(struct shape_call *call, int a, int b, bool transpose_a, bool transpose_b, enum dtype dtype);
enum farm_status product_run(struct product *product);

#endif
