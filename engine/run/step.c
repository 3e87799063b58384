/* Steps: inferring their outputs' types, building problem and call, running them. The same code builds a settled step once and an
 * unsettled one whenever what it depends on has changed. */
#include "run.h"

#include "../../base/clock.h"
#include "gpu.h"

#include <string.h>

enum { MOST_KEY_BYTES = 4096 };

/* ---- operands ---- */

enum farm_status step_operands(const struct farm_engine *engine, struct prepared *prepared, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  (void)engine;
  state->inputs = arena_alloc_array(&prepared->arena, (size_t)plan->input_count + 1, sizeof *state->inputs);
  state->outputs = arena_alloc_array(&prepared->arena, (size_t)plan->output_count + 1, sizeof *state->outputs);
  state->output_types = arena_alloc_array(&prepared->arena, (size_t)plan->output_count + 1, sizeof *state->output_types);
  FAIL_IF(!state->inputs || !state->outputs || !state->output_types, FARM_NO_MEMORY, "out of memory for a step");
  for (int i = 0; i < plan->input_count; i++)
    state->inputs[i] = plan->inputs[i] == PLAN_NO_INDEX ? NULL : &prepared->values[plan->inputs[i]];
  for (int i = 0; i < plan->output_count; i++)
    state->outputs[i] = plan->outputs[i] == PLAN_NO_INDEX ? NULL : &prepared->values[plan->outputs[i]];
  return FARM_OK;
}

/* May inference look at input i's contents? Those on the host, constants and empty ones always; others when the operator says so.
 */
static bool contents_readable(const struct farm_engine *engine, const struct prepared *prepared, const struct step_state *state,
                              int i) {
  const struct plan_step *plan = state->step->plan;
  uint32_t v = plan->inputs[i];
  if (tensor_elems(state->inputs[i]) == 0) return true;
  if (state->settled || !state->run) return prepared->flags[v] & VALUE_DATA_SETTLED;
  bool on_host = i < 32 && state->step->operation.row->host_inputs >> i & 1;
  enum value_place place = engine->plan->values[v].place;
  return place == VALUE_CONSTANT || place == VALUE_HOST || on_host;
}

/* ---- inference ---- */

static enum farm_status known_fill(const struct tensor *tensor, struct arena *arena, struct shape_info *info) {
  int64_t count = tensor_elems(tensor);
  if ((tensor->dtype != DTYPE_I64 && tensor->dtype != DTYPE_I32) || count < 0 || count > SHAPE_MAX_KNOWN ||
      (count && !tensor->data))
    return FARM_OK;
  int64_t *known = arena_alloc_array(arena, (size_t)count + 1, sizeof *known);
  bool *symbolic = arena_alloc_array(arena, (size_t)count + 1, sizeof *symbolic);
  FAIL_IF(!known || !symbolic, FARM_NO_MEMORY, "out of memory for shapes");
  for (int64_t i = 0; i < count; i++) known[i] = dtype_load_i64(tensor->dtype, tensor->data, i);
  info->known = known;
  info->symbolic = symbolic;
  return FARM_OK;
}

static enum farm_status infos_fill(const struct farm_engine *engine, const struct prepared *prepared,
                                   const struct step_state *state, struct arena *arena, struct shape_info *infos,
                                   const struct shape_info **inputs) {
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->input_count; i++) {
    inputs[i] = NULL;
    if (!state->inputs[i]) continue;
    infos[i] = (struct shape_info){.type = *state->inputs[i]};
    infos[i].type.data = NULL;
    inputs[i] = &infos[i];
    if (!contents_readable(engine, prepared, state, i) || (!state->inputs[i]->data && tensor_elems(state->inputs[i]))) continue;
    infos[i].constant = state->inputs[i];
    TRY(known_fill(state->inputs[i], arena, &infos[i]));
  }
  return FARM_OK;
}

/* What was inferred against what was planned. */
static enum farm_status output_take(const struct farm_engine *engine, const struct plan_step *plan, int i,
                                    const struct tensor *inferred, struct tensor *out_type) {
  const struct plan_value *value = &engine->plan->values[plan->outputs[i]];
  struct tensor type = *inferred;
  type.data = NULL;
  if (type.dtype == DTYPE_NONE) type.dtype = value->type.dtype;
  FAIL_IF(type.dtype == DTYPE_NONE || dtype_bits(type.dtype) == 0, FARM_INVALID, "%s: no element type", value->name);
  FAIL_IF(value->type.dtype != DTYPE_NONE && value->type.dtype != type.dtype, FARM_INVALID, "%s: %s where %s is planned",
          value->name, dtype_name(type.dtype), dtype_name(value->type.dtype));
  for (int d = 0; d < type.rank; d++)
    if (type.dims[d] < 0) type.dims[d] = DIM_UNKNOWN;
  *out_type = type;
  return FARM_OK;
}

