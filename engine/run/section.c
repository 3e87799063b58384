/* Which section of an engine runs here: one made for this very device class, else one of the same kind whose instruction set this
 * machine has; among those, the one for as many threads, else for the nearest number. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

struct candidate {
  int index, distance; // of threads
  enum isa isa;
  bool same_class;
};

static bool names_kind(const char *wanted, const char *device_class) {
  size_t length = strcspn(device_class, " ");
  return strlen(wanted) == length && strncmp(wanted, device_class, length) == 0;
}

static bool wanted_fits(const char *wanted, const struct engine_section *section) {
  return !wanted || strcmp(wanted, section->device_class) == 0 || names_kind(wanted, section->device_class);
}

static bool candidate_make(const struct farm_engine *engine, int index, const char *machine_text, const char *wanted, int threads,
                           struct candidate *out) {
  const struct engine_section *section = &engine->file->sections[index];
  struct device_class made_for;
  if (!wanted_fits(wanted, section)) return false;
  out->index = index;
  out->distance = abs(section->threads - threads);
  out->same_class = strcmp(section->device_class, machine_text) == 0;
  out->isa = engine->machine.isa;
  if (out->same_class) return true;
  if (device_class_parse(section->device_class, &made_for) != FARM_OK) return false;
  out->isa = made_for.isa;
  return made_for.kind == engine->machine.kind && made_for.isa <= engine->machine.isa;
}

/* Ties: the greater instruction set, then the nearer thread count, then fewer threads, then the order of the file. */
static bool better(const struct farm_engine *engine, const struct candidate *a, const struct candidate *b) {
  const struct engine_section *sections = engine->file->sections;
  if (a->same_class != b->same_class) return a->same_class;
  if (a->isa != b->isa) return a->isa > b->isa;
  if (a->distance != b->distance) return a->distance < b->distance;
  return sections[a->index].threads < sections[b->index].threads;
}

enum farm_status section_choose(struct farm_engine *engine, const char *wanted, int threads) {
  char machine_text[DEVICE_CLASS_TEXT_MAX];
  device_class_print(&engine->machine, machine_text);
  if (threads <= 0) threads = thread_pool_default_threads();
  struct candidate best = {.index = -1}, candidate;
  for (int i = 0; i < engine->file->section_count; i++) {
    if (!candidate_make(engine, i, machine_text, wanted, threads, &candidate)) continue;
    if (best.index < 0 || better(engine, &candidate, &best)) best = candidate;
  }
  const char *first = engine->file->section_count ? engine->file->sections[0].device_class : "nothing";
  FAIL_IF(best.index<0, FARM_MISMATCH, "no section fits: the engine is made for %s%s, %s%s is %s", first,
                     engine->file->section_count> 1
              ? " and others"
              : "",
          wanted ? "asked for was " : "this machine", wanted ? wanted : "",
          wanted ? "not among them, or not runnable here" : machine_text);
  engine->section_index = best.index;
  engine->section = &engine->file->sections[best.index];
  engine->plan = &engine->section->plan;
  engine->other_class = !best.same_class;
  engine->other_threads = best.distance != 0;
  return FARM_OK;
}
