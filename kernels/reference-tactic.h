/* The reference as a tactic: the operator's own reference function, for problems that have an operation and those that have none.
 */
#ifndef KERNELS_REFERENCE_TACTIC_H
#define KERNELS_REFERENCE_TACTIC_H

#include "tactic.h"

enum { REFERENCE_MAX_ATTRS = 16 };

/* An operation that has the problem, with everything it points to. */
struct problem_operation {
  struct operation operation;
  struct attr attrs[REFERENCE_MAX_ATTRS];
  int64_t ints[3][TENSOR_MAX_RANK];
  char epilogue[512];
  char program[2048];
};

/* The operation of a problem that came as text. `layout`: of a conv's or pool's operands. FARM_UNSUPPORTED for PROBLEM_OP, whose
 * text names an operation that only a graph has. out_operation points into itself: don't copy it. */
enum farm_status operation_of_problem(const struct problem *problem, enum tactic_layout layout,
                                      const struct operation_scalars *scalars, struct problem_operation *out_operation);
/* Runs the reference of a problem on operands in that layout. */
enum farm_status reference_problem_run(const struct problem *problem, enum tactic_layout layout,
                                       const struct operation_scalars *scalars, const struct tensor *const *inputs,
                                       struct tensor *const *outputs);

#endif
