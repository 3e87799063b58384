/* See case-trial.h. */
#include "case-trial.h"

#include "../base/array.h"
#include "../engine/format/engine-file.h"

#include <stdlib.h>
#include <string.h>

/* ---- a covering few ---- */

struct cover {
  uint64_t seen[TACTIC_MAX_PARAMS]; // bit i: value i of the parameter
};

static uint64_t value_bit(const struct tactic_param *param, int16_t value) {
  for (int i = 0; i < param->value_count && i < 64; i++)
    if (param->values[i] == value) return (uint64_t)1 << i;
  return 0;
}

static int cover_news(const struct cover *cover, const struct variant *variant) {
  int news = 0;
  for (int i = 0; i < tactic_param_count(variant->tactic); i++)
    news += (value_bit(&variant->tactic->params[i], variant->params[i]) & ~cover->seen[i]) != 0;
  return news;
}

static void cover_add(struct cover *cover, const struct variant *variant) {
  for (int i = 0; i < tactic_param_count(variant->tactic); i++)
    cover->seen[i] |= value_bit(&variant->tactic->params[i], variant->params[i]);
}

/* Of variants of one tactic, into `out` from `kept` on. */
static int tactic_cover(const struct variant *all, int count, const struct variant *standing, struct variant *out, int kept,
                        int most) {
  struct cover cover = {0};
  const struct variant *next = &all[0];
  if (standing->tactic == all[0].tactic) next = standing;
  while (next && kept < most) {
    out[kept++] = *next;
    cover_add(&cover, next);
    next = NULL;
    for (int i = 0, best = 0; i < count; i++) {
      int news = cover_news(&cover, &all[i]);
      if (news <= best) continue;
      best = news;
      next = &all[i];
    }
  }
  return kept;
}

int trial_variants_cover(const struct variant *all, int count, const struct variant *standing, struct variant *out, int most) {
  int kept = 0;
  for (int begin = 0, end; begin < count; begin = end) {
    for (end = begin + 1; end < count && all[end].tactic == all[begin].tactic; end++) continue;
    kept = tactic_cover(all + begin, end - begin, standing, out, kept, most);
  }
  return kept;
}

/* ---- the trials of an engine ---- */

static enum farm_status elsewhere_find(const struct problem *problem, const struct variant *variant,
                                       const struct device_class *device_class, int threads, struct arena *arena,
                                       const char **out) {
  enum tactic_layout layout = variant->tactic->layout;
  char text[VARIANT_TEXT_MAX];
  *out = NULL;
  if (layout == LAYOUT_ANY) return FARM_OK;
  enum tactic_layout other_layout = layout == LAYOUT_NCHW ? LAYOUT_NHWC : LAYOUT_NCHW;
  struct variant other = catalogue_default(problem, device_class, other_layout, threads);
  if (!other.tactic || other.tactic->layout != other_layout) return FARM_OK;
  variant_print(&other, text);
  *out = arena_string(arena, text, strlen(text));
  FAIL_IF(!*out, FARM_NO_MEMORY, "out of memory for trials");
  return FARM_OK;
}

static enum farm_status trial_add(struct trial_list *list, const struct plan_step *step, const struct variant *variant,
                                  const char *elsewhere) {
  char text[VARIANT_TEXT_MAX];
  variant_print(variant, text);
  const char *node = step->origin[0] ? step->origin : step->name;
  TRY(array_reserve(&list->items, &list->capacity, list->count + 1));
  struct case_trial trial = {.problem = arena_string(&list->arena, step->problem, strlen(step->problem)),
                             .variant = arena_string(&list->arena, text, strlen(text)),
                             .elsewhere = elsewhere,
                             .node = arena_string(&list->arena, node, strlen(node)),
                             .standing = strcmp(text, step->variant) == 0};
  FAIL_IF(!trial.problem || !trial.variant || !trial.node, FARM_NO_MEMORY, "out of memory for trials");
  list->items[list->count++] = trial;
  return FARM_OK;
}

static enum farm_status variants_list(const struct problem *problem, const struct device_class *device_class,
                                      const char *standing_text, struct variant **out, int *out_count) {
  struct variant standing = {0};
  int count = catalogue_variants(problem, device_class, LAYOUT_ANY, NULL, 0);
  struct variant *all = calloc(2 * (size_t)count + 1, sizeof *all), *kept = all + count;
  FAIL_IF(!all, FARM_NO_MEMORY, "out of memory for variants");
  catalogue_variants(problem, device_class, LAYOUT_ANY, all, count);
  if (variant_parse(standing_text, &standing) != FARM_OK) standing.tactic = NULL;
  *out_count = trial_variants_cover(all, count, &standing, kept, count);
  memmove(all, kept, (size_t)*out_count * sizeof *all);
  *out = all;
  return FARM_OK;
}

