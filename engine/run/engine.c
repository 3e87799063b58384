/* A loaded engine: the file, the section that fits, every step resolved. What this build cannot run is refused here, by the
 * step's name, not in the middle of a run. */
#include "../../base/log.h"
#include "../../kernels/cuda/cuda-tactic.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

/* ---- steps ---- */

static bool is_library(const struct variant *variant) {
  const struct cuda_tactic *cuda = cuda_tactic_of(variant->tactic);
  return cuda && !cuda->source;
}

/* A GPU's tactic with a text has its image in the engine; a library's has a fallback. Others have neither. */
static enum farm_status image_check(const struct run_step *step) {
  bool cuda = step->variant.tactic->device == DEVICE_CUDA, library = is_library(&step->variant);
  FAIL_IF(cuda && !library && step->plan->image == PLAN_NO_INDEX, FARM_INVALID, "%s without an image", step->plan->variant);
  FAIL_IF(!cuda && step->plan->image != PLAN_NO_INDEX, FARM_INVALID, "%s with an image", step->plan->variant);
  FAIL_IF(library && !step->plan->library[0], FARM_INVALID, "%s without a fallback", step->plan->variant);
  FAIL_IF(!library && step->plan->library[0], FARM_INVALID, "%s with a fallback", step->plan->variant);
  return FARM_OK;
}

/* The version of a library that was measured is in the tactic's source digest, which asks the library of this machine. */
static enum farm_status fallback_resolve(struct farm_engine *engine, struct run_step *step) {
  const struct plan_step *plan = step->plan;
  if (!is_library(&step->variant)) return FARM_OK;
  FAIL_IF(variant_parse(plan->fallback, &step->fallback) != FARM_OK, FARM_MISMATCH,
          "the engine names tactic %s, which this tunefarm lacks", plan->fallback);
  FAIL_IF(!tactic_fits(step->fallback.tactic, &engine->target), FARM_MISMATCH, "tactic %s does not run on %s", plan->fallback,
          engine->section->device_class);
  FAIL_IF(is_library(&step->fallback), FARM_INVALID, "its fallback %s is a library's", plan->fallback);
  step->library_lost = strcmp(plan->library, tactic_source_digest(step->variant.tactic)) != 0;
  engine->lost_count += step->library_lost;
  return FARM_OK;
}

static enum farm_status fits_check(const struct farm_engine *engine, const struct run_step *step) {
  bool on_device = plan_step_on_device(engine->section, step->block, step->plan);
  const struct tactic *tactic = step->variant.tactic;
  if (tactic_fits(tactic, on_device ? &engine->target : &engine->machine)) return FARM_OK;
  FAIL_IF(!on_device && tactic->device == DEVICE_CPU, FARM_MISMATCH, "tactic %s needs %s, this machine has %s",
          step->plan->variant, isa_name(tactic->isa), isa_name(engine->machine.isa));
  return status_set(FARM_MISMATCH, "tactic %s does not run on %s", step->plan->variant,
                    on_device ? engine->section->device_class : "the host");
}

static enum farm_status variant_resolve(struct farm_engine *engine, struct run_step *step) {
  const struct plan_step *plan = step->plan;
  if (plan->kind != STEP_KERNEL || !plan->variant[0]) return FARM_OK;
  FAIL_IF(variant_parse(plan->variant, &step->variant) != FARM_OK, FARM_MISMATCH,
          "the engine names tactic %s, which this tunefarm lacks", plan->variant);
  const struct tactic *tactic = step->variant.tactic;
  TRY(fits_check(engine, step));
  TRY(image_check(step));
  TRY(fallback_resolve(engine, step));
  FAIL_IF(plan->packed_weight != PLAN_NO_INDEX && plan->packing_revision != (uint32_t)tactic->packing_revision, FARM_MISMATCH,
          "its weights are packed in revision %u of %s, this tunefarm has %d", plan->packing_revision, tactic->id,
          tactic->packing_revision);
  FAIL_IF(plan->packed_weight != PLAN_NO_INDEX && plan->packed_input != (uint32_t)tactic->packed_operand, FARM_MISMATCH,
          "input %u is packed, %s packs %d", plan->packed_input, tactic->id, tactic->packed_operand);
  step->has_variant = true;
  return FARM_OK;
}

static bool is_control(enum step_kind kind) { return kind == STEP_IF || kind == STEP_LOOP || kind == STEP_SCAN; }

