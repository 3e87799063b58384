/* What a user may ask for -> device classes: those registered at the farm or with records there, else what the word allows. */
#include "build-internal.h"
#include "target-word.h"

#include "../../base/array.h"

#include <string.h>

struct target_list {
  struct build_target *items;
  int count, capacity;
  struct arena *arena;
};

static enum farm_status target_add(struct target_list *list, const char *word, const char *class_text) {
  for (int i = 0; i < list->count; i++)
    if (strcmp(list->items[i].class_text, class_text) == 0) return FARM_OK; // named twice
  FAIL_IF(list->count == list->capacity, FARM_USAGE, "more than %d device classes in one build", list->capacity);
  struct build_target target = {.word = word, .class_text = arena_string(list->arena, class_text, strlen(class_text))};
  FAIL_IF(!target.class_text, FARM_NO_MEMORY, "out of memory for a target");
  enum farm_status status = device_class_parse(class_text, &target.device_class);
  if (status != FARM_OK) return status_prefix(status, "--target %s", word);
  list->items[list->count++] = target;
  return FARM_OK;
}

static enum farm_status this_machine_add(struct target_list *list, const char *word) {
  struct device_class device_class;
  char text[DEVICE_CLASS_TEXT_MAX];
  TRY(cpu_device_class(&device_class));
  device_class_print(&device_class, text);
  return target_add(list, word, text);
}

static enum farm_status word_expand(const struct build_options *options, const char *text, struct target_list *list) {
  const char *const *classes = NULL;
  struct target_word word;
  int count = 0;
  TRY(target_word_parse(text, &word));
  if (options->farm) TRY(options->farm->classes(options->farm->context, &word, list->arena, &classes, &count));
  for (int i = 0; i < count; i++) TRY(target_add(list, text, classes[i]));
  if (count) return FARM_OK;
  if (word.unseen == TARGET_THIS_MACHINE) return this_machine_add(list, text);
  if (word.unseen == TARGET_ITSELF) return target_add(list, text, word.text);
  return status_set(FARM_UNSUPPORTED, "--target %s: no device of that kind is registered and there are no records of one", text);
}

enum farm_status build_targets_expand(const struct build_options *options, struct arena *arena, struct build_target **out_targets,
                                      int *out_count) {
  enum { MOST_TARGETS = 64 };
  struct target_list list = {arena_alloc_array(arena, MOST_TARGETS, sizeof(struct build_target)), 0, MOST_TARGETS, arena};
  FAIL_IF(!list.items, FARM_NO_MEMORY, "out of memory for targets");
  bool any = false;
  for (const char *const *word = options->targets; word && *word; word++, any = true) TRY(word_expand(options, *word, &list));
  if (!any) TRY(word_expand(options, "auto", &list));
  *out_targets = list.items;
  *out_count = list.count;
  return FARM_OK;
}
