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

static enum farm_status image_check(const struct engine_section *section, const struct engine *engine, uint32_t image) {
  FAIL_IF(image >= (uint32_t)engine->weight_count, FARM_INVALID, "no weight %u", image);
  FAIL_IF(engine->weights[image].bytes == 0, FARM_INVALID, "an image without bytes");
  FAIL_IF(section->sm < LEAST_SM || !section->compiler[0], FARM_INVALID, "an image without SM version and compiler");
  return FARM_OK;
}

/* A library's variant: no image, but one of its fallback, which no packed weight serves. */
static enum farm_status library_check(const struct engine_section *section, const struct engine *engine,
                                      const struct plan_step *step) {
  struct digest digest;
  FAIL_IF(!digest_from_hex(step->library, &digest), FARM_INVALID, "a library without its version");
  FAIL_IF(step->image != PLAN_NO_INDEX, FARM_INVALID, "a library's variant with an image");
  FAIL_IF(!step->fallback[0] || step->fallback_image == PLAN_NO_INDEX, FARM_INVALID, "a library's variant without a fallback");
  FAIL_IF(step->packed_weight != PLAN_NO_INDEX, FARM_INVALID, "a library's variant with packed weights");
  return image_check(section, engine, step->fallback_image);
}

/* What a step of a GPU runs: an image of its own, or a library and the image of its fallback. */
static enum farm_status kernels_check(const struct engine_section *section, const struct engine *engine, int block,
                                      const struct plan_step *step) {
  bool on_device = plan_step_on_device(section, block, step);
  bool falls_back = step->library[0] || step->fallback[0] || step->fallback_image != PLAN_NO_INDEX;
  FAIL_IF(!on_device && step->image != PLAN_NO_INDEX, FARM_INVALID, "an image, but nothing of it runs on a GPU");
  FAIL_IF(!on_device && falls_back, FARM_INVALID, "a fallback, but nothing of it runs on a GPU");
  if (!on_device) return FARM_OK;
  FAIL_IF(!step->library[0] && falls_back, FARM_INVALID, "a fallback of no library");
  if (step->library[0]) return library_check(section, engine, step);
  FAIL_IF(step->image == PLAN_NO_INDEX, FARM_INVALID, "neither an image nor a library");
  return image_check(section, engine, step->image);
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
      enum farm_status status = kernels_check(section, engine, b, &plan->blocks[b].steps[i]);
      if (status != FARM_OK) return status_prefix(status, "step %s", plan->blocks[b].steps[i].name);
    }
  return FARM_OK;
}
