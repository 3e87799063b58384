/* See choose.h. */
#include "choose.h"

#include "../../kernels/cuda/cuda-tactic.h"

#include <stdlib.h>
#include <string.h>

static bool layout_fits(const struct variant *variant, enum tactic_layout layout) {
  return layout == LAYOUT_ANY || variant->tactic->layout == LAYOUT_ANY || variant->tactic->layout == layout;
}

/* May this build take the entry for this problem on this class? */
static bool usable(const struct record_entry *entry, const struct problem *problem, const struct link_target *target,
                   enum tactic_layout layout, struct variant *out_variant) {
  if (entry->status != FARM_OK || entry->times.n == 0 || variant_parse(entry->variant, out_variant) != FARM_OK) return false;
  const struct tactic *tactic = out_variant->tactic;
  if (!tactic_fits(tactic, &target->device_class)) return false;
  bool own = link_is_own(NULL, out_variant); // a library's version is asked for where the engine runs
  if (own && strcmp(entry->source_digest, tactic_source_digest(tactic)) != 0) return false;
  return layout_fits(out_variant, layout) && variant_legal(problem, out_variant);
}

static bool better(const struct record_entry *a, const struct record_entry *b) {
  if (a->rank != b->rank) return a->rank < b->rank;
  if (a->rank == UINT32_MAX && a->times.median != b->times.median) return a->times.median < b->times.median;
  if (a->workspace_bytes != b->workspace_bytes) return a->workspace_bytes < b->workspace_bytes;
  return strcmp(a->variant, b->variant) < 0;
}

bool link_is_own(void *context, const struct variant *variant) {
  const struct cuda_tactic *cuda = cuda_tactic_of(variant->tactic);
  (void)context;
  return !cuda || cuda->source;
}

struct variant link_cheapest(const struct link_target *target, const struct problem *problem, enum tactic_layout layout,
                             bool (*takes)(void *context, const struct variant *variant), void *context) {
  enum { MOST = 1024 };
  struct variant best = {0}, *found = malloc(MOST * sizeof *found);
  int count = found ? catalogue_variants(problem, &target->device_class, layout, found, MOST) : 0;
  double least = 0;
  for (int i = 0; i < count && i < MOST; i++) {
    double cost = variant_cost(problem, &found[i], &target->device_class, target->threads);
    if ((best.tactic && cost >= least) || !takes(context, &found[i])) continue;
    best = found[i];
    least = cost;
  }
  free(found);
  return best;
}

typedef bool (*takes_fn)(void *context, const struct variant *variant);

static const struct record_entry *best_entry(const struct record *record, const struct problem *problem,
                                             const struct link_target *target, enum tactic_layout layout, takes_fn takes,
                                             struct link_choice *choice) {
  const struct record_entry *best = NULL;
  for (uint32_t i = 0; i < record->entry_count; i++) {
    const struct record_entry *entry = &record->entries[i];
    struct variant variant;
    if (!usable(entry, problem, target, layout, &variant) || !takes(NULL, &variant)) continue;
    choice->candidates++;
    if (best && !better(entry, best)) continue;
    best = entry;
    choice->variant = variant;
  }
  for (uint32_t i = 0; best && best->rank != UINT32_MAX && i < record->entry_count; i++)
    choice->ties += record->entries[i].rank == best->rank && &record->entries[i] != best;
  return best;
}

static bool takes_all(void *context, const struct variant *variant) {
  (void)context, (void)variant;
  return true;
}

/* Tactic NULL: no own kernel solves it. */
static struct variant fallback_find(const struct record *record, const struct problem *problem, const struct link_target *target,
                                    enum tactic_layout layout) {
  struct problem variables = problem_of_variables(problem);
  struct link_choice choice = {0};
  if (best_entry(record, &variables, target, layout, link_is_own, &choice)) return choice.variant;
  return link_cheapest(target, &variables, layout, link_is_own, NULL);
}

/* The best entry, a library's only with a fallback. */
static const struct record_entry *entry_choose(const struct record *record, const struct problem *problem,
                                               const struct link_target *target, enum tactic_layout layout,
                                               struct link_choice *choice) {
  const struct record_entry *entry = best_entry(record, problem, target, layout, takes_all, choice);
  if (!entry || link_is_own(NULL, &choice->variant)) return entry;
  choice->library = entry->source_digest;
  choice->fallback = fallback_find(record, problem, target, layout);
  if (choice->fallback.tactic) return entry;
  *choice = (struct link_choice){0};
  return best_entry(record, problem, target, layout, link_is_own, choice);
}

/* The cheapest by estimate. A library's tactic needs a measurement to be chosen: which libraries the linking machine has must not
 * decide what an unmeasured engine is. Tactic NULL: a GPU has none. */
static struct variant default_variant(const struct link_target *target, const struct problem *problem,
                                      enum tactic_layout layout) {
  struct variant variant = catalogue_default(problem, &target->device_class, layout, target->threads);
  const struct cuda_tactic *cuda = variant.tactic ? cuda_tactic_of(variant.tactic) : NULL;
  if (!cuda || cuda->source) return variant;
  return link_cheapest(target, problem, layout, link_is_own, NULL);
}

enum farm_status link_choose(const struct link_target *target, const struct problem *problem, const char *problem_text,
                             enum tactic_layout layout, struct link_choice *out_choice) {
  struct link_choice choice = {0};
  const struct record *record = target->facts.record ? target->facts.record(target->facts.context, problem_text) : NULL;
  const struct record_entry *entry = record ? entry_choose(record, problem, target, layout, &choice) : NULL;
  if (entry) {
    choice.median_ns = entry->times.median;
    choice.ci95_ns = entry->times.ci_high - entry->times.ci_low;
    choice.error = (float)entry->error;
  } else {
    choice.candidates = 0;
    choice.variant = default_variant(target, problem, layout);
    if (!choice.variant.tactic) {
      *out_choice = link_choice_host(problem);
      return FARM_OK;
    }
  }
  choice.estimated_ns = variant_cost(problem, &choice.variant, &target->device_class, target->threads);
  *out_choice = choice;
  return FARM_OK;
}

struct link_choice link_choice_host(const struct problem *problem) {
  enum { STOP_NS = 40000, BUS_BYTES_PER_NS = 10 }; // two waits, and PCI Express as most machines have it
  return (struct link_choice){.host = true, .estimated_ns = STOP_NS + problem_bytes(problem) / BUS_BYTES_PER_NS};
}

double link_choice_ns(const struct link_choice *choice) {
  return choice->median_ns > 0 ? choice->median_ns : choice->estimated_ns;
}
