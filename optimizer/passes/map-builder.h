/* Building a tunefarm.Map from nodes: programs of several nodes put together, operands by value, constants of one element as
 * parameters.
 *
 * A part is a map by itself; parts are joined where one computes another's operand. What leaves is canonical, its inputs in the
 * order of the program (those that vary along more dims first, where the program leaves the choice).
 */
#ifndef OPTIMIZER_PASSES_MAP_BUILDER_H
#define OPTIMIZER_PASSES_MAP_BUILDER_H

#include "rewrite.h"

#include "../../problem/map-program.h"

struct map_part {
  struct map_program program;
  float params[MAP_MAX_PARAMS];
  struct value *operands[MAP_MAX_OPERANDS];
  int64_t axes[TENSOR_MAX_RANK]; // of the reduction
  int axis_count;
  bool keepdims;
};

/* A node as a part: tunefarm.Map with one output, an elementwise operator on floats and bools, or a reduction with known axes.
 * False when it is none, when the result has one element, or when someone reads its result on the host. */
bool map_part_of(const struct pass_context *context, const struct node *node, struct map_part *out);
/* Puts `inner`, which computes operand `at` of `outer`, into outer. False when limits are passed. inner has no reduction. */
bool map_part_join(struct map_part *outer, int at, const struct map_part *inner);
/* Scalar constants become parameters where the shape does not need them; operands sorted; canonical form. */
void map_part_finish(struct map_part *part);
/* The node for it, without outputs. */
void map_part_rewrite(struct pass_context *context, const struct map_part *part, const struct value *out,
                      struct rewrite *rewrite);

#endif
