/* Det: determinants of [batch][n][n] by elimination with row pivoting, in double. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <stdlib.h>

static enum farm_status det_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  TRY(shape_require_rank(call, 0, 2, TENSOR_MAX_RANK));
  if (in->rank < 0) return shape_set(call, 0, in->dtype, -1, NULL);
  int64_t rows = in->dims[in->rank - 2], columns = in->dims[in->rank - 1];
  FAIL_IF(rows >= 0 && columns >= 0 && rows != columns, FARM_INVALID, "a matrix of %lld x %lld has no determinant",
          (long long)rows, (long long)columns);
  return shape_set(call, 0, in->dtype, in->rank - 2, in->dims);
}

static double absolute(double x) { return x < 0 ? -x : x; }

static int64_t pivot_row(const double *m, int64_t n, int64_t column) {
  int64_t best = column;
  for (int64_t r = column + 1; r < n; r++)
    if (absolute(m[r * n + column]) > absolute(m[best * n + column])) best = r;
  return best;
}

/* m: [n][n], destroyed */
static double determinant(double *m, int64_t n) {
  double det = 1;
  for (int64_t c = 0; c < n; c++) {
    int64_t pivot = pivot_row(m, n, c);
    if (m[pivot * n + c] == 0) return 0;
    for (int64_t k = 0; pivot != c && k < n; k++) {
      double swap = m[c * n + k];
      m[c * n + k] = m[pivot * n + k];
      m[pivot * n + k] = swap;
    }
    if (pivot != c) det = -det;
    det *= m[c * n + c];
    for (int64_t r = c + 1; r < n; r++) {
      double factor = m[r * n + c] / m[c * n + c];
      for (int64_t k = c; k < n; k++) m[r * n + k] -= factor * m[c * n + k];
    }
  }
  return det;
}

static enum farm_status det_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  double *m;
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  int64_t n = in->dims[in->rank - 1], batch = tensor_elems(call->outputs[0]);
  TRY(elements_to_f64(in, &m));
  for (int64_t b = 0; b < batch; b++) dtype_store_f64(in->dtype, call->outputs[0]->data, b, determinant(m + b * n * n, n));
  free(m);
  return FARM_OK;
}

const struct operator_row operators_det[] = {
    {"", "Det", 11, 1, 1, 1, 1, 0, 0, det_shape, det_reference},
    {"", "Det", 22, 1, 1, 1, 1, 0, 0, det_shape, det_reference},
};
OPERATOR_ROWS(det);
