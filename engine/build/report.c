/* The build's report: what a section's plan says about itself, and what it cost. */
#include "build-internal.h"

#include <string.h>

static const char *copy(struct arena *arena, const char *text) {
  return arena_string(arena, text ? text : "", strlen(text ? text : ""));
}

static enum farm_status layers_fill(const struct engine_section *section, struct build_report *report,
                                    struct build_target_report *out) {
  const struct plan_block *block = &section->plan.blocks[0];
  out->layers = arena_alloc_array(&report->arena, (size_t)block->step_count + 1, sizeof *out->layers);
  FAIL_IF(!out->layers, FARM_NO_MEMORY, "out of memory for a report");
  for (int i = 0; i < block->step_count; i++) {
    const struct plan_step *step = &block->steps[i];
    if (step->kind != STEP_KERNEL) continue;
    struct build_layer layer = {copy(&report->arena, step->name),
                                copy(&report->arena, step->origin),
                                copy(&report->arena, step->problem),
                                copy(&report->arena, step->variant),
                                step->median_ns * 1e-3,
                                step->ci95_ns * 1e-3,
                                step->estimated_ns * 1e-3,
                                step->ties,
                                plan_step_on_device(section, 0, step)};
    FAIL_IF(!layer.name || !layer.onnx || !layer.problem || !layer.tactic, FARM_NO_MEMORY, "out of memory for a report");
    out->layers[out->layer_count++] = layer;
    out->estimated_ms += (step->median_ns > 0 ? step->median_ns : step->estimated_ns) * 1e-6;
  }
  return FARM_OK;
}

static void costs_add(const struct item_list *items, const struct build_target *target, struct build_target_report *out) {
  for (size_t i = 0; i < items->count; i++) {
    const struct build_item *item = &items->items[i];
    if (strcmp(item->device_class, target->class_text) != 0) continue;
    out->problems++;
    out->hits += item->hit;
    out->measured += !item->hit && item->record;
    out->variants_timed += item->measured;
    if (!item->hit && item->record) out->device_s += item->record->device_s;
    for (uint32_t e = 0; item->record && e < item->record->entry_count; e++)
      out->failed += item->record->entries[e].status != FARM_OK;
  }
}

enum farm_status build_report_target(const struct engine_section *section, const struct build_target *target,
                                     const struct item_list *items, struct build_report *report) {
  struct build_target_report out = {.target = copy(&report->arena, target->word),
                                    .device_class = copy(&report->arena, target->class_text),
                                    .threads = section->threads,
                                    .arena_bytes = section->plan.arena_bytes,
                                    .lower_bound_bytes = section->plan.lower_bound_bytes,
                                    .cuda = section_is_cuda(section),
                                    .host_steps = section_host_steps(section)};
  FAIL_IF(!out.target || !out.device_class, FARM_NO_MEMORY, "out of memory for a report");
  TRY(layers_fill(section, report, &out));
  costs_add(items, target, &out);
  report->targets[report->target_count++] = out;
  return FARM_OK;
}

void build_report_free(struct build_report *report) {
  arena_free(&report->arena);
  *report = (struct build_report){0};
}
