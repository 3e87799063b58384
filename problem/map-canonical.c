/* The canonical form of a map program, so that equal chains have equal texts. See map-program.h and docs/formats/problem-text.md.
 *
 *   1. rank every expression by its structure alone: parameters 0, operands 1, instructions upwards by depth, then by op and the
 *      ranks of their arguments; equal structures share a rank
 *   2. walk from the outputs; commutative arguments by falling rank, ties in the order they have; number operands, parameters and
 *      instructions as they are first reached (an instruction after its arguments), equal instructions once
 *   3. in each commutative instruction registers come first, ascending, then parameters, ascending
 */
#include "map-program.h"

#include <string.h>

struct expression { // what step 1 compares, of one instruction
  int depth, op, arity, argument_ranks[3];
};

struct canonical {
  const struct map_program *old;
  struct map_program *new;
  int rank[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS];
  int number[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS]; // old register -> new register; instructions counted from 0 until the end
  int param_number[MAP_MAX_PARAMS];                    // -1: not reached
  int *operand_order, *param_order;
};

static int argument_rank(const struct canonical *canonical, struct map_argument argument) {
  return argument.is_param ? 0 : canonical->rank[argument.index];
}

/* The arguments in the order of the walk. */
static void walk_order(const struct canonical *canonical, const struct map_instruction *instruction, struct map_argument out[3]) {
  memcpy(out, instruction->arguments, sizeof instruction->arguments);
  if (!map_op_commutative(instruction->op) || argument_rank(canonical, out[0]) >= argument_rank(canonical, out[1])) return;
  out[0] = instruction->arguments[1];
  out[1] = instruction->arguments[0];
}

static int expression_compare(const struct expression *a, const struct expression *b) {
  if (a->depth != b->depth) return a->depth - b->depth;
  if (a->op != b->op) return a->op - b->op;
  for (int i = 0; i < a->arity; i++)
    if (a->argument_ranks[i] != b->argument_ranks[i]) return a->argument_ranks[i] - b->argument_ranks[i];
  return 0;
}

static void describe(const struct canonical *canonical, int index, struct expression *expressions) {
  const struct map_instruction *instruction = &canonical->old->instructions[index];
  const int operands = canonical->old->operand_count;
  struct expression *own = &expressions[index];
  struct map_argument arguments[3];
  walk_order(canonical, instruction, arguments);
  *own = (struct expression){1, (int)instruction->op, map_op_arity(instruction->op), {0}};
  for (int i = 0; i < own->arity; i++) {
    own->argument_ranks[i] = argument_rank(canonical, arguments[i]);
    int at = arguments[i].is_param ? -1 : arguments[i].index - operands;
    if (at >= 0 && expressions[at].depth >= own->depth) own->depth = expressions[at].depth + 1;
  }
}

/* Depth of an instruction alone, before ranks are known. */
static int depths(const struct map_program *program, int depth[MAP_MAX_INSTRUCTIONS]) {
  int deepest = 0;
  for (int i = 0; i < program->instruction_count; i++) {
    depth[i] = 1;
    for (int a = 0; a < map_op_arity(program->instructions[i].op); a++) {
      struct map_argument argument = program->instructions[i].arguments[a];
      int at = argument.is_param ? -1 : argument.index - program->operand_count;
      if (at >= 0 && depth[at] >= depth[i]) depth[i] = depth[at] + 1;
    }
    if (depth[i] > deepest) deepest = depth[i];
  }
  return deepest;
}

/* Ranks level by level: at each depth the smaller expressions are all ranked already. */
static void rank_all(struct canonical *canonical) {
  const struct map_program *old = canonical->old;
  struct expression expressions[MAP_MAX_INSTRUCTIONS] = {0};
  int depth[MAP_MAX_INSTRUCTIONS], next_rank = 2;
  int deepest = depths(old, depth);
  for (int i = 0; i < old->operand_count; i++) canonical->rank[i] = 1;
  for (int level = 1; level <= deepest; level++) {
    int level_count = 0;
    for (int i = 0; i < old->instruction_count; i++) {
      if (depth[i] != level) continue;
      describe(canonical, i, expressions);
      level_count++;
    }
    for (int i = 0; i < old->instruction_count; i++) {
      if (depth[i] != level) continue;
      int smaller = 0;
      for (int k = 0; k < old->instruction_count; k++)
        smaller += depth[k] == level && expression_compare(&expressions[k], &expressions[i]) < 0;
      canonical->rank[old->operand_count + i] = next_rank + smaller;
    }
    next_rank += level_count;
  }
}

