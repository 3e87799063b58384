/* An operation: an operator row with its attributes: what a node is without its place in a graph, and a plan's step without its
 * tactic. From it and the operands' types comes the problem, at build time (optimizer) and again at run time when shapes vary.
 */
#ifndef OPERATORS_OPERATION_H
#define OPERATORS_OPERATION_H

#include "../problem/problem.h"
#include "operator.h"

struct operation {
  const struct operator_row *row;
  struct attrs attrs;
  int opset;
};

/* The problem of this operation on these operands (types concrete, row-major as the operation's `layout` attribute says;
 * `constants` bit i: input i is a constant). Operations without a kind of their own become PROBLEM_OP. Texts live in `arena`.
 * FARM_INVALID when the operands cannot be right. */
enum farm_status operation_problem(const struct operation *operation, const struct tensor *const *inputs, int input_count,
                                   uint64_t constants, const struct tensor *const *outputs, int output_count,
                                   struct arena *arena, struct problem *out_problem);

/* Scalar parameters of a map ("params" attribute), of an epilogue, and others that kernels need and keys do not hold. */
enum { OPERATION_MAX_SCALARS = 32 };
struct operation_scalars {
  struct epilogue epilogue;                 // with parameters
  float params[OPERATION_MAX_SCALARS];      // of a map
  float epsilon, scale;                     // of a norm; of attention (0: 1/sqrt(d))
};
/* `input_count` as the node has it: an optional bias is a step of the epilogue. */
enum farm_status operation_scalars(const struct operation *operation, int input_count, struct operation_scalars *out);
/* For a problem that came as text: epilogue_default_params, params[i] = 0.25 + 0.125 i, epsilon 1e-5, scale 0. */
void operation_scalars_default(const struct problem *problem, struct operation_scalars *out);

#endif
