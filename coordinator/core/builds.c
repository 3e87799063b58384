/* Builds: what clients submit and wait for. A build is durable chunk by chunk, and accepted when the last one is. Its answers can
 * always be given again from the store, so a client may come and go. */
#include "core-impl.h"

#include "../../base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESULT_BYTES_MOST = 1 << 20, BUILD_ITEMS_MOST = 200000, DETACHED_DAYS = 1 };

static struct build *build_find(const struct core *core, const struct digest *id) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(id, hex);
  return map_get(&core->builds, hex);
}

void build_free(struct core *core, struct build *build) {
  map_remove(&core->builds, build->hex);
  for (uint32_t i = 0; i < build->received; i++) // a task leaves with all its items at once
    if (build->items[i].task) {
      struct task *task = build->items[i].task;
      for (uint32_t k = i; k < build->received; k++)
        if (build->items[k].task == task) build->items[k].task = NULL;
      task_leave(core, task, build);
    }
  arena_free(&build->arena);
  free(build->items), free(build->served);
  free(build);
}

static void build_drop(struct core *core, struct build *build) {
  core_put(core, CORE_DROP_BUILD, build->sequence, 0, NULL, 0);
  build_free(core, build);
}

static uint64_t orphan_time(const struct core *core, const struct build *build) {
  uint64_t day = 86400000000000ull;
  return core->now + (build->flags & WIRE_DETACHED ? DETACHED_DAYS * day : core->options.orphan_ns);
}

/* ---- answers ---- */

static void send_result(struct core *core, const struct build *build, uint32_t index, struct wire_blob record) {
  const struct build_item *item = &build->items[index];
  struct wire_result result = {index, item->status, item->message, item->hit, record};
  core_send(core, build->peer,
            &(struct wire_message){.type = WIRE_RESULT, .results = {.build = build->id, .results = &result, .results_count = 1}});
}

static void send_done(struct core *core, const struct build *build) {
  const char *message = "";
  for (uint32_t i = 0; i < build->total && build->outcome != FARM_OK && !message[0]; i++)
    if (build->items[i].status != FARM_OK) message = build->items[i].message;
  core_send(core, build->peer,
            &(struct wire_message){.type = WIRE_DONE,
                                   .done = {.build = build->id,
                                            .status = build->outcome,
                                            .message = message,
                                            .items = build->total,
                                            .hits = build->hits,
                                            .variants_timed = build->variants_timed,
                                            .failed = build->failed,
                                            .device_s = build->device_s}});
}

static void finish_if_answered(struct core *core, struct build *build) {
  if (build->done || !build->complete || build->answered < build->total) return;
  build->done = true;
  send_done(core, build);
}

void build_answer(struct core *core, struct build *build, uint32_t index, enum farm_status status, const char *message, bool hit,
                  struct wire_blob record) {
  struct build_item *item = &build->items[index];
  if (item->answered) return;
  item->answered = true;
  item->task = NULL;
  item->hit = hit;
  item->status = status;
  item->message = message[0] ? core_keep(&build->arena, message) : "";
  build->answered++;
  build->hits += hit;
  if (status != FARM_OK) {
    build->failed++;
    core->counters.items_failed++;
    if (build->outcome == FARM_OK) build->outcome = status;
  }
  send_result(core, build, index, record);
  finish_if_answered(core, build);
}

/* The current final record of an item; false when the store has none. */
static bool find_final(struct core *core, const struct build_item *item, const char *policy, bool any_age, struct arena *arena,
                       struct record *out, struct wire_blob *out_bytes) {
  const char *key = record_final_key(item->item.problem, item->item.device_class, item->item.threads, policy, arena);
  return key && core->port.find(core->port.context, key, any_age, arena, out, out_bytes) == FARM_OK;
}

