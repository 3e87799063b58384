/* See map-builder.h. */
#include "map-builder.h"

#include "../../operators/elementwise-map.h"
#include "../../operators/fused.h"

#include <string.h>

static void absorb_scalars(struct map_part *part);

/* ---- nodes as parts ---- */

static bool part_of_map(const struct node *node, struct map_part *out) {
  if (fused_map_program(&node->attrs, &out->program, out->params) != FARM_OK || out->program.output_count != 1) return false;
  for (int i = 0; i < node->input_count; i++) out->operands[i] = node->inputs[i];
  int count = attr_ints(&node->attrs, "axes", out->axes, TENSOR_MAX_RANK);
  out->axis_count = count < 0 ? 0 : count;
  out->keepdims = attr_int(&node->attrs, "keepdims", 1) != 0;
  return true;
}

static bool part_of_elementwise(const struct node *node, struct map_part *out) {
  const struct tensor *types[MAP_MAX_OPERANDS];
  const struct operation operation = {node->row, node->attrs, node->opset};
  struct elementwise_map map;
  if (node->input_count > MAP_MAX_OPERANDS) return false;
  for (int i = 0; i < node->input_count; i++) types[i] = node->inputs[i] ? &node->inputs[i]->type : NULL;
  if (elementwise_map_typed(&operation, types, node->input_count, &node->outputs[0]->type, &map) != FARM_OK) return false;
  out->program = map.program;
  memcpy(out->params, map.params, sizeof out->params);
  for (int i = 0; i < map.program.operand_count; i++) out->operands[i] = node->inputs[map.inputs[i]];
  return true;
}

static bool part_of_reduction(const struct node *node, struct map_part *out) {
  static const struct {
    const char *name;
    enum map_reduce reduce;
  } reductions[] = {{"ReduceSum", MAP_REDUCE_SUM}, {"ReduceMean", MAP_REDUCE_MEAN}, {"ReduceMax", MAP_REDUCE_MAX},
                    {"ReduceMin", MAP_REDUCE_MIN}, {"ReduceProd", MAP_REDUCE_PROD}, {"ReduceSumSquare", MAP_REDUCE_SUMSQ}};
  for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++) {
    if (!node_is_onnx(node, reductions[i].name)) continue;
    const struct tensor *x = &node->inputs[0]->type;
    uint32_t mask;
    out->axis_count = node_ints(node, "axes", 1, out->axes, TENSOR_MAX_RANK);
    if (out->axis_count < 1 || !value_is_float(node->inputs[0]) || !axes_mask(out->axes, out->axis_count, x->rank, &mask))
      return false;
    for (int d = 0; d < x->rank; d++)
      if (x->dims[d] == 0) return false;
    out->program = (struct map_program){.operand_count = 1, .output_count = 1, .reduce = reductions[i].reduce};
    out->operands[0] = node->inputs[0];
    out->keepdims = attr_int(&node->attrs, "keepdims", 1) != 0;
    return true;
  }
  return false;
}

/* Shapes and parameters are read on the host: what makes them stays what it is. */
static bool read_on_host(const struct pass_context *context, const struct value *value) {
  const struct node *user = context->uses.single[value->id];
  for (int i = 0; user && i < user->input_count && i < 32; i++)
    if (user->inputs[i] == value && user->row->host_inputs >> i & 1) return true;
  return false;
}

bool map_part_of(const struct pass_context *context, const struct node *node, struct map_part *out) {
  struct map_part part = {.keepdims = true};
  if (!node_out(node) || node->input_count < 1 || !node->inputs[0]) return false;
  const struct tensor *result = &node->outputs[0]->type;
  if (result->rank < 0 || read_on_host(context, node->outputs[0])) return false;
  if (node_is_fused(node, "Map") ? !part_of_map(node, &part)
                                 : !part_of_elementwise(node, &part) && !part_of_reduction(node, &part))
    return false;
  if (tensor_elems(result) == 1 && part.program.reduce == MAP_REDUCE_NONE) return false;
  absorb_scalars(&part);
  if (part.program.operand_count < 1) return false;
  *out = part;
  return true;
}

/* ---- joining ---- */

/* The operand's index in the part, added when it is new; -1 when there is no room. */
static int operand_index(struct map_part *part, int *count, struct value *value) {
  for (int i = 0; i < *count; i++)
    if (part->operands[i] == value) return i;
  if (*count == MAP_MAX_OPERANDS) return -1;
  part->operands[*count] = value;
  return (*count)++;
}

