/* From the shapes of the inputs to everything that follows from them: types of values, problems and calls of steps. A few recent
 * shapes are kept, so that going back to one costs a look-up. */
#include "gpu.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

/* ---- types that are known before anything runs ---- */

static void value_unsettle(const struct farm_engine *engine, struct prepared *prepared, uint32_t v) {
  prepared->values[v] = engine->plan->values[v].type;
  prepared->values[v].data = NULL;
  for (int i = 0; i < prepared->values[v].rank; i++) prepared->values[v].dims[i] = DIM_UNKNOWN;
  prepared->flags[v] = 0;
}

static void values_start(const struct farm_engine *engine, struct prepared *prepared) {
  for (uint32_t v = 0; v < (uint32_t)engine->plan->value_count; v++) {
    enum value_place place = engine->plan->values[v].place;
    bool constant = place == VALUE_CONSTANT || place == VALUE_NONE;
    if (!constant) {
      value_unsettle(engine, prepared, v);
      continue;
    }
    prepared->values[v] = engine->plan->values[v].type;
    if (tensor_bytes(&prepared->values[v]) != SIZE_MAX)
      prepared->flags[v] = place == VALUE_CONSTANT ? VALUE_TYPE_SETTLED | VALUE_DATA_SETTLED : VALUE_TYPE_SETTLED;
  }
}

/* Symbols must mean the same number in every input. */
static enum farm_status symbols_check(const struct farm_engine *engine, const struct prepared *prepared, int64_t *numbers) {
  const struct plan *plan = engine->plan;
  for (int i = 0; i < plan->symbol_count; i++) numbers[i] = -1;
  for (int i = 0; i < plan->blocks[0].input_count; i++) {
    const struct tensor *type = &plan->input_types[i];
    for (int d = 0; d < type->rank; d++) {
      if (type->dims[d] > DIM_FIRST_SYMBOL) continue;
      int64_t *number = &numbers[DIM_FIRST_SYMBOL - type->dims[d]], dim = prepared->input_types[i].dims[d];
      FAIL_IF(*number >= 0 && *number != dim, FARM_USAGE, "input %s: dimension %d is %lld, but %s is %lld elsewhere",
              plan->values[plan->blocks[0].inputs[i]].name, d, (long long)dim,
              plan->symbols[DIM_FIRST_SYMBOL - type->dims[d]].name, (long long)*number);
      *number = dim;
    }
  }
  return FARM_OK;
}

static enum farm_status inputs_start(struct farm_context *context, struct prepared *prepared) {
  const struct farm_engine *engine = context->engine;
  const struct plan_block *block = &engine->plan->blocks[0];
  int64_t *numbers = arena_alloc_array(&prepared->arena, (size_t)engine->plan->symbol_count + 1, sizeof *numbers);
  FAIL_IF(!numbers, FARM_NO_MEMORY, "out of memory for shapes");
  for (int i = 0; i < block->input_count; i++) {
    prepared->input_types[i] = context->inputs[i].type;
    prepared->input_types[i].data = NULL;
    prepared->values[block->inputs[i]] = prepared->input_types[i];
    prepared->flags[block->inputs[i]] = VALUE_TYPE_SETTLED;
  }
  return symbols_check(engine, prepared, numbers);
}

/* ---- steps ---- */

static bool operands_settled(const struct prepared *prepared, const struct run_step *step) {
  const struct plan_step *plan = step->plan;
  for (int i = 0; i < plan->input_count; i++) {
    if (plan->inputs[i] == PLAN_NO_INDEX) continue;
    uint8_t flags = prepared->flags[plan->inputs[i]];
    bool on_host = i < 32 && step->operation.row->host_inputs >> i & 1;
    if (!(flags & VALUE_TYPE_SETTLED) || (on_host && !(flags & VALUE_DATA_SETTLED))) return false;
  }
  return true;
}

static bool inputs_data_settled(const struct prepared *prepared, const struct plan_step *plan) {
  for (int i = 0; i < plan->input_count; i++)
    if (plan->inputs[i] != PLAN_NO_INDEX && !(prepared->flags[plan->inputs[i]] & VALUE_DATA_SETTLED)) return false;
  return true;
}