static enum farm_status arity_check(const struct operator_row *row, const struct plan_step *plan) {
  FAIL_IF(plan->input_count > OPERATOR_MAX_INPUTS || plan->output_count > OPERATOR_MAX_OUTPUTS, FARM_INVALID,
          "too many operands");
  FAIL_IF(plan->input_count < row->min_inputs || (row->max_inputs >= 0 && plan->input_count > row->max_inputs), FARM_INVALID,
          "%d inputs do not fit %s", plan->input_count, row->name);
  FAIL_IF(plan->output_count < row->min_outputs || (row->max_outputs >= 0 && plan->output_count > row->max_outputs), FARM_INVALID,
          "%d outputs do not fit %s", plan->output_count, row->name);
  for (int i = 0; i < row->min_inputs; i++)
    FAIL_IF(plan->inputs[i] == PLAN_NO_INDEX && operator_input_needed(row, i), FARM_INVALID, "input %d is omitted", i);
  return FARM_OK;
}

static enum farm_status step_resolve(struct farm_engine *engine, struct run_step *step) {
  const struct plan_step *plan = step->plan;
  const struct operator_row *row = operator_exact(plan->domain, plan->op, plan->since_version);
  FAIL_IF(!row, FARM_MISMATCH, "this tunefarm has no operator %s%s%s-%d", plan->domain, plan->domain[0] ? "." : "", plan->op,
          plan->since_version);
  FAIL_IF(((row->flags & OPERATOR_CONTROL) != 0) != is_control(plan->kind), FARM_INVALID, "%s cannot be run so", plan->op);
  FAIL_IF(!is_control(plan->kind) && (!row->reference || !row->shape), FARM_MISMATCH, "operator %s has no reference", plan->op);
  TRY(arity_check(row, plan));
  step->operation = (struct operation){row, plan->attrs, plan->opset};
  for (int i = 0; i < plan->input_count && i < 64; i++) {
    if (plan->inputs[i] == PLAN_NO_INDEX) continue;
    enum value_place place = engine->plan->values[plan->inputs[i]].place;
    if (place == VALUE_CONSTANT || place == VALUE_NONE) step->constants |= (uint64_t)1 << i;
  }
  TRY(variant_resolve(engine, step));
  return plan->kind == STEP_KERNEL ? operation_scalars(&step->operation, plan->input_count, &step->scalars) : FARM_OK;
}

static enum farm_status blocks_resolve(struct farm_engine *engine) {
  const struct plan *plan = engine->plan;
  engine->blocks = arena_alloc_array(&engine->arena, (size_t)plan->block_count, sizeof *engine->blocks);
  FAIL_IF(!engine->blocks, FARM_NO_MEMORY, "out of memory for an engine");
  for (int b = 0; b < plan->block_count; b++) {
    struct run_block *block = &engine->blocks[b];
    block->plan = &plan->blocks[b];
    block->steps = arena_alloc_array(&engine->arena, (size_t)block->plan->step_count + 1, sizeof *block->steps);
    FAIL_IF(!block->steps, FARM_NO_MEMORY, "out of memory for an engine");
    for (int s = 0; s < block->plan->step_count; s++) {
      block->steps[s] = (struct run_step){.plan = &block->plan->steps[s], .block = b, .index = engine->step_count++};
      enum farm_status status = step_resolve(engine, &block->steps[s]);
      if (status != FARM_OK) return status_prefix(status, "step %s", block->plan->steps[s].name);
    }
  }
  return FARM_OK;
}

/* ---- values ---- */

static enum farm_status views_resolve(struct farm_engine *engine) {
  const struct plan *plan = engine->plan;
  for (uint32_t v = 0; v < (uint32_t)plan->value_count; v++) {
    engine->roots[v] = v;
    while (plan->values[engine->roots[v]].place == VALUE_VIEW) { // plan_check: no circles
      const struct plan_value *view = &plan->values[engine->roots[v]];
      FAIL_IF(__builtin_add_overflow(engine->root_offsets[v], view->offset, &engine->root_offsets[v]), FARM_INVALID,
              "value %s: its place overflows", plan->values[v].name);
      engine->roots[v] = view->of;
    }
  }
  return FARM_OK;
}

enum farm_status engine_resolve(struct farm_engine *engine) {
  size_t count = (size_t)engine->plan->value_count + 1;
  engine->roots = arena_alloc_array(&engine->arena, count, sizeof *engine->roots);
  engine->root_offsets = arena_alloc_array(&engine->arena, count, sizeof *engine->root_offsets);
  engine->is_input = arena_alloc_array(&engine->arena, count, sizeof *engine->is_input);
  FAIL_IF(!engine->roots || !engine->root_offsets || !engine->is_input, FARM_NO_MEMORY, "out of memory for an engine");
  for (int i = 0; i < engine->plan->blocks[0].input_count; i++) engine->is_input[engine->plan->blocks[0].inputs[i]] = true;
  TRY(views_resolve(engine));
  TRY(blocks_resolve(engine));
  if (engine->lost_count)
    log_warning("%d of its steps were measured with a library that is not here in that version: their own kernels run instead",
                engine->lost_count);
  return FARM_OK;
}
