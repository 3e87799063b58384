/* Concat and Split by runs: along the axis each operand is a block of consecutive bytes per outer index. */
#include "move.h"

static bool concat_applicable(const struct problem *problem) { return move_applies(problem, "Concat-"); }
static bool split_applicable(const struct problem *problem) { return move_applies(problem, "Split-"); }

static enum farm_status axis_of(const struct kernel_call *call, int rank, int *out_axis) {
  int64_t axis = attr_int(&call->operation->attrs, "axis", 0);
  if (axis < 0) axis += rank;
  FAIL_IF(axis < 0 || axis >= rank, FARM_INVALID, "axis %lld of rank %d", (long long)axis, rank);
  *out_axis = (int)axis;
  return FARM_OK;
}

/* The part must be the whole but for the axis. */
static bool fits(const struct tensor *part, const struct tensor *whole, int axis) {
  if (part->rank != whole->rank || part->dtype != whole->dtype) return false;
  for (int d = 0; d < whole->rank; d++)
    if (d != axis && part->dims[d] != whole->dims[d]) return false;
  return true;
}

static enum farm_status concat_run(const struct kernel_call *call) {
  struct tensor *out;
  int axis = 0;
  TRY(move_output(call, 0, &out));
  FAIL_IF(!out, FARM_INVALID, "Concat without an output");
  TRY(axis_of(call, out->rank, &axis));
  const int64_t outer = move_extent(out, 0, axis), element = dtype_bits(out->dtype) / 8,
                inner = move_extent(out, axis + 1, out->rank) * element;
  const int64_t step = out->dims[axis] * inner;
  int64_t total = 0;
  for (int i = 0; i < call->input_count; i++) {
    FAIL_IF(!call->inputs[i] || !fits(call->inputs[i], out, axis), FARM_INVALID, "Concat: input %d does not fit", i);
    total += call->inputs[i]->dims[axis];
  }
  FAIL_IF(total != out->dims[axis], FARM_INVALID, "Concat: the inputs' extents are not the output's");
  unsigned char *to = out->data;
  for (int i = 0; i < call->input_count; i++) {
    const int64_t bytes = call->inputs[i]->dims[axis] * inner;
    move_rows(call->pool, outer, (size_t)bytes, call->inputs[i]->data, bytes, to, step);
    to += bytes;
  }
  return FARM_OK;
}

static enum farm_status split_run(const struct kernel_call *call) {
  const struct tensor *in = call->inputs[0];
  int axis = 0;
  TRY(axis_of(call, in->rank, &axis));
  const int64_t outer = move_extent(in, 0, axis), element = dtype_bits(in->dtype) / 8,
                inner = move_extent(in, axis + 1, in->rank) * element;
  const int64_t step = in->dims[axis] * inner;
  int64_t total = 0;
  for (int i = 0; i < call->output_count; i++) {
    FAIL_IF(!call->outputs[i] || !fits(call->outputs[i], in, axis), FARM_INVALID, "Split: output %d does not fit", i);
    total += call->outputs[i]->dims[axis];
  }
  FAIL_IF(total != in->dims[axis], FARM_INVALID, "Split: the outputs' extents are not the input's");
  const unsigned char *from = in->data;
  for (int i = 0; i < call->output_count; i++) {
    struct tensor *out;
    TRY(move_output(call, i, &out));
    const int64_t bytes = out->dims[axis] * inner;
    move_rows(call->pool, outer, (size_t)bytes, from, step, out->data, bytes);
    from += bytes;
  }
  return FARM_OK;
}

MOVE_TACTIC(op_concat__copy__any, concat_applicable, concat_run);
MOVE_TACTIC(op_split__copy__any, split_applicable, split_run);
