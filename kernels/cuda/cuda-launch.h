/* Small things that the host code of CUDA kernels shares: names of types in texts, launches, and how rows are dealt to threads.
 */
#ifndef KERNELS_CUDA_CUDA_LAUNCH_H
#define KERNELS_CUDA_CUDA_LAUNCH_H

#include "cuda-cost.h"
#include "cuda-tactic.h"

/* "float", "f16", "bf16", "bool8"; NULL for what kernels do not read. */
const char *cuda_type_name(enum dtype type);
bool cuda_is_float(enum dtype type);                  // f32, f16, bf16
bool cuda_floats_only(const struct problem *problem); // all operands
bool cuda_sums_in_f32(const struct problem *problem); // the same, and sums that are kept in f32 are good enough
/* Elements in 16 bytes of the narrowest float operand: 4 or 8. */
int cuda_widest_vector(const struct problem *problem);

/* `blocks` blocks of `threads` in a row, for kernels of one tile per block: at most INT32_MAX. The argument struct is copied. */
void cuda_launch_blocks(struct cuda_launch *out, const char *entry, int64_t blocks, int threads, const void *arguments, size_t bytes);
/* Grids of cuda_launch_line are at most this wide: its kernels go on from block to block + gridDim.x. Tests lower it to see them do so. */
extern int cuda_grid_most;
/* The same for kernels that go on: the grid is capped. */
void cuda_launch_line(struct cuda_launch *out, const char *entry, double blocks, int threads, const void *arguments,
                      size_t bytes);

/* Rows of `len` neighbouring elements, each dealt to a group of threads, `vector` elements at a time. */
struct cuda_rows {
  int threads, group, vector; // group: 32, or all threads of the block
  int items; // vectors that one thread keeps in registers, a power of two; 0: the row does not fit and is read again
};
/* items_most: larger rows are read again. */
struct cuda_rows cuda_rows_of(int64_t len, int threads, int group, int vector, int items_most);
/* Is it worth measuring: vectors of 1 or the widest, rows of whole vectors, no more threads than twice what a row has work for? A
 * group of 32 must hold its row. */
bool cuda_rows_legal(const struct cuda_rows *rows, int64_t len, int widest);
void cuda_rows_define(const struct cuda_rows *rows, struct strbuf *out); // THREADS, GROUP, VECTOR, ITEMS
double cuda_rows_blocks(const struct cuda_rows *rows, double count);
/* Of `count` rows, gone through `passes` times, of which those after the first read it again when it does not fit. */
double cuda_rows_cost(const struct cuda_rows *rows, const struct problem *problem, const struct device_class *device_class,
                      double count, double len, int passes, double operations_per_elem);

#endif
