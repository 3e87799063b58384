/* If and Loop. A block reads the values around it where they lie; what it gives is handed over without copying where it lies in
 * its own buffer of the pool, else copied, since its place may be reused behind the step. */
#include "run.h"

#include "carried.h"

static enum farm_status hand_over(struct farm_context *context, uint32_t to, uint32_t from) {
  struct prepared *prepared = context->current;
  if (value_owns_data(context, prepared, from)) return value_alias(context, prepared, to, &prepared->values[from]);
  return value_copy(context, prepared, to, &prepared->values[from]);
}

static enum farm_status condition_read(const struct tensor *tensor, bool *out) {
  FAIL_IF(tensor->dtype != DTYPE_BOOL || tensor_elems(tensor) != 1 || !tensor->data, FARM_INVALID, "a condition is not one bool");
  *out = *(const uint8_t *)tensor->data != 0;
  return FARM_OK;
}

enum farm_status step_run_if(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  bool condition = false;
  TRY(condition_read(state->inputs[0], &condition));
  uint32_t index = plan->blocks[condition ? 0 : 1];
  TRY(block_run(context, index));
  const struct plan_block *block = context->engine->blocks[index].plan;
  for (int i = 0; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX) TRY(hand_over(context, plan->outputs[i], block->outputs[i]));
  return FARM_OK;
}

/* ---- Loop ---- */

static enum farm_status scalar_set(struct farm_context *context, uint32_t v, enum dtype dtype, void *data) {
  struct tensor scalar = {.dtype = dtype, .data = data};
  if (context->engine->plan->values[v].type.rank == 1) { // exporters write both
    scalar.rank = 1;
    scalar.dims[0] = 1;
  }
  return value_copy(context, context->current, v, &scalar);
}

static enum farm_status trips_read(const struct tensor *most, int64_t *out) {
  *out = INT64_MAX;
  if (!most) return FARM_OK;
  FAIL_IF(most->dtype != DTYPE_I64 || tensor_elems(most) != 1 || !most->data, FARM_INVALID, "a trip count is not one i64");
  *out = dtype_load_i64(DTYPE_I64, most->data, 0);
  return FARM_OK;
}

static enum farm_status iteration_run(struct farm_context *context, struct step_state *state, int64_t iteration,
                                      bool *keep_going) {
  const struct plan_step *plan = state->step->plan;
  const struct plan_block *body = context->engine->blocks[plan->blocks[0]].plan;
  struct prepared *prepared = context->current;
  int carried = plan->input_count - 2;
  uint8_t going = 1;
  TRY(scalar_set(context, body->inputs[0], DTYPE_I64, &iteration));
  TRY(scalar_set(context, body->inputs[1], DTYPE_BOOL, &going));
  TRY(block_run(context, plan->blocks[0]));
  TRY(condition_read(&prepared->values[body->outputs[0]], keep_going));
  for (int i = carried; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX)
      TRY(collect_append(context, plan->outputs[i], iteration, &prepared->values[body->outputs[1 + i]], &state->output_types[i]));
  return carried_move(context, state, body->inputs + 2, body->outputs + 1, carried);
}

enum farm_status step_run_loop(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  const struct plan_block *body = context->engine->blocks[plan->blocks[0]].plan;
  int carried = plan->input_count - 2;
  int64_t most, iteration = 0;
  bool keep_going = true;
  TRY(trips_read(state->inputs[0], &most));
  if (state->inputs[1]) TRY(condition_read(state->inputs[1], &keep_going));
  for (int i = 0; i < carried; i++) TRY(value_alias(context, context->current, body->inputs[2 + i], state->inputs[2 + i]));
  while (keep_going && iteration < most) TRY(iteration_run(context, state, iteration++, &keep_going));
  for (int i = 0; i < carried; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX) TRY(hand_over(context, plan->outputs[i], body->inputs[2 + i]));
  for (int i = carried; i < plan->output_count; i++)
    if (plan->outputs[i] != PLAN_NO_INDEX)
      TRY(collect_finish(context, plan->outputs[i], iteration, body->outputs[1 + i], &state->output_types[i]));
  return FARM_OK;
}
