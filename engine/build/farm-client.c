/* See farm-client.h. */
#include "farm-client.h"

#include "../../base/clock.h"
#include "../../base/log.h"
#include "target-word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTER_MS = 15000, REGISTER_STEP_MS = 50, SHORT_MS = 20000, SUBMIT_MS = 60000, CANCEL_MS = 5000, SLICE_MS = 200 };
enum { MOST_CLASSES = 64 };

/* ---- classes ---- */

struct class_list {
  const char **items;
  int count;
  struct arena *arena;
  const struct target_word *word;
  bool word_may_be_gpu;
};

static void class_add(struct class_list *list, const char *text, size_t length) {
  char class_text[DEVICE_CLASS_TEXT_MAX];
  if (length == 0 || length >= sizeof class_text || list->count == MOST_CLASSES) return;
  memcpy(class_text, text, length);
  class_text[length] = 0;
  struct device_class parsed;
  if (!target_word_covers(list->word, class_text) || device_class_parse(class_text, &parsed) != FARM_OK)
    return; // a compiler, say
  int at = 0;
  while (at < list->count && strcmp(list->items[at], class_text) < 0) at++;
  if (at < list->count && strcmp(list->items[at], class_text) == 0) return;
  const char *copy = arena_string(list->arena, class_text, length);
  if (!copy) return;
  memmove(list->items + at + 1, list->items + at, (size_t)(list->count - at) * sizeof *list->items);
  list->items[at] = copy; // sorted: sections come in one order
  list->count++;
}

/* *out_awaited: GPUs of the coordinator's machine whose workers it has started but which have not said HELLO. */
static enum farm_status registered_once(struct client *client, struct class_list *list, uint64_t *out_awaited) {
  struct arena arena = {0};
  struct wire_status_reply reply;
  uint64_t gpus = 0, started = 0;
  enum farm_status status = client_status(client, SHORT_MS, &arena, &reply);
  for (uint32_t i = 0; status == FARM_OK && i < reply.workers_count; i++) {
    gpus += strncmp(reply.workers[i].device_class, "cuda ", 5) == 0;
    class_add(list, reply.workers[i].device_class, strlen(reply.workers[i].device_class));
  }
  for (uint32_t i = 0; status == FARM_OK && i < reply.counters_count; i++)
    if (strcmp(reply.counters[i].name, "local_gpu_workers") == 0) started = reply.counters[i].value;
  *out_awaited = started > gpus ? started - gpus : 0;
  arena_free(&arena);
  return status;
}

static enum farm_status registered_add(struct client *client, struct class_list *list) {
  uint64_t awaited = 0;
  for (int waited = 0; waited < REGISTER_MS; waited += REGISTER_STEP_MS) {
    TRY(registered_once(client, list, &awaited));
    if (awaited == 0 || !list->word_may_be_gpu) break; // a farm that has just begun to serve knows its GPUs in a moment
    clock_sleep_ns(REGISTER_STEP_MS * 1000000ull);
  }
  return FARM_OK;
}

/* A line of `ls` ends in the key: final|1|<problem>|<device class>|t<threads>|<policy>. */
static void line_class(void *context, const char *line) {
  const char *key = strstr(line, "final|");
  if (!key) return;
  const char *policy = strrchr(key, '|'), *threads = policy;
  while (threads && threads > key && *--threads != '|') {
  }
  const char *begin = threads;
  while (begin && begin > key && begin[-1] != '|') begin--;
  if (begin && threads > begin) class_add(context, begin, (size_t)(threads - begin));
}

static enum farm_status recorded_add(struct client *client, struct class_list *list) {
  struct arena arena = {0};
  struct wire_cache_reply reply;
  const char *arguments[] = {"final|"};
  enum farm_status status = client_cache(client, "ls", arguments, 1, NULL, SHORT_MS, line_class, list, &arena, &reply);
  arena_free(&arena);
  return status;
}

