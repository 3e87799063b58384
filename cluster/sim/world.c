/* See sim.h: time, wires and disks, the coordinator's life, and the faults. */
#include "world.h"

#include "../../base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_TICK = 1, TIMER_BACK, TIMER_FAULT, CORE = 0 };

double world_random(struct world *world) { return random_uniform(world->options.seed, ++world->seed); }

/* ---- disks ---- */

struct blob {
  size_t length;
  uint8_t data[];
};

void durable_put(struct durable *durable, const char *key, const void *data, size_t length) {
  struct blob *blob = malloc(sizeof *blob + length);
  if (!blob) return;
  blob->length = length;
  if (length) memcpy(blob->data, data, length);
  free(map_remove(&durable->entries, key));
  if (map_set(&durable->entries, key, blob) != FARM_OK) free(blob);
}

bool durable_get(const struct durable *durable, const char *key, const uint8_t **out_data, size_t *out_length) {
  const struct blob *blob = map_get(&durable->entries, key);
  if (!blob) return false;
  *out_data = blob->data, *out_length = blob->length;
  return true;
}

void durable_remove(struct durable *durable, const char *key) { free(map_remove(&durable->entries, key)); }

void durable_free(struct durable *durable) {
  for (struct map_entry *e = map_next(&durable->entries, NULL); e; e = map_next(&durable->entries, e)) free(e->value);
  map_free(&durable->entries);
}

/* ---- time and wires ---- */

static bool before(const struct parcel *a, const struct parcel *b) {
  return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_add(struct world *world, struct parcel parcel) {
  if (array_reserve(&world->parcels, &world->parcel_capacity, world->parcel_count + 1) != FARM_OK) return free(parcel.data);
  parcel.order = ++world->order;
  size_t at = world->parcel_count++;
  for (; at > 0 && before(&parcel, &world->parcels[(at - 1) / 2]); at = (at - 1) / 2)
    world->parcels[at] = world->parcels[(at - 1) / 2];
  world->parcels[at] = parcel;
}

static struct parcel heap_take(struct world *world) {
  struct parcel first = world->parcels[0], last = world->parcels[--world->parcel_count];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= world->parcel_count) break;
    if (child + 1 < world->parcel_count && before(&world->parcels[child + 1], &world->parcels[child])) child++;
    if (!before(&world->parcels[child], &last)) break;
    world->parcels[at] = world->parcels[child];
    at = child;
  }
  world->parcels[at] = last;
  return first;
}

void world_timer(struct world *world, uint32_t actor, uint32_t timer, double seconds) {
  heap_add(world, (struct parcel){.at_ns = world->now + (uint64_t)(seconds * 1e9), .actor = actor, .timer = timer});
}

static uint64_t *last_of(struct world *world, uint64_t connection, bool to_core) {
  size_t need = 2 * connection + 2, had = world->last_capacity;
  if (array_reserve(&world->last_arrival, &world->last_capacity, need) != FARM_OK) return &world->now;
  for (size_t i = had; i < world->last_capacity; i++) world->last_arrival[i] = 0;
  return &world->last_arrival[2 * connection + to_core];
}

/* Which actor is on a connection; 0: it is broken. */
static uint32_t actor_on(const struct world *world, uint64_t connection) {
  for (uint32_t i = 0; i < world->options.workers; i++)
    if (world->workers[i].connection == connection) return 1 + i;
  for (uint32_t i = 0; i < world->options.builds; i++)
    if (world->clients[i].connection == connection) return 1 + world->options.workers + i;
  return 0;
}

static void post_bytes(struct world *world, uint64_t connection, bool to_core, const void *data, size_t length) {
  uint8_t *copy = malloc(length);
  if (!copy) return;
  memcpy(copy, data, length);
  double delay = world_random(world) < 0.05 ? world_random(world) * 0.8 : world_random(world) * 0.005;
  uint64_t *last = last_of(world, connection, to_core), at = world->now + (uint64_t)(delay * 1e9);
  if (at < *last) at = *last; // order on one connection is kept
  *last = at;
  heap_add(world, (struct parcel){.at_ns = at, .connection = connection, .to_core = to_core, .data = copy, .length = length});
}

void world_post(struct world *world, uint64_t connection, bool to_core, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  if (connection && wire_encode(message, &bytes) == FARM_OK) post_bytes(world, connection, to_core, bytes.data, bytes.length);
  bytes_writer_free(&bytes);
}

uint64_t world_connect(struct world *world, uint32_t actor) {
  (void)actor;
  return ++world->next_connection;
}

/* ---- the coordinator ---- */

