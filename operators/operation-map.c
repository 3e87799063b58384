/* Operations that are map problems: tunefarm.Map and ONNX's elementwise operators. See operation-kinds.h. */
#include "elementwise-map.h"
#include "fused.h"
#include "operation-kinds.h"

#include <string.h>

/* The broadcast shape of all inputs into dims; a scalar is one dim of 1. */
static enum farm_status take_dims(const struct operands *operands, struct problem *problem) {
  struct tensor full = {.dtype = DTYPE_F32};
  for (int i = 0; i < operands->input_count; i++) {
    const struct tensor so_far = full;
    TRY(shape_broadcast(&so_far, operands->inputs[i], &full));
  }
  problem->dim_count = full.rank ? full.rank : 1;
  problem->dims[0] = 1;
  memcpy(problem->dims, full.dims, sizeof *full.dims * (size_t)full.rank);
  for (int i = 0; i < operands->input_count; i++) {
    const struct tensor *in = operands->inputs[i];
    for (int d = 0; d < in->rank; d++)
      if (in->dims[d] != 1) problem->operands[i].uses |= 1u << (full.rank - in->rank + d);
  }
  return FARM_OK;
}

static enum farm_status take_types(const struct operands *operands, struct problem *problem) {
  TRY(problem_count_operands(problem));
  for (int i = 0; i < problem->input_count; i++)
    if (!elementwise_type(operands->inputs[i]->dtype)) return FARM_UNSUPPORTED;
  return operands_take(operands, problem);
}

static enum farm_status take_reduction(const struct operands *operands, struct problem *problem) {
  const struct attr *axes = attr_find(&operands->operation->attrs, "axes");
  int axis;
  for (int i = 0; axes && i < axes->count; i++) {
    TRY(shape_axis(axes->ints[i], problem->dim_count, &axis));
    problem->reduced |= 1u << axis;
  }
  return FARM_OK;
}

enum farm_status make_map(const struct operands *operands, struct problem *problem) {
  struct map_program *program = arena_alloc(operands->arena, sizeof *program), canonical;
  int operand_order[MAP_MAX_OPERANDS], param_order[MAP_MAX_PARAMS];
  if (!program) return FARM_NO_MEMORY;
  TRY(fused_map_program(&operands->operation->attrs, program, NULL));
  FAIL_IF(program->operand_count != operands->input_count || operands->input_count > MAP_MAX_OPERANDS, FARM_INVALID,
          "the program has %d operands, the node %d", program->operand_count, operands->input_count);
  for (int i = 0; i < operands->input_count; i++) FAIL_IF(!operands->inputs[i], FARM_INVALID, "input %d is omitted", i);
  canonical = *program;
  map_program_canonicalise(&canonical, operand_order, param_order);
  FAIL_IF(!map_program_equal(&canonical, program), FARM_INVALID, "the program is not in canonical form");
  problem->kind = PROBLEM_MAP;
  problem->program = program;
  TRY(take_dims(operands, problem));
  TRY(take_reduction(operands, problem));
  return take_types(operands, problem);
}

/* Where the canonical program takes its operands in another order than the node has them, the node must become a tunefarm.Map
 * first. */
enum farm_status make_elementwise(const struct operands *operands, struct problem *problem) {
  struct elementwise_map map;
  if (operands->output_count < 1) return FARM_UNSUPPORTED;
  TRY(elementwise_map_typed(operands->operation, operands->inputs, operands->input_count, operands->outputs[0], &map));
  if (map.program.operand_count != operands->input_count) return FARM_UNSUPPORTED;
  for (int i = 0; i < map.program.operand_count; i++)
    if (map.inputs[i] != i) return FARM_UNSUPPORTED;
  problem->kind = PROBLEM_MAP;
  problem->program = arena_copy(operands->arena, &map.program, sizeof map.program);
  if (!problem->program) return FARM_NO_MEMORY;
  TRY(take_dims(operands, problem));
  return take_types(operands, problem);
}