static enum farm_status classes_find(void *context, const struct target_word *word, struct arena *arena, const char *const **out,
                                     int *out_count) {
  struct farm_client *farm = context;
  bool gpu = word->scope == TARGET_EVERY || strncmp(word->text, "cuda", 4) == 0;
  struct class_list list = {arena_alloc_array(arena, MOST_CLASSES + 1, sizeof(char *)), 0, arena, word, gpu};
  FAIL_IF(!list.items, FARM_NO_MEMORY, "out of memory for device classes");
  TRY(farm->prefer_records ? recorded_add(farm->client, &list) : registered_add(farm->client, &list));
  if (list.count == 0) TRY(farm->prefer_records ? registered_add(farm->client, &list) : recorded_add(farm->client, &list));
  bool any = list.count == 0 && gpu && word->scope != TARGET_EVERY; // a section for a class that nobody has seen
  for (int i = 0; i < list.count; i++) any |= strncmp(list.items[i], "cuda ", 5) == 0;
  if (any && farm->images) TRY(farm_images_ready(farm->images)); // the linker notes the compiler before it asks for an image
  *out = list.items;
  *out_count = list.count;
  return FARM_OK;
}

/* ---- items ---- */

static enum farm_status wire_items(const struct build_item *items, size_t count, struct arena *arena, struct wire_item **out) {
  struct wire_item *wire = arena_alloc_array(arena, count + 1, sizeof *wire);
  FAIL_IF(!wire, FARM_NO_MEMORY, "out of memory for items");
  for (size_t i = 0; i < count; i++) {
    struct wire_variant *variants = arena_alloc_array(arena, (size_t)items[i].variant_count + 1, sizeof *variants);
    FAIL_IF(!variants, FARM_NO_MEMORY, "out of memory for items");
    for (int v = 0; v < items[i].variant_count; v++)
      variants[v] = (struct wire_variant){items[i].variants[v].text, items[i].variants[v].source_digest};
    double estimate = items[i].variant_count ? items[i].variants[0].estimated_ns : 0;
    wire[i] = (struct wire_item){.problem = items[i].problem,
                                 .device_class = items[i].device_class,
                                 .threads = (uint32_t)items[i].threads,
                                 .default_index = 0,
                                 .estimated_ns = estimate,
                                 .weight = items[i].weight,
                                 .variants = variants,
                                 .variants_count = (uint32_t)items[i].variant_count};
  }
  *out = wire;
  return FARM_OK;
}

/* A record outlives the event that brought it by way of its bytes. */
static enum farm_status record_keep(const struct record *record, struct arena *arena, const struct record **out) {
  struct bytes_writer bytes = {0};
  struct record *copy = arena_alloc(arena, sizeof *copy);
  enum farm_status status = copy ? record_encode(record, &bytes) : FARM_NO_MEMORY;
  void *kept = status == FARM_OK ? arena_copy(arena, bytes.data, bytes.length) : NULL;
  if (status == FARM_OK && !kept) status = FARM_NO_MEMORY;
  if (status == FARM_OK) status = record_decode(kept, bytes.length, arena, copy);
  if (status == FARM_OK) *out = copy;
  bytes_writer_free(&bytes);
  return status;
}

static enum farm_status look_up(struct farm_client *farm, struct build_item *items, size_t count, const char *policy,
                                struct arena *arena) {
  struct wire_item *wire;
  TRY(wire_items(items, count, arena, &wire));
  struct client_found *found = arena_alloc_array(arena, count + 1, sizeof *found);
  FAIL_IF(!found, FARM_NO_MEMORY, "out of memory for records");
  enum { AT_ONCE = 256 };
  for (size_t first = 0; first < count; first += AT_ONCE) {
    uint32_t part = (uint32_t)(count - first < AT_ONCE ? count - first : AT_ONCE);
    TRY(client_lookup(farm->client, policy, WIRE_MODE_LOCKED, wire + first, part, SHORT_MS, arena, found + first));
  }
  for (size_t i = 0; i < count; i++) {
    items[i].hit = found[i].hit && found[i].has_record;
    if (items[i].hit) TRY(record_keep(&found[i].record, arena, &items[i].record));
  }
  return FARM_OK;
}

/* ---- builds ---- */

struct tuning {
  struct build_item *items;
  size_t count;
  uint32_t answered, unmeasured, unworkable; // unworkable: no variant works
  void (*progress)(void *, const struct build_progress *);
  void *context;
};

