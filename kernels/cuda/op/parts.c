/* Concat and Split: parts side by side in the rows of a whole, all in one launch. */
#include "move.h"

#include "parts-args.h"

#include <string.h>

/* ---- the problem ---- */
struct parts {
  bool joins;
  int count, axis, element;
  int64_t outer, inner, extent; // of the whole: before, behind and along the axis
  int64_t extents[PROBLEM_MAX_OPERANDS];
};

/* The whole but for the axis. */
static bool part_fits(const struct tensor *part, const struct tensor *whole, int axis) {
  if (part->rank != whole->rank || part->dtype != whole->dtype || !move_takes(part)) return false;
  for (int d = 0; d < whole->rank; d++)
    if (d != axis && part->dims[d] != whole->dims[d]) return false;
  return true;
}

static bool parts_of(const struct tensor *whole, const struct tensor *list, int count, int64_t axis, struct parts *out) {
  int64_t extents = 0;
  *out = (struct parts){.count = count, .element = move_element(whole)};
  if (!move_axis(axis, whole->rank, &out->axis)) return false;
  for (int i = 0; i < count; i++) {
    if (!part_fits(&list[i], whole, out->axis)) return false;
    extents += out->extents[i] = list[i].dims[out->axis];
  }
  const int behind = whole->rank - 1 - out->axis;
  out->extent = whole->dims[out->axis];
  if (extents > out->extent) return false;
  if (tensor_elems(whole) == 0) return true; // nothing to move; factors beside a 0 may be large
  out->outer = tensor_dims_product(whole->dims, out->axis);
  out->inner = tensor_dims_product(whole->dims + out->axis + 1, behind);
  return true;
}

static bool concat_read(const struct problem *problem, struct parts *out) {
  struct op_operands operands;
  int64_t axis;
  if (!move_operands(problem, "Concat", &operands) || operands.output_count != 1 || !op_text_int(problem, "axis", 1, &axis))
    return false;
  if (!parts_of(&operands.outputs[0], operands.inputs, operands.input_count, axis, out)) return false;
  int64_t left = out->extent;
  for (int i = 0; i < out->count; i++) left -= out->extents[i];
  out->joins = true;
  return left == 0;
}

/* The last outputs may be left out; sizes are the outputs' own. */
static bool split_read(const struct problem *problem, struct parts *out) {
  struct op_operands operands;
  int64_t axis;
  if (!move_operands(problem, "Split", &operands) || operands.input_count > 2 || !op_text_int(problem, "axis", 0, &axis))
    return false;
  return parts_of(&operands.inputs[0], operands.outputs, operands.output_count, axis, out);
}

static bool parts_read(const struct problem *problem, struct parts *out) {
  return concat_read(problem, out) || split_read(problem, out);
}

static bool concat_applicable(const struct problem *problem) {
  struct parts parts;
  return concat_read(problem, &parts);
}

static bool split_applicable(const struct problem *problem) {
  struct parts parts;
  return split_read(problem, &parts);
}

/* ---- units ---- */
static int unit_of(const struct parts *parts) {
  int64_t bytes[PROBLEM_MAX_OPERANDS + 1];
  for (int i = 0; i < parts->count; i++) bytes[i] = parts->extents[i] * parts->inner * parts->element;
  bytes[parts->count] = parts->extent * parts->inner * parts->element;
  return move_unit(bytes, parts->count + 1);
}

static double units_of(const struct parts *parts, int unit) {
  double elems = 0;
  for (int i = 0; i < parts->count; i++) elems += (double)parts->extents[i];
  return elems * (double)parts->outer * (double)parts->inner * parts->element / unit;
}

/* ---- cost ---- */
static double parts_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                         int threads) {
  struct parts parts;
  (void)threads;
  if (!parts_read(problem, &parts)) return 0;
  const int unit = unit_of(&parts);
  const double units = units_of(&parts, unit);
  return move_cost_of(variant, device_class, units, unit, units * unit, 1);
}

/* ---- text and launch ---- */
static enum farm_status parts_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  (void)problem;
  return move_source(variant, "parts-args.h", "parts.cu", out);
}

static int parts_fill(const struct parts *parts, const cuda_address *addresses, struct parts_args *args, int64_t *out_largest) {
  const int64_t each = parts->inner * parts->element;
  int64_t first = 0, largest = 0;
  int count = 0;
  for (int i = 0; i < parts->count; i++) {
    const int64_t units = parts->extents[i] * each / args->unit;
    if (units > 0) args->parts[count++] = (struct parts_part){addresses[i], first, units};
    if (units > largest) largest = units;
    first += units;
  }
  *out_largest = largest;
  return count;
}

static enum farm_status parts_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct parts parts;
  int64_t largest;
  FAIL_IF(!parts_read(call->problem, &parts), FARM_INVALID, "no Concat or Split for a GPU");
  *out_count = 0;
  if (parts.outer == 0 || parts.inner == 0) return FARM_OK;
  const int unit = unit_of(&parts), width = call->variant->params[MOVE_THREADS];
  struct parts_args args = {.whole = parts.joins ? call->outputs[0] : call->inputs[0],
                            .outer = parts.outer,
                            .row = parts.extent * parts.inner * parts.element / unit,
                            .unit = unit,
                            .joins = parts.joins};
  _Static_assert(sizeof args.parts / sizeof *args.parts >= PROBLEM_MAX_OPERANDS, "a part per operand");
  const int count = parts_fill(&parts, parts.joins ? call->inputs : call->outputs, &args, &largest);
  if (count == 0) return FARM_OK;
  cuda_launch_line(out, "parts", ((double)largest * (double)parts.outer + width - 1) / width, width, &args, sizeof args);
  out->grid[1] = (uint32_t)count;
  *out_count = 1;
  return FARM_OK;
}

/* ---- rows ---- */
static const struct cuda_tactic parts_cuda = {.least_sm = 75, .source = parts_source, .launches = parts_launches};

MOVE_TACTIC(op_concat__copy__sm75, concat_applicable, parts_cost, parts_cuda);
MOVE_TACTIC(op_split__copy__sm75, split_applicable, parts_cost, parts_cuda);