struct joining {
  int registers[MAP_MAX_OPERANDS +
                MAP_MAX_INSTRUCTIONS]; // old register -> new one; instructions before the operands are counted: + BASE
  int params;
};
enum { BASE = 1000 };

static struct map_argument moved(const struct joining *joining, struct map_argument argument) {
  int index = argument.is_param ? argument.index + joining->params : joining->registers[argument.index];
  return (struct map_argument){argument.is_param, (int16_t)index};
}

/* Appends the instructions of `from` to `to`; operands' new registers are in joining. */
static bool append(struct map_part *to, const struct map_part *from, struct joining *joining) {
  joining->params = to->program.param_count;
  if (to->program.instruction_count + from->program.instruction_count > MAP_MAX_INSTRUCTIONS) return false;
  if (to->program.param_count + from->program.param_count > MAP_MAX_PARAMS) return false;
  for (int i = 0; i < from->program.instruction_count; i++) {
    struct map_instruction instruction = from->program.instructions[i];
    for (int a = 0; a < map_op_arity(instruction.op); a++) instruction.arguments[a] = moved(joining, instruction.arguments[a]);
    joining->registers[from->program.operand_count + i] = BASE + to->program.instruction_count;
    to->program.instructions[to->program.instruction_count++] = instruction;
  }
  memcpy(to->params + to->program.param_count, from->params, sizeof *from->params * (size_t)from->program.param_count);
  to->program.param_count += from->program.param_count;
  return true;
}

static void settle(struct map_argument *argument, int operands) {
  if (!argument->is_param && argument->index >= BASE) argument->index = (int16_t)(argument->index - BASE + operands);
}

bool map_part_join(struct map_part *outer, int at, const struct map_part *inner) {
  struct map_part joined = {.axis_count = outer->axis_count, .keepdims = outer->keepdims};
  struct joining inside = {.params = 0}, outside = {.params = 0};
  memcpy(joined.axes, outer->axes, sizeof joined.axes);
  for (int i = 0; i < inner->program.operand_count; i++)
    if ((inside.registers[i] = operand_index(&joined, &joined.program.operand_count, inner->operands[i])) < 0) return false;
  for (int i = 0; i < outer->program.operand_count; i++)
    if (i != at && (outside.registers[i] = operand_index(&joined, &joined.program.operand_count, outer->operands[i])) < 0)
      return false;
  if (!append(&joined, inner, &inside)) return false;
  struct map_argument result = moved(&inside, inner->program.outputs[0]);
  if (result.is_param) return false;
  outside.registers[at] = result.index;
  if (!append(&joined, outer, &outside)) return false;
  joined.program.outputs[0] = moved(&outside, outer->program.outputs[0]);
  joined.program.output_count = 1;
  joined.program.reduce = outer->program.reduce;
  for (int i = 0; i < joined.program.instruction_count; i++)
    for (int a = 0; a < map_op_arity(joined.program.instructions[i].op); a++)
      settle(&joined.program.instructions[i].arguments[a], joined.program.operand_count);
  settle(&joined.program.outputs[0], joined.program.operand_count);
  *outer = joined;
  return true;
}

/* ---- finishing ---- */

/* How much of the result an operand covers, for the order of operands: dims that are not 1. */
static int coverage(const struct value *value) {
  int dims = 0;
  for (int i = 0; i < value->type.rank; i++) dims += value->type.dims[i] != 1;
  return dims;
}

static void renumber(struct map_part *part, const int *registers) { // operands only
  for (int i = 0; i <= part->program.instruction_count; i++) {
    const bool last = i == part->program.instruction_count;
    struct map_argument *arguments = last ? part->program.outputs : part->program.instructions[i].arguments;
    const int count = last ? part->program.output_count : map_op_arity(part->program.instructions[i].op);
    for (int a = 0; a < count; a++)
      if (!arguments[a].is_param && arguments[a].index < part->program.operand_count)
        arguments[a].index = (int16_t)registers[arguments[a].index];
  }
}

