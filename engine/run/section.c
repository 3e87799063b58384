/* Which section of an engine runs here: one for a GPU of this machine (gpu-section.c), else one made for this very CPU class,
 * else one of a CPU whose instruction set this machine has; among those, the one for as many threads, else for the nearest
 * number. An engine without a section for GPUs never looks for a driver. */
#include "section.h"

#include "gpu.h"

#include <stdio.h>
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

/* "cuda-sm90": `cuda sm:90`, and that with more words. */
static bool names_sm(const char *wanted, const char *device_class) {
  char words[64];
  if (strncmp(wanted, "cuda-sm", 7) != 0) return false;
  int length = snprintf(words, sizeof words, "cuda sm:%s", wanted + 7);
  if (length < 0 || (size_t)length >= sizeof words || strncmp(words, device_class, (size_t)length) != 0) return false;
  return device_class[length] == ' ' || !device_class[length];
}

bool section_wanted(const char *wanted, const struct engine_section *section) {
  if (!wanted || strcmp(wanted, "auto") == 0 || strcmp(wanted, section->device_class) == 0) return true;
  return names_kind(wanted, section->device_class) || names_sm(wanted, section->device_class);
}

static bool candidate_make(const struct farm_engine *engine, int index, const char *machine_text, const char *wanted, int threads,
                           struct candidate *out) {
  const struct engine_section *section = &engine->file->sections[index];
  struct device_class made_for;
  if (section_is_cuda(section) || !section_wanted(wanted, section)) return false;
  out->index = index;
  out->distance = abs(section->threads - threads);
  out->same_class = strcmp(section->device_class, machine_text) == 0;
  out->isa = engine->machine.isa;
  if (out->same_class) return true;
  if (device_class_parse(section->device_class, &made_for) != FARM_OK) return false;
  out->isa = made_for.isa;
  return device_class_fits(&made_for, &engine->machine);
}

/* Ties: the greater instruction set, then the nearer thread count, then fewer threads, then the order of the file. */
static bool better(const struct farm_engine *engine, const struct candidate *a, const struct candidate *b) {
  const struct engine_section *sections = engine->file->sections;
  if (a->same_class != b->same_class) return a->same_class;
  if (a->isa != b->isa) return a->isa > b->isa;
  if (a->distance != b->distance) return a->distance < b->distance;
  return sections[a->index].threads < sections[b->index].threads;
}

static void section_take(struct farm_engine *engine, int index) {
  engine->section_index = index;
  engine->section = &engine->file->sections[index];
  engine->plan = &engine->section->plan;
}

static bool has_gpu_section(const struct farm_engine *engine, const char *wanted) {
  for (int i = 0; i < engine->file->section_count; i++)
    if (section_is_cuda(&engine->file->sections[i]) && section_wanted(wanted, &engine->file->sections[i])) return true;
  return false;
}

static enum farm_status gpu_section_take(struct farm_engine *engine, const char *wanted, const char *device) {
  struct gpu_choice choice;
  TRY(gpu_choose(engine->file, wanted, device, &choice));
  section_take(engine, choice.section);
  engine->target = choice.device_class;
  engine->other_class = !choice.same_class && engine->section->measured;
  return gpu_open(engine, choice.uuid);
}

static enum farm_status no_section_fits(const struct farm_engine *engine, const char *wanted, const char *machine_text,
                                        const char *no_gpu) {
  const char *first = engine->file->section_count ? engine->file->sections[0].device_class : "nothing";
  const char *others = engine->file->section_count > 1 ? " and others" : "";
  if (!wanted)
    return status_set(FARM_MISMATCH, "no section fits: the engine is made for %s%s, this machine is %s%s", first, others,
                      machine_text, no_gpu);
  return status_set(FARM_MISMATCH,
                    "no section fits: the engine is made for %s%s, asked for was %s, not among them, or not runnable here%s", first,
                    others, wanted, no_gpu);
}

static enum farm_status cpu_section_take(struct farm_engine *engine, const char *wanted, int threads, const char *no_gpu) {
  char machine_text[DEVICE_CLASS_TEXT_MAX];
  device_class_print(&engine->machine, machine_text);
  if (threads <= 0) threads = thread_pool_default_threads();
  struct candidate best = {.index = -1}, candidate;
  for (int i = 0; i < engine->file->section_count; i++) {
    if (!candidate_make(engine, i, machine_text, wanted, threads, &candidate)) continue;
    if (best.index < 0 || better(engine, &candidate, &best)) best = candidate;
  }
  if (best.index < 0) return no_section_fits(engine, wanted, machine_text, no_gpu);
  section_take(engine, best.index);
  engine->target = engine->machine;
  engine->other_class = !best.same_class;
  engine->other_threads = best.distance != 0;
  return FARM_OK;
}

/* Without a GPU that fits, the CPU's section is what fits this machine; a GPU that fits and does not open is an error. */
enum farm_status section_choose(struct farm_engine *engine, const char *wanted, const char *device, int threads) {
  char no_gpu[512] = "";
  if (device || has_gpu_section(engine, wanted)) {
    enum farm_status status = gpu_section_take(engine, wanted, device);
    if (status != FARM_UNSUPPORTED || engine->section) return status;
    if (device) return status_set(FARM_MISMATCH, "no section fits GPU %.64s: %s", device, status_message());
    snprintf(no_gpu, sizeof no_gpu, "; %s", status_message());
  }
  return cpu_section_take(engine, wanted, threads, no_gpu);
}
