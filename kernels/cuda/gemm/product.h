/* What products share on the host, whether of matrices or of windows: tiles, splits of the depth, launches, cost.
 *
 *   product_mma.cu   tiles {bm, bn, warps, stages}      product-simt.cu   tiles {bm, bn, bk}
 *
 * A product whose depth is split leaves its parts' sums in the workspace, [batch][split][rows][columns] of f32; product_reduce adds
 * them up in their order.
 */
#ifndef KERNELS_CUDA_GEMM_PRODUCT_H
#define KERNELS_CUDA_GEMM_PRODUCT_H

#include "epilogue.h"
#include "product-args.h"

struct product_shape {
  int64_t rows, columns, depth, batches;
};

struct product_tile {
  int rows, columns, depth, threads;
  int splits;       // asked for
  double per_clock; // multiply-adds of one multiprocessor, when all goes well
};

/* ---- tactics of product-mma.cu ---- */
enum product_mma_param { MMA_BM, MMA_BN, MMA_WARPS, MMA_STAGES, MMA_SPLITS };
#define PRODUCT_MMA_PARAMS                                                                                                       \
  {{"bm", product_tile_edges, 2}, {"bn", product_tile_edges, 2}, {"warps", product_warps, 2}, {"stages", product_stages, 3},     \
   {"splits", product_splits, 4}}
struct product_tile product_mma_tile(const struct variant *variant);
bool product_mma_legal(const struct product_shape *shape, const struct variant *variant);
/* Are the first two operands both of this type of 16 bits? */
bool product_mma_types(const struct problem *problem, enum dtype type);
void product_mma_defines(const struct variant *variant, struct strbuf *out);

/* ---- tactics of product-simt.cu ---- */
enum product_simt_param { SIMT_BM, SIMT_BN, SIMT_BK, SIMT_SPLITS };
#define PRODUCT_SIMT_PARAMS                                                                                                      \
  {{"bm", product_simt_edges, 3}, {"bn", product_simt_edges, 3}, {"bk", product_depths, 2}, {"splits", product_splits, 4}}
struct product_tile product_simt_tile(const struct variant *variant);
bool product_simt_legal(const struct product_shape *shape, const struct variant *variant);
void product_simt_defines(const struct variant *variant, struct strbuf *out);

extern const int16_t product_tile_edges[2], product_warps[2], product_stages[3], product_splits[4], product_simt_edges[3],
    product_depths[2];

/* ---- all ---- */
/* Do sizes, counts of blocks and splits fit the kernels? */
bool product_fits(const struct product_shape *shape, const struct product_tile *tile);
size_t product_workspace(const struct product_shape *shape, const struct product_tile *tile);
void product_args_fill(const struct product_shape *shape, const struct product_tile *tile, cuda_address workspace,
                       struct product_args *out);
/* The launch of `entry`, and of the second pass where there is one. `args` begins with a struct product_args. */
void product_launches(const char *entry, const struct product_tile *tile, const struct product_args *args, size_t bytes,
                      struct cuda_launch *out, int *out_count);
double product_cost(const struct problem *problem, const struct product_shape *shape, const struct product_tile *tile,
                    const struct device_class *device_class);

#endif