static enum farm_status step_trials(const struct engine_section *section, const struct device_class *device_class,
                                    const struct plan_step *step, struct trial_list *list) {
  struct problem problem;
  struct variant *variants = NULL;
  const char *elsewhere;
  int count = 0;
  if (map_get(&list->by_problem, step->problem)) return FARM_OK;
  TRY(map_set(&list->by_problem, step->problem, list));
  enum farm_status status = problem_parse(step->problem, &list->arena, &problem);
  if (status == FARM_OK) status = variants_list(&problem, device_class, step->variant, &variants, &count);
  for (int i = 0; status == FARM_OK && i < count; i++) {
    status = elsewhere_find(&problem, &variants[i], device_class, section->threads, &list->arena, &elsewhere);
    if (status == FARM_OK) status = trial_add(list, step, &variants[i], elsewhere);
  }
  free(variants);
  return status;
}

static bool has_problem(const struct plan_step *step) { return step->kind == STEP_KERNEL && step->problem[0]; }

static void nodes_count(const struct plan *plan, struct case_trial *trial) {
  for (int b = 0; b < plan->block_count; b++)
    for (int i = 0; i < plan->blocks[b].step_count; i++) {
      const struct plan_step *step = &plan->blocks[b].steps[i];
      trial->node_count += has_problem(step) && strcmp(step->problem, trial->problem) == 0;
    }
}

enum farm_status trials_collect(const char *engine_path, struct trial_list *list) {
  struct engine *engine = NULL;
  struct device_class device_class;
  size_t before = list->count;
  TRY(engine_open(engine_path, false, &engine));
  const struct engine_section *section = &engine->sections[0];
  enum farm_status status = FARM_OK;
  if (engine->section_count < 1) status = status_set(FARM_INVALID, "%s: no section", engine_path);
  if (status == FARM_OK) status = device_class_parse(section->device_class, &device_class);
  for (int b = 0; status == FARM_OK && b < section->plan.block_count; b++)
    for (int i = 0; status == FARM_OK && i < section->plan.blocks[b].step_count; i++) {
      const struct plan_step *step = &section->plan.blocks[b].steps[i];
      if (has_problem(step)) status = step_trials(section, &device_class, step, list);
    }
  for (size_t i = before; status == FARM_OK && i < list->count; i++) nodes_count(&section->plan, &list->items[i]);
  engine_close(&engine);
  return status;
}

void trials_free(struct trial_list *list) {
  arena_free(&list->arena);
  map_free(&list->by_problem);
  free(list->items);
  *list = (struct trial_list){0};
}

/* ---- into an engine ---- */

static const struct record *trial_record(void *context, const char *problem) {
  const struct trial_facts *facts = context;
  return strcmp(problem, facts->trial->problem) == 0 ? &facts->record : NULL;
}

static enum farm_status entry_make(const char *variant, uint32_t rank, double ns, struct record_entry *out) {
  struct variant parsed;
  TRY(variant_parse(variant, &parsed));
  *out = (struct record_entry){.variant = variant,
                               .source_digest = tactic_source_digest(parsed.tactic),
                               .message = "",
                               .rank = rank,
                               .times = {.n = 1, .median = ns, .ci_low = ns, .ci_high = ns}};
  return FARM_OK;
}

enum farm_status trial_facts_make(const struct case_trial *trial, struct trial_facts *facts, struct link_facts *out) {
  const double fast_ns = 1, slow_ns = 1e10; // ten seconds: no change of layout costs as much
  *facts = (struct trial_facts){.trial = trial};
  facts->record = (struct record){.kind = RECORD_FINAL, .problem = trial->problem, .entries = facts->entries, .entry_count = 1};
  TRY(entry_make(trial->variant, 0, fast_ns, &facts->entries[0]));
  if (trial->elsewhere) TRY(entry_make(trial->elsewhere, 1, slow_ns, &facts->entries[facts->record.entry_count++]));
  *out = (struct link_facts){trial_record, facts};
  return FARM_OK;
}

enum farm_status trial_is_placed(const char *engine_path, const struct case_trial *trial, bool *out_placed) {
  struct engine *engine = NULL;
  TRY(engine_open(engine_path, false, &engine));
  *out_placed = false;
  for (int s = 0; s < engine->section_count; s++)
    for (int b = 0; b < engine->sections[s].plan.block_count; b++) {
      const struct plan_block *block = &engine->sections[s].plan.blocks[b];
      for (int i = 0; i < block->step_count && !*out_placed; i++)
        *out_placed = has_problem(&block->steps[i]) && strcmp(block->steps[i].problem, trial->problem) == 0 &&
                      strcmp(block->steps[i].variant, trial->variant) == 0;
    }
  engine_close(&engine);
  return FARM_OK;
}
