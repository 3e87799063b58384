/* Tasks: a problem on a device class with a thread count under a policy. Items of any number of builds wait for one; it gathers
 * screen records, asks for a final, and answers all of them.
 *
 *   join (reuse what is recorded) ─► SCREENING ─► FINAL_READY ─► FINAL_LEASED ─► answer those whose variants the record covers
 *                                        ▲                             │
 *                                        └── variants that joined late ┘
 */
#include "core-impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int task_find_variant(const struct task *task, const char *text) { return (int)(uintptr_t)map_get(&task->by_text, text) - 1; }

/* Estimated seconds of device time that screening one variant takes: operands, check, some dozen runs. */
double task_variant_seconds(const struct task *task) { return task->pool->ratio * (0.02 + 40e-9 * task->estimated_ns); }

/* ---- hits ---- */

static const struct record_entry *entry_of(const struct record *record, const char *variant) {
  uint32_t low = 0, high = record->entry_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    int order = strcmp(record->entries[middle].variant, variant);
    if (order == 0) return &record->entries[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

static bool is_poison(enum farm_status status) {
  return status == FARM_TACTIC_CRASHED || status == FARM_TACTIC_HUNG || status == FARM_TACTIC_OVERRAN;
}

static bool screen_found(struct core *core, const struct record *final, const struct record_entry *entry) {
  struct arena arena = {0};
  struct record record;
  const char *key = record_screen_key(final->problem, entry->variant, entry->source_digest, final->device_class, final->threads,
                                      final->policy, &arena);
  bool found = key && core->port.find(core->port.context, key, false, &arena, &record, NULL) == FARM_OK;
  arena_free(&arena);
  return found;
}

/* A final answers an item when each of its variants is in it, from the same source; when its default was timed in the final; and
 * when something of the item is a finalist (or nothing works). A poisoned variant counts while its quarantine lasts. */
bool task_covers(struct core *core, const struct record *final, const struct wire_item *item, bool any_age) {
  bool finalist = false, works = false;
  for (uint32_t i = 0; i < item->variants_count; i++) {
    const struct record_entry *entry = entry_of(final, item->variants[i].text);
    if (!entry || strcmp(entry->source_digest, item->variants[i].source) != 0) return false;
    if (!any_age && is_poison(entry->status) && !screen_found(core, final, entry)) return false;
    works |= entry->status == FARM_OK;
    finalist |= entry->status == FARM_OK && entry->finalist;
    if (i == item->default_index && entry->status == FARM_OK && !entry->finalist) return false;
  }
  return finalist || !works;
}

struct task_why task_nothing_works(const struct record *final) {
  struct task_why why;
  const struct record_entry *entry = final->entry_count ? &final->entries[0] : NULL;
  for (uint32_t i = 0; i < final->entry_count; i++)
    if (final->entries[i].is_default) entry = &final->entries[i];
  snprintf(why.text, sizeof why.text, "no variant of `%.120s` works on %.80s; %.100s: %s %.150s", final->problem,
           final->device_class, entry ? entry->variant : "none", entry ? status_name(entry->status) : "",
           entry ? entry->message : "");
  return why;
}

/* ---- joining ---- */

static struct record_entry keep_entry(struct arena *arena, const struct record_entry *entry) {
  struct record_entry copy = *entry;
  copy.variant = core_keep(arena, entry->variant);
  copy.source_digest = core_keep(arena, entry->source_digest);
  copy.message = core_keep(arena, entry->message);
  copy.finalist = copy.is_default = false;
  copy.rank = RECORD_RANK_NONE;
  return copy;
}

static void land(struct task *task, struct task_variant *variant, const struct record_entry *entry, const struct record *from) {
  if (variant->state == VARIANT_NEEDED) task->needed--;
  if (variant->state == VARIANT_LEASED) task->leased--;
  variant->state = VARIANT_LANDED;
  task->failures = task->failed_on_count = 0;
  variant->entry = keep_entry(&task->arena, entry);
  if (from->unix_s < task->unix_s) return;
  task->unix_s = from->unix_s;
  task->device = core_keep(&task->arena, from->device);
  task->build = core_keep(&task->arena, from->build);
  task->clocks = core_keep(&task->arena, from->clocks);
}

/* What the store has of a variant: its screen, or its entry in the current final. */
static void land_recorded(struct core *core, struct task *task, struct task_variant *variant) {
  struct arena arena = {0};
  struct record record;
  const char *key =
      record_screen_key(task->problem, variant->text, variant->source, task->pool->text, task->threads, task->policy, &arena);
  if (key && core->port.find(core->port.context, key, false, &arena, &record, NULL) == FARM_OK)
    land(task, variant, &record.entries[0], &record);
  arena_free(&arena);
}

static void land_from_final(struct core *core, struct task *task) {
  struct arena arena = {0};
  struct record final;
  if (task->needed && core->port.find(core->port.context, task->key, false, &arena, &final, NULL) == FARM_OK)
    for (size_t i = 0; i < task->variant_count; i++) {
      struct task_variant *variant = &task->variants[i];
      const struct record_entry *entry = variant->state == VARIANT_NEEDED ? entry_of(&final, variant->text) : NULL;
      if (entry && !is_poison(entry->status) && strcmp(entry->source_digest, variant->source) == 0)
        land(task, variant, entry, &final);
    }
  arena_free(&arena);
}

static enum farm_status add_variant(struct core *core, struct task *task, const struct wire_variant *wanted, bool remeasure) {
  int known = task_find_variant(task, wanted->text);
  if (known >= 0) {
    FAIL_IF(strcmp(task->variants[known].source, wanted->source) != 0, FARM_AGAIN,
            "another build is measuring %s from another source", wanted->text);
    return FARM_OK;
  }
  TRY(array_reserve(&task->variants, &task->variant_capacity, task->variant_count + 1));
  struct task_variant *variant = &task->variants[task->variant_count];
  *variant =
      (struct task_variant){.text = core_keep(&task->arena, wanted->text), .source = core_keep(&task->arena, wanted->source)};
  TRY(map_set(&task->by_text, variant->text, (void *)(uintptr_t)(task->variant_count + 1)));
  task->variant_count++;
  task->needed++;
  if (!remeasure) land_recorded(core, task, variant);
  return FARM_OK;
}

static struct task *task_make(struct core *core, const struct wire_item *item, const char *policy) {
  struct task *task = calloc(1, sizeof *task);
  if (!task) return NULL;
  const char *key = record_final_key(item->problem, item->device_class, item->threads, policy, &task->arena);
  task->key = key ? strdup(key) : NULL;
  task->problem = core_keep(&task->arena, item->problem);
  task->policy = core_keep(&task->arena, policy);
  task->threads = item->threads;
  task->estimated_ns = item->estimated_ns;
  task->device = task->build = task->clocks = "";
  task->default_text = core_keep(&task->arena, item->variants[item->default_index].text);
  task->pool = core_pool(core, item->device_class);
  if (!task->key || !task->pool || map_set(&core->tasks, task->key, task) != FARM_OK) {
    free(task->key);
    arena_free(&task->arena);
    free(task);
    return NULL;
  }
  return task;
}

struct task *task_join(struct core *core, struct build *build, uint32_t index) {
  struct build_item *item = &build->items[index];
  struct arena arena = {0};
  const char *key = record_final_key(item->item.problem, item->item.device_class, item->item.threads, build->policy, &arena);
  struct task *task = key ? map_get(&core->tasks, key) : NULL;
  arena_free(&arena);
  if (task)
    core->counters.items_merged++;
  else
    task = task_make(core, &item->item, build->policy);
  if (!task) return NULL;
  enum farm_status status = array_reserve(&task->waiters, &task->waiter_capacity, task->waiter_count + 1);
  for (uint32_t i = 0; status == FARM_OK && i < item->item.variants_count; i++)
    status = add_variant(core, task, &item->item.variants[i], build->flags & WIRE_REMEASURE);
  if (status == FARM_OK) {
    if (!(build->flags & WIRE_REMEASURE)) land_from_final(core, task);
    task->waiters[task->waiter_count++] = (struct waiter){build, index};
    item->task = task;
    if (task->phase == TASK_FINAL_READY && task->needed) task->phase = TASK_SCREENING; // variants that joined in time
    return task;
  }
  if (task->waiter_count == 0) task_free(core, task);
  return NULL;
}

void task_free(struct core *core, struct task *task) {
  map_remove(&core->tasks, task->key);
  jobs_of_task_stop(core, task, 0, NULL);
  map_free(&task->by_text);
  free(task->variants), free(task->waiters), free(task->key);
  arena_free(&task->arena);
  free(task);
}

void task_leave(struct core *core, struct task *task, struct build *build) {
  size_t kept = 0;
  for (size_t i = 0; i < task->waiter_count; i++)
    if (task->waiters[i].build != build) task->waiters[kept++] = task->waiters[i];
  task->waiter_count = kept;
  if (kept == 0) task_free(core, task);
}

/* ---- answering ---- */

static void count_for_waiters(struct task *task, uint32_t variants, double device_s) {
  for (size_t i = 0; i < task->waiter_count; i++) {
    task->waiters[i].build->variants_timed += variants;
    task->waiters[i].build->device_s += device_s;
  }
}

/* The waiters whose variants the record covers are answered; the task goes when none is left, else it goes on measuring. `fresh`:
 * the record brought something new; when one that did not leaves waiters with nothing to measure, they would wait for ever. */
static void answer(struct core *core, struct task *task, const struct record *final, struct wire_blob bytes, bool fresh) {
  size_t kept = 0;
  bool works = record_winner(final) >= 0;
  const struct task_why why = task_nothing_works(final);
  for (size_t i = 0; i < task->waiter_count; i++) {
    struct waiter waiter = task->waiters[i];
    struct build_item *item = &waiter.build->items[waiter.item];
    if (!task_covers(core, final, &item->item, true)) {
      task->waiters[kept++] = waiter;
      continue;
    }
    item->task = NULL;
    build_answer(core, waiter.build, waiter.item, works ? FARM_OK : FARM_FAILURE, works ? "" : why.text, false, bytes);
  }
  task->waiter_count = kept;
  task->phase = TASK_SCREENING;
  task->final_attempts = 0;
  if (kept == 0)
    task_free(core, task);
  else if (fresh)
    task_advance(core, task);
  else if (!task->needed && !task->leased)
    task_fail(core, task, FARM_FAILURE, "its records do not cover it");
}

void task_fail(struct core *core, struct task *task, enum farm_status status, const char *message) {
  for (size_t i = 0; i < task->waiter_count; i++) {
    struct waiter waiter = task->waiters[i];
    waiter.build->items[waiter.item].task = NULL;
    build_answer(core, waiter.build, waiter.item, status, message, false, (struct wire_blob){0});
  }
  task_free(core, task);
}

static int by_variant(const void *a, const void *b) {
  return strcmp(((const struct record_entry *)a)->variant, ((const struct record_entry *)b)->variant);
}

/* Waiters may disagree about the default: each one's is a finalist. */
static void mark_defaults(const struct task *task, struct record_entry *entries, uint32_t count) {
  for (size_t w = 0; w < task->waiter_count; w++) {
    const struct wire_item *item = &task->waiters[w].build->items[task->waiters[w].item].item;
    const char *text = item->variants[item->default_index].text;
    if (w && strcmp(text, task->default_text) == 0) continue;
    for (uint32_t i = 0; i < count; i++)
      if (entries[i].status == FARM_OK && strcmp(entries[i].variant, text) == 0) entries[i].finalist = true;
  }
}

/* Entries of all landed variants, finalists picked; NULL: out of memory. */
static struct record_entry *landed_entries(struct task *task, uint32_t *out_count) {
  struct record_entry *entries = calloc(task->variant_count, sizeof *entries);
  uint32_t count = 0;
  for (size_t i = 0; entries && i < task->variant_count; i++) {
    if (task->variants[i].state != VARIANT_LANDED) continue;
    entries[count] = task->variants[i].entry;
    entries[count++].is_default = strcmp(task->variants[i].text, task->default_text) == 0;
  }
  if (entries) {
    record_pick_finalists(entries, count);
    mark_defaults(task, entries, count);
  }
  *out_count = count;
  return entries;
}

static uint32_t count_finalists(const struct record_entry *entries, uint32_t count) {
  uint32_t finalists = 0;
  for (uint32_t i = 0; i < count; i++) finalists += entries[i].finalist;
  return finalists;
}

/* Puts and answers with a final record of these entries (sorted here); what was not in `final` keeps its screen. */
static void conclude(struct core *core, struct task *task, struct record_entry *entries, uint32_t count,
                     const struct record *final, bool fresh) {
  struct record record = {.kind = RECORD_FINAL,
                          .problem = task->problem,
                          .device_class = task->pool->text,
                          .policy = task->policy,
                          .threads = task->threads,
                          .device = task->device,
                          .build = task->build,
                          .clocks = task->clocks,
                          .unix_s = task->unix_s,
                          .entries = entries,
                          .entry_count = count};
  if (final) {
    record.device = final->device, record.build = final->build, record.clocks = final->clocks, record.device_s = final->device_s;
    if (final->unix_s > record.unix_s) record.unix_s = final->unix_s;
  }
  for (uint32_t i = 0; i < count; i++) {
    const struct record_entry *timed = final ? entry_of(final, entries[i].variant) : NULL;
    bool is_default = entries[i].is_default;
    if (final) entries[i].finalist = timed && timed->finalist;
    if (timed && timed->finalist) entries[i] = *timed;
    entries[i].is_default = is_default;
    entries[i].rank = !entries[i].finalist || entries[i].status != FARM_OK ? RECORD_RANK_NONE : timed ? timed->rank : 0;
  }
  qsort(entries, count, sizeof *entries, by_variant);
  struct bytes_writer bytes = {0};
  if (record_encode(&record, &bytes) != FARM_OK) {
    bytes_writer_free(&bytes);
    return task_fail(core, task, FARM_FAILURE, status_message());
  }
  core_put(core, CORE_PUT_RECORD, 0, 0, bytes.data, bytes.length);
  core->counters.finals++;
  answer(core, task, &record, (struct wire_blob){bytes.data, (uint32_t)bytes.length}, fresh);
  bytes_writer_free(&bytes);
}

/* The stored final, when it timed every finalist that the screens pick now: then nothing new is to be measured. */
static bool reuse_final(struct core *core, struct task *task, struct record_entry *entries, uint32_t count) {
  struct arena arena = {0};
  struct record final;
  bool fits =
      core->port.find(core->port.context, task->key, false, &arena, &final, NULL) == FARM_OK && record_winner(&final) >= 0;
  for (uint32_t i = 0; fits && i < count; i++) {
    const struct record_entry *timed = entry_of(&final, entries[i].variant);
    if (entries[i].finalist)
      fits = timed && timed->finalist && timed->status == FARM_OK && strcmp(timed->source_digest, entries[i].source_digest) == 0;
    else if (timed && timed->finalist)
      fits = strcmp(timed->source_digest, entries[i].source_digest) == 0;
  }
  for (size_t i = 0; fits && i < task->waiter_count; i++) fits = !(task->waiters[i].build->flags & WIRE_REMEASURE);
  if (fits) conclude(core, task, entries, count, &final, false);
  arena_free(&arena);
  return fits;
}

void task_advance(struct core *core, struct task *task) {
  if (task->phase != TASK_SCREENING || task->needed || task->leased) return;
  uint32_t count;
  struct record_entry *entries = landed_entries(task, &count);
  if (!entries) return task_fail(core, task, FARM_NO_MEMORY, "out of memory");
  if (count_finalists(entries, count) < 2)
    conclude(core, task, entries, count, NULL, false); // one or none: nothing to compare
  else if (!reuse_final(core, task, entries, count))
    task->phase = TASK_FINAL_READY;
  free(entries);
}

/* ---- results ---- */

void task_land(struct core *core, struct task *task, uint32_t index, const struct record *screen) {
  struct task_variant *variant = &task->variants[index];
  core->counters.variants_timed++;
  count_for_waiters(task, 1, screen->device_s);
  land(task, variant, &screen->entries[0], screen);
}

/* A screen record that the coordinator itself vouches for: the variant is out, for a time. */
void task_fail_variant(struct core *core, struct task *task, uint32_t index, enum farm_status status, const char *message) {
  struct task_variant *variant = &task->variants[index];
  struct record_entry entry = {
      .variant = variant->text, .source_digest = variant->source, .status = status, .message = message, .rank = RECORD_RANK_NONE};
  struct record record = {.kind = RECORD_SCREEN,
                          .problem = task->problem,
                          .device_class = task->pool->text,
                          .policy = task->policy,
                          .threads = task->threads,
                          .device = variant->blamed_count ? variant->blamed[variant->blamed_count - 1] : "",
                          .build = core->build_text,
                          .clocks = "",
                          .unix_s = core->port.unix_s(core->port.context),
                          .entry_count = 1,
                          .entries = &entry};
  struct bytes_writer bytes = {0};
  if (record_encode(&record, &bytes) == FARM_OK) core_put(core, CORE_PUT_RECORD, 0, 0, bytes.data, bytes.length);
  bytes_writer_free(&bytes);
  land(task, variant, &entry, &record);
}

/* Is it a final of exactly these landed variants (those of the leased job, else the finalists that the task picks now)? */
static bool final_fits(struct core *core, struct task *task, const struct record *final) {
  for (uint32_t i = 0; i < final->entry_count; i++) {
    int index = task_find_variant(task, final->entries[i].variant);
    if (index < 0 || task->variants[index].state != VARIANT_LANDED || !final->entries[i].finalist) return false;
    if (strcmp(task->variants[index].source, final->entries[i].source_digest) != 0) return false;
  }
  for (size_t j = 0; j < core->job_count; j++) {
    const struct job *job = core->jobs[j];
    if (job->task != task || job->kind != WIRE_JOB_FINAL || job->variant_count != final->entry_count) continue;
    uint32_t matched = 0;
    while (matched < job->variant_count && entry_of(final, task->variants[job->variants[matched]].text)) matched++;
    if (matched == job->variant_count) return true;
  }
  uint32_t count, matched = 0;
  struct record_entry *entries = landed_entries(task, &count);
  for (uint32_t i = 0; entries && i < count; i++)
    if (entries[i].finalist) matched += entry_of(final, entries[i].variant) ? 1 : final->entry_count + 1;
  free(entries);
  return matched == final->entry_count;
}

/* Variants that failed in the final are out as screens too, so that no later final tries them again. */
static bool land_failures(struct core *core, struct task *task, const struct record *final) {
  bool works = false;
  for (uint32_t i = 0; i < final->entry_count; i++) {
    struct record_entry entry = final->entries[i];
    int index = task_find_variant(task, entry.variant);
    works |= entry.status == FARM_OK;
    if (entry.status == FARM_OK || index < 0) continue;
    entry.finalist = false, entry.is_default = false, entry.rank = RECORD_RANK_NONE;
    struct record screen = *final;
    screen.kind = RECORD_SCREEN, screen.device_s = 0, screen.entry_count = 1, screen.entries = &entry;
    struct bytes_writer bytes = {0};
    if (record_encode(&screen, &bytes) == FARM_OK) core_put(core, CORE_PUT_RECORD, 0, 0, bytes.data, bytes.length);
    bytes_writer_free(&bytes);
    land(task, &task->variants[index], &entry, &screen);
  }
  return works;
}

bool task_take_final(struct core *core, struct task *task, const struct record *final, const struct peer *from) {
  if (task->phase == TASK_SCREENING || !final_fits(core, task, final)) return false;
  jobs_of_task_stop(core, task, WIRE_JOB_FINAL, from);
  count_for_waiters(task, 0, final->device_s);
  if (!land_failures(core, task, final)) { // all of them fell: the next best stand for a new final
    task->phase = TASK_SCREENING;
    task_advance(core, task);
    return true;
  }
  uint32_t count;
  struct record_entry *entries = landed_entries(task, &count);
  if (!entries) {
    task_fail(core, task, FARM_NO_MEMORY, "out of memory");
    return true;
  }
  conclude(core, task, entries, count, final, true);
  free(entries);
  return true;
}
