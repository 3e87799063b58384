/* The problems of a model: each once per device class, with the variants worth trying. */
#include "build-internal.h"

#include "../../base/array.h"
#include "../link/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VARIANTS = 1024 };

struct collector {
  const struct device_class *device_class;
  const char *class_text;
  int threads, effort;
  struct arena *arena;
  struct item_list *items;
  struct variant found[MOST_VARIANTS];
  struct build_variant ranked[MOST_VARIANTS];
};

static const char *item_key(const char *problem, const char *class_text, int threads, char *buffer, size_t bytes) {
  int length = snprintf(buffer, bytes, "%d|%s|%s", threads, class_text, problem);
  return length > 0 && (size_t)length < bytes ? buffer : NULL;
}

static int by_cost(const void *a, const void *b) {
  const struct build_variant *x = a, *y = b;
  if (x->estimated_ns != y->estimated_ns) return x->estimated_ns < y->estimated_ns ? -1 : 1;
  return strcmp(x->text, y->text);
}

/* Half of an effort's variants are the cheapest by estimate; the layouts share it, so that a choice of layout has facts on both
 * sides. */
static enum farm_status variants_rank(struct collector *c, const struct problem *problem, struct build_item *item) {
  int count = catalogue_variants(problem, c->device_class, LAYOUT_ANY, c->found, MOST_VARIANTS);
  if (count > MOST_VARIANTS) count = MOST_VARIANTS;
  for (int i = 0; i < count; i++) {
    char text[VARIANT_TEXT_MAX];
    variant_print(&c->found[i], text);
    c->ranked[i].text = arena_string(c->arena, text, strlen(text));
    c->ranked[i].source_digest = tactic_source_digest(c->found[i].tactic);
    c->ranked[i].estimated_ns = variant_cost(problem, &c->found[i], c->device_class, c->threads);
    FAIL_IF(!c->ranked[i].text, FARM_NO_MEMORY, "out of memory for variants");
  }
  qsort(c->ranked, (size_t)count, sizeof *c->ranked, by_cost);
  int most = build_variants_most(c->effort), kept = 0, of_layout[3] = {0};
  item->variants = arena_alloc_array(c->arena, (size_t)count + 1, sizeof *item->variants);
  FAIL_IF(!item->variants, FARM_NO_MEMORY, "out of memory for variants");
  for (int i = 0; i < count; i++) {
    struct variant variant;
    TRY(variant_parse(c->ranked[i].text, &variant));
    int *same_layout = &of_layout[variant.tactic->layout];
    if (*same_layout >= most) continue;
    (*same_layout)++;
    item->variants[kept++] = c->ranked[i];
  }
  item->variant_count = kept;
  return FARM_OK;
}

static enum farm_status problem_add(void *context, const struct problem *problem, const char *text, const struct node *node) {
  struct collector *c = context;
  (void)node;
  if (problem->kind == PROBLEM_OP) return FARM_OK; // its operands cannot be made from its text: the cost model decides
  if (c->device_class->kind == DEVICE_CUDA && catalogue_variants(problem, c->device_class, LAYOUT_ANY, NULL, 0) == 0)
    return FARM_OK; // left to the host
  char *key = malloc(strlen(text) + strlen(c->class_text) + 32);
  FAIL_IF(!key, FARM_NO_MEMORY, "out of memory for a key");
  item_key(text, c->class_text, c->threads, key, strlen(text) + strlen(c->class_text) + 32);
  struct item_list *items = c->items;
  uintptr_t found = (uintptr_t)map_get(&items->by_key, key);
  enum farm_status status = FARM_OK;
  if (found)
    items->items[found - 1].weight += 1;
  else
    status = map_set(&items->by_key, key, (void *)(uintptr_t)(items->count + 1));
  free(key);
  if (found || status != FARM_OK) return status;
  TRY(array_reserve(&items->items, &items->capacity, items->count + 1));
  struct build_item *item = &items->items[items->count++];
  *item = (struct build_item){
      .problem = arena_string(c->arena, text, strlen(text)), .device_class = c->class_text, .threads = c->threads, .weight = 1};
  FAIL_IF(!item->problem, FARM_NO_MEMORY, "out of memory for a problem");
  return variants_rank(c, problem, item);
}

enum farm_status build_items_collect(struct model *model, const struct device_class *device_class, int threads, int effort,
                                     struct arena *arena, struct item_list *items) {
  char class_text[DEVICE_CLASS_TEXT_MAX];
  if (device_class->kind == DEVICE_CUDA) threads = 1;
  device_class_print(device_class, class_text);
  struct collector *c = calloc(1, sizeof *c);
  FAIL_IF(!c, FARM_NO_MEMORY, "out of memory for problems");
  c->device_class = device_class;
  c->class_text = arena_string(arena, class_text, strlen(class_text));
  c->threads = threads;
  c->effort = effort;
  c->arena = arena;
  c->items = items;
  struct link_shapes shapes = {0};
  enum farm_status status = c->class_text ? link_shapes_infer(model, LINK_OPTIMAL, &shapes) : FARM_NO_MEMORY;
  if (status == FARM_OK) status = link_problems(model, &shapes, problem_add, c);
  link_shapes_free(&shapes);
  free(c);
  return status;
}

const struct build_item *build_item_find(const struct item_list *items, const char *problem, const char *device_class,
                                         int threads) {
  size_t bytes = strlen(problem) + strlen(device_class) + 32;
  char *key = malloc(bytes);
  if (!key) return NULL;
  uintptr_t found = (uintptr_t)map_get(&items->by_key, item_key(problem, device_class, threads, key, bytes));
  free(key);
  return found ? &items->items[found - 1] : NULL;
}

void build_items_free(struct item_list *items) {
  free(items->items);
  map_free(&items->by_key);
  *items = (struct item_list){0};
}
