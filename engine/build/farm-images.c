/* See farm-images.h: the compiler, and one image for the linker. What measuring needs is in farm-images-items.c. */
#include "farm-images-internal.h"

#include "../../base/clock.h"
#include "../../device/nvrtc.h"
#include "../../kernels/cuda/cuda-artefact.h"

#include <stdlib.h>
#include <string.h>

enum { REGISTER_MS = 15000, REGISTER_STEP_MS = 50, GONE_MS = 15000 };
#define COMPILER_CLASS "compiler "

/* ---- which compiler ---- */

static void take_greater(const char *candidate, char best[FARM_COMPILER_BYTES]) {
  if (strlen(candidate) < FARM_COMPILER_BYTES && (!*best || strverscmp(candidate, best) > 0)) strcpy(best, candidate);
}

/* Of the store. */
static enum farm_status stored_compiler(struct farm_images *images, char best[FARM_COMPILER_BYTES]) {
  struct arena arena = {0};
  struct wire_cache_reply reply;
  enum farm_status status =
      client_cache(images->client, "compilers", NULL, 0, NULL, FARM_IMAGES_WAIT_MS, NULL, NULL, &arena, &reply);
  for (uint32_t i = 0; status == FARM_OK && i < reply.counters_count; i++) take_greater(reply.counters[i].name, best);
  arena_free(&arena);
  return status;
}

/* Of the farm's registered compilers; *out_expected: of those that its coordinator started itself. */
static enum farm_status registered_compilers(struct farm_images *images, char best[FARM_COMPILER_BYTES], uint32_t *out_seen,
                                             uint32_t *out_expected) {
  struct arena arena = {0};
  struct wire_status_reply reply;
  enum farm_status status = client_status(images->client, FARM_IMAGES_WAIT_MS, &arena, &reply);
  *out_seen = *out_expected = 0;
  for (uint32_t i = 0; status == FARM_OK && i < reply.workers_count; i++) {
    const char *class_text = reply.workers[i].device_class;
    if (strncmp(class_text, COMPILER_CLASS, strlen(COMPILER_CLASS)) != 0) continue;
    take_greater(class_text + strlen(COMPILER_CLASS), best);
    ++*out_seen;
  }
  for (uint32_t i = 0; status == FARM_OK && i < reply.counters_count; i++)
    if (strcmp(reply.counters[i].name, "local_compilers") == 0) *out_expected = (uint32_t)reply.counters[i].value;
  arena_free(&arena);
  return status;
}

static enum farm_status farm_compiler(struct farm_images *images, char best[FARM_COMPILER_BYTES]) {
  uint32_t expected = 1;
  for (int waited = 0; waited < REGISTER_MS; waited += REGISTER_STEP_MS) {
    TRY(registered_compilers(images, best, &images->workers, &expected));
    if (images->workers >= expected) break;
    clock_sleep_ns(REGISTER_STEP_MS * 1000000ull);
  }
  return FARM_OK;
}

static enum farm_status compiler_find(struct farm_images *images) {
  char stored[FARM_COMPILER_BYTES] = "", able[FARM_COMPILER_BYTES] = "";
  TRY(stored_compiler(images, stored));
  if (!images->locked) {
    TRY(farm_compiler(images, able));
    if (*able)
      snprintf(images->worker_class, sizeof images->worker_class, COMPILER_CLASS "%s", able);
    else
      images->local = nvrtc_version(able, sizeof able) == FARM_OK;
  }
  strcpy(images->compiler, *able ? able : *stored ? stored : "no compiler");
  return FARM_OK;
}

enum farm_status farm_images_ready(struct farm_images *images) {
  if (images->ready) return FARM_OK;
  TRY(compiler_find(images));
  images->ready = true;
  return FARM_OK;
}

/* ---- one image ---- */

struct taking {
  const char *key;
  struct bytes_writer *out;
  enum farm_status status;
};

static enum farm_status image_take(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)envelope, (void)length;
  struct taking *taking = context;
  if (strcmp(artefact->key, taking->key) != 0) return FARM_OK;
  taking->status = artefact->status;
  FAIL_IF(artefact->status != FARM_OK, FARM_INVALID, "it does not compile: %s", artefact->message);
  bytes_put(taking->out, artefact->data, artefact->length);
  return FARM_OK;
}

/* FARM_NOT_FOUND: it is not in the store. */
static enum farm_status stored_image(struct farm_images *images, const char *key, struct bytes_writer *out) {
  struct arena arena = {0};
  struct wire_cache_reply reply;
  uint8_t *data = NULL;
  size_t length = 0;
  struct taking taking = {key, out, FARM_NOT_FOUND};
  enum farm_status status =
      client_cache(images->client, "artefacts-get", &key, 1, NULL, FARM_IMAGES_WAIT_MS, NULL, NULL, &arena, &reply);
  if (status == FARM_OK && reply.blob_bytes == 0) status = status_set(FARM_NOT_FOUND, "no artefact under %s", key);
  if (status == FARM_OK)
    status = client_blob_get(images->client, &reply.blob, FARM_IMAGES_MOST_BYTES, FARM_IMAGES_WAIT_MS, &data, &length);
  if (status == FARM_OK) status = artefact_list_each(data, length, image_take, &taking);
  if (status == FARM_OK && taking.status != FARM_OK) status = taking.status;
  free(data);
  arena_free(&arena);
  return status;
}

/* For a build that puts nothing into the store. */
static enum farm_status image_here(const struct farm_images *images, const char *source, int sm, struct bytes_writer *out) {
  FAIL_IF(!images->local, FARM_UNSUPPORTED, "its compiled kernel is not in the store, and this cache mode puts nothing there");
  return nvrtc_compile("tactic.cu", source, sm, out, NULL);
}

static enum farm_status get(void *context, const char *source, int sm, struct bytes_writer *out_image) {
  struct farm_images *images = context;
  struct arena arena = {0};
  const char *key;
  TRY(farm_images_ready(images));
  enum farm_status status = cuda_artefact_key_text(source, sm, images->compiler, &arena, &key);
  if (status == FARM_OK) status = stored_image(images, key, out_image);
  if (status == FARM_NOT_FOUND && images->locked) status = status_set(FARM_LOCKED_MISS, "locked: no artefact under %s", key);
  if (status == FARM_NOT_FOUND && !images->keeps) {
    status = image_here(images, source, sm, out_image);
  } else if (status == FARM_NOT_FOUND) {
    struct image_text text = {.source = (char *)(uintptr_t)source, .sm = sm, .key = key};
    status = farm_images_compile(images, &text, 1);
    if (status == FARM_OK) status = stored_image(images, key, out_image);
  }
  arena_free(&arena);
  return status;
}

void farm_images_init(struct farm_images *images, struct client *client, enum cache_mode mode) {
  *images = (struct farm_images){.client = client,
                                 .gone_ms = GONE_MS,
                                 .remeasure = mode == CACHE_OFF,
                                 .locked = mode == CACHE_LOCKED,
                                 .keeps = mode == CACHE_RW || mode == CACHE_OFF};
  images->images = (struct link_images){.get = get, .context = images, .compiler = images->compiler};
}
