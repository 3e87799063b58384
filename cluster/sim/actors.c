/* Simulated workers and clients: they follow docs/protocol-1.md as worker-link.c and client.c do, on simulated wires. */
#include "world.h"

#include "../../base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_BEAT = 1, TIMER_WORK = 2 }; // TIMER_WORK + life: void after a death
enum { SILENCE_S = 3, CHUNK = 7 };

static uint32_t worker_actor(uint32_t index) { return 1 + index; }
static uint32_t client_actor(const struct world *world, uint32_t index) { return 1 + world->options.workers + index; }

/* ---- workers ---- */

static void say_hello(struct world *world, struct sim_worker *worker) {
  struct wire_message hello = {.type = WIRE_HELLO};
  hello.hello = (struct wire_hello){.protocol_low = 1,
                                    .protocol_high = 1,
                                    .role = WIRE_ROLE_WORKER,
                                    .host = worker->name,
                                    .device_class = worker->device_class,
                                    .device = "d",
                                    .threads = 4,
                                    .running = &worker->job,
                                    .running_count = worker->busy};
  world_post(world, worker->connection, true, &hello);
}

static void connect_worker(struct world *world, uint32_t index) {
  struct sim_worker *worker = &world->workers[index];
  worker->connection = world_connect(world, worker_actor(index));
  worker->up = false;
  worker->heard_ns = world->now;
  say_hello(world, worker);
}

void worker_begin(struct world *world, uint32_t index) {
  struct sim_worker *worker = &world->workers[index];
  snprintf(worker->name, sizeof worker->name, "host%u", index);
  snprintf(worker->device_class, sizeof worker->device_class, "class%u", index % world->options.classes);
  worker->connect_at_ns = (uint64_t)(world_random(world) * 2e9);
  world_timer(world, worker_actor(index), TIMER_BEAT, 0.1);
}

void worker_kill(struct world *world, uint32_t index) {
  struct sim_worker *worker = &world->workers[index];
  worker->connection = 0;
  worker->up = worker->busy = false;
  worker->life++;
  worker->connect_at_ns = world->now + (uint64_t)((0.5 + world_random(world) * 2) * 1e9);
  durable_free(&worker->unstored);
}

static void send_ready(struct world *world, const struct sim_worker *worker) {
  world_post(world, worker->connection, true, &(struct wire_message){.type = WIRE_READY, .ready = {!worker->busy}});
}

static void send_result(struct world *world, struct sim_worker *worker, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  char key[24];
  snprintf(key, sizeof key, "%llu", (unsigned long long)worker->sequence);
  if (wire_encode(message, &bytes) == FARM_OK) durable_put(&worker->unstored, key, bytes.data, bytes.length);
  bytes_writer_free(&bytes);
  if (worker->up) world_post(world, worker->connection, true, message);
}

static void send_again(struct world *world, struct sim_worker *worker) {
  for (struct map_entry *e = map_next(&worker->unstored.entries, NULL); e; e = map_next(&worker->unstored.entries, e)) {
    struct arena arena = {0};
    struct wire_message message;
    const uint8_t *data;
    size_t length;
    if (durable_get(&worker->unstored, e->key, &data, &length) && wire_decode(data, length, &arena, &message) == FARM_OK)
      world_post(world, worker->connection, true, &message);
    arena_free(&arena);
  }
}

static double median_of(const char *variant) { return 1000 + (double)(digest_of_text(variant).bytes[0]) * 10; }

static struct record_entry entry_of(const struct wire_variant *variant) {
  double t = median_of(variant->text);
  return (struct record_entry){.variant = variant->text,
                               .source_digest = variant->source,
                               .message = "",
                               .rank = RECORD_RANK_NONE,
                               .times = {9, t, t, t, t, t, t, t, t}};
}

static struct record record_of(const struct world *world, const struct sim_worker *worker, enum record_kind kind,
                               struct record_entry *entries, uint32_t count) {
  return (struct record){.kind = kind,
                         .problem = worker->job.problem,
                         .device_class = worker->device_class,
                         .policy = worker->job.policy,
                         .threads = worker->job.threads,
                         .device = worker->name,
                         .build = "sim",
                         .clocks = "",
                         .unix_s = 1700000000 + world->now / 1000000000,
                         .device_s = 0.1,
                         .entry_count = count,
                         .entries = entries};
}