static bool answer_from_store(struct core *core, struct build *build, uint32_t index) {
  struct arena arena = {0};
  struct record record;
  struct wire_blob bytes;
  bool hit = !(build->flags & WIRE_REMEASURE) &&
             find_final(core, &build->items[index], build->policy, false, &arena, &record, &bytes) &&
             task_covers(core, &record, &build->items[index].item, false);
  if (hit) {
    bool works = record_winner(&record) >= 0;
    core->counters.item_hits++;
    const struct task_why why = task_nothing_works(&record);
    build_answer(core, build, index, works ? FARM_OK : FARM_FAILURE, works ? "" : why.text, true, bytes);
  }
  arena_free(&arena);
  return hit;
}

/* Hits are answered, the rest joins tasks. Tasks move on only when all items have joined, so that equal ones share from the
 * start. */
static void resolve(struct core *core, struct build *build) {
  for (uint32_t i = 0; i < build->total; i++) {
    if (build->items[i].answered || answer_from_store(core, build, i)) continue;
    if (!task_join(core, build, i)) build_answer(core, build, i, FARM_AGAIN, status_message(), false, (struct wire_blob){0});
  }
  for (uint32_t i = 0; i < build->total; i++)
    if (build->items[i].task) task_advance(core, build->items[i].task);
  finish_if_answered(core, build);
}

/* ---- submission ---- */

static const char *why_invalid(const struct wire_item *item) {
  if (item->variants_count == 0) return "an item without variants";
  if (item->default_index >= item->variants_count) return "a default that is not among the variants";
  if (item->threads == 0) return "an item for no threads";
  if (!item->problem[0] || !item->device_class[0] || strchr(item->device_class, '|'))
    return "an item without problem or device class";
  struct digest digest;
  struct map seen = {0};
  const char *why = NULL;
  for (uint32_t i = 0; !why && i < item->variants_count; i++) {
    const struct wire_variant *variant = &item->variants[i];
    if (!variant->text[0] || strchr(variant->text, '|') || !digest_from_hex(variant->source, &digest))
      why = "a variant without text or source digest";
    else if (map_get(&seen, variant->text))
      why = "a variant that is named twice";
    else if (map_set(&seen, variant->text, &seen) != FARM_OK)
      why = "out of memory";
  }
  map_free(&seen);
  return why;
}

static struct build *build_make(struct core *core, const struct wire_submit *submit, uint64_t sequence) {
  if (core->builds.count >= BUILDS_MOST || submit->item_total > BUILD_ITEMS_MOST) return NULL;
  struct build *build = calloc(1, sizeof *build);
  struct build_item *items = calloc(submit->item_total + 1, sizeof *items);
  if (build && items) {
    *build = (struct build){.id = submit->build,
                            .sequence = sequence,
                            .flags = submit->flags,
                            .total = submit->item_total,
                            .items = items,
                            .submitted_ns = core->now};
    digest_to_hex(&submit->build, build->hex);
    build->label = core_keep(&build->arena, submit->label);
    build->policy = core_keep(&build->arena, submit->policy);
    build->orphan_ns = orphan_time(core, build);
    if (map_set(&core->builds, build->hex, build) == FARM_OK) return build;
    arena_free(&build->arena);
  }
  free(build);
  free(items);
  return NULL;
}

/* The items of a chunk, in the build's own memory; FARM_INVALID names the first that is none. */
static enum farm_status take_chunk(struct build *build, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  struct wire_message own;
  enum farm_status status = wire_encode(message, &bytes);
  if (status == FARM_OK) status = wire_decode(bytes.data, bytes.length, &build->arena, &own);
  bytes_writer_free(&bytes);
  TRY(status);
  FAIL_IF(own.submit.items_count == 0 || own.submit.items_count > build->total - build->received, FARM_INVALID,
          "a chunk of the wrong length");
  for (uint32_t i = 0; i < own.submit.items_count; i++) {
    const char *why = why_invalid(&own.submit.items[i]);
    FAIL_IF(why, FARM_INVALID, "item %u: %s", build->received + i, why);
  }
  for (uint32_t i = 0; i < own.submit.items_count; i++)
    build->items[build->received++] = (struct build_item){.item = own.submit.items[i], .message = ""};
  build->parts++;
  return FARM_OK;
}

