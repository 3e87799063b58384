/* See build-internal.h. */
#include "build-internal.h"

#include "../../base/array.h"
#include "../../device/nvrtc.h"
#include "../../kernels/cuda/cuda-tactic.h"

#include <stdlib.h>
#include <string.h>

static enum farm_status missing_note(struct build_images *images, const char *source, int sm) {
  struct digest key;
  char hex[DIGEST_HEX_BYTES], arch[16];
  TRY(cuda_artefact_key(source, sm, images->images.compiler, &key));
  digest_to_hex(&key, hex);
  nvrtc_arch(sm, arch);
  TRY(array_reserve(&images->missing, &images->missing_capacity, images->missing_count + 1));
  const char *text = arena_printf(images->arena, "artefact %s (%s, %s)", hex, arch, images->images.compiler);
  FAIL_IF(!text, FARM_NO_MEMORY, "out of memory for keys");
  images->missing[images->missing_count++] = text;
  return FARM_OK;
}

static enum farm_status compile(struct build_images *images, const char *source, int sm, struct bytes_writer *out_image) {
  if (images->options->cache_mode == CACHE_LOCKED) return FARM_LOCKED_MISS;
  TRY(nvrtc_version(images->compiler, sizeof images->compiler)); // says why there is none
  images->compiled++;
  return nvrtc_compile("tactic.cu", source, sm, out_image, NULL);
}

static enum farm_status get(void *context, const char *source, int sm, struct bytes_writer *out_image) {
  struct build_images *images = context;
  const struct link_images *given = images->options->images;
  enum farm_status status = given ? given->get(given->context, source, sm, out_image) : compile(images, source, sm, out_image);
  if (status != FARM_LOCKED_MISS) return status;
  TRY(missing_note(images, source, sm));
  out_image->length = 0;
  bytes_put_string(out_image, "missing"); // such an engine is never written
  return FARM_OK;
}

void build_images_init(struct build_images *images, const struct build_options *options, struct arena *arena) {
  if (images->options) return; // for another target
  *images = (struct build_images){.options = options, .arena = arena, .images = {.get = get, .context = images}};
  if (options->images)
    images->images.compiler = options->images->compiler;
  else if (nvrtc_version(images->compiler, sizeof images->compiler) == FARM_OK)
    images->images.compiler = images->compiler;
  else
    images->images.compiler = "no compiler"; // only a section without images is linked so
}

void build_images_free(struct build_images *images) { free(images->missing); }