static void report(struct world *world, struct sim_worker *worker, const struct record *record, bool finished) {
  struct bytes_writer bytes = {0};
  struct wire_record encoded;
  if (record && record_encode(record, &bytes) != FARM_OK) return;
  encoded.bytes = (struct wire_blob){bytes.data, (uint32_t)bytes.length};
  struct wire_message message = {.type = finished ? WIRE_FINISHED : WIRE_PARTIAL};
  worker->sequence++;
  if (finished)
    message.finished = (struct wire_finished){
        .lease = worker->job.lease, .sequence = worker->sequence, .records = &encoded, .records_count = record != NULL};
  else
    message.partial =
        (struct wire_partial){.lease = worker->job.lease, .sequence = worker->sequence, .records = &encoded, .records_count = 1};
  send_result(world, worker, &message);
  bytes_writer_free(&bytes);
}

static void end_job(struct world *world, struct sim_worker *worker) {
  worker->busy = false;
  arena_free(&worker->arena);
  if (worker->up) send_ready(world, worker);
}

static bool is_poison(const struct world *world, const char *variant) {
  uint32_t one_in = world->options.poison_one_in;
  return one_in && strstr(variant, "default") == NULL && digest_of_text(variant).bytes[1] % one_in == 0;
}

static void count_measured(struct world *world, const struct sim_worker *worker, const struct wire_variant *variant) {
  struct arena arena = {0};
  const char *key = record_screen_key(worker->job.problem, variant->text, variant->source, worker->device_class,
                                      worker->job.threads, worker->job.policy, &arena);
  if (key) map_set(&world->measured, key, (char *)map_get(&world->measured, key) + 1);
  arena_free(&arena);
  world->report.measured++;
}

static int by_variant(const void *a, const void *b) {
  return strcmp(((const struct record_entry *)a)->variant, ((const struct record_entry *)b)->variant);
}

static void work_final(struct world *world, struct sim_worker *worker) {
  struct record_entry entries[64];
  uint32_t count = worker->job.variants_count < 64 ? worker->job.variants_count : 64;
  for (uint32_t i = 0; i < count; i++) {
    entries[i] = entry_of(&worker->job.variants[i]);
    entries[i].finalist = true;
    entries[i].rank = (uint32_t)(median_of(worker->job.variants[i].text) / 100);
  }
  qsort(entries, count, sizeof *entries, by_variant);
  struct record record = record_of(world, worker, RECORD_FINAL, entries, count);
  world->report.finals++;
  report(world, worker, &record, true);
  end_job(world, worker);
}

static void work(struct world *world, uint32_t index) {
  struct sim_worker *worker = &world->workers[index];
  if (worker->job.kind == WIRE_JOB_FINAL) return work_final(world, worker);
  const struct wire_variant *variant = &worker->job.variants[worker->at++];
  if (is_poison(world, variant->text)) return worker_kill(world, index);
  struct record_entry entry = entry_of(variant);
  struct record record = record_of(world, worker, RECORD_SCREEN, &entry, 1);
  count_measured(world, worker, variant);
  bool last = worker->at == worker->job.variants_count;
  report(world, worker, &record, last && world_random(world) < 0.5);
  if (!last)
    return world_timer(world, worker_actor(index), TIMER_WORK + (uint32_t)worker->life, 0.02 + world_random(world) * 0.2);
  if (worker->job.lease.counter) report(world, worker, NULL, true);
  end_job(world, worker);
}

static void take_job(struct world *world, uint32_t index, const struct wire_job *job) {
  struct sim_worker *worker = &world->workers[index];
  if (worker->busy) { // two greetings can give out one credit twice
    struct wire_message message = {
        .type = WIRE_RETURN, .returned = {.lease = job->lease, .sequence = ++worker->sequence, .reason = "no credit was given"}};
    return send_result(world, worker, &message);
  }
  arena_free(&worker->arena);
  if (wire_copy_job(job, &worker->arena, &worker->job) != FARM_OK) return;
  worker->busy = true;
  worker->at = 0;
  world_post(world, worker->connection, true, &(struct wire_message){.type = WIRE_STARTED, .started = {job->lease}});
  world_timer(world, worker_actor(index), TIMER_WORK + (uint32_t)worker->life, 0.02 + world_random(world) * 0.3);
}

