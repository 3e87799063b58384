/* What a section says beside its plan: the device it is made for, and the images of a GPU's ("What must hold of a plan" in
 * docs/formats/engine.md). */
#include "engine-file.h"

#include <string.h>

enum { LEAST_SM = 10, MOST_SM = 9999 };

bool section_is_cuda(const struct engine_section *section) { return strncmp(section->device_class, "cuda ", 5) == 0; }

bool plan_step_on_device(const struct engine_section *section, int block, const struct plan_step *step) {
  if (!section_is_cuda(section) || block != 0) return false;
  return step->kind == STEP_KERNEL && step->variant[0];
}

int section_host_steps(const struct engine_section *section) {
  int count = 0;
  for (int b = 0; b < section->plan.block_count && section_is_cuda(section); b++) {
    const struct plan_block *block = &section->plan.blocks[b];
    for (int i = 0; i < block->step_count; i++) {
      bool computes = block->steps[i].kind == STEP_KERNEL || block->steps[i].kind >= STEP_IF;
      count += computes && !plan_step_on_device(section, b, &block->steps[i]);
    }
  }
  return count;
}

static enum farm_status image_check(const struct engine_section *section, const struct engine *engine, int block,
                                    const struct plan_step *step) {
  if (step->image == PLAN_NO_INDEX) return FARM_OK;
  FAIL_IF(!plan_step_on_device(section, block, step), FARM_INVALID, "an image, but nothing of it runs on a GPU");
  FAIL_IF(step->image >= (uint32_t)engine->weight_count, FARM_INVALID, "no weight %u", step->image);
  FAIL_IF(engine->weights[step->image].bytes == 0, FARM_INVALID, "an image without bytes");
  FAIL_IF(section->sm < LEAST_SM || !section->compiler[0], FARM_INVALID, "an image without SM version and compiler");
  return FARM_OK;
}

enum farm_status section_check(const struct engine_section *section, const struct engine *engine) {
  const struct plan *plan = &section->plan;
  TRY(plan_check(plan, engine));
  bool says = section->sm != 0 || section->compiler[0];
  FAIL_IF(!section_is_cuda(section) && says, FARM_INVALID, "images for SM version %d, but it is made for %s", section->sm,
          section->device_class);
  FAIL_IF(section->sm && (section->sm < LEAST_SM || section->sm > MOST_SM), FARM_INVALID, "SM version %d", section->sm);
  for (int b = 0; b < plan->block_count; b++)
    for (int i = 0; i < plan->blocks[b].step_count; i++) {
      enum farm_status status = image_check(section, engine, b, &plan->blocks[b].steps[i]);
      if (status != FARM_OK) return status_prefix(status, "step %s", plan->blocks[b].steps[i].name);
    }
  return FARM_OK;
}