/* Host arithmetic on numbers that follow from the shapes alone is done now, once. */
static enum farm_status host_settle(struct farm_context *context, struct prepared *prepared, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->output_count; i++) {
    if (plan->outputs[i] == PLAN_NO_INDEX) continue;
    struct tensor *value = &prepared->values[plan->outputs[i]];
    value->data = arena_alloc(&prepared->arena, tensor_bytes(value));
    FAIL_IF(!value->data, FARM_NO_MEMORY, "out of memory for host values");
  }
  TRY(step_run_host(context, state));
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX) prepared->flags[plan->outputs[i]] |= VALUE_DATA_SETTLED;
  state->run = NULL;
  return FARM_OK;
}

static bool outputs_on_host(const struct farm_engine *engine, const struct plan_step *plan) {
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX && engine->plan->values[plan->outputs[i]].place != VALUE_HOST) return false;
  return true;
}

/* Shape and Size read no data. */
static bool reads_only_types(const struct run_step *step) {
  return step->operation.row->domain[0] == 0 &&
         (strcmp(step->operation.row->name, "Shape") == 0 || strcmp(step->operation.row->name, "Size") == 0);
}

/* Views of the pool's values move with them while running; others only between runs. */
static bool views_move(const struct farm_engine *engine, const struct plan_step *plan) {
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX && engine->plan->values[engine->roots[plan->outputs[i]]].place == VALUE_POOLED)
      return true;
  return false;
}

static enum farm_status step_settle(struct farm_context *context, struct prepared *prepared, struct step_state *state) {
  const struct farm_engine *engine = context->engine;
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX) prepared->flags[plan->outputs[i]] |= VALUE_TYPE_SETTLED;
  bool host = plan->kind == STEP_HOST && outputs_on_host(engine, plan);
  if (host && (inputs_data_settled(prepared, plan) || reads_only_types(state->step)))
    return host_settle(context, prepared, state);
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX) TRY(value_place(context, prepared, plan->outputs[i]));
  if (plan->kind == STEP_VIEW && engine->plan->values[plan->outputs[0]].place == VALUE_VIEW &&
      engine->plan->values[engine->roots[plan->outputs[0]]].place == VALUE_CONSTANT)
    prepared->flags[plan->outputs[0]] |= VALUE_DATA_SETTLED;
  TRY(step_build(context, prepared, state, &prepared->arena));
  state->run = plan->kind == STEP_VIEW && !views_move(engine, plan) ? NULL : step_settled_run(state);
  return FARM_OK;
}

static enum farm_status block_prepare(struct farm_context *context, struct prepared *prepared, uint32_t block, bool settled);

static enum farm_status control_prepare(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                        bool settled) {
  const struct plan_step *plan = state->step->plan;
  settled = settled && plan->kind == STEP_IF; // a body runs with other types each time
  for (int i = 0; i < (plan->kind == STEP_IF ? 2 : 1); i++) TRY(block_prepare(context, prepared, plan->blocks[i], settled));
  state->run = plan->kind == STEP_IF ? step_run_if : plan->kind == STEP_LOOP ? step_run_loop : step_run_scan;
  return FARM_OK;
}

static enum farm_status step_prepare(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                     bool settled) {
  TRY(step_operands(context->engine, prepared, state));
  enum step_kind kind = state->step->plan->kind;
  if (kind == STEP_IF || kind == STEP_LOOP || kind == STEP_SCAN) return control_prepare(context, prepared, state, settled);
  bool known = false;
  if (settled && operands_settled(prepared, state->step)) {
    enum farm_status status = step_infer(context, prepared, state, &prepared->arena, &known);
    if (status != FARM_OK && state->step->block == 0) return status;
    if (status == FARM_OK && known) {
      state->settled = true;
      return step_settle(context, prepared, state);
    } // a branch that cannot be right for these shapes may never be taken: it says so when it is
    for (int i = 0; i < state->step->plan->output_count; i++)
      if (state->step->plan->outputs[i] != PLAN_NO_INDEX)
        value_unsettle(context->engine, prepared, state->step->plan->outputs[i]);
  }
  state->run = step_run_unsettled;
  return FARM_OK;
}

