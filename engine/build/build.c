/* See build.h: the order of a build, and what of it may fail how. */
#include "build-internal.h"

#include "../../base/clock.h"
#include "../../base/file.h"
#include "../../base/log.h"

#include <stdlib.h>
#include <string.h>

struct build {
  const struct build_options *options;
  struct build_report *report;
  struct arena arena; // targets, items, records
  struct build_target *targets;
  int target_count, threads;
  struct model **models; // one per target: linked engines refer to their weights
  struct digest model_digest;
  struct item_list items;
  struct build_images images;
  struct lock *pins, *lock; // read, written
  struct link_engine *engine;
};

static void progress(const struct build *build, const char *phase, uint32_t done, uint32_t total) {
  struct build_progress now = {.phase = phase, .done = done, .total = total, .eta_s = -1, .detail = ""};
  if (build->options->progress) build->options->progress(build->options->progress_context, &now);
}

static enum farm_status models_load(struct build *build) {
  build->models = arena_alloc_array(&build->arena, (size_t)build->target_count, sizeof *build->models);
  FAIL_IF(!build->models, FARM_NO_MEMORY, "out of memory for models");
  for (int i = 0; i < build->target_count; i++) {
    progress(build, "import", (uint32_t)i + 1, (uint32_t)build->target_count);
    TRY(build_model_load(build->options, &build->models[i], &build->model_digest));
  }
  return FARM_OK;
}

static enum farm_status pins_read(struct build *build) {
  const char *path = build->options->lock_path;
  char *text;
  size_t length;
  if (!path) return FARM_OK;
  enum farm_status status = file_read_all(path, 64 << 20, &text, &length);
  if (status == FARM_NOT_FOUND) return FARM_OK; // this build writes it
  TRY(status);
  status = lock_parse(text, length, &build->pins);
  free(text);
  if (status != FARM_OK) return status_prefix(status, "%s", path);
  const char *options_text = build_options_text(build->options, build->models[0], &build->arena);
  FAIL_IF(!options_text, FARM_NO_MEMORY, "out of memory for options");
  FAIL_IF(!digest_equal(&build->pins->model, &build->model_digest), FARM_MISMATCH, "%s: it locks another model", path);
  FAIL_IF(strcmp(build->pins->options, options_text) != 0, FARM_MISMATCH, "%s: it was made with other options (%s; now %s)", path,
          build->pins->options, options_text);
  return FARM_OK;
}

/* A GPU's records and sections are made with one thread: what its host steps run with is the runtime's affair. */
static int target_threads(const struct build *build, const struct build_target *target) {
  return target->device_class.kind == DEVICE_CUDA ? 1 : build->threads;
}

bool build_class_is_general(const struct device_class *device_class) {
  return device_class->kind == DEVICE_CUDA && !device_class->product[0];
}

static enum farm_status items_collect(struct build *build, bool general) {
  for (int i = 0; i < build->target_count; i++)
    if (build_class_is_general(&build->targets[i].device_class) == general)
      TRY(build_items_collect(build->models[i], &build->targets[i].device_class, build->threads, build->options->effort,
                              &build->arena, &build->items));
  return FARM_OK;
}

static enum farm_status items_resolve(struct build *build) {
  const struct build_options *options = build->options;
  TRY(items_collect(build, false));
  size_t asked = build->items.count;
  TRY(items_collect(build, true)); // behind those that a farm can have
  bool measure = options->cache_mode == CACHE_RW || options->cache_mode == CACHE_OFF;
  if (!options->farm || options->effort == 0 || options->dry_run) measure = false;
  if (!options->farm || (options->effort == 0 && options->cache_mode != CACHE_LOCKED)) return FARM_OK;
  return options->farm->resolve(options->farm->context, build->items.items, asked, build_policy(options->effort), measure,
                                &build->arena, options->progress, options->progress_context);
}

/* A locked build with a miss names every key that is missing. */
static enum farm_status misses_report(struct build *build) {
  struct build_report *report = build->report;
  if (build->options->cache_mode != CACHE_LOCKED) return FARM_OK;
  report->missing = arena_alloc_array(&report->arena, build->items.count + 1, sizeof *report->missing);
  FAIL_IF(!report->missing, FARM_NO_MEMORY, "out of memory for a report");
  for (size_t i = 0; i < build->items.count; i++) {
    const struct build_item *item = &build->items.items[i];
    if (item->record) continue;
    report->missing[report->missing_count] = record_final_key(item->problem, item->device_class, (uint32_t)item->threads,
                                                              build_policy(build->options->effort), &report->arena);
    FAIL_IF(!report->missing[report->missing_count], FARM_NO_MEMORY, "out of memory for a report");
    report->missing_count++;
  }
  FAIL_IF(report->missing_count, FARM_LOCKED_MISS, "locked: %d of %zu problems have no record", report->missing_count,
          build->items.count);
  return FARM_OK;
}

struct record_source {
  const struct build *build;
  const struct build_target *target;
};

static const struct record *record_find(void *context, const char *problem) {
  const struct record_source *source = context;
  const struct link_facts *facts = &source->build->options->facts;
  const struct record *given = facts->record ? facts->record(facts->context, problem) : NULL;
  if (given) return given;
  const struct build_item *item =
      build_item_find(&source->build->items, problem, source->target->class_text, target_threads(source->build, source->target));
  return item ? item->record : NULL;
}

static bool all_measured(const struct build *build, const struct build_target *target) {
  if (build_class_is_general(&target->device_class)) return false;
  for (size_t i = 0; i < build->items.count; i++)
    if (strcmp(build->items.items[i].device_class, target->class_text) == 0 && !build->items.items[i].record) return false;
  return true;
}