static void argument_sort(struct map_instruction *instruction) {
  struct map_argument *a = instruction->arguments;
  if (!map_op_commutative(instruction->op)) return;
  if (a[0].is_param < a[1].is_param || (a[0].is_param == a[1].is_param && a[0].index <= a[1].index)) return;
  struct map_argument first = a[0];
  a[0] = a[1];
  a[1] = first;
}

static bool instruction_equal(const struct map_instruction *a, const struct map_instruction *b) {
  bool equal = a->op == b->op;
  for (int i = 0; i < map_op_arity(a->op) && equal; i++)
    equal = a->arguments[i].is_param == b->arguments[i].is_param && a->arguments[i].index == b->arguments[i].index;
  return equal;
}

/* Adds the instruction, or finds its equal; returns its number among the new instructions. */
static int emit(struct map_program *program, const struct map_instruction *instruction) {
  for (int i = 0; i < program->instruction_count; i++)
    if (instruction_equal(&program->instructions[i], instruction)) return i;
  program->instructions[program->instruction_count] = *instruction;
  return program->instruction_count++;
}

/* New instructions' registers stand behind the largest possible operand until the operands are counted. */
enum { INSTRUCTION_BASE = MAP_MAX_OPERANDS };

static struct map_argument visit(struct canonical *canonical, struct map_argument argument) {
  struct map_program *new = canonical->new;
  struct map_argument result = {.is_param = argument.is_param};
  int *number = argument.is_param ? &canonical->param_number[argument.index] : &canonical->number[argument.index];
  if (*number < 0 && argument.is_param) {
    canonical->param_order[new->param_count] = argument.index;
    *number = new->param_count++;
  } else if (*number < 0 && argument.index < canonical->old->operand_count) {
    canonical->operand_order[new->operand_count] = argument.index;
    *number = new->operand_count++;
  } else if (*number < 0) {
    const struct map_instruction *old = &canonical->old->instructions[argument.index - canonical->old->operand_count];
    struct map_instruction copy = {.op = old->op};
    struct map_argument arguments[3];
    walk_order(canonical, old, arguments);
    for (int i = 0; i < map_op_arity(old->op); i++) copy.arguments[i] = visit(canonical, arguments[i]);
    argument_sort(&copy);
    *number = INSTRUCTION_BASE + emit(new, &copy);
  }
  result.index = (int16_t)*number;
  return result;
}

static void rebase(struct map_argument *argument, int shift) {
  if (!argument->is_param && argument->index >= INSTRUCTION_BASE) argument->index = (int16_t)(argument->index - shift);
}

void map_program_canonicalise(struct map_program *program, int *out_operand_order, int *out_param_order) {
  struct map_program new = {0};
  struct canonical canonical = {.old = program, .new = &new, .operand_order = out_operand_order, .param_order = out_param_order};
  memset(canonical.number, -1, sizeof canonical.number);
  memset(canonical.param_number, -1, sizeof canonical.param_number);
  rank_all(&canonical);
  new.output_count = program->output_count;
  new.reduce = program->reduce;
  for (int i = 0; i < program->output_count; i++) new.outputs[i] = visit(&canonical, program->outputs[i]);
  const int shift = INSTRUCTION_BASE - new.operand_count;
  for (int i = 0; i < new.instruction_count; i++)
    for (int a = 0; a < map_op_arity(new.instructions[i].op); a++) rebase(&new.instructions[i].arguments[a], shift);
  for (int i = 0; i < new.output_count; i++) rebase(&new.outputs[i], shift);
  *program = new;
}