static enum farm_status block_prepare(struct farm_context *context, struct prepared *prepared, uint32_t index, bool settled) {
  const struct run_block *block = &context->engine->blocks[index];
  struct step_state **active = arena_alloc_array(&prepared->arena, (size_t)block->plan->step_count + 1, sizeof *active);
  FAIL_IF(!active, FARM_NO_MEMORY, "out of memory for shapes");
  int count = 0;
  for (int s = 0; s < block->plan->step_count; s++) {
    struct step_state *state = &prepared->states[block->steps[s].index];
    state->step = &block->steps[s];
    enum farm_status status = step_prepare(context, prepared, state, settled);
    if (status != FARM_OK) return status_prefix(status, "step %s", state->step->plan->name);
    if (state->run) active[count++] = state;
  }
  prepared->block_active[index] = active;
  prepared->block_active_count[index] = count;
  return FARM_OK;
}

/* ---- the kept shapes ---- */

void prepared_free(struct prepared *prepared) {
  if (!prepared) return;
  gpu_plan_free(prepared);
  for (int i = 0; prepared->states && prepared->states[i].step; i++) {
    arena_free(&prepared->states[i].arena);
    bytes_writer_free(&prepared->states[i].key);
  }
  arena_free(&prepared->arena);
  free(prepared);
}

static enum farm_status prepared_fill(struct farm_context *context, struct prepared *prepared) {
  const struct farm_engine *engine = context->engine;
  struct arena *arena = &prepared->arena;
  size_t values = (size_t)engine->plan->value_count + 1, blocks = (size_t)engine->plan->block_count + 1;
  prepared->input_types =
      arena_alloc_array(arena, (size_t)engine->plan->blocks[0].input_count + 1, sizeof *prepared->input_types);
  prepared->values = arena_alloc_array(arena, values, sizeof *prepared->values);
  prepared->flags = arena_alloc_array(arena, values, sizeof *prepared->flags);
  prepared->states = arena_alloc_array(arena, (size_t)engine->step_count + 1, sizeof *prepared->states);
  prepared->block_active = arena_alloc_array(arena, blocks, sizeof *prepared->block_active);
  prepared->block_active_count = arena_alloc_array(arena, blocks, sizeof *prepared->block_active_count);
  FAIL_IF(!prepared->input_types || !prepared->values || !prepared->flags || !prepared->states || !prepared->block_active ||
              !prepared->block_active_count,
          FARM_NO_MEMORY, "out of memory for shapes");
  for (int b = 0; b < engine->plan->block_count; b++)
    for (int s = 0; s < engine->blocks[b].plan->step_count; s++)
      prepared->states[engine->blocks[b].steps[s].index].step = &engine->blocks[b].steps[s];
  values_start(engine, prepared);
  TRY(inputs_start(context, prepared));
  for (int i = 0; i < engine->plan->blocks[0].input_count; i++)
    prepared->values[engine->plan->blocks[0].inputs[i]].data = context->inputs[i].type.data;
  TRY(block_prepare(context, prepared, 0, true));
  return context->gpu ? gpu_plan_make(context, prepared) : FARM_OK;
}

static bool key_equal(const struct farm_context *context, const struct prepared *prepared) {
  for (int i = 0; i < context->engine->plan->blocks[0].input_count; i++)
    if (!tensor_shape_equal(&prepared->input_types[i], &context->inputs[i].type)) return false;
  return true;
}

enum farm_status prepared_find(struct farm_context *context) {
  int slot = 0;
  for (int i = 0; i < PREPARED_SHAPES; i++) {
    struct prepared *prepared = context->prepared[i];
    if (prepared && key_equal(context, prepared)) {
      context->current = prepared;
      return FARM_OK;
    }
    if (!prepared || (context->prepared[slot] && prepared->last_used < context->prepared[slot]->last_used)) slot = i;
    if (!prepared) break;
  }
  struct prepared *fresh = calloc(1, sizeof *fresh);
  FAIL_IF(!fresh, FARM_NO_MEMORY, "out of memory for shapes");
  context->current = NULL;
  enum farm_status status = prepared_fill(context, fresh);
  if (status != FARM_OK) {
    prepared_free(fresh);
    return status;
  }
  prepared_free(context->prepared[slot]);
  context->prepared[slot] = context->current = fresh;
  return FARM_OK;
}

void prepared_views_refresh(struct farm_context *context, struct prepared *prepared, uint32_t root) {
  const struct farm_engine *engine = context->engine;
  uint8_t *base = context->buffers[root].data;
  for (uint32_t v = 0; v < (uint32_t)engine->plan->value_count; v++)
    if (v != root && engine->roots[v] == root && prepared->values[v].data)
      prepared->values[v].data = base + engine->root_offsets[v];
}
