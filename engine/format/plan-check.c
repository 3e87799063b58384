/* What must hold of a plan before anything runs it ("What must hold of a plan" in docs/formats/engine.md), rule by rule: types,
 * places, the tree of blocks, then a walk in the order of execution that knows what was made. */
#include "engine-file.h"
#include "engine-layout.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_OPERANDS = 1 << 16, MOST_WORKSPACE = 1 << 30 };

struct check {
  const struct plan *plan;
  const struct engine *engine;
  uint8_t *state; // by value: MADE, EVER
  uint8_t *block_used;
  int depth;
};
enum { MADE = 1, EVER = 2 };

/* ---- types and places ---- */

static enum farm_status type_check(const struct plan *plan, const struct tensor *type, bool fixed) {
  FAIL_IF(type->dtype != DTYPE_NONE && !dtype_known((int)type->dtype), FARM_INVALID, "unknown element type %d", (int)type->dtype);
  FAIL_IF(type->rank < -1 || type->rank > TENSOR_MAX_RANK, FARM_INVALID, "rank %d", type->rank);
  for (int i = 0; i < type->rank; i++)
    FAIL_IF(type->dims[i] <= DIM_FIRST_SYMBOL - plan->symbol_count, FARM_INVALID, "a dimension of no symbol");
  FAIL_IF(fixed && tensor_bytes(type) == SIZE_MAX && dtype_bits(type->dtype), FARM_INVALID, "fixed, but without a size");
  return FARM_OK;
}

static enum farm_status constant_check(const struct check *check, const struct plan_value *value) {
  FAIL_IF(value->weight >= (uint32_t)check->engine->weight_count, FARM_INVALID, "no weight %u", value->weight);
  FAIL_IF(tensor_bytes(&value->type) != check->engine->weights[value->weight].bytes, FARM_INVALID, "its weight has another size");
  return FARM_OK;
}

static enum farm_status arena_check(const struct check *check, uint64_t offset, uint64_t bytes) {
  FAIL_IF(offset % ENGINE_WEIGHT_ALIGN, FARM_INVALID, "at an odd place of the arena");
  FAIL_IF(offset > check->plan->arena_bytes || bytes > check->plan->arena_bytes - offset, FARM_INVALID, "outside the arena");
  return FARM_OK;
}

static enum farm_status view_check(const struct check *check, const struct plan_value *value) {
  FAIL_IF(value->of >= (uint32_t)check->plan->value_count, FARM_INVALID, "a view of no value");
  const struct plan_value *of = &check->plan->values[value->of];
  FAIL_IF(of->place == VALUE_NONE || of->place == VALUE_HOST, FARM_INVALID, "a view of a value that lies nowhere");
  bool sized = of->place == VALUE_ARENA || of->place == VALUE_CONSTANT;
  FAIL_IF(sized && (value->offset > of->bytes || value->bytes > of->bytes - value->offset), FARM_INVALID,
          "outside what it views");
  return FARM_OK;
}

static enum farm_status value_check(const struct check *check, const struct plan_value *value) {
  TRY(type_check(check->plan, &value->type, value->fixed));
  size_t bytes = tensor_bytes(&value->type);
  bool sized = value->place == VALUE_ARENA || value->place == VALUE_CONSTANT;
  FAIL_IF((unsigned)value->place >= VALUE_PLACE_COUNT, FARM_INVALID, "unknown place %d", (int)value->place);
  FAIL_IF(sized && bytes == SIZE_MAX && value->fixed, FARM_INVALID, "a place without a size");
  FAIL_IF(sized && bytes != SIZE_MAX && bytes > value->bytes, FARM_INVALID, "its place is too small");
  if (value->place == VALUE_CONSTANT) return constant_check(check, value);
  if (value->place == VALUE_ARENA) return arena_check(check, value->offset, value->bytes);
  return value->place == VALUE_VIEW ? view_check(check, value) : FARM_OK;
}

/* Follows every chain of views once: colours tell chains in progress from finished ones. */
static enum farm_status views_check(const struct plan *plan, uint32_t *colour) {
  for (uint32_t v = 0; v < (uint32_t)plan->value_count; v++) {
    uint32_t at = v;
    while (plan->values[at].place == VALUE_VIEW && !colour[at]) {
      colour[at] = v + 1;
      at = plan->values[at].of;
    }
    FAIL_IF(plan->values[at].place == VALUE_VIEW && colour[at] == v + 1, FARM_INVALID, "value %s: views in a circle",
            plan->values[v].name);
  }
  return FARM_OK;
}

