/* Arguments of a product, whatever its operands are: out[batch][row][column] = sum over depth. For host and kernel.
 *
 * A block computes one tile of one batch item over one part of the depth; blocks are numbered by tile, then split, then batch.
 */
#ifndef KERNELS_CUDA_GEMM_PRODUCT_ARGS_H
#define KERNELS_CUDA_GEMM_PRODUCT_ARGS_H

struct product_args {
  FARM_POINTER(float) partial; // [batch][split][rows][columns], when there is more than one split
  int rows, columns, depth, batches;
  int row_tiles, column_tiles;
  int splits, split_depth; // split_depth: a multiple of the tile's depth
};

#endif