static void progress_tell(struct tuning *tuning, const struct wire_progress *progress) {
  struct build_progress now = {.phase = "tune", .total = (uint32_t)tuning->count, .done = tuning->answered, .eta_s = -1};
  char detail[256] = "";
  size_t at = 0;
  if (progress) now.eta_s = progress->eta_s;
  for (uint32_t i = 0; progress && i < progress->classes_count; i++) {
    now.running += progress->classes[i].running;
    if (progress->classes[i].waiting_for[0] && at < sizeof detail)
      at += (size_t)snprintf(detail + at, sizeof detail - at, "%s; ", progress->classes[i].waiting_for);
  }
  for (uint32_t i = 0; progress && i < progress->workers_count && at < sizeof detail; i++)
    at += (size_t)snprintf(detail + at, sizeof detail - at, "%s: %.60s; ", progress->workers[i].device,
                           progress->workers[i].problem[0] ? progress->workers[i].problem : progress->workers[i].state);
  now.detail = detail;
  if (tuning->progress) tuning->progress(tuning->context, &now);
}

/* A record that says that no variant works is a result: the linker finds nothing in it, and the cost model chooses. */
static enum farm_status result_take(struct tuning *tuning, const struct client_event *event, struct arena *arena) {
  struct build_item *item = &tuning->items[event->item];
  bool fails = event->status != FARM_OK;
  tuning->answered++;
  item->hit = event->hit;
  tuning->unmeasured += fails && !event->has_record;
  tuning->unworkable += fails && event->has_record;
  if (!event->has_record) return FARM_OK;
  TRY(record_keep(&event->record, arena, &item->record));
  item->measured = event->hit ? 0 : event->record.entry_count;
  if (fails) log_warning("%s: the cost model chooses", event->message);
  return FARM_OK;
}

/* The farm calls a build failed when one of its items is. */
static enum farm_status outcome(const struct tuning *tuning, const struct client_event *done) {
  bool all_known = tuning->answered == tuning->count && tuning->unworkable > 0 && tuning->unmeasured == 0;
  if (done->status == FARM_OK || (done->status == FARM_FAILURE && all_known)) return FARM_OK;
  return status_set(done->status, "the farm ended the build: %s", done->message);
}

/* The farm is told, so that it does not measure on for nobody. */
static enum farm_status tuning_cancel(struct farm_client *farm) {
  if (client_cancel(farm->client, CANCEL_MS) != FARM_OK)
    log_warning("the farm does not know that the build ended, and measures on for a minute: %s", status_message());
  return status_set(FARM_CANCELLED, "interrupted; what was measured is kept");
}

static enum farm_status tune(struct farm_client *farm, struct tuning *tuning, const char *policy, struct arena *arena) {
  struct wire_item *wire;
  TRY(wire_items(tuning->items, tuning->count, arena, &wire));
  struct client_build build = {.label = farm->label,
                               .policy = policy,
                               .items = wire,
                               .item_count = (uint32_t)tuning->count,
                               .flags = (farm->remeasure ? WIRE_REMEASURE : 0u) | (farm->fail_fast ? WIRE_FAIL_FAST : 0u)};
  TRY(client_submit(farm->client, &build, SUBMIT_MS));
  for (;;) {
    struct client_event event;
    TRY(client_next(farm->client, SLICE_MS, &event));
    if (farm->interrupted && farm->interrupted()) return tuning_cancel(farm);
    if (event.kind == CLIENT_RESULT && event.item < tuning->count) TRY(result_take(tuning, &event, arena));
    if (event.kind == CLIENT_RESULT || event.kind == CLIENT_PROGRESS)
      progress_tell(tuning, event.kind == CLIENT_PROGRESS ? event.progress : NULL);
    if (event.kind != CLIENT_DONE) continue;
    return outcome(tuning, &event);
  }
}

static enum farm_status resolve(void *context, struct build_item *items, size_t count, const char *policy, bool measure,
                                struct arena *arena, void (*progress)(void *, const struct build_progress *),
                                void *progress_context) {
  struct farm_client *farm = context;
  if (count == 0) return FARM_OK;
  if (!measure) return look_up(farm, items, count, policy, arena);
  if (farm->images) TRY(farm_images_for_items(farm->images, items, count, policy, progress, progress_context));
  struct tuning tuning = {.items = items, .count = count, .progress = progress, .context = progress_context};
  return tune(farm, &tuning, policy, arena);
}

void farm_client_init(struct farm_client *farm, struct client *client, const char *label) {
  *farm = (struct farm_client){.client = client, .label = label, .farm = {farm, classes_find, resolve}};
}