static void set_fair_start(struct core *core, struct build *build) {
  /* A newcomer begins level with the least served build, so that it neither waits for the old ones nor starves them. */
  for (struct map_entry *p = map_next(&core->pools, NULL); p; p = map_next(&core->pools, p)) {
    uint32_t index = ((struct device_pool *)p->value)->index;
    double least = -1;
    for (struct map_entry *e = map_next(&core->builds, NULL); e; e = map_next(&core->builds, e)) {
      const struct build *other = e->value;
      if (other == build || other->done || index >= other->served_capacity) continue;
      if (least < 0 || other->served[index] < least) least = other->served[index];
    }
    if (least <= 0) continue;
    size_t before = build->served_capacity;
    if (array_reserve(&build->served, &build->served_capacity, index + 1) != FARM_OK) return;
    for (size_t k = before; k < build->served_capacity; k++) build->served[k] = 0;
    build->served[index] = least;
  }
}

static void send_accepted(struct core *core, const struct build *build) {
  core_send(core, build->peer, &(struct wire_message){.type = WIRE_ACCEPTED, .accepted = {build->id, build->total}});
}

static void complete(struct core *core, struct build *build) {
  build->complete = true;
  core->counters.builds++;
  core->counters.items += build->total;
  set_fair_start(core, build);
  send_accepted(core, build); // durable by the time it goes out: the puts stand before it
  resolve(core, build);
}

static void builds_join(struct core *core, struct peer *peer, struct build *build) {
  build->peer = peer->id;
  if (build->complete) builds_attach(core, peer, &(struct wire_attach){.build = build->id});
}

/* Later it will be too large as well: DONE, where AGAIN would be tried for ever. */
static void refuse_size(struct core *core, const struct peer *peer, const struct wire_submit *submit) {
  char why[128];
  snprintf(why, sizeof why, "the build has %u items, a coordinator takes at most %d", submit->item_total, BUILD_ITEMS_MOST);
  core_send(core, peer->id,
            &(struct wire_message){.type = WIRE_DONE, .done = {.build = submit->build, .status = FARM_INVALID, .message = why}});
}

void builds_submit(struct core *core, struct peer *peer, const struct wire_message *message) {
  const struct wire_submit *submit = &message->submit;
  struct build *build = build_find(core, &submit->build);
  if (build && build->complete) return builds_join(core, peer, build); // submitted again: attaching
  if (!build && submit->item_total > BUILD_ITEMS_MOST) return refuse_size(core, peer, submit);
  if (!build && submit->first == 0 && submit->item_total > 0) build = build_make(core, submit, core->next_sequence++);
  if (!build)
    return core_fault(core, peer->id, 0, FARM_AGAIN, "the build cannot be taken: too many builds, or a chunk out of order");
  build->peer = peer->id;
  if (submit->first < build->received) return; // a chunk again
  enum farm_status status =
      submit->first == build->received ? take_chunk(build, message) : status_set(FARM_INVALID, "a chunk out of order");
  if (status != FARM_OK) {
    core_send(
        core, peer->id,
        &(struct wire_message){.type = WIRE_DONE, .done = {.build = build->id, .status = status, .message = status_message()}});
    return build_drop(core, build);
  }
  core_put_message(core, CORE_PUT_BUILD, build->sequence, build->parts - 1, message);
  if (build->received == build->total) complete(core, build);
}