static void forget_stored(struct sim_worker *worker, uint64_t sequence) {
  for (struct map_entry *e = map_next(&worker->unstored.entries, NULL), *after; e; e = after) {
    after = map_next(&worker->unstored.entries, e);
    if (strtoull(e->key, NULL, 10) <= sequence) durable_remove(&worker->unstored, e->key);
  }
}

void worker_message(struct world *world, uint32_t index, const struct wire_message *message) {
  struct sim_worker *worker = &world->workers[index];
  worker->heard_ns = world->now;
  if (message->type == WIRE_REFUSE)
    say_hello(world, worker), worker->up = false;
  else if (message->type == WIRE_STORED)
    forget_stored(worker, message->stored.sequence);
  else if (message->type == WIRE_JOB)
    take_job(world, index, &message->job);
  else if (message->type == WIRE_STOP && worker->busy && worker->job.lease.counter == message->stop.lease.counter &&
           worker->job.lease.epoch == message->stop.lease.epoch) {
    worker->life++; // the measuring child is killed
    end_job(world, worker);
  } else if (message->type == WIRE_WELCOME) {
    worker->up = true;
    send_again(world, worker);
    send_ready(world, worker);
  }
}

static bool lost(const struct world *world, uint64_t connection, uint64_t heard_ns) {
  return connection && world->now - heard_ns > (uint64_t)SILENCE_S * 1000000000;
}

void worker_timer(struct world *world, uint32_t index, uint32_t timer) {
  struct sim_worker *worker = &world->workers[index];
  if (timer != TIMER_BEAT) {
    if (timer == TIMER_WORK + (uint32_t)worker->life && worker->busy) work(world, index);
    return;
  }
  world_timer(world, worker_actor(index), TIMER_BEAT, 1);
  if (lost(world, worker->connection, worker->heard_ns)) world_break(world, worker->connection);
  if (!worker->connection && world->now >= worker->connect_at_ns)
    connect_worker(world, index);
  else if (worker->up)
    world_post(world, worker->connection, true, &(struct wire_message){.type = WIRE_HEARTBEAT});
}

/* ---- clients ---- */

static void make_items(struct world *world, uint32_t index) {
  struct sim_client *client = &world->clients[index];
  const struct sim_options *o = &world->options;
  client->item_count = o->items;
  client->items = arena_alloc_array(&world->arena, o->items, sizeof *client->items);
  client->have = arena_alloc(&world->arena, o->items / 8 + 1);
  char id[64];
  snprintf(id, sizeof id, "build %llu %u", (unsigned long long)o->seed, index);
  client->id = digest_of_text(id);
  char source[DIGEST_HEX_BYTES];
  digest_to_hex(&client->id, source);
  memset(source, '0', 64);
  for (uint32_t i = 0; i < o->items; i++) {
    bool shared = i % 2 == 0;
    struct wire_variant *variants = arena_alloc_array(&world->arena, o->variants, sizeof *variants);
    const char *problem = arena_printf(&world->arena, shared ? "gemm m%u" : "gemm m%u k%u", i, index + 1);
    for (uint32_t v = 0; v < o->variants; v++) {
      variants[v].text = arena_printf(&world->arena, v ? "t_%s_%u" : "default_%s_%u", problem, v);
      variants[v].source = arena_string(&world->arena, source, 64);
    }
    client->items[i] = (struct wire_item){.problem = problem,
                                          .device_class = arena_printf(&world->arena, "class%u", i / 2 % o->classes),
                                          .threads = 1,
                                          .default_index = 0,
                                          .estimated_ns = 1000.0 * (i + 1),
                                          .weight = 1,
                                          .variants = variants,
                                          .variants_count = o->variants};
    if (!shared || index == 0) world->report.unique_variants += o->variants;
  }
}

