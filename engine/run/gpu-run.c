/* A run of a section for a GPU: segments as graphs, host steps between them. See gpu.h. */
#include "gpu.h"

#include "../../base/clock.h"

#include <string.h>

struct gpu_pass {
  struct farm_context *context;
  struct prepared *prepared;
  struct gpu *gpu;
  bool in_flight; // something was put on the stream since the last wait
};

/* ---- between host memory and slots ---- */

static void *host_data(const struct gpu_pass *pass, uint32_t root) {
  const struct plan_value *value = &pass->context->engine->plan->values[root];
  return value->place == VALUE_ARENA ? pass->context->arena + value->offset : pass->prepared->values[root].data;
}

static enum farm_status pass_wait(struct gpu_pass *pass) {
  if (!pass->in_flight) return FARM_OK;
  pass->in_flight = false;
  return gpu_wait(pass->gpu);
}

/* What is in flight may still read a slot: it is given the bytes that it has, for a pass writes every byte of a root once. */
static enum farm_status slots_fill(struct gpu_pass *pass, const struct gpu_move *ins) {
  for (const struct gpu_move *move = ins; move; move = move->next) {
    const void *data = host_data(pass, move->root);
    FAIL_IF(!data, FARM_FAILURE, "%s has no place on the host", pass->context->engine->plan->values[move->root].name);
    memcpy(pass->context->gpu->slots[move->root].data, data, pass->prepared->gpu->extents[move->root]);
  }
  return FARM_OK;
}

static enum farm_status slots_empty(struct gpu_pass *pass, const struct gpu_move *outs) {
  if (outs) TRY(pass_wait(pass));
  for (const struct gpu_move *move = outs; move; move = move->next) {
    void *data = host_data(pass, move->root);
    FAIL_IF(!data, FARM_FAILURE, "%s has no place on the host", pass->context->engine->plan->values[move->root].name);
    memcpy(data, pass->context->gpu->slots[move->root].data, pass->prepared->gpu->extents[move->root]);
  }
  return FARM_OK;
}

/* ---- on the stream ---- */

static enum farm_status move_enqueue(struct gpu_pass *pass, uint32_t root, bool in) {
  void *slot = pass->context->gpu->slots[root].data;
  size_t bytes = pass->prepared->gpu->extents[root];
  cuda_address address;
  TRY(gpu_root_address(pass->context, root, &address));
  return in ? cuda_copy_in(pass->gpu->device, address, slot, bytes) : cuda_copy_out(pass->gpu->device, slot, address, bytes);
}

static enum farm_status steps_enqueue(struct gpu_pass *pass, const struct gpu_segment *segment) {
  struct step_state **active = pass->prepared->block_active[0] + segment->first;
  for (int i = 0; i < segment->count; i++) {
    enum farm_status status = gpu_step_enqueue(pass->context, pass->prepared, active[i]);
    if (status != FARM_OK) return status_prefix(status, "step %s", active[i]->step->plan->name);
  }
  return FARM_OK;
}

static enum farm_status segment_enqueue(struct gpu_pass *pass, const struct gpu_segment *segment) {
  for (const struct gpu_move *move = segment->ins; move; move = move->next) TRY(move_enqueue(pass, move->root, true));
  TRY(steps_enqueue(pass, segment));
  for (const struct gpu_move *move = segment->outs; move; move = move->next) TRY(move_enqueue(pass, move->root, false));
  return FARM_OK;
}

/* The first error is the one that is told; ending a spoilt capture only gives it back. */
static enum farm_status segment_capture(struct gpu_pass *pass, struct gpu_segment *segment) {
  TRY(cuda_capture_begin(pass->gpu->device));
  const struct status_kept enqueued = status_keep(segment_enqueue(pass, segment));
  enum farm_status ended = cuda_capture_end(pass->gpu->device, &segment->graph);
  if (enqueued.status == FARM_OK) return ended;
  if (segment->graph) cuda_graph_free(&segment->graph);
  return status_restore(&enqueued);
}

static enum farm_status segment_run(struct gpu_pass *pass, struct gpu_segment *segment) {
  TRY(slots_fill(pass, segment->ins));
  if (!segment->graph) TRY(segment_capture(pass, segment));
  pass->in_flight = true;
  TRY(cuda_graph_launch(pass->gpu->device, segment->graph));
  return slots_empty(pass, segment->outs);
}

/* ---- with a profile: step by step, uncaptured, between marks ---- */

static enum farm_status step_time(struct gpu_pass *pass, struct step_state *state) {
  struct cuda_device *device = pass->gpu->device;
  double ns;
  pass->in_flight = true;
  TRY(cuda_mark_begin(device));
  TRY(gpu_step_enqueue(pass->context, pass->prepared, state));
  TRY(cuda_mark_end(device));
  TRY(pass_wait(pass));
  TRY(cuda_marked_ns(device, &ns));
  struct step_time *time = &pass->context->times[state->step->index];
  time->ns += ns > 0 ? (uint64_t)(ns + 0.5) : 0;
  time->calls++;
  time->device_calls++;
  return FARM_OK;
}

static enum farm_status segment_profile(struct gpu_pass *pass, struct gpu_segment *segment) {
  struct step_state **active = pass->prepared->block_active[0] + segment->first;
  TRY(slots_fill(pass, segment->ins));
  pass->in_flight = true;
  for (const struct gpu_move *move = segment->ins; move; move = move->next) TRY(move_enqueue(pass, move->root, true));
  for (int i = 0; i < segment->count; i++) {
    enum farm_status status = step_time(pass, active[i]);
    if (status != FARM_OK) return status_prefix(status, "step %s", active[i]->step->plan->name);
  }
  pass->in_flight = true;
  for (const struct gpu_move *move = segment->outs; move; move = move->next) TRY(move_enqueue(pass, move->root, false));
  return slots_empty(pass, segment->outs);
}

static enum farm_status host_run(struct gpu_pass *pass, struct step_state *state) {
  uint64_t start = pass->context->times ? clock_now_ns() : 0;
  enum farm_status status = state->run(pass->context, state);
  if (status != FARM_OK) return status_prefix(status, "step %s", state->step->plan->name);
  if (!pass->context->times) return FARM_OK;
  struct step_time *time = &pass->context->times[state->step->index];
  time->ns += clock_now_ns() - start;
  time->calls++;
  return FARM_OK;
}

/* ---- the whole ---- */

static enum farm_status actions_run(struct gpu_pass *pass) {
  const struct gpu_plan *plan = pass->prepared->gpu;
  for (int i = 0; i < plan->action_count; i++) {
    const struct gpu_action *action = &plan->actions[i];
    if (action->host)
      TRY(host_run(pass, action->host));
    else if (pass->context->times)
      TRY(segment_profile(pass, action->segment));
    else
      TRY(segment_run(pass, action->segment));
  }
  return pass_wait(pass);
}

enum farm_status gpu_run(struct farm_context *context) {
  struct gpu_pass pass = {.context = context, .prepared = context->current, .gpu = context->engine->gpu};
  const struct status_kept done = status_keep(actions_run(&pass));
  if (done.status == FARM_OK) return FARM_OK;
  (void)pass_wait(&pass); // what is still under way reads and writes the context's memory
  return status_prefix(status_restore(&done), "%s", pass.gpu->name);
}