static enum farm_status find_record(void *context, const char *key, bool any_age, struct arena *arena, struct record *out,
                                    struct wire_blob *out_bytes) {
  (void)any_age;
  struct world *world = context;
  const uint8_t *data;
  size_t length;
  if (!durable_get(&world->records, key, &data, &length)) return FARM_NOT_FOUND;
  data = arena_copy(arena, data, length);
  if (!data || record_decode(data, length, arena, out) != FARM_OK) return FARM_NOT_FOUND;
  if (out_bytes) *out_bytes = (struct wire_blob){data, (uint32_t)length};
  return FARM_OK;
}

static uint64_t unix_time(void *context) { return 1700000000 + ((struct world *)context)->now / 1000000000; }

static void put_record(struct world *world, const struct core_action *action) {
  struct arena arena = {0};
  struct record record;
  if (record_decode(action->data, action->length, &arena, &record) == FARM_OK) {
    const char *key = record_key(&record, &arena);
    if (key) durable_put(&world->records, key, action->data, action->length);
  }
  arena_free(&arena);
}

static void carry_out(struct world *world, const struct core_action *action) {
  char key[64];
  snprintf(key, sizeof key, action->kind == CORE_PUT_BUILD ? "%012llu/%06u" : "%012llu", (unsigned long long)action->sequence,
           action->part);
  switch (action->kind) {
  case CORE_SEND:
    post_bytes(world, action->peer, false, action->data, action->length);
    break;
  case CORE_PUT_RECORD:
    put_record(world, action);
    break;
  case CORE_PUT_BUILD:
    durable_put(&world->queue_builds, key, action->data, action->length);
    break;
  case CORE_PUT_JOB:
    durable_put(&world->queue_jobs, key, action->data, action->length);
    break;
  case CORE_DROP_JOB:
    durable_remove(&world->queue_jobs, key);
    break;
  case CORE_DROP_PEER:
    break;
  case CORE_DROP_BUILD:
    for (struct map_entry *e = map_next(&world->queue_builds.entries, NULL), *after; e; e = after) {
      after = map_next(&world->queue_builds.entries, e);
      if (strncmp(e->key, key, 12) == 0) durable_remove(&world->queue_builds, e->key);
    }
    break;
  }
}

static void core_begin(struct world *world) {
  struct core_options options = {.build = "sim", .epoch = ++world->epoch};
  struct core_port port = {world, find_record, unix_time};
  if (core_create(&options, &port, &world->core) != FARM_OK) return;
  for (struct map_entry *e = map_next(&world->queue_builds.entries, NULL); e; e = map_next(&world->queue_builds.entries, e)) {
    const struct blob *blob = e->value;
    core_restore_build(world->core, strtoull(e->key, NULL, 10), (uint32_t)strtoul(e->key + 13, NULL, 10), blob->data,
                       blob->length);
  }
  for (struct map_entry *e = map_next(&world->queue_jobs.entries, NULL); e; e = map_next(&world->queue_jobs.entries, e)) {
    const struct blob *blob = e->value;
    core_restore_job(world->core, strtoull(e->key, NULL, 10), blob->data, blob->length);
  }
  core_start(world->core, world->now);
}

static void core_kill(struct world *world) {
  core_free(&world->core);
  world->report.coordinator_kills++;
  world_timer(world, CORE, TIMER_BACK, 0.2 + world_random(world) * 2);
}

/* Puts first, then sends; a coordinator that is about to die does only the puts, or nothing. */
static void settle(struct world *world) {
  double rate = world->options.kill_coordinator_per_s;
  size_t count;
  struct core_action *actions = core_actions(world->core, &count);
  bool faults = !world->options.faults_until_s || (double)world->now * 1e-9 < world->options.faults_until_s;
  bool dies = faults && rate > 0 && count && world_random(world) < rate * 0.004;
  bool writes = !dies || world_random(world) < 0.7;
  for (size_t i = 0; i < count && writes; i++)
    if (actions[i].kind != CORE_SEND) carry_out(world, &actions[i]);
  for (size_t i = 0; i < count && !dies; i++)
    if (actions[i].kind == CORE_SEND) carry_out(world, &actions[i]);
  if (dies) core_kill(world);
}

static void deliver(struct world *world, const struct parcel *parcel) {
  struct arena arena = {0};
  struct wire_message message;
  uint32_t actor = actor_on(world, parcel->connection);
  if (actor && wire_decode(parcel->data, parcel->length, &arena, &message) == FARM_OK) {
    if (parcel->to_core && world->core) {
      core_receive(world->core, world->now, parcel->connection, &message);
      settle(world);
    } else if (!parcel->to_core && actor <= world->options.workers)
      worker_message(world, actor - 1, &message);
    else if (!parcel->to_core)
      client_message(world, actor - 1 - world->options.workers, &message);
  }
  arena_free(&arena);
}

/* ---- faults ---- */

void world_break(struct world *world, uint64_t connection) {
  for (uint32_t i = 0; i < world->options.workers; i++)
    if (world->workers[i].connection == connection) world->workers[i].connection = 0, world->workers[i].up = false;
  for (uint32_t i = 0; i < world->options.builds; i++)
    if (world->clients[i].connection == connection) world->clients[i].connection = 0, world->clients[i].up = false;
}

