/* What the files of the builder share. */
#ifndef ENGINE_BUILD_BUILD_INTERNAL_H
#define ENGINE_BUILD_BUILD_INTERNAL_H

#include "build.h"

#include "../../base/map.h"

/* Import, shapes, passes: a model ready to be linked. Loaded once per section, since linking makes layouts explicit. */
enum farm_status build_model_load(const struct build_options *options, struct model **out_model, struct digest *out_digest);
/* Canonical text of the options that an engine depends on. */
const char *build_options_text(const struct build_options *options, const struct model *model, struct arena *arena);

struct item_list {
  struct build_item *items;
  size_t count, capacity;
  struct map by_key; // problem|class|threads -> index + 1
};

/* Problems of the model for one class, each once, with variants. Texts in `arena`. */
enum farm_status build_items_collect(struct model *model, const struct device_class *device_class, int threads, int effort,
                                     struct arena *arena, struct item_list *items);
const struct build_item *build_item_find(const struct item_list *items, const char *problem, const char *device_class,
                                         int threads);
void build_items_free(struct item_list *items);

/* Images for a GPU's section: from options->images, else from NVRTC on this machine, which a locked build may not ask. Keys that
 * miss under `locked` are collected, and linking goes on with a stand-in, so that one build names them all. */
struct build_images {
  struct link_images images; // for the linker
  const struct build_options *options;
  struct arena *arena; // of the keys
  const char **missing;
  size_t missing_count, missing_capacity;
  char compiler[64];
  uint32_t compiled; // by this build
};
void build_images_init(struct build_images *images, const struct build_options *options, struct arena *arena);
void build_images_free(struct build_images *images);

/* Does the class stand for every device of an SM version? Nobody measures it. */
bool build_class_is_general(const struct device_class *device_class);

/* Target words -> classes. Without a farm `auto` and `cpu` are this machine. */
struct build_target {
  const char *word, *class_text;
  struct device_class device_class;
};
enum farm_status build_targets_expand(const struct build_options *options, struct arena *arena, struct build_target **out_targets,
                                      int *out_count);

enum farm_status build_report_target(const struct engine_section *section, const struct build_target *target,
                                     const struct item_list *items, struct build_report *report);

#endif