void client_begin(struct world *world, uint32_t index) {
  make_items(world, index);
  world->clients[index].connect_at_ns = (uint64_t)(world_random(world) * 4e9);
  world_timer(world, client_actor(world, index), TIMER_BEAT, 0.1);
}

static void client_hello(struct world *world, struct sim_client *client) {
  world_post(
      world, client->connection, true,
      &(struct wire_message){.type = WIRE_HELLO, .hello = {.protocol_low = 1, .protocol_high = 1, .role = WIRE_ROLE_CLIENT}});
}

static void submit(struct world *world, struct sim_client *client) {
  for (uint32_t at = 0; at < client->item_count; at += CHUNK) {
    uint32_t count = client->item_count - at < CHUNK ? client->item_count - at : CHUNK;
    world_post(world, client->connection, true,
               &(struct wire_message){.type = WIRE_SUBMIT,
                                      .submit = {.build = client->id,
                                                 .label = "sim",
                                                 .policy = "cold/1",
                                                 .item_total = client->item_count,
                                                 .first = at,
                                                 .items = client->items + at,
                                                 .items_count = count}});
  }
}

static void take_result(struct world *world, struct sim_client *client, const struct wire_result *result) {
  struct arena arena = {0};
  struct record record;
  bool right = result->item < client->item_count && result->status == FARM_OK &&
               record_decode(result->record.data, result->record.length, &arena, &record) == FARM_OK &&
               strcmp(record.problem, client->items[result->item].problem) == 0 &&
               record.entry_count >= client->items[result->item].variants_count && record_winner(&record) >= 0;
  arena_free(&arena);
  if (!right) {
    world->report.wrong_results++;
    return;
  }
  uint8_t bit = (uint8_t)(1 << result->item % 8);
  if (!(client->have[result->item / 8] & bit)) client->have_count++, world->report.results++;
  client->have[result->item / 8] |= bit;
}

static void take_done(struct world *world, struct sim_client *client, const struct wire_done *done) {
  if (!client->done) {
    client->done = true;
    if (done->status == FARM_OK && client->have_count == client->item_count)
      world->report.done_ok++;
    else
      world->report.done_failed++;
  }
  world_post(world, client->connection, true, &(struct wire_message){.type = WIRE_CLOSE, .close = {client->id}});
}

void client_message(struct world *world, uint32_t index, const struct wire_message *message) {
  struct sim_client *client = &world->clients[index];
  client->heard_ns = world->now;
  switch (message->type) {
  case WIRE_REFUSE:
    client->up = false, client_hello(world, client);
    break;
  case WIRE_WELCOME:
    client->up = true;
    if (client->done)
      world_post(world, client->connection, true, &(struct wire_message){.type = WIRE_CLOSE, .close = {client->id}});
    else if (client->accepted)
      world_post(world, client->connection, true,
                 &(struct wire_message){.type = WIRE_ATTACH, .attach = {client->id, {client->have, client->item_count / 8 + 1}}});
    else
      submit(world, client);
    break;
  case WIRE_FAULT:
    if (!client->done) submit(world, client);
    break;
  case WIRE_ACCEPTED:
    client->accepted = true;
    break;
  case WIRE_RESULT:
    for (uint32_t i = 0; i < message->results.results_count; i++) take_result(world, client, &message->results.results[i]);
    break;
  case WIRE_DONE:
    take_done(world, client, &message->done);
    break;
  default:
    break;
  }
}

void client_timer(struct world *world, uint32_t index, uint32_t timer) {
  struct sim_client *client = &world->clients[index];
  (void)timer;
  world_timer(world, client_actor(world, index), TIMER_BEAT, 1);
  if (lost(world, client->connection, client->heard_ns)) world_break(world, client->connection);
  if (!client->connection && world->now >= client->connect_at_ns) {
    client->connection = world_connect(world, client_actor(world, index));
    client->heard_ns = world->now;
    client_hello(world, client);
  } else if (client->up)
    world_post(world, client->connection, true, &(struct wire_message){.type = WIRE_HEARTBEAT});
}