static enum farm_status values_check(const struct check *check) {
  const struct plan *plan = check->plan;
  for (int i = 0; i < plan->value_count; i++) {
    enum farm_status status = value_check(check, &plan->values[i]);
    if (status != FARM_OK) return status_prefix(status, "value %s", plan->values[i].name);
  }
  uint32_t *colour = calloc((size_t)plan->value_count + 1, sizeof *colour);
  FAIL_IF(!colour, FARM_NO_MEMORY, "out of memory for a plan");
  enum farm_status status = views_check(plan, colour);
  free(colour);
  return status;
}

static enum farm_status symbols_check(const struct plan *plan) {
  for (int i = 0; i < plan->symbol_count; i++) {
    const struct plan_symbol *symbol = &plan->symbols[i];
    FAIL_IF(symbol->min < 0 || symbol->opt < symbol->min || symbol->max < symbol->opt, FARM_INVALID, "symbol %s has no range",
            symbol->name);
  }
  return FARM_OK;
}

static bool place_is_of_block_0(enum value_place place) { return place == VALUE_INPUT || place == VALUE_OUTPUT; }

/* Inputs and outputs of block 0 exist, are what they say, and nothing else is. */
static enum farm_status bindings_check(const struct check *check) {
  const struct plan *plan = check->plan;
  const struct plan_block *block = &plan->blocks[0];
  uint8_t *bound = calloc((size_t)plan->value_count + 1, 1);
  FAIL_IF(!bound, FARM_NO_MEMORY, "out of memory for a plan");
  enum farm_status status = FARM_OK;
  for (int i = 0; i < block->input_count && status == FARM_OK; i++) {
    const struct plan_value *value = block->inputs[i] < (uint32_t)plan->value_count ? &plan->values[block->inputs[i]] : NULL;
    if (!value || (value->place != VALUE_INPUT && value->place != VALUE_HOST) ||
        value->type.dtype != plan->input_types[i].dtype || !dtype_bits(value->type.dtype) || plan->input_types[i].rank < 0)
      status = status_set(FARM_INVALID, "input %d is none", i);
    else
      status = type_check(plan, &plan->input_types[i], false);
    if (status == FARM_OK && bound[block->inputs[i]]) status = status_set(FARM_INVALID, "input %d stands twice", i);
    if (status == FARM_OK) bound[block->inputs[i]] = 1;
  }
  for (int i = 0; i < block->output_count && status == FARM_OK; i++) {
    if (block->outputs[i] >= (uint32_t)plan->value_count)
      status = status_set(FARM_INVALID, "output %d is none", i);
    else if (plan->values[block->outputs[i]].place == VALUE_NONE)
      status = status_set(FARM_INVALID, "output %d lies nowhere", i);
    else
      status = type_check(plan, &plan->output_types[i], false);
    if (status == FARM_OK) bound[block->outputs[i]] |= 2;
  }
  for (int i = 0; i < plan->value_count && status == FARM_OK; i++) {
    bool missing =
        (plan->values[i].place == VALUE_INPUT && !(bound[i] & 1)) || (plan->values[i].place == VALUE_OUTPUT && !(bound[i] & 2));
    if (missing) status = status_set(FARM_INVALID, "value %s is no input or output", plan->values[i].name);
  }
  free(bound);
  return status;
}

/* ---- steps ---- */

static enum farm_status make(struct check *check, uint32_t value) {
  FAIL_IF(value >= (uint32_t)check->plan->value_count, FARM_INVALID, "no value %u", value);
  const struct plan_value *made = &check->plan->values[value];
  FAIL_IF(made->place == VALUE_CONSTANT || made->place == VALUE_NONE || made->place == VALUE_INPUT, FARM_INVALID,
          "makes %s, which is %s", made->name, made->place == VALUE_INPUT ? "an input" : "a constant");
  FAIL_IF(check->state[value] & EVER, FARM_INVALID, "%s is made twice", made->name);
  check->state[value] |= MADE | EVER;
  return FARM_OK;
}

static enum farm_status read_check(const struct check *check, uint32_t value) {
  FAIL_IF(value >= (uint32_t)check->plan->value_count, FARM_INVALID, "no value %u", value);
  const struct plan_value *read = &check->plan->values[value];
  FAIL_IF(read->place == VALUE_NONE, FARM_INVALID, "reads %s, which lies nowhere", read->name);
  FAIL_IF(read->place != VALUE_CONSTANT && !(check->state[value] & MADE), FARM_INVALID, "reads %s before it is made", read->name);
  return FARM_OK;
}

