/* Shared by farm-images.c (the compiler, one image), farm-compile.c (compiling) and farm-images-items.c (what measuring needs).
 */
#ifndef ENGINE_BUILD_FARM_IMAGES_INTERNAL_H
#define ENGINE_BUILD_FARM_IMAGES_INTERNAL_H

#include "farm-images.h"

#include <stdio.h>

enum { FARM_IMAGES_WAIT_MS = 60000, FARM_IMAGES_MOST_BYTES = 512 << 20 };

struct image_text {
  char *source;
  int sm;
  const char *key;
};

/* How far compiling is, to whoever wants to know. */
void farm_images_tell(const struct farm_images *images, uint32_t done, uint32_t running, const char *detail);
/* Compiles these texts and puts the artefacts into the store. A text that does not compile gives an artefact that says so.
 * FARM_UNSUPPORTED: nobody compiles, or nobody any more. */
enum farm_status farm_images_compile(struct farm_images *images, const struct image_text *texts, size_t count);

#endif
