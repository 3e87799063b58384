/* See dense.h. Rows come in pairs; both rows of a pair and eight columns stay in sixteen double registers. Row operands are
 * converted once when all of them fit in ROWS_KEPT doubles, else again for every block of columns.
 */
#include "dense.h"

#include <string.h>

typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));

enum { ROWS_KEPT = 8 << 20, BLOCK_ELEMS = 128 << 10, PANELS_MOST = 16 };

struct dense_block {
  const struct dense *dense;
  double *rows;   // [m or 2][k]
  double *panels; // [panel][k][8]
  int64_t column; // of the first panel
  int64_t columns;
  bool rows_kept;
};

#define STEP(j)                                                                                                                  \
  {                                                                                                                              \
    pair column = *(const pair *)(panel + 2 * j);                                                                                \
    upper##j += column * a;                                                                                                      \
    lower##j += column * b;                                                                                                      \
  }

/* sums[2][8] of two rows (they may be the same) and one panel. */
static void dense_tile(int64_t k, const double *row0, const double *row1, const double *panel, double *sums) {
  pair upper0 = {0}, upper1 = {0}, upper2 = {0}, upper3 = {0}, lower0 = {0}, lower1 = {0}, lower2 = {0}, lower3 = {0};
  for (int64_t i = 0; i < k; i++, panel += DENSE_COLUMNS) {
    pair a = {row0[i], row0[i]}, b = {row1[i], row1[i]};
    STEP(0) STEP(1) STEP(2) STEP(3)
  }
  const pair all[8] = {upper0, upper1, upper2, upper3, lower0, lower1, lower2, lower3};
  memcpy(sums, all, sizeof all);
}

static const double *dense_row(const struct dense_block *block, int64_t row, int slot) {
  double *at = block->rows + (block->rows_kept ? row : slot) * block->dense->k;
  if (!block->rows_kept) block->dense->read_row(block->dense->context, row, at);
  return at;
}

static void dense_block_run(const struct dense_block *block) {
  const struct dense *d = block->dense;
  for (int64_t row = 0; row < d->m; row += 2) {
    bool both = row + 1 < d->m;
    const double *row0 = dense_row(block, row, 0), *row1 = both ? dense_row(block, row + 1, 1) : row0;
    for (int64_t at = 0; at < block->columns; at += DENSE_COLUMNS) {
      double sums[2 * DENSE_COLUMNS];
      int count = block->columns - at < DENSE_COLUMNS ? (int)(block->columns - at) : DENSE_COLUMNS;
      dense_tile(d->k, row0, row1, block->panels + at * d->k, sums);
      d->write(d->context, row, block->column + at, count, sums);
      if (both) d->write(d->context, row + 1, block->column + at, count, sums + DENSE_COLUMNS);
    }
  }
}

static void dense_panels_fill(struct dense_block *block) {
  const struct dense *d = block->dense;
  for (int64_t at = 0; at < block->columns; at += DENSE_COLUMNS) {
    double *panel = block->panels + at * d->k;
    int count = block->columns - at < DENSE_COLUMNS ? (int)(block->columns - at) : DENSE_COLUMNS;
    if (count < DENSE_COLUMNS) memset(panel, 0, (size_t)d->k * DENSE_COLUMNS * sizeof *panel);
    d->read_panel(d->context, block->column + at, count, panel);
  }
}

static int64_t dense_panel_count(const struct dense *d) {
  int64_t fit = BLOCK_ELEMS / (d->k * DENSE_COLUMNS + 1), need = (d->n + DENSE_COLUMNS - 1) / DENSE_COLUMNS;
  if (fit > PANELS_MOST) fit = PANELS_MOST;
  if (fit > need) fit = need;
  return fit < 1 ? 1 : fit;
}

enum farm_status dense_multiply(const struct dense *d, struct arena *scratch) {
  if (d->m <= 0 || d->n <= 0) return FARM_OK;
  FAIL_IF(d->k < 0 || d->k > INT64_MAX / 1024, FARM_INVALID, "a sum over %lld products is too long", (long long)d->k);
  struct dense_block block = {.dense = d, .rows_kept = d->k == 0 || d->m <= ROWS_KEPT / d->k};
  int64_t panels = dense_panel_count(d);
  TRY(nn_alloc(scratch, (block.rows_kept ? d->m : 2) * d->k, sizeof(double), &block.rows));
  TRY(nn_alloc(scratch, panels * DENSE_COLUMNS * d->k, sizeof(double), &block.panels));
  for (int64_t row = 0; block.rows_kept && row < d->m; row++) d->read_row(d->context, row, block.rows + row * d->k);
  for (; block.column < d->n; block.column += block.columns) {
    block.columns = panels * DENSE_COLUMNS;
    if (block.columns > d->n - block.column) block.columns = d->n - block.column;
    dense_panels_fill(&block);
    dense_block_run(&block);
  }
  return FARM_OK;
}
