/* One step on the device: is it possible for the shapes at hand, and then its launches. See gpu.h. */
#include "gpu.h"

#include "../../base/log.h"

#include <string.h>

static bool is_empty(const struct tensor *tensor) { return tensor && tensor_elems(tensor) == 0; }

/* Nothing to write: no launch at all. */
static bool has_no_work(const struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  for (int i = 0; i < plan->output_count; i++)
    if (state->outputs[i] && !is_empty(state->outputs[i])) return false;
  return true;
}

/* An image was compiled from the text for the shapes that the linker took; where the text is another one for these shapes, it
 * does not fit. */
static enum farm_status image_fits(const struct step_state *state, struct arena *arena, bool *out_fits) {
  const struct plan_step *plan = state->step->plan;
  const struct cuda_tactic *tactic = cuda_tactic_of(state->variant.tactic);
  *out_fits = true;
  if (!tactic->source) return FARM_OK;
  const char *text = problem_print(&state->problem, arena);
  FAIL_IF(!text, FARM_NO_MEMORY, "out of memory for a problem");
  if (strcmp(text, plan->problem) == 0) return FARM_OK;
  struct problem linked;
  struct strbuf texts[2] = {{0}};
  enum farm_status status = problem_parse(plan->problem, arena, &linked);
  if (status == FARM_OK && state->by_fallback) linked = problem_of_variables(&linked);
  *out_fits = status == FARM_OK && variant_legal(&linked, &state->variant);
  if (status == FARM_OK && *out_fits) status = tactic->source(&linked, &state->variant, &texts[0]);
  if (status == FARM_OK && *out_fits) status = tactic->source(&state->problem, &state->variant, &texts[1]);
  *out_fits = *out_fits && status == FARM_OK && !texts[0].failed && !texts[1].failed &&
              strcmp(strbuf_text(&texts[0]), strbuf_text(&texts[1])) == 0;
  strbuf_free(&texts[0]);
  strbuf_free(&texts[1]);
  return FARM_OK;
}

/* What the operator reads on the host is given by its contents. */
static bool read_on_host(const struct step_state *state, int input) {
  return input < 32 && state->step->operation.row->host_inputs >> input & 1;
}

static const struct tensor *contents_of(const struct prepared *prepared, const struct step_state *state, int input) {
  const struct tensor *tensor = state->inputs[input];
  bool known = prepared->flags[state->step->plan->inputs[input]] & VALUE_DATA_SETTLED;
  return known && (tensor->data || is_empty(tensor)) ? tensor : NULL;
}

static enum farm_status operands_find(struct farm_context *context, const struct prepared *prepared,
                                      const struct step_state *state, struct cuda_call *call, bool *out_there) {
  const struct plan_step *plan = state->step->plan;
  *out_there = plan->input_count <= PROBLEM_MAX_OPERANDS && plan->output_count <= PROBLEM_MAX_OPERANDS;
  for (int i = 0; i < plan->input_count + plan->output_count && *out_there; i++) {
    bool is_input = i < plan->input_count;
    int k = is_input ? i : i - plan->input_count;
    uint32_t v = is_input ? plan->inputs[k] : plan->outputs[k];
    bool packed = is_input && plan->packed_weight != PLAN_NO_INDEX && plan->packed_input == (uint32_t)k;
    if (v == PLAN_NO_INDEX || packed) continue;
    if (is_input && read_on_host(state, k)) call->contents[k] = contents_of(prepared, state, k);
    if (is_input && call->contents[k]) continue;
    if (is_empty(is_input ? state->inputs[k] : state->outputs[k])) continue; // no byte of it is touched
    cuda_address *address = is_input ? &call->inputs[k] : &call->outputs[k];
    TRY(gpu_value_address(context, prepared, v, address));
    *out_there = *address != 0;
  }
  return FARM_OK;
}

/* A library may lack the algorithm for this device, or fail to open here, though its version is the right one. */
static bool is_refusal(enum farm_status status, const struct run_step *step, const struct step_state *state) {
  bool library = step->fallback.tactic && !state->by_fallback;
  return status == FARM_TACTIC_REFUSED || (library && status == FARM_UNSUPPORTED);
}

static void refusal_say(struct gpu *gpu, const struct run_step *step) {
  if (!step->fallback.tactic || gpu->refusal_said) return;
  gpu->refusal_said = true;
  log_warning("step %s: %s (%s); where that happens, another kernel runs instead", step->plan->name, step->plan->variant,
              status_message());
}

static enum farm_status kernel_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                     bool *out_taken) {
  const struct run_step *step = state->step;
  struct gpu *gpu = context->engine->gpu;
  struct cuda_call call = {.problem = &state->problem, .variant = &state->variant, .scalars = &step->scalars};
  struct cuda_image *image = NULL;
  bool fits;
  TRY(image_fits(state, &prepared->arena, &fits));
  if (fits) TRY(operands_find(context, prepared, state, &call, &fits));
  size_t workspace = fits ? variant_workspace(&state->problem, &state->variant, 1) : 0;
  if (!fits || workspace > step->plan->workspace_bytes) return FARM_OK;
  if (workspace) call.workspace = context->gpu->arena + step->plan->workspace_offset;
  if (step->plan->packed_weight != PLAN_NO_INDEX) TRY(gpu_weight(gpu, step->plan->packed_weight, &call.packed));
  uint32_t image_index = state->by_fallback ? step->plan->fallback_image : step->plan->image;
  if (image_index != PLAN_NO_INDEX) TRY(gpu_image(gpu, image_index, &image));
  enum farm_status status = cuda_step_make(gpu->device, image, &call, &state->device_step);
  if (is_refusal(status, step, state)) {
    refusal_say(gpu, step);
    return FARM_OK;
  }
  *out_taken = status == FARM_OK;
  return status;
}

enum farm_status gpu_step_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                bool *out_taken) {
  *out_taken = false;
  if (!context->gpu || !state->settled || state->step->block != 0) return FARM_OK;
  if (state->step->plan->kind == STEP_COPY) {
    cuda_address from, to;
    TRY(gpu_value_address(context, prepared, state->step->plan->inputs[0], &from));
    TRY(gpu_value_address(context, prepared, state->step->plan->outputs[0], &to));
    *out_taken = from && to && tensor_bytes(state->inputs[0]) == tensor_bytes(state->outputs[0]);
  } else if (has_no_work(state)) {
    *out_taken = true;
  } else {
    TRY(kernel_build(context, prepared, state, out_taken));
  }
  state->on_device = *out_taken;
  return FARM_OK;
}

enum farm_status gpu_step_enqueue(struct farm_context *context, struct prepared *prepared, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  if (plan->kind != STEP_COPY) return state->device_step ? cuda_step_enqueue(state->device_step) : FARM_OK;
  cuda_address from, to;
  size_t bytes = tensor_bytes(state->outputs[0]);
  TRY(gpu_value_address(context, prepared, plan->inputs[0], &from));
  TRY(gpu_value_address(context, prepared, plan->outputs[0], &to));
  return bytes && from != to ? cuda_copy_on(context->engine->gpu->device, to, from, bytes) : FARM_OK;
}
