/* See product.h. */
#include "product.h"

#include "../cuda-cost.h"

static int64_t parts_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

static int64_t split_depth(const struct product_shape *shape, const struct product_tile *tile) {
  return parts_of(parts_of(shape->depth, tile->splits), tile->depth) * tile->depth;
}

static double blocks_of(const struct product_shape *shape, const struct product_tile *tile) {
  return (double)parts_of(shape->rows, tile->rows) * (double)parts_of(shape->columns, tile->columns) * (double)shape->batches *
         tile->splits;
}

static double results_of(const struct product_shape *shape) {
  return (double)shape->rows * (double)shape->columns * (double)shape->batches;
}

bool product_fits(const struct product_shape *shape, const struct product_tile *tile) {
  const int64_t most = INT32_MAX - 4096; // tiles reach beyond the end
  if (shape->rows > most || shape->columns > most || shape->depth > most || shape->batches > most) return false;
  if (blocks_of(shape, tile) > (double)most || results_of(shape) / 256 > (double)most) return false;
  if (tile->splits == 1) return true;
  if ((double)shape->rows * (double)shape->columns > (double)most) return false; // the second pass counts one item in an int
  return shape->depth >= 256 * (int64_t)tile->splits / 2 && parts_of(shape->depth, split_depth(shape, tile)) == tile->splits &&
         blocks_of(shape, tile) <= 2048; // more parts of a full device only move sums
}

size_t product_workspace(const struct product_shape *shape, const struct product_tile *tile) {
  if (tile->splits == 1) return 0;
  return (size_t)shape->rows * (size_t)shape->columns * (size_t)shape->batches * (size_t)tile->splits * sizeof(float);
}

void product_args_fill(const struct product_shape *shape, const struct product_tile *tile, cuda_address workspace,
                       struct product_args *out) {
  *out = (struct product_args){.partial = workspace, .rows = (int)shape->rows, .columns = (int)shape->columns,
                               .depth = (int)shape->depth, .batches = (int)shape->batches, .splits = tile->splits};
  out->row_tiles = (int)parts_of(shape->rows, tile->rows);
  out->column_tiles = (int)parts_of(shape->columns, tile->columns);
  out->split_depth = (int)split_depth(shape, tile);
}

void product_launches(const char *entry, const struct product_tile *tile, const struct product_args *args, size_t bytes,
                      struct cuda_launch *out, int *out_count) {
  const int64_t blocks = (int64_t)args->row_tiles * args->column_tiles * args->batches * args->splits;
  const int64_t results = (int64_t)args->rows * args->columns * args->batches;
  cuda_launch_blocks(&out[0], entry, blocks, tile->threads, args, bytes);
  *out_count = 1;
  if (args->splits == 1) return;
  cuda_launch_blocks(&out[1], "product_reduce", parts_of(results, 256), 256, args, bytes);
  *out_count = 2;
}

double product_cost(const struct problem *problem, const struct product_shape *shape, const struct product_tile *tile,
                    const struct device_class *device_class) {
  const double blocks = blocks_of(shape, tile), depth = (double)split_depth(shape, tile);
  const double computed = blocks * tile->rows * tile->columns * depth;
  const double ends = results_of(shape) * epilogue_operations(&problem->epilogue) * tile->per_clock / CUDA_F32_PER_CLOCK;
  const double parts = tile->splits > 1 ? 2.0 * tile->splits * 4 * results_of(shape) : 0;
  const struct cuda_work work = {.bytes = problem_bytes(problem) + parts,
                                 .operations = computed + ends,
                                 .per_clock = tile->per_clock,
                                 .blocks = blocks,
                                 .threads = tile->threads,
                                 .depth = 2 + 0.1 * depth / tile->depth,
                                 .launches = tile->splits > 1 ? 2 : 1};
  return cuda_cost(device_class, &work);
}
