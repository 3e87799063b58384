/* From the prepared steps of the main block to segments, host steps and the copies between them: one walk in the order of
 * execution that knows, for every root, where its newest bytes are.
 *
 * Copies to the device stand at the beginning of their segment, copies to the host at its end: a value's place is its own from
 * the first step that writes it to the last that reads it, on the host as on the device, so they disturb nobody. A step that
 * writes a part of a root gets the rest of it first. See gpu.h.
 */
#include "gpu.h"

#include <string.h>

enum { AT_HOST = 1, AT_DEVICE = 2 };

struct walk {
  struct farm_context *context;
  struct prepared *prepared;
  struct gpu_plan *plan;
  uint8_t *at;              // by root
  struct gpu_segment *open; // takes device steps
  struct gpu_segment *newest;
};

static uint32_t root_of(const struct walk *walk, uint32_t v) { return walk->context->engine->roots[v]; }

/* ---- extents ---- */

static void extents_find(struct walk *walk) {
  const struct farm_engine *engine = walk->context->engine;
  const struct prepared *prepared = walk->prepared;
  for (uint32_t v = 0; v < (uint32_t)engine->plan->value_count; v++) {
    size_t bytes = tensor_bytes(&prepared->values[v]), end;
    uint32_t root = engine->roots[v];
    if (!(prepared->flags[v] & VALUE_TYPE_SETTLED) || bytes == SIZE_MAX) continue;
    if (__builtin_add_overflow(engine->root_offsets[v], bytes, &end)) continue;
    size_t most = gpu_capacity(walk->context, root), *extent = &walk->plan->extents[root];
    if (engine->plan->values[root].place == VALUE_INPUT) {
      size_t has = tensor_bytes(&prepared->values[root]);
      if (has < most) most = has;
    }
    if (end > most) end = most;
    if (end > *extent) *extent = end;
  }
}

static bool writes_part(const struct walk *walk, uint32_t v) {
  uint32_t root = root_of(walk, v);
  size_t bytes = tensor_bytes(&walk->prepared->values[v]);
  if (!(walk->prepared->flags[v] & VALUE_TYPE_SETTLED) || bytes == SIZE_MAX) return true;
  return walk->context->engine->root_offsets[v] > 0 || bytes < walk->plan->extents[root];
}

/* ---- moves ---- */

static enum farm_status move_add(struct walk *walk, struct gpu_move **list, uint32_t root) {
  if (walk->plan->extents[root] == 0) return FARM_OK;
  struct gpu_move *move = arena_alloc(&walk->prepared->arena, sizeof *move);
  FAIL_IF(!move, FARM_NO_MEMORY, "out of memory for shapes");
  TRY(gpu_slot_reserve(walk->context, root));
  *move = (struct gpu_move){root, *list};
  *list = move;
  return FARM_OK;
}

static enum farm_status segment_open(struct walk *walk, int first) {
  struct gpu_segment *segment = arena_alloc(&walk->prepared->arena, sizeof *segment);
  FAIL_IF(!segment, FARM_NO_MEMORY, "out of memory for shapes");
  segment->first = first;
  walk->plan->actions[walk->plan->action_count++] = (struct gpu_action){NULL, segment};
  walk->open = walk->newest = segment;
  return FARM_OK;
}

static enum farm_status to_device(struct walk *walk, uint32_t root) {
  if (walk->at[root] != AT_HOST) return FARM_OK;
  TRY(move_add(walk, &walk->open->ins, root));
  walk->at[root] |= AT_DEVICE;
  return FARM_OK;
}

static enum farm_status to_host(struct walk *walk, uint32_t root) {
  if (walk->at[root] != AT_DEVICE) return FARM_OK;
  TRY(move_add(walk, &walk->newest->outs, root)); // something was written by a segment, or it would not be there
  walk->at[root] |= AT_HOST;
  return FARM_OK;
}

/* ---- steps ---- */

static enum farm_status device_step(struct walk *walk, const struct step_state *state, int index) {
  const struct plan_step *plan = state->step->plan;
  if (!walk->open) TRY(segment_open(walk, index));
  for (int i = 0; i < plan->input_count; i++)
    if (plan->inputs[i] != PLAN_NO_INDEX) TRY(to_device(walk, root_of(walk, plan->inputs[i])));
  for (int i = 0; i < plan->output_count; i++) {
    if (plan->outputs[i] == PLAN_NO_INDEX) continue;
    uint32_t root = root_of(walk, plan->outputs[i]);
    if (writes_part(walk, plan->outputs[i])) TRY(to_device(walk, root));
    walk->at[root] = AT_DEVICE;
  }
  walk->open->count++;
  return FARM_OK;
}