static enum farm_status section_link(struct build *build, int index) {
  const struct build_target *target = &build->targets[index];
  struct record_source source = {build, target};
  struct link_target link_target = {
      target->device_class, target_threads(build, target), {record_find, &source}, &build->images.images};
  const struct lock_section *pins = NULL;
  bool measured = all_measured(build, target);
  if (build->pins) {
    pins = lock_section_find(build->pins, target->class_text, link_target.threads);
    FAIL_IF(!pins, FARM_MISMATCH, "%s: no section for %s with %d threads", build->options->lock_path, target->class_text,
            link_target.threads);
    measured = pins->measured;
  }
  FAIL_IF(!measured && target->device_class.kind == DEVICE_CUDA && build->options->cache_mode == CACHE_LOCKED, FARM_LOCKED_MISS,
          "locked: nothing was measured for %s", target->class_text);
  progress(build, "link", (uint32_t)index + 1, (uint32_t)build->target_count);
  return link_section(build->engine, build->models[index], &link_target, pins, measured, build->lock);
}

/* A locked build takes compiled kernels from the store alone. */
static enum farm_status images_check(struct build *build) {
  const struct build_images *images = &build->images;
  struct build_report *report = build->report;
  if (images->missing_count == 0) return FARM_OK;
  report->missing = arena_alloc_array(&report->arena, images->missing_count + 1, sizeof *report->missing);
  FAIL_IF(!report->missing, FARM_NO_MEMORY, "out of memory for a report");
  for (size_t i = 0; i < images->missing_count; i++) {
    report->missing[i] = arena_string(&report->arena, images->missing[i], strlen(images->missing[i]));
    FAIL_IF(!report->missing[i], FARM_NO_MEMORY, "out of memory for a report");
    report->missing_count++;
  }
  return status_set(FARM_LOCKED_MISS, "locked: %zu compiled kernels are not in the store, the first is %s", images->missing_count,
                    images->missing[0]);
}

static const char *base_name(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static enum farm_status engine_link(struct build *build) {
  const char *options_text = build_options_text(build->options, build->models[0], &build->arena);
  FAIL_IF(!options_text, FARM_NO_MEMORY, "out of memory for options");
  TRY(link_engine_create(base_name(build->options->model_path), &build->model_digest, options_text, &build->engine));
  TRY(lock_create(&build->model_digest, options_text, &build->lock));
  for (int i = 0; i < build->target_count; i++) TRY(section_link(build, i));
  TRY(images_check(build));
  struct engine *engine = link_engine_get(build->engine);
  build->report->targets = arena_alloc_array(&build->report->arena, (size_t)build->target_count, sizeof *build->report->targets);
  FAIL_IF(!build->report->targets, FARM_NO_MEMORY, "out of memory for a report");
  for (int i = 0; i < build->target_count; i++)
    TRY(build_report_target(&engine->sections[i], &build->targets[i], &build->items, build->report));
  return FARM_OK;
}

/* The linker checks its sections; this is what became of them in bytes. A mistake must not become a file that nobody can open. */
static enum farm_status readable_check(const struct bytes_writer *bytes) {
  struct engine *read;
  enum farm_status status = engine_decode(bytes->data, bytes->length, false, &read);
  if (status == FARM_OK)
    engine_close(&read);
  else
    status = status_set(FARM_FAILURE, "the linked engine would be refused when it is opened, so nothing was written: %s", status_message());
  return status;
}

static enum farm_status engine_save(struct build *build) {
  const struct build_options *options = build->options;
  if (options->dry_run) return FARM_OK;
  struct bytes_writer bytes = {0};
  struct strbuf text = {0};
  enum farm_status status;
  progress(build, "write", 1, 1);
  TRY_OR(engine_encode(link_engine_get(build->engine), &bytes), free_bytes);
  TRY_OR(readable_check(&bytes), free_bytes);
  build->report->digest = digest_of(bytes.data, bytes.length);
  build->report->bytes = bytes.length;
  if (options->lock_path && !build->pins) {
    TRY_OR(lock_print(build->lock, &text), free_bytes);
    TRY_OR(file_write_atomic(options->lock_path, text.data, text.length), free_bytes);
  }
  status = file_write_atomic(options->output_path, bytes.data, bytes.length);
free_bytes:
  strbuf_free(&text);
  bytes_writer_free(&bytes);
  return status;
}

static enum farm_status build_steps(struct build *build) {
  TRY(build_targets_expand(build->options, &build->arena, &build->targets, &build->target_count));
  TRY(models_load(build));
  for (int i = 0; i < build->target_count; i++)
    if (build->targets[i].device_class.kind == DEVICE_CUDA) build_images_init(&build->images, build->options, &build->arena);
  TRY(pins_read(build));
  if (!build->pins) {
    TRY(items_resolve(build));
    TRY(misses_report(build));
  }
  TRY(engine_link(build));
  return engine_save(build);
}

enum farm_status build_run(const struct build_options *options, struct build_report *out_report) {
  uint64_t begin = clock_now_ns();
  *out_report = (struct build_report){0};
  struct build build = {
      .options = options, .report = out_report, .threads = options->threads ? options->threads : thread_pool_default_threads()};
  out_report->model = arena_string(&out_report->arena, options->model_path, strlen(options->model_path));
  enum farm_status status = out_report->model ? build_steps(&build) : FARM_NO_MEMORY;
  link_engine_free(&build.engine);
  lock_free(&build.lock);
  lock_free(&build.pins);
  build_items_free(&build.items);
  build_images_free(&build.images);
  for (int i = 0; build.models && i < build.target_count; i++) model_free(&build.models[i]);
  arena_free(&build.arena);
  out_report->wall_s = (double)(clock_now_ns() - begin) * 1e-9;
  return status;
}
