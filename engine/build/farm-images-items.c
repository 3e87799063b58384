/* What measuring a build's items on GPUs needs to have compiled: see farm-images.h. */
#include "farm-images-internal.h"

#include "../../base/array.h"
#include "../../base/map.h"
#include "../../kernels/cuda/cuda-artefact.h"
#include "../../kernels/cuda/cuda-tactic.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS_AT_ONCE = 64, TEXTS_AT_ONCE = 64 };

struct text_list {
  struct image_text *items;
  size_t count, capacity;
  struct map by_key;
  struct arena arena; // of keys
};

static void texts_free(struct text_list *texts) {
  for (size_t i = 0; i < texts->count; i++) free(texts->items[i].source);
  free(texts->items);
  map_free(&texts->by_key);
  arena_free(&texts->arena);
}

static enum farm_status text_add(struct text_list *texts, const char *source, int sm, const char *compiler) {
  const char *key;
  TRY(cuda_artefact_key_text(source, sm, compiler, &texts->arena, &key));
  if (map_get(&texts->by_key, key)) return FARM_OK;
  TRY(array_reserve(&texts->items, &texts->capacity, texts->count + 1));
  struct image_text text = {strdup(source), sm, key};
  FAIL_IF(!text.source, FARM_NO_MEMORY, "out of memory for a kernel's text");
  texts->items[texts->count++] = text;
  return map_set(&texts->by_key, key, text.source);
}

static enum farm_status variant_add(struct text_list *texts, const struct problem *problem, const char *variant_text, int sm,
                                    const char *compiler) {
  struct variant variant;
  struct strbuf source = {0};
  TRY(variant_parse(variant_text, &variant));
  const struct cuda_tactic *tactic = cuda_tactic_of(variant.tactic);
  if (!tactic || !tactic->source) return FARM_OK;
  enum farm_status status = tactic->source(problem, &variant, &source);
  if (status == FARM_OK && source.failed) status = status_set(FARM_NO_MEMORY, "out of memory for a kernel's text");
  if (status == FARM_OK) status = text_add(texts, strbuf_text(&source), sm, compiler);
  strbuf_free(&source);
  return status;
}

static enum farm_status item_add(struct text_list *texts, const struct build_item *item, const char *compiler) {
  struct arena arena = {0};
  struct problem problem;
  struct device_class device_class;
  enum farm_status status = device_class_parse(item->device_class, &device_class);
  if (status == FARM_OK) status = problem_parse(item->problem, &arena, &problem);
  for (int i = 0; i < item->variant_count && status == FARM_OK; i++)
    status = variant_add(texts, &problem, item->variants[i].text, device_class.sm, compiler);
  arena_free(&arena);
  return status;
}

/* ---- which of the items will be measured ---- */

static bool is_of_gpu(const struct build_item *item) { return strncmp(item->device_class, "cuda ", 5) == 0; }

static enum farm_status is_known(struct farm_images *images, const struct build_item *item, const char *policy, bool *out) {
  struct arena arena = {0};
  struct client_found found = {0};
  struct wire_variant *variants = arena_alloc_array(&arena, (size_t)item->variant_count + 1, sizeof *variants);
  FAIL_IF(!variants, FARM_NO_MEMORY, "out of memory for items");
  for (int i = 0; i < item->variant_count; i++)
    variants[i] = (struct wire_variant){item->variants[i].text, item->variants[i].source_digest};
  const struct wire_item wire = {.problem = item->problem,
                                 .device_class = item->device_class,
                                 .threads = (uint32_t)item->threads,
                                 .weight = item->weight,
                                 .variants = variants,
                                 .variants_count = (uint32_t)item->variant_count};
  if (images->remeasure) {
    arena_free(&arena);
    return FARM_OK;
  }
  enum farm_status status = client_lookup(images->client, policy, WIRE_MODE_RW, &wire, 1, FARM_IMAGES_WAIT_MS, &arena, &found);
  *out = found.hit;
  arena_free(&arena);
  return status;
}

/* ---- which texts the store lacks ---- */

static void missing_mark(void *context, const char *line) {
  struct text_list *texts = context;
  for (size_t i = 0; i < texts->count; i++)
    if (strcmp(texts->items[i].key, line) == 0) map_remove(&texts->by_key, line); // what stays in the map is there
}

static enum farm_status missing_ask(struct farm_images *images, struct text_list *texts) {
  for (size_t at = 0; at < texts->count;) {
    struct arena arena = {0};
    struct wire_cache_reply reply;
    const char *keys[KEYS_AT_ONCE];
    uint32_t count = 0;
    while (at < texts->count && count < KEYS_AT_ONCE) keys[count++] = texts->items[at++].key;
    enum farm_status status = client_cache(images->client, "artefacts-missing", keys, count, NULL, FARM_IMAGES_WAIT_MS,
                                           missing_mark, texts, &arena, &reply);
    arena_free(&arena);
    TRY(status);
  }
  return FARM_OK;
}

static enum farm_status missing_compile(struct farm_images *images, struct text_list *texts,
                                        void (*progress)(void *, const struct build_progress *), void *progress_context) {
  struct image_text *missing = calloc(texts->count + 1, sizeof *missing);
  FAIL_IF(!missing, FARM_NO_MEMORY, "out of memory for texts");
  size_t count = 0;
  enum farm_status status = FARM_OK;
  for (size_t i = 0; i < texts->count; i++)
    if (!map_get(&texts->by_key, texts->items[i].key)) missing[count++] = texts->items[i];
  images->progress = progress, images->progress_context = progress_context, images->total = (uint32_t)count;
  for (size_t at = 0; at < count && status == FARM_OK; at += TEXTS_AT_ONCE) {
    images->done = (uint32_t)at;
    farm_images_tell(images, images->done, images->workers, images->compiler);
    status = farm_images_compile(images, missing + at, count - at < TEXTS_AT_ONCE ? count - at : TEXTS_AT_ONCE);
  }
  images->progress = NULL;
  free(missing);
  return status;
}

enum farm_status farm_images_for_items(struct farm_images *images, const struct build_item *items, size_t count,
                                       const char *policy, void (*progress)(void *, const struct build_progress *),
                                       void *progress_context) {
  struct text_list texts = {0};
  enum farm_status status = FARM_OK;
  for (size_t i = 0; i < count && status == FARM_OK; i++) {
    bool known = false;
    if (!is_of_gpu(&items[i])) continue;
    status = farm_images_ready(images);
    if (status == FARM_OK) status = is_known(images, &items[i], policy, &known);
    if (status == FARM_OK && !known) status = item_add(&texts, &items[i], images->compiler);
  }
  if (status == FARM_OK) status = missing_ask(images, &texts);
  if (status == FARM_OK) status = missing_compile(images, &texts, progress, progress_context);
  texts_free(&texts);
  return status;
}