enum farm_status step_infer(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                            struct arena *arena, bool *out_known) {
  const struct plan_step *plan = state->step->plan;
  struct shape_info *infos = arena_alloc_array(arena, (size_t)plan->input_count + (size_t)plan->output_count + 1, sizeof *infos);
  const struct shape_info **inputs = arena_alloc_array(arena, (size_t)plan->input_count + 1, sizeof *inputs);
  FAIL_IF(!infos || !inputs, FARM_NO_MEMORY, "out of memory for shapes");
  TRY(infos_fill(context->engine, prepared, state, arena, infos, inputs));
  struct shape_info *outputs = infos + plan->input_count;
  for (int i = 0; i < plan->output_count; i++) outputs[i].type.rank = -1;
  struct shape_call call = {.row = state->step->operation.row,
                            .attrs = &state->step->operation.attrs,
                            .opset = state->step->operation.opset,
                            .input_count = plan->input_count,
                            .inputs = inputs,
                            .output_count = plan->output_count,
                            .outputs = outputs,
                            .arena = arena};
  TRY(call.row->shape(&call));
  bool known = true;
  for (int i = 0; i < plan->output_count; i++) {
    if (!state->outputs[i]) continue;
    TRY(output_take(context->engine, plan, i, &outputs[i].type, &state->output_types[i]));
    *state->outputs[i] = state->output_types[i];
    if (state->output_types[i].rank < 0 || tensor_bytes(&state->output_types[i]) == SIZE_MAX) known = false;
  }
  *out_known = known;
  return FARM_OK;
}

/* ---- building a kernel's call ---- */

static const struct tensor *const *const_outputs(const struct step_state *state) {
  return (const struct tensor *const *)state->outputs;
}

static enum farm_status problem_make(struct step_state *state, uint64_t constants, struct arena *arena) {
  const struct plan_step *plan = state->step->plan;
  return operation_problem(&state->step->operation, state->inputs, plan->input_count, constants, const_outputs(state),
                           plan->output_count, arena, &state->problem);
}

static enum tactic_layout step_layout(const struct run_step *step) {
  return strcmp(attr_string(&step->plan->attrs, "layout", ""), "nhwc") == 0 ? LAYOUT_NHWC : LAYOUT_NCHW;
}

/* Does the planned variant solve this very problem, with the weights as they are packed? */
static bool planned_fits(const struct farm_context *context, const struct step_state *state, const struct variant *variant) {
  const struct run_step *step = state->step;
  if (!step->has_variant || !variant_legal(&state->problem, variant)) return false;
  if (variant->tactic->layout != LAYOUT_ANY && variant->tactic->layout != step_layout(step)) return false;
  int operand = variant->tactic->packed_operand;
  size_t packed = variant_packed_bytes(&state->problem, variant);
  if (step->plan->packed_weight != PLAN_NO_INDEX)
    return packed == context->engine->file->weights[step->plan->packed_weight].bytes;
  return !(packed && operand >= 0 && operand < 64 && step->constants >> operand & 1);
}

/* Another variant steps in: the default for this problem, with row-major constants. */
static enum farm_status fallback_choose(const struct farm_context *context, struct step_state *state, struct arena *arena) {
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->input_count; i++)
    FAIL_IF(plan->inputs[i] != PLAN_NO_INDEX && context->engine->plan->values[plan->inputs[i]].place == VALUE_NONE, FARM_MISMATCH,
            "%s does not apply to these shapes, and input %d is only there packed", plan->variant, i);
  TRY(problem_make(state, 0, arena));
  state->variant = catalogue_default(&state->problem, &context->engine->machine, step_layout(state->step), context->threads);
  FAIL_IF(!state->variant.tactic, FARM_MISMATCH, "no tactic for these shapes");
  return FARM_OK;
}

static enum farm_status workspace_find(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  size_t bytes = variant_workspace(&state->problem, &state->variant, context->threads);
  state->spare_workspace = false;
  state->call.workspace = NULL;
  if (bytes == 0) return FARM_OK;
  if (state->step->block == 0 && bytes <= plan->workspace_bytes) {
    state->call.workspace = context->arena + plan->workspace_offset;
    return FARM_OK;
  }
  state->spare_workspace = true;
  return buffer_reserve(context, &context->spare, bytes, false);
}

