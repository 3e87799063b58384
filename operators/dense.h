/* Sums of products: out[row][column] = sum over k of a[row][k] * b[k][column], the core of convolutions and matrix products.
 *
 *            column ─►  0 … 7 │ 8 … 15 │           a panel: 8 columns of b as double [k][8]
 *   b:  k ▼           panel 0 │ panel 1│ …
 *   a:  row pair ─►  [2][8] sums in registers, one pass over k, ascending
 *
 * The operands are read through callbacks as doubles, so that one loop serves every type and im2col needs no big buffer. Each
 * sum is a chain of double additions in the order of k: the bits do not depend on blocking or vector width.
 */
#ifndef OPERATORS_DENSE_H
#define OPERATORS_DENSE_H

#include "nn-util.h"

enum { DENSE_COLUMNS = 8 };

struct dense {
  int64_t m, n, k;
  void *context;
  void (*read_row)(void *context, int64_t row, double *out);                                // [k]
  void (*read_panel)(void *context, int64_t column, int count, double *out);                // [k][DENSE_COLUMNS], zeroed before
  void (*write)(void *context, int64_t row, int64_t column, int count, const double *sums); // count sums of one row
};

enum farm_status dense_multiply(const struct dense *dense, struct arena *scratch);

#endif
