/* See map-plan.h. */
#include "map-plan.h"

static int64_t product(const struct problem *problem, uint32_t dims) {
  int64_t elems = 1;
  for (int i = 0; i < problem->dim_count; i++)
    if (dims >> i & 1) elems *= problem->dims[i];
  return elems;
}

static void view_make(const struct problem *problem, uint32_t dims, const int64_t *strides, struct map_view *out) {
  out->rank = 0;
  for (int i = 0; i < problem->dim_count; i++) {
    if (!(dims >> i & 1) || problem->dims[i] == 1) continue;
    const int last = out->rank - 1;
    if (out->rank && out->strides[last] == strides[i] * problem->dims[i]) {
      out->extents[last] *= problem->dims[i];
      out->strides[last] = strides[i];
    } else {
      out->extents[out->rank] = problem->dims[i];
      out->strides[out->rank++] = strides[i];
    }
  }
  if (out->rank == 1 && out->strides[0] == 0) out->rank = 0;
}

static void operand_strides(const struct problem *problem, int input, int64_t *out) {
  int64_t stride = 1;
  for (int i = problem->dim_count - 1; i >= 0; i--) {
    const bool used = problem->operands[input].uses >> i & 1;
    out[i] = used ? stride : 0;
    if (used) stride *= problem->dims[i];
  }
}

static enum map_mode mode_of(const struct problem *problem) {
  if (problem->program->reduce == MAP_REDUCE_NONE) return MAP_FLAT;
  return problem->dim_count && !(problem->reduced >> (problem->dim_count - 1) & 1) ? MAP_COLUMNS : MAP_ROWS;
}

static uint32_t inner_dims(const struct problem *problem, enum map_mode mode) {
  const uint32_t all = (1u << problem->dim_count) - 1;
  if (mode == MAP_FLAT) return all;
  if (mode == MAP_ROWS) return problem->reduced & all;
  uint32_t dims = 0;
  for (int i = problem->dim_count - 1; i >= 0 && !(problem->reduced >> i & 1); i--) dims |= 1u << i;
  return dims;
}

/* Last use of each register; outputs are used after the last instruction. */
static void last_uses(const struct map_program *program, int *out_last) {
  const int registers = program->operand_count + program->instruction_count;
  for (int i = 0; i < registers; i++) out_last[i] = -1;
  for (int i = 0; i < program->instruction_count; i++)
    for (int a = 0; a < map_op_arity(program->instructions[i].op); a++) {
      const struct map_argument argument = program->instructions[i].arguments[a];
      if (!argument.is_param) out_last[argument.index] = i;
    }
  for (int i = 0; i < program->output_count; i++)
    if (!program->outputs[i].is_param) out_last[program->outputs[i].index] = program->instruction_count;
}

static int slots_assign(const struct map_program *program, int *out_slots) {
  int last[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS], count = program->operand_count;
  int owner[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS]; // register that holds the slot now
  last_uses(program, last);
  for (int i = 0; i < program->operand_count; i++) out_slots[i] = owner[i] = i;
  for (int i = 0; i < program->instruction_count; i++) {
    int slot = 0; // a loop may write over an argument that dies here
    while (slot < count && last[owner[slot]] > i) slot++;
    if (slot == count) count++;
    out_slots[program->operand_count + i] = slot;
    owner[slot] = program->operand_count + i;
  }
  return count;
}

int map_slot_count(const struct map_program *program) {
  int slots[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS];
  return slots_assign(program, slots);
}

/* The shortest row in which a broadcast operand repeats; 0 when there is none. */
static int64_t shortest_row(const struct problem *problem, const struct map_plan *plan) {
  int64_t row = 0;
  for (int i = 0; i < problem->input_count; i++) {
    const struct map_view *view = &plan->inputs[i].inner;
    if (view->rank < 2) continue;
    const int64_t length = view->extents[view->rank - 1];
    if (!row || length < row) row = length;
  }
  return row;
}

static int64_t tile_choose(int64_t tile, int lanes, int64_t row) {
  for (int64_t fitted = tile; row >= tile && fitted >= tile / 2; fitted -= lanes)
    if (row % fitted == 0) return fitted;
  return tile;
}

void map_plan_make(const struct problem *problem, int64_t tile, int lanes, struct map_plan *out) {
  const uint32_t all = (1u << problem->dim_count) - 1, reduced = problem->reduced & all;
  int64_t strides[PROBLEM_MAX_DIMS];
  out->mode = mode_of(problem);
  const uint32_t inner = inner_dims(problem, out->mode);
  const uint32_t middle = out->mode == MAP_COLUMNS ? reduced : 0, outer = all & ~inner & ~middle;
  out->outer = product(problem, outer);
  out->middle = product(problem, middle);
  out->inner = product(problem, inner);
  for (int i = 0; i < problem->input_count; i++) {
    operand_strides(problem, i, strides);
    view_make(problem, outer, strides, &out->inputs[i].outer);
    view_make(problem, middle, strides, &out->inputs[i].middle);
    view_make(problem, inner, strides, &out->inputs[i].inner);
  }
  out->slot_count = slots_assign(problem->program, out->slots);
  out->tile = tile_choose(tile, lanes, shortest_row(problem, out));
}

int64_t map_view_seek(const struct map_view *view, int64_t at, int64_t *out_left, int64_t *out_stride) {
  if (!view->rank) {
    *out_left = INT64_MAX;
    *out_stride = 0;
    return 0;
  }
  const int last = view->rank - 1;
  const int64_t along = last ? at % view->extents[last] : at;
  int64_t offset = along * view->strides[last];
  *out_left = view->extents[last] - along;
  *out_stride = view->strides[last];
  int64_t rest = last ? at / view->extents[last] : 0;
  for (int d = last - 1; d >= 0; d--) {
    offset += rest % view->extents[d] * view->strides[d];
    rest /= view->extents[d];
  }
  return offset;
}