static void fault(struct world *world) {
  const struct sim_options *o = &world->options;
  double step = 0.05;
  if (o->faults_until_s && (double)world->now * 1e-9 > o->faults_until_s) return;
  world_timer(world, CORE, TIMER_FAULT, step);
  if (world_random(world) < o->break_per_s * step) {
    uint32_t actor = (uint32_t)(world_random(world) * (o->workers + o->builds));
    uint64_t connection = actor < o->workers ? world->workers[actor].connection : world->clients[actor - o->workers].connection;
    if (connection) world->report.breaks++, world_break(world, connection);
  }
  if (world_random(world) < o->kill_worker_per_s * step) {
    world->report.worker_kills++;
    worker_kill(world, (uint32_t)(world_random(world) * o->workers));
  }
  if (world->core && world_random(world) < o->kill_coordinator_per_s * step) core_kill(world);
}

static void core_timer(struct world *world, uint32_t timer) {
  if (timer == TIMER_TICK) {
    world_timer(world, CORE, TIMER_TICK, 0.1);
    if (!world->core) return;
    core_tick(world->core, world->now);
    settle(world);
  } else if (timer == TIMER_BACK) {
    core_begin(world);
    if (world->core) settle(world);
  } else
    fault(world);
}

/* ---- a run ---- */

static bool all_done(const struct world *world) {
  for (uint32_t i = 0; i < world->options.builds; i++)
    if (!world->clients[i].done) return false;
  return true;
}

static void step(struct world *world) {
  struct parcel parcel = heap_take(world);
  world->now = parcel.at_ns;
  if (parcel.data)
    deliver(world, &parcel);
  else if (parcel.actor == CORE)
    core_timer(world, parcel.timer);
  else if (parcel.actor <= world->options.workers)
    worker_timer(world, parcel.actor - 1, parcel.timer);
  else
    client_timer(world, parcel.actor - 1 - world->options.workers, parcel.timer);
  free(parcel.data);
}

static void run_until(struct world *world, double seconds, bool (*done)(const struct world *)) {
  while (world->parcel_count && (double)world->now * 1e-9 < seconds && !(done && done(world))) step(world);
}

static void finish_report(struct world *world) {
  world->report.finished = all_done(world);
  world->report.took_s = (double)world->now * 1e-9;
  world->options.faults_until_s = 1e-9; // peace
  for (int i = 0; i < 100 && !world->core; i++) run_until(world, (double)world->now * 1e-9 + 0.1, NULL);
  run_until(world, (double)world->now * 1e-9 + 10, NULL); // CLOSE arrives
  for (uint32_t i = 0; i < world->options.workers; i++)
    world->workers[i].connection = 0, world->workers[i].life++, world->workers[i].connect_at_ns = UINT64_MAX;
  for (uint32_t i = 0; i < world->options.builds; i++)
    world->clients[i].connection = 0, world->clients[i].connect_at_ns = UINT64_MAX;
  run_until(world, (double)world->now * 1e-9 + 10, NULL); // silence is noticed
  if (world->core) {
    world->report.left = core_load(world->core);
    world->report.counters = *core_counters(world->core);
  }
  world->report.queue_left = world->queue_builds.entries.count + world->queue_jobs.entries.count;
}

static void world_free(struct world *world) {
  core_free(&world->core);
  for (size_t i = 0; i < world->parcel_count; i++) free(world->parcels[i].data);
  for (uint32_t i = 0; i < world->options.workers; i++) {
    arena_free(&world->workers[i].arena);
    durable_free(&world->workers[i].unstored);
  }
  durable_free(&world->records), durable_free(&world->queue_builds), durable_free(&world->queue_jobs);
  map_free(&world->measured);
  free(world->parcels), free(world->last_arrival);
  arena_free(&world->arena);
}

enum farm_status sim_run(const struct sim_options *options, struct sim_report *out) {
  struct world world = {.options = *options};
  world.workers = arena_alloc_array(&world.arena, options->workers, sizeof *world.workers);
  world.clients = arena_alloc_array(&world.arena, options->builds, sizeof *world.clients);
  FAIL_IF(!world.workers || !world.clients, FARM_NO_MEMORY, "out of memory for a simulation");
  core_begin(&world);
  world_timer(&world, CORE, TIMER_TICK, 0.1);
  world_timer(&world, CORE, TIMER_FAULT, 0.05);
  for (uint32_t i = 0; i < options->workers; i++) worker_begin(&world, i);
  for (uint32_t i = 0; i < options->builds; i++) client_begin(&world, i);
  run_until(&world, options->most_s, all_done);
  finish_report(&world);
  *out = world.report;
  world_free(&world);
  return FARM_OK;
}