void core_restore_build(struct core *core, uint64_t sequence, uint32_t part, const void *data, size_t length) {
  struct arena arena = {0};
  struct wire_message message;
  enum farm_status status = wire_decode(data, length, &arena, &message);
  if (status == FARM_OK && message.type != WIRE_SUBMIT) status = status_set(FARM_INVALID, "not a build");
  struct build *build = status == FARM_OK ? build_find(core, &message.submit.build) : NULL;
  if (status == FARM_OK && !build && part == 0) build = build_make(core, &message.submit, sequence);
  if (core->next_sequence <= sequence) core->next_sequence = sequence + 1;
  if (status == FARM_OK && build && build->parts == part && build->sequence == sequence)
    status = take_chunk(build, &message);
  else if (status == FARM_OK)
    status = status_set(FARM_INVALID, "chunks do not fit");
  if (status != FARM_OK) {
    log_warning("a queued build was dropped: %s", status_message());
    if (build)
      build_drop(core, build);
    else
      core_put(core, CORE_DROP_BUILD, sequence, 0, NULL, 0);
  } else
    build->complete = build->received == build->total;
  arena_free(&arena);
}

/* Builds that came back from the queue: those never accepted go, the others are resolved against the store. */
void builds_resolve_all(struct core *core) {
  for (struct map_entry *e = map_next(&core->builds, NULL), *after; e; e = after) {
    struct build *build = e->value;
    after = map_next(&core->builds, e);
    if (build->peer || build->done) continue;
    if (!build->complete) {
      build_drop(core, build);
      continue;
    }
    build->orphan_ns = orphan_time(core, build);
    bool resolved = false;
    for (uint32_t i = 0; i < build->total && !resolved; i++) resolved = build->items[i].task || build->items[i].answered;
    if (!resolved) resolve(core, build);
  }
}

/* ---- attaching, leaving ---- */

static bool has(const struct wire_blob *bitmap, uint32_t index) {
  return index / 8 < bitmap->length && bitmap->data[index / 8] & 1 << index % 8;
}

/* An answer given before is read from the store again; one that is no longer there is measured again. */
static void replay(struct core *core, struct build *build, uint32_t index) {
  struct build_item *item = &build->items[index];
  struct arena arena = {0};
  struct record record;
  struct wire_blob bytes = {0};
  bool found = find_final(core, item, build->policy, true, &arena, &record, &bytes);
  if (found || item->status != FARM_OK)
    send_result(core, build, index, bytes);
  else {
    item->answered = false;
    build->answered--;
    build->done = false;
    if (!task_join(core, build, index))
      build_answer(core, build, index, FARM_AGAIN, status_message(), false, bytes);
    else
      task_advance(core, item->task);
  }
  arena_free(&arena);
}

void builds_attach(struct core *core, struct peer *peer, const struct wire_attach *attach) {
  struct build *build = build_find(core, &attach->build);
  if (!build || !build->complete) return core_fault(core, peer->id, 0, FARM_NOT_FOUND, "no such build: submit it again");
  build->peer = peer->id;
  send_accepted(core, build);
  for (uint32_t i = 0; i < build->total; i++)
    if (build->items[i].answered && !has(&attach->have, i)) replay(core, build, i);
  if (build->done) send_done(core, build);
}

void builds_close(struct core *core, const struct digest *id) {
  struct build *build = build_find(core, id);
  if (build) build_drop(core, build);
}

void builds_cancel(struct core *core, struct peer *peer, const struct digest *id) {
  struct build *build = build_find(core, id);
  const struct wire_message done = {.type = WIRE_DONE,
                                    .done = {.build = *id,
                                             .status = build && build->done ? build->outcome : FARM_CANCELLED,
                                             .message = "cancelled",
                                             .items = build ? build->total : 0,
                                             .hits = build ? build->hits : 0,
                                             .variants_timed = build ? build->variants_timed : 0}};
  core_send(core, peer->id, &done);
  if (build && build->peer && build->peer != peer->id && !build->done) core_send(core, build->peer, &done); // it was another's
  if (build) build_drop(core, build);
}

