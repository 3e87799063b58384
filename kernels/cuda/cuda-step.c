/* One prepared call of a CUDA tactic: its launches, made once, or what a library prepared. See cuda-tactic.h. */
#include "cuda-tactic.h"

#include <stdlib.h>

struct cuda_step {
  struct cuda_device *device;
  struct cuda_image *image;
  const struct cuda_tactic *tactic;
  struct cuda_call call;
  void *state; // a library's
  int launch_count;
  struct cuda_launch launches[CUDA_LAUNCHES_MOST];
};

static enum farm_status step_prepare(struct cuda_step *step) {
  const struct cuda_tactic *tactic = step->tactic;
  if (!tactic->launches) return tactic->prepare ? tactic->prepare(step->device, &step->call, &step->state) : FARM_OK;
  FAIL_IF(!step->image, FARM_INVALID, "%s has launches but no image", step->call.variant->tactic->id);
  TRY(tactic->launches(&step->call, step->launches, &step->launch_count));
  FAIL_IF(step->launch_count < 0 || step->launch_count > CUDA_LAUNCHES_MOST, FARM_INVALID, "%s makes %d launches",
          step->call.variant->tactic->id, step->launch_count);
  return FARM_OK;
}

enum farm_status cuda_step_make(struct cuda_device *device, struct cuda_image *image, const struct cuda_call *call,
                                struct cuda_step **out_step) {
  const struct cuda_tactic *tactic = cuda_tactic_of(call->variant->tactic);
  FAIL_IF(!tactic, FARM_INVALID, "%s is no tactic for a GPU", call->variant->tactic->id);
  struct cuda_step *step = calloc(1, sizeof *step);
  FAIL_IF(!step, FARM_NO_MEMORY, "no memory for a step on a GPU");
  *step = (struct cuda_step){.device = device, .image = image, .tactic = tactic, .call = *call};
  enum farm_status status = step_prepare(step);
  if (status != FARM_OK) {
    cuda_step_free(&step);
    return status;
  }
  *out_step = step;
  return FARM_OK;
}

enum farm_status cuda_step_enqueue(struct cuda_step *step) {
  if (!step->tactic->launches) return step->tactic->enqueue(step->device, &step->call, step->state);
  for (int i = 0; i < step->launch_count; i++) TRY(cuda_launch(step->device, step->image, &step->launches[i]));
  return FARM_OK;
}

void cuda_step_free(struct cuda_step **step) {
  struct cuda_step *made = *step;
  if (!made) return;
  if (made->state && made->tactic->release) made->tactic->release(made->state);
  free(made);
  *step = NULL;
}