static enum farm_status inputs_check(const struct check *check, const struct plan_step *step) {
  for (int i = 0; i < step->input_count; i++) {
    uint32_t value = step->inputs[i];
    if (value == PLAN_NO_INDEX) continue;
    bool packed = step->packed_weight != PLAN_NO_INDEX && step->packed_input == (uint32_t)i;
    if (packed && value < (uint32_t)check->plan->value_count && check->plan->values[value].place == VALUE_NONE) continue;
    TRY(read_check(check, value));
  }
  return FARM_OK;
}

static enum farm_status packing_check(const struct check *check, const struct plan_step *step) {
  if (step->packed_weight == PLAN_NO_INDEX) return FARM_OK;
  FAIL_IF(step->kind != STEP_KERNEL, FARM_INVALID, "packed weights without a kernel");
  FAIL_IF(step->packed_weight >= (uint32_t)check->engine->weight_count, FARM_INVALID, "no weight %u", step->packed_weight);
  FAIL_IF(step->packed_input >= (uint32_t)step->input_count, FARM_INVALID, "packed input %u of %d", step->packed_input,
          step->input_count);
  uint32_t value = step->inputs[step->packed_input];
  FAIL_IF(value >= (uint32_t)check->plan->value_count, FARM_INVALID, "no value %u", value);
  enum value_place place = check->plan->values[value].place;
  FAIL_IF(place != VALUE_NONE && place != VALUE_CONSTANT, FARM_INVALID, "packs %s, which is no constant",
          check->plan->values[value].name);
  FAIL_IF(tensor_bytes(&check->plan->values[value].type) == SIZE_MAX, FARM_INVALID, "packs a constant without a size");
  return FARM_OK;
}

static enum farm_status block_check(struct check *check, uint32_t block);

static enum farm_status sub_block_check(struct check *check, uint32_t parent, uint32_t block, int inputs, int outputs) {
  const struct plan *plan = check->plan;
  FAIL_IF(block >= (uint32_t)plan->block_count || block <= parent, FARM_INVALID, "no block %u", block);
  FAIL_IF(check->block_used[block], FARM_INVALID, "block %u belongs to two steps", block);
  check->block_used[block] = 1;
  FAIL_IF(plan->blocks[block].input_count != inputs || plan->blocks[block].output_count != outputs, FARM_INVALID,
          "block %u takes %d values and gives %d, not %d and %d", block, plan->blocks[block].input_count,
          plan->blocks[block].output_count, inputs, outputs);
  FAIL_IF(++check->depth > ENGINE_MOST_DEPTH, FARM_INVALID, "blocks more than %d deep", ENGINE_MOST_DEPTH);
  TRY(block_check(check, block));
  check->depth--;
  return FARM_OK;
}

static enum farm_status control_check(struct check *check, uint32_t parent, const struct plan_step *step) {
  for (int i = 0; i < step->output_count; i++)
    FAIL_IF(step->outputs[i] < (uint32_t)check->plan->value_count && check->plan->values[step->outputs[i]].place == VALUE_VIEW,
            FARM_INVALID, "output %d is a view", i);
  if (step->kind == STEP_IF) {
    FAIL_IF(step->input_count != 1 || step->inputs[0] == PLAN_NO_INDEX, FARM_INVALID, "If without a condition");
    TRY(sub_block_check(check, parent, step->blocks[0], 0, step->output_count));
    return sub_block_check(check, parent, step->blocks[1], 0, step->output_count);
  }
  if (step->kind == STEP_SCAN) {
    int lengths = step->since_version == 8; // before the others, may be omitted, unknown to the body
    FAIL_IF(step->input_count <= lengths, FARM_INVALID, "Scan without inputs");
    for (int i = lengths; i < step->input_count; i++)
      FAIL_IF(step->inputs[i] == PLAN_NO_INDEX, FARM_INVALID, "Scan input %d is omitted", i);
    return sub_block_check(check, parent, step->blocks[0], step->input_count - lengths, step->output_count);
  }
  FAIL_IF(step->input_count < 2 || step->output_count < step->input_count - 2, FARM_INVALID,
          "Loop without its inputs or outputs");
  for (int i = 2; i < step->input_count; i++)
    FAIL_IF(step->inputs[i] == PLAN_NO_INDEX, FARM_INVALID, "Loop input %d is omitted", i);
  return sub_block_check(check, parent, step->blocks[0], step->input_count, step->output_count + 1);
}

