/* gemm of f32 over register tiles: one driver for every tile and instruction set. The rows of the catalogue are in
 * gemm-tactics.c. */
#ifndef KERNELS_CPU_GEMM_GEMM_H
#define KERNELS_CPU_GEMM_GEMM_H

#include "tile.h"

/* Parameters, in the tactics' order. */
enum gemm_param {
  GEMM_PARAM_KC, // depth of a chunk; 0: all of k
  GEMM_PARAM_MC, // rows of A that stay near while the panels of B pass
  GEMM_PARAM_PA, // 1: A is packed into panels [k][mr] first
  GEMM_PARAM_PB, // 1: B is packed into panels [k][nr] (at link time when constant), 0: read in place
  GEMM_PARAM_PF, // 1: panels of B are fetched ahead
  GEMM_PARAMS
};

/* What dimensions and parameters come to. */
struct gemm_plan {
  int64_t batch, m, n, k;
  bool ta, tb, constant_b;
  int64_t a_batch, b_batch;                 // floats from one item of the batch to the next; 0: shared
  int64_t a_row, a_column, b_row, b_column; // strides of A's m, k and B's k, n
  int mr, nr;
  int64_t panels, tiles; // of n by nr, of m by mr
  int64_t kc, mc_tiles, nc_panels;
  bool pack_a, pack_b, prefetch;
  size_t rows_bytes, a_bytes, b_bytes; // workspace of one thread: row pointers, packed A, packed B
};

bool gemm_applicable(const struct problem *problem);
struct gemm_plan gemm_plan_of(const struct problem *problem, const struct variant *variant);
bool gemm_legal(const struct problem *problem, const struct variant *variant);
size_t gemm_workspace(const struct problem *problem, const struct variant *variant, int threads);
size_t gemm_packed_bytes(const struct problem *problem, const struct variant *variant); // [batch][n/nr][k][nr]
void gemm_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed);
enum farm_status gemm_run(const struct kernel_call *call);
double gemm_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                 int threads);

/* How `tasks` are cut in two directions among threads: units of rows and of columns. */
struct tile_grid {
  int64_t row_parts, column_parts;
};
/* The cut with the least work for the busiest thread; columns are cut first, since the parts of B are then read once. */
struct tile_grid tile_grid_of(int64_t batch, int64_t rows, int64_t columns, int threads);
/* Range [first, last) of part `index` of `parts` of `count` units. */
void tile_part(int64_t count, int64_t parts, int64_t index, int64_t *out_first, int64_t *out_last);
static inline size_t tile_align(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

#endif