static enum farm_status reads_to_host(struct walk *walk, const uint32_t *values, int count) {
  for (int i = 0; i < count; i++)
    if (values[i] != PLAN_NO_INDEX) TRY(to_host(walk, root_of(walk, values[i])));
  return FARM_OK;
}

/* Blocks read the values around them. */
static enum farm_status block_to_host(struct walk *walk, uint32_t index) {
  if (index == PLAN_NO_INDEX) return FARM_OK;
  const struct plan_block *block = &walk->context->engine->plan->blocks[index];
  for (int s = 0; s < block->step_count; s++) {
    const struct plan_step *step = &block->steps[s];
    TRY(reads_to_host(walk, step->inputs, step->input_count));
    for (int b = 0; b < 2 && step->kind >= STEP_IF; b++) TRY(block_to_host(walk, step->blocks[b]));
  }
  return reads_to_host(walk, block->outputs, block->output_count);
}

static enum farm_status host_step(struct walk *walk, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  TRY(reads_to_host(walk, plan->inputs, plan->input_count));
  for (int b = 0; b < 2 && plan->kind >= STEP_IF; b++) TRY(block_to_host(walk, plan->blocks[b]));
  for (int i = 0; i < plan->output_count; i++) {
    if (plan->outputs[i] == PLAN_NO_INDEX) continue;
    uint32_t root = root_of(walk, plan->outputs[i]);
    if (writes_part(walk, plan->outputs[i])) TRY(to_host(walk, root));
    walk->at[root] = AT_HOST;
  }
  walk->open = NULL;
  walk->plan->actions[walk->plan->action_count++] = (struct gpu_action){state, NULL};
  return FARM_OK;
}

/* A copy is done where its source is. */
static bool runs_on_device(const struct walk *walk, const struct step_state *state) {
  if (!state->on_device || state->step->plan->kind != STEP_COPY) return state->on_device;
  return walk->at[root_of(walk, state->step->plan->inputs[0])] == AT_DEVICE;
}

static enum farm_status walk_all(struct walk *walk) {
  const struct farm_engine *engine = walk->context->engine;
  struct step_state **active = walk->prepared->block_active[0];
  int count = walk->prepared->block_active_count[0];
  for (uint32_t v = 0; v < (uint32_t)engine->plan->value_count; v++)
    walk->at[v] = engine->plan->values[v].place == VALUE_CONSTANT ? AT_HOST | AT_DEVICE : engine->is_input[v] ? AT_HOST : 0;
  for (int i = 0; i < count; i++) {
    enum farm_status status = runs_on_device(walk, active[i]) ? device_step(walk, active[i], i) : host_step(walk, active[i]);
    if (status != FARM_OK) return status_prefix(status, "step %s", active[i]->step->plan->name);
  }
  return reads_to_host(walk, engine->plan->blocks[0].outputs, engine->plan->blocks[0].output_count);
}

enum farm_status gpu_plan_make(struct farm_context *context, struct prepared *prepared) {
  struct arena *arena = &prepared->arena;
  size_t values = (size_t)context->engine->plan->value_count + 1;
  struct walk walk = {.context = context, .prepared = prepared, .plan = arena_alloc(arena, sizeof(struct gpu_plan))};
  FAIL_IF(!walk.plan, FARM_NO_MEMORY, "out of memory for shapes");
  walk.at = arena_alloc_array(arena, values, 1);
  walk.plan->extents = arena_alloc_array(arena, values, sizeof *walk.plan->extents);
  walk.plan->actions =
      arena_alloc_array(arena, (size_t)prepared->block_active_count[0] * 2 + 1, sizeof *walk.plan->actions); // and its segment
  FAIL_IF(!walk.at || !walk.plan->extents || !walk.plan->actions, FARM_NO_MEMORY, "out of memory for shapes");
  extents_find(&walk);
  TRY(walk_all(&walk));
  prepared->gpu = walk.plan;
  return FARM_OK;
}

void gpu_plan_free(struct prepared *prepared) {
  for (int i = 0; prepared->gpu && i < prepared->gpu->action_count; i++)
    if (prepared->gpu->actions[i].segment && prepared->gpu->actions[i].segment->graph)
      cuda_graph_free(&prepared->gpu->actions[i].segment->graph);
  for (int i = 0; prepared->states && prepared->states[i].step; i++) cuda_step_free(&prepared->states[i].device_step);
}
