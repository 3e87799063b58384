/* Host steps: the operator's reference on small values; and memory for outputs whose size only the reference finds out. */
#include "run.h"

enum farm_status output_allocate(void *state_and_context, int output, struct tensor *tensor) {
  struct output_allocator *allocator = state_and_context;
  const struct plan_step *plan = allocator->state->step->plan;
  FAIL_IF(output < 0 || output >= plan->output_count || plan->outputs[output] == PLAN_NO_INDEX ||
              tensor != allocator->state->outputs[output],
          FARM_FAILURE, "memory for an output that is none");
  return value_place(allocator->context, allocator->context->current, plan->outputs[output]);
}

enum farm_status step_run_host(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  struct output_allocator allocator = {context, state};
  struct reference_call call = {
      .row = state->step->operation.row,
      .attrs = &state->step->operation.attrs,
      .opset = state->step->operation.opset,
      .input_count = plan->input_count,
      .inputs = state->inputs,
      .output_count = plan->output_count,
      .outputs = state->outputs,
      .allocate = output_allocate,
      .context = &allocator,
  };
  return call.row->reference(&call);
}