/* On the device: the planned variant, else its fallback. */
static enum farm_status device_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                     bool *out_taken) {
  const struct run_step *step = state->step;
  *out_taken = false;
  state->variant = step->variant;
  if (!step->library_lost && planned_fits(context, state, &step->variant))
    TRY(gpu_step_build(context, prepared, state, out_taken));
  if (*out_taken || !step->fallback.tactic) return FARM_OK;
  state->problem = problem_of_variables(&state->problem);
  state->variant = step->fallback;
  state->by_fallback = true;
  if (planned_fits(context, state, &step->fallback)) TRY(gpu_step_build(context, prepared, state, out_taken));
  state->by_fallback = *out_taken;
  return FARM_OK;
}

static enum farm_status kernel_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                     struct arena *arena) {
  const struct run_step *step = state->step;
  TRY(problem_make(state, step->constants, arena));
  bool of_device = step->has_variant && step->variant.tactic->device == DEVICE_CUDA, taken;
  if (of_device) {
    TRY(device_build(context, prepared, state, &taken));
    if (taken) return FARM_OK;
  }
  bool planned = !of_device && planned_fits(context, state, &step->variant);
  if (planned)
    state->variant = step->variant;
  else
    TRY(fallback_choose(context, state, arena));
  bool packed = planned && step->plan->packed_weight != PLAN_NO_INDEX;
  state->call = (struct kernel_call){
      .problem = &state->problem,
      .variant = &state->variant,
      .operation = &step->operation,
      .scalars = &step->scalars,
      .input_count = step->plan->input_count,
      .output_count = step->plan->output_count,
      .inputs = state->inputs,
      .outputs = state->outputs,
      .packed = packed ? context->engine->file->weights[step->plan->packed_weight].data : NULL,
      .pool = context->pool,
  };
  return workspace_find(context, state);
}

enum farm_status step_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                            struct arena *arena) {
  state->by_reference = false;
  state->on_device = state->by_fallback = false;
  for (int i = 0; i < state->step->plan->output_count; i++)
    if (state->outputs[i] && tensor_elems(state->outputs[i]) < 0) state->by_reference = true;
  if (state->step->plan->kind == STEP_KERNEL && !state->by_reference) TRY(kernel_build(context, prepared, state, arena));
  bool copied;
  if (state->step->plan->kind == STEP_COPY && context->gpu) TRY(gpu_step_build(context, prepared, state, &copied));
  state->built = true;
  return FARM_OK;
}

/* ---- running, by kind ---- */

static enum farm_status run_kernel(struct farm_context *context, struct step_state *state) {
  (void)context;
  return state->variant.tactic->run(&state->call);
}

static enum farm_status run_kernel_allocating(struct farm_context *context, struct step_state *state) {
  struct output_allocator allocator = {context, state};
  state->call.allocate = output_allocate;
  state->call.context = &allocator;
  if (state->spare_workspace) state->call.workspace = context->spare.data;
  enum farm_status status = state->variant.tactic->run(&state->call);
  state->call.context = NULL;
  return status;
}

static enum farm_status run_on_device(struct farm_context *context, struct step_state *state) {
  (void)context;
  return status_set(FARM_FAILURE, "step %s of the device among the host's", state->step->plan->name);
}

/* A view gives its outputs their place anew: what they are of may have moved. */
static enum farm_status run_view(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX) TRY(value_place(context, context->current, plan->outputs[i]));
  return FARM_OK;
}

static enum farm_status run_copy(struct farm_context *context, struct step_state *state) {
  const struct tensor *from = state->inputs[0];
  struct tensor *to = state->outputs[0];
  size_t bytes = tensor_bytes(to);
  (void)context;
  FAIL_IF(bytes != tensor_bytes(from), FARM_INVALID, "a copy changes the size");
  if (bytes && to->data != from->data) memmove(to->data, from->data, bytes);
  return FARM_OK;
}

static enum farm_status run_unsettled_copy(struct farm_context *context, struct step_state *state) {
  if (tensor_bytes(state->outputs[0]) != SIZE_MAX) return run_copy(context, state);
  return value_copy(context, context->current, state->step->plan->outputs[0], state->inputs[0]);
}

step_run_fn step_settled_run(const struct step_state *state) {
  static const step_run_fn by_kind[STEP_KIND_COUNT] = {
      [STEP_KERNEL] = run_kernel, [STEP_HOST] = step_run_host, [STEP_VIEW] = run_view, [STEP_COPY] = run_copy};
  if (state->step->plan->kind == STEP_KERNEL && state->on_device) return run_on_device;
  if (state->step->plan->kind == STEP_KERNEL && state->spare_workspace) return run_kernel_allocating;
  return by_kind[state->step->plan->kind];
}

