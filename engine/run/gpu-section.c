/* Which section of an engine runs on which GPU of this machine: the one made for this very class, else a measured one of the same
 * SM version, else one that nobody measured; of equal ones the first device and the first section. */
#include "gpu.h"

#include "section.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NO_FIT, FITS, FITS_MEASURED, SAME_CLASS };

static int fit_of(const struct engine_section *section, const struct device_class *device, const char *device_text) {
  struct device_class made_for;
  if (strcmp(section->device_class, device_text) == 0) return SAME_CLASS;
  if (device_class_parse(section->device_class, &made_for) != FARM_OK || !device_class_fits(&made_for, device)) return NO_FIT;
  return section->measured ? FITS_MEASURED : FITS;
}

struct search {
  const struct engine *file;
  const char *wanted;
  int best_fit;
  struct gpu_choice best;
};

static void device_try(struct search *search, const struct cuda_properties *about) {
  struct device_class device;
  char text[DEVICE_CLASS_TEXT_MAX];
  cuda_device_class(about, &device);
  device_class_print(&device, text);
  for (int i = 0; i < search->file->section_count; i++) {
    const struct engine_section *section = &search->file->sections[i];
    if (!section_is_cuda(section) || !section_wanted(search->wanted, section)) continue;
    int fit = fit_of(section, &device, text);
    if (fit <= search->best_fit) continue;
    search->best_fit = fit;
    search->best = (struct gpu_choice){.section = i, .same_class = fit == SAME_CLASS, .device_class = device};
    memcpy(search->best.uuid, about->uuid, sizeof search->best.uuid);
  }
}

static bool is_device(const char *wanted, const struct cuda_properties *about) {
  char ordinal[16];
  snprintf(ordinal, sizeof ordinal, "%d", about->ordinal);
  return !wanted || strcasecmp(wanted, about->uuid) == 0 || strcmp(wanted, ordinal) == 0;
}

enum farm_status gpu_choose(const struct engine *file, const char *wanted, const char *device, struct gpu_choice *out) {
  struct search search = {.file = file, .wanted = wanted};
  struct cuda_properties about, last = {0};
  int count, named = 0;
  TRY(cuda_device_count(&count));
  for (int i = 0; i < count; i++) {
    TRY(cuda_device_properties(i, &about));
    if (!is_device(device, &about)) continue;
    named++;
    last = about;
    device_try(&search, &about);
  }
  FAIL_IF(named == 0, FARM_NOT_FOUND, "this machine has no GPU %s", device ? device : "");
  FAIL_IF(search.best_fit == NO_FIT, FARM_UNSUPPORTED, "of its sections none fits %s of this machine (SM version %d)", last.name,
          last.sm);
  *out = search.best;
  return FARM_OK;
}