static enum farm_status moving_check(const struct check *check, const struct plan_step *step) {
  FAIL_IF(step->input_count < 1 || step->output_count < 1 || step->inputs[0] == PLAN_NO_INDEX ||
              step->outputs[0] == PLAN_NO_INDEX,
          FARM_INVALID, "a %s of nothing", step->kind == STEP_VIEW ? "view" : "copy");
  for (int i = 0; i < step->output_count && step->kind == STEP_VIEW; i++) {
    if (step->outputs[i] >= (uint32_t)check->plan->value_count) continue; // `make` says so
    enum value_place place = check->plan->values[step->outputs[i]].place;
    FAIL_IF(place == VALUE_POOLED || place == VALUE_HOST, FARM_INVALID, "a view cannot fill output %d", i);
  }
  return FARM_OK;
}

static enum farm_status step_check(struct check *check, uint32_t block, const struct plan_step *step) {
  FAIL_IF((unsigned)step->kind >= STEP_KIND_COUNT, FARM_INVALID, "unknown kind %d", (int)step->kind);
  FAIL_IF(step->input_count > MOST_OPERANDS || step->output_count > MOST_OPERANDS, FARM_INVALID, "too many operands");
  FAIL_IF(step->since_version < 1 || step->opset < 1, FARM_INVALID, "operator version %d of opset %d", step->since_version,
          step->opset);
  TRY(packing_check(check, step));
  TRY(inputs_check(check, step));
  if (block == 0 && step->workspace_bytes) TRY(arena_check(check, step->workspace_offset, step->workspace_bytes));
  if (step->kind == STEP_VIEW || step->kind == STEP_COPY) TRY(moving_check(check, step));
  if (step->kind >= STEP_IF) TRY(control_check(check, block, step));
  for (int i = 0; i < step->output_count; i++)
    if (step->outputs[i] != PLAN_NO_INDEX) TRY(make(check, step->outputs[i]));
  return FARM_OK;
}

/* What a block made is out of scope behind it. */
static void block_forget(struct check *check, const struct plan_block *block) {
  for (int i = 0; i < block->input_count; i++) check->state[block->inputs[i]] &= (uint8_t)~MADE;
  for (int s = 0; s < block->step_count; s++)
    for (int i = 0; i < block->steps[s].output_count; i++)
      if (block->steps[s].outputs[i] != PLAN_NO_INDEX) check->state[block->steps[s].outputs[i]] &= (uint8_t)~MADE;
}

static enum farm_status block_check(struct check *check, uint32_t index) {
  const struct plan_block *block = &check->plan->blocks[index];
  for (int i = 0; i < block->input_count && index == 0; i++) check->state[block->inputs[i]] = MADE | EVER;
  for (int i = 0; i < block->input_count && index > 0; i++) {
    TRY(make(check, block->inputs[i]));
    enum value_place place = check->plan->values[block->inputs[i]].place;
    FAIL_IF(place_is_of_block_0(place) || place == VALUE_VIEW, FARM_INVALID, "block %u: input %d is a view or an output", index,
            i);
  }
  for (int s = 0; s < block->step_count; s++) {
    enum farm_status status = step_check(check, index, &block->steps[s]);
    if (status != FARM_OK) return status_prefix(status, "step %s", block->steps[s].name);
  }
  for (int i = 0; i < block->output_count; i++) {
    enum farm_status status = read_check(check, block->outputs[i]);
    if (status != FARM_OK) return status_prefix(status, "block %u", index);
  }
  if (index > 0) block_forget(check, block);
  return FARM_OK;
}

static enum farm_status blocks_check(struct check *check) {
  TRY(block_check(check, 0));
  for (int i = 1; i < check->plan->block_count; i++)
    FAIL_IF(!check->block_used[i], FARM_INVALID, "block %d belongs to no step", i);
  return FARM_OK;
}

enum farm_status plan_check(const struct plan *plan, const struct engine *engine) {
  FAIL_IF(plan->block_count < 1, FARM_INVALID, "a plan without blocks");
  struct check check = {.plan = plan, .engine = engine};
  TRY(symbols_check(plan));
  TRY(values_check(&check));
  TRY(bindings_check(&check));
  check.state = calloc((size_t)plan->value_count + 1, 1);
  check.block_used = calloc((size_t)plan->block_count + 1, 1);
  enum farm_status status =
      check.state && check.block_used ? blocks_check(&check) : status_set(FARM_NO_MEMORY, "out of memory for a plan");
  free(check.state);
  free(check.block_used);
  return status;
}