/* ---- unsettled steps ---- */

/* Types of the inputs, and the contents that inference may look at; *out_usable: the whole of it fits. */
static void key_make(struct farm_context *context, const struct step_state *state, bool *out_usable) {
  struct bytes_writer *key = &context->key;
  const struct plan_step *plan = state->step->plan;
  key->length = 0;
  *out_usable = true;
  for (int i = 0; i < plan->input_count; i++) {
    const struct tensor *in = state->inputs[i];
    if (!in) continue;
    bytes_put(key, &in->dtype, sizeof in->dtype);
    bytes_put(key, &in->rank, sizeof in->rank);
    if (in->rank > 0) bytes_put(key, in->dims, (size_t)in->rank * sizeof *in->dims);
    enum value_place place = context->engine->plan->values[plan->inputs[i]].place;
    if (place == VALUE_CONSTANT || !contents_readable(context->engine, context->current, state, i)) continue;
    size_t bytes = tensor_bytes(in);
    if (bytes > MOST_KEY_BYTES)
      *out_usable = false;
    else if (bytes && in->data)
      bytes_put(key, in->data, bytes);
  }
  if (key->failed) *out_usable = false;
}

static enum farm_status rebuild(struct farm_context *context, struct step_state *state) {
  bool usable, known;
  key_make(context, state, &usable);
  if (state->built && usable && state->key.length == context->key.length &&
      (state->key.length == 0 || memcmp(state->key.data, context->key.data, state->key.length) == 0)) {
    for (int i = 0; i < state->step->plan->output_count; i++)
      if (state->outputs[i]) *state->outputs[i] = state->output_types[i];
    return FARM_OK;
  }
  state->built = false;
  arena_free(&state->arena);
  TRY(step_infer(context, context->current, state, &state->arena, &known));
  TRY(step_build(context, context->current, state, &state->arena));
  state->key.length = 0;
  state->key.failed = false;
  bytes_put(&state->key, context->key.data, context->key.length);
  state->built = usable && !state->key.failed;
  return FARM_OK;
}

/* Outputs whose size is known get their place; the others get it from the reference. */
static enum farm_status outputs_place(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->output_count; i++)
    if (state->outputs[i] && state->outputs[i]->rank >= 0 && tensor_bytes(state->outputs[i]) != SIZE_MAX)
      TRY(value_place(context, context->current, plan->outputs[i]));
  return FARM_OK;
}

enum farm_status step_run_unsettled(struct farm_context *context, struct step_state *state) {
  static const step_run_fn by_kind[STEP_KIND_COUNT] = {[STEP_KERNEL] = run_kernel_allocating,
                                                       [STEP_HOST] = step_run_host,
                                                       [STEP_VIEW] = run_view,
                                                       [STEP_COPY] = run_unsettled_copy};
  TRY(rebuild(context, state));
  TRY(outputs_place(context, state));
  const struct plan_step *plan = state->step->plan;
  TRY((plan->kind == STEP_KERNEL && state->by_reference ? step_run_host : by_kind[plan->kind])(context, state));
  for (int i = 0; i < plan->output_count; i++)
    FAIL_IF(state->outputs[i] && tensor_bytes(state->outputs[i]) == SIZE_MAX, FARM_INVALID, "%s has no shape after it was made",
            context->engine->plan->values[plan->outputs[i]].name);
  return FARM_OK;
}

/* ---- blocks ---- */

static enum farm_status block_run_profiled(struct farm_context *context, struct step_state *const *active, int count) {
  for (int i = 0; i < count; i++) {
    uint64_t start = clock_now_ns();
    enum farm_status status = active[i]->run(context, active[i]);
    if (status != FARM_OK) return status_prefix(status, "step %s", active[i]->step->plan->name);
    struct step_time *time = &context->times[active[i]->step->index];
    time->ns += clock_now_ns() - start;
    time->calls++;
  }
  return FARM_OK;
}

enum farm_status block_run(struct farm_context *context, uint32_t block) {
  struct step_state *const *active = context->current->block_active[block];
  int count = context->current->block_active_count[block];
  if (context->times) return block_run_profiled(context, active, count);
  for (int i = 0; i < count; i++) {
    enum farm_status status = active[i]->run(context, active[i]);
    if (status != FARM_OK) return status_prefix(status, "step %s", active[i]->step->plan->name);
  }
  return FARM_OK;
}
