/* Moving data, what the tactics of Concat, Split, Slice, Gather and Expand share: whole runs by memcpy, no arithmetic, so one
 * portable source serves every instruction set. They solve problems of kind OP and are chosen by the operator's name in its text.
 */
#ifndef KERNELS_CPU_MOVE_MOVE_H
#define KERNELS_CPU_MOVE_MOVE_H

#include "../../tactic.h"

/* Is the problem this operator ("Concat-13" starts with "Concat-") on elements of whole bytes? */
bool move_applies(const struct problem *problem, const char *name);
double move_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                 int threads);

/* Output i, with memory for the dims that it has; NULL when it is not wanted. */
enum farm_status move_output(const struct kernel_call *call, int i, struct tensor **out);
int64_t move_extent(const struct tensor *tensor, int first, int end); // product of dims [first, end)

/* Copies rows: row r of `row_bytes` from `from + r * from_step` to `to + r * to_step` (steps in bytes), on the pool's threads
 * when that pays. */
void move_rows(struct thread_pool *pool, int64_t rows, size_t row_bytes, const void *from, int64_t from_step, void *to,
               int64_t to_step);

/* A view of a dense tensor copied into a dense output: element (i0, i1, …) of the output is element first + sum of ik strides[k].
 * The caller has made sure that every element of the view is there. */
struct move_view {
  int rank;
  int64_t dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK]; // strides in elements: 0 repeats, negative goes back
  int64_t first;
  int64_t element; // bytes: 1, 2, 4, 8 or 16
};
void move_strided(struct thread_pool *pool, const struct move_view *view, const void *from, void *to);

/* Their catalogue rows differ in nothing but name, operator and code. */
#define MOVE_TACTIC(name, is_applicable, run_call)                                                                               \
  const struct tactic name = {.id = #name,                                                                                       \
                              .kind = PROBLEM_OP,                                                                                \
                              .device = DEVICE_CPU,                                                                              \
                              .isa = ISA_BASELINE,                                                                               \
                              .layout = LAYOUT_ANY,                                                                              \
                              .source = "move",                                                                                  \
                              .packed_operand = -1,                                                                              \
                              .applicable = is_applicable,                                                                       \
                              .cost = move_cost,                                                                                 \
                              .run = run_call}

#endif