static void sort_operands(struct map_part *part) {
  struct value *sorted[MAP_MAX_OPERANDS];
  int registers[MAP_MAX_OPERANDS], count = 0;
  for (int dims = TENSOR_MAX_RANK; dims >= 0; dims--)
    for (int i = 0; i < part->program.operand_count; i++)
      if (coverage(part->operands[i]) == dims) registers[i] = count, sorted[count++] = part->operands[i];
  renumber(part, registers);
  memcpy(part->operands, sorted, sizeof *sorted * (size_t)count);
  /* commutative arguments in this order, which canonical form keeps among equals */
  for (int i = 0; i < part->program.instruction_count; i++) {
    struct map_argument *a = part->program.instructions[i].arguments;
    if (!map_op_commutative(part->program.instructions[i].op) || a[0].is_param || a[1].is_param || a[0].index <= a[1].index)
      continue;
    const struct map_argument first = a[0];
    a[0] = a[1], a[1] = first;
  }
}

static void operand_to_param(struct map_part *part, int operand, double number) {
  const int param = part->program.param_count++;
  part->params[param] = (float)number;
  for (int i = 0; i <= part->program.instruction_count; i++) {
    const bool last = i == part->program.instruction_count;
    struct map_argument *arguments = last ? part->program.outputs : part->program.instructions[i].arguments;
    const int count = last ? part->program.output_count : map_op_arity(part->program.instructions[i].op);
    for (int a = 0; a < count; a++)
      if (!arguments[a].is_param && arguments[a].index == operand) arguments[a] = (struct map_argument){true, (int16_t)param};
  }
}

/* Some other operand has at least its rank, so that leaving this one out does not change the shape. */
static bool shape_without(const struct map_part *part, int operand) {
  double number;
  for (int i = 0; i < part->program.operand_count; i++)
    if (i != operand && !value_scalar(part->operands[i], &number) &&
        part->operands[i]->type.rank >= part->operands[operand]->type.rank)
      return true;
  return false;
}

static void canonicalise(struct map_part *part) {
  int operands[MAP_MAX_OPERANDS], params[MAP_MAX_PARAMS];
  const struct map_part old = *part;
  map_program_canonicalise(&part->program, operands, params);
  for (int i = 0; i < part->program.operand_count; i++) part->operands[i] = old.operands[operands[i]];
  for (int i = 0; i < part->program.param_count; i++) part->params[i] = old.params[params[i]];
}

/* One operand per value; the others are unused then, which canonical form drops. */
static void merge_equal_operands(struct map_part *part) {
  int registers[MAP_MAX_OPERANDS];
  for (int i = 0; i < part->program.operand_count; i++) {
    registers[i] = 0;
    while (part->operands[registers[i]] != part->operands[i]) registers[i]++;
  }
  renumber(part, registers);
}

static void absorb_scalars(struct map_part *part) {
  double number;
  merge_equal_operands(part);
  for (int i = 0; i < part->program.operand_count; i++)
    if (value_scalar(part->operands[i], &number) && (double)(float)number == number &&
        part->program.param_count < MAP_MAX_PARAMS && shape_without(part, i))
      operand_to_param(part, i, number);
  canonicalise(part);
}

void map_part_finish(struct map_part *part) {
  absorb_scalars(part);
  sort_operands(part);
  canonicalise(part);
}

void map_part_rewrite(struct pass_context *context, const struct map_part *part, const struct value *out,
                      struct rewrite *rewrite) {
  char text[4096];
  const int64_t type = (int64_t)out->type.dtype;
  *rewrite = (struct rewrite){.domain = "tunefarm", .name = "Map", .version = 1, .input_count = part->program.operand_count};
  for (int i = 0; i < part->program.operand_count; i++) rewrite->inputs[i] = part->operands[i];
  if (map_program_print(&part->program, text, sizeof text) != FARM_OK) text[0] = 0; // 64 instructions always fit
  rewrite_attr(rewrite, attr_of_text(context->model, "program", text));
  if (part->program.param_count)
    rewrite_attr(rewrite, attr_of_floats(context->model, "params", part->params, part->program.param_count));
  if (out->type.dtype != part->operands[0]->type.dtype)
    rewrite_attr(rewrite, attr_of_ints(context->model, "out_types", &type, 1));
  if (part->program.reduce == MAP_REDUCE_NONE) return;
  rewrite_attr(rewrite, attr_of_ints(context->model, "axes", part->axes, part->axis_count));
  if (!part->keepdims) rewrite_attr(rewrite, attr_of_int("keepdims", 0));
}