void builds_detach_peer(struct core *core, uint64_t peer) {
  for (struct map_entry *e = map_next(&core->builds, NULL); e; e = map_next(&core->builds, e)) {
    struct build *build = e->value;
    if (build->peer != peer) continue;
    build->peer = 0;
    build->orphan_ns = orphan_time(core, build);
  }
}

/* ---- time ---- */

static void fail_fast(struct core *core, struct build *build) {
  if (!(build->flags & WIRE_FAIL_FAST) || build->done || core->now - build->submitted_ns < core->options.fail_fast_ns) return;
  for (uint32_t i = 0; i < build->total; i++) {
    struct task *task = build->items[i].task;
    if (!task || task->pool->workers || core->now - core->started_ns < core->options.fail_fast_ns) continue;
    for (size_t w = 0; w < task->waiter_count; w++)
      if (task->waiters[w].build == build && task->waiters[w].item == i) task->waiters[w] = task->waiters[--task->waiter_count];
    char why[400];
    snprintf(why, sizeof why, "no worker of this device class is registered: %s", build->items[i].item.device_class);
    build_answer(core, build, i, FARM_NOT_FOUND, why, false, (struct wire_blob){0});
    if (task->waiter_count == 0) task_free(core, task);
  }
}

void builds_tick(struct core *core) {
  for (struct map_entry *e = map_next(&core->builds, NULL), *after; e; e = after) {
    struct build *build = e->value;
    after = map_next(&core->builds, e);
    if (!build->peer && core->now >= build->orphan_ns) {
      log_info("build %.8s (%s) ends: its client is gone", build->hex, build->label);
      build_drop(core, build);
    } else
      fail_fast(core, build);
  }
}

/* ---- lookup ---- */

static bool look_up(struct core *core, const struct wire_lookup *lookup, uint32_t index, struct arena *arena,
                    struct wire_found *out) {
  const struct wire_item *item = &lookup->items[index];
  struct build_item asked = {.item = *item};
  struct record record;
  struct wire_blob bytes = {0};
  bool any_age = lookup->mode != WIRE_MODE_RW;
  *out = (struct wire_found){.item = lookup->first + index};
  if (why_invalid(item)) return false;
  if (find_final(core, &asked, lookup->policy, any_age, arena, &record, &bytes)) {
    out->hit = task_covers(core, &record, item, any_age);
    out->record = bytes;
    if (out->hit) return true;
  }
  uint8_t *screened = arena_alloc(arena, item->variants_count / 8 + 1);
  for (uint32_t i = 0; screened && i < item->variants_count; i++) {
    const char *key = record_screen_key(item->problem, item->variants[i].text, item->variants[i].source, item->device_class,
                                        item->threads, lookup->policy, arena);
    if (key && core->port.find(core->port.context, key, any_age, arena, &record, NULL) == FARM_OK)
      screened[i / 8] |= (uint8_t)(1 << i % 8);
  }
  if (screened) out->screened = (struct wire_blob){screened, (item->variants_count + 7) / 8};
  return true;
}

void builds_lookup(struct core *core, struct peer *peer, const struct wire_lookup *lookup) {
  for (uint32_t at = 0; at < lookup->items_count || at == 0;) {
    struct arena arena = {0};
    struct wire_found *found = arena_alloc_array(&arena, lookup->items_count - at, sizeof *found);
    uint32_t count = 0;
    size_t bytes = 0;
    while (found && at < lookup->items_count && bytes < RESULT_BYTES_MOST) {
      look_up(core, lookup, at++, &arena, &found[count]);
      bytes += found[count].record.length + found[count].screened.length;
      count++;
    }
    if (!found)
      core_fault(core, peer->id, lookup->request, FARM_NO_MEMORY, "out of memory");
    else
      core_send(
          core, peer->id,
          &(struct wire_message){
              .type = WIRE_FOUND,
              .founds = {.request = lookup->request, .more = at < lookup->items_count, .items = found, .items_count = count}});
    arena_free(&arena);
    if (!found || lookup->items_count == 0) return;
  }
}
