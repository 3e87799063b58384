/* See coordinator.h: the loop. Receive a batch, let the core act, write, sync, send.
 *
 *   wait ─► receive (at most 256) ─► core ─► puts into open batches, sends set aside ─► commit cache ─► commit queue ─► send
 */
#include "coordinator.h"

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/map.h"
#include "../tactic-cache/queue.h"
#include "children.h"
#include "core/core.h"
#include "place.h"
#include "router.h"
#include "verbs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVE_MOST = 256, TICK_MS = 100, BATCH_MOST_BYTES = 8 << 20, BAD_FRAMES_MOST = 16, BAD_PEERS_MOST = 4096, DRAIN_S = 10 };

struct outgoing {
  uint64_t peer;
  uint8_t *data;
  size_t length;
};

struct process {
  const struct coordinator_options *options;
  char endpoint[COORDINATOR_ENDPOINT_MOST];
  int lock_fd;
  struct cache *cache;
  struct queue *queue;
  struct blobs blobs;
  struct compilers compilers;
  struct router *router;
  struct core *core;
  struct children children;
  struct outgoing *outbox; // waits for the commit
  size_t outbox_count, outbox_capacity, put_bytes;
  uint64_t idle_since_ns, tick_at_ns, drain_until_ns, place_at_ns;
  struct map bad_peers;  // hex id → how many malformed frames in a row
  uint64_t current_peer; // of the CACHE message in hand
};

static volatile sig_atomic_t told_to_stop;
static void on_signal(int number) {
  (void)number;
  told_to_stop = 1;
}

/* ---- what the core reads ---- */

static enum farm_status find_record(void *context, const char *key, bool any_age, struct arena *arena, struct record *out,
                                    struct wire_blob *out_bytes) {
  struct process *process = context;
  struct store_bytes bytes;
  TRY(cache_get(process->cache, key, any_age ? CACHE_ANY_AGE : CACHE_FRESH, arena, out, &bytes));
  if (out_bytes) *out_bytes = (struct wire_blob){bytes.data, (uint32_t)bytes.length};
  return FARM_OK;
}

static uint64_t unix_time(void *context) {
  (void)context;
  return clock_unix_s();
}

/* ---- what the core wants done ---- */

static enum farm_status set_aside(struct process *process, uint64_t peer, const void *data, size_t length) {
  TRY(array_reserve(&process->outbox, &process->outbox_capacity, process->outbox_count + 1));
  uint8_t *copy = malloc(length);
  FAIL_IF(!copy, FARM_NO_MEMORY, "out of memory for a message");
  memcpy(copy, data, length);
  process->outbox[process->outbox_count++] = (struct outgoing){peer, copy, length};
  return FARM_OK;
}

static enum farm_status post(struct process *process, uint64_t peer, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  enum farm_status status = wire_encode(message, &bytes);
  if (status == FARM_OK) status = set_aside(process, peer, bytes.data, bytes.length);
  bytes_writer_free(&bytes);
  return status;
}

static enum farm_status carry_out(struct process *process, const struct core_action *action) {
  process->put_bytes += action->kind == CORE_SEND ? 0 : action->length;
  switch (action->kind) {
  case CORE_SEND:
    return set_aside(process, action->peer, action->data, action->length);
  case CORE_PUT_RECORD:
    return cache_put(process->cache, action->data, action->length, CACHE_NEWEST, NULL);
  case CORE_PUT_BUILD:
    return queue_put(process->queue, QUEUE_BUILDS, action->sequence, action->part, action->data, action->length);
  case CORE_DROP_BUILD:
    return queue_remove(process->queue, QUEUE_BUILDS, action->sequence);
  case CORE_PUT_JOB:
    return queue_put(process->queue, QUEUE_JOBS, action->sequence, 0, action->data, action->length);
  case CORE_DROP_JOB:
    return queue_remove(process->queue, QUEUE_JOBS, action->sequence);
  case CORE_DROP_PEER:
    return FARM_OK; // ZeroMQ gives no way to cut a connection; it will be told to say HELLO
  }
  return FARM_OK;
}

static enum farm_status settle(struct process *process) {
  size_t count;
  const struct core_action *actions = core_actions(process->core, &count);
  for (size_t i = 0; i < count; i++) TRY(carry_out(process, &actions[i]));
  return FARM_OK;
}

/* What this round did becomes durable, then is said. A peer that cannot be reached is gone; the core may answer that with more.
 */
static enum farm_status commit_and_send(struct process *process) {
  for (int round = 0; round < 8; round++) {
    TRY(settle(process));
    TRY(cache_commit(process->cache));
    TRY(queue_commit(process->queue));
    process->put_bytes = 0;
    for (size_t i = 0; i < process->outbox_count; i++) {
      struct outgoing *out = &process->outbox[i];
      if (router_send(process->router, out->peer, out->data, out->length) != FARM_OK)
        core_peer_unreachable(process->core, clock_now_ns(), out->peer);
      free(out->data);
    }
    bool sent = process->outbox_count > 0;
    process->outbox_count = 0;
    if (!sent) return FARM_OK;
  }
  return FARM_OK;
}

/* ---- messages ---- */

static void reply_cache(void *context, const struct wire_cache_reply *reply) {
  struct process *process = context;
  if (post(process, process->current_peer, &(struct wire_message){.type = WIRE_CACHE_REPLY, .cache_reply = *reply}) != FARM_OK)
    log_warning("cache reply: %s", status_message());
}

/* The cache folder as a text of the wire. */
static const char *folder_text(const char *folder, struct arena *arena) {
  char *text = arena_string(arena, folder, strlen(folder));
  for (char *c = text; c && *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
  return text ? text : "";
}

/* What goes wrong with a reply is the asker's affair, not the end of everybody's coordinator. */
static enum farm_status reply_status(struct process *process, uint64_t peer, uint32_t request) {
  struct arena arena = {0};
  struct wire_message message = {.type = WIRE_STATUS_REPLY};
  struct cache_stats stats;
  enum farm_status status = core_status(process->core, clock_now_ns(), &arena, &message.status_reply);
  if (status == FARM_OK) status = cache_stats(process->cache, &stats);
  uint32_t count = message.status_reply.counters_count;
  struct wire_counter *counters = status == FARM_OK ? arena_alloc_array(&arena, count + 32, sizeof *counters) : NULL;
  if (status == FARM_OK && !counters) status = status_set(FARM_NO_MEMORY, "out of memory for a status");
  if (status == FARM_OK) {
    memcpy(counters, message.status_reply.counters, count * sizeof *counters);
#define X(name) counters[count++] = (struct wire_counter){"cache_" #name, stats.counters.name};
    CACHE_COUNTER_LIST(X)
#undef X
    counters[count++] = (struct wire_counter){"cache_records", stats.records};
    const struct coordinator_options *o = process->options; // local children, which may not have said HELLO yet
    int gpus = children_alive(&process->children, o->worker_count, o->gpu_count);
    int compilers = children_alive(&process->children, o->worker_count + o->gpu_count, o->compiler_count);
    counters[count++] = (struct wire_counter){"local_gpu_workers", (uint64_t)gpus};
    counters[count++] = (struct wire_counter){"local_compilers", (uint64_t)compilers};
    counters[count++] = (struct wire_counter){"cache_artefacts", stats.artefacts};
    message.status_reply.counters = counters, message.status_reply.counters_count = count;
    message.status_reply.request = request;
    message.status_reply.cache = folder_text(process->options->cache_folder, &arena);
    status = post(process, peer, &message);
  }
  arena_free(&arena);
  if (status == FARM_OK) return FARM_OK;
  return post(process, peer, &(struct wire_message){.type = WIRE_FAULT, .fault = {request, status, status_message()}});
}

static enum farm_status handle_blob(struct process *process, uint64_t peer, const struct wire_message *message) {
  struct arena arena = {0};
  struct wire_message reply = {.type = message->type == WIRE_BLOB_PUT ? WIRE_BLOB_STATE : WIRE_BLOB_CHUNK};
  if (message->type == WIRE_BLOB_PUT)
    blobs_put(&process->blobs, &message->blob_put, &reply.blob_state);
  else
    blobs_get(&process->blobs, &message->blob_get, &arena, &reply.blob_chunk);
  enum farm_status status = post(process, peer, &reply);
  arena_free(&arena);
  return status;
}

static enum farm_status handle(struct process *process, uint64_t peer, const struct wire_message *message) {
  core_receive(process->core, clock_now_ns(), peer, message);
  TRY(settle(process));
  if (!core_peer_greeted(process->core, peer)) return FARM_OK;
  switch (message->type) {
  case WIRE_STATUS:
    return reply_status(process, peer, message->status_query.request);
  case WIRE_BLOB_PUT:
  case WIRE_BLOB_GET:
    return handle_blob(process, peer, message);
  case WIRE_CACHE:
    process->current_peer = peer;
    verbs_carry_out(process->cache, &process->blobs, &process->compilers, &message->cache, reply_cache, process);
    return FARM_OK;
  default:
    return FARM_OK;
  }
}

/* Each peer's frames are counted by themselves. Those that left in anger stay in the map until it is full. */
static uintptr_t bad_frames_count(struct process *process, uint64_t peer) {
  const struct map_key key = map_key_of(peer);
  uintptr_t count = (uintptr_t)map_get(&process->bad_peers, key.text) + 1;
  if (count == 1 && process->bad_peers.count >= BAD_PEERS_MOST) map_free(&process->bad_peers);
  if (count > BAD_FRAMES_MOST || map_set(&process->bad_peers, key.text, (void *)count) != FARM_OK) return BAD_FRAMES_MOST;
  return count;
}

/* FARM_CONNECTION is what no peer of ours can have sent: it ends that one at once. */
static void complain(struct process *process, uint64_t peer, enum farm_status status) {
  log_debug("a malformed message: %s", status_message());
  if (peer == 0) return; // it cannot be answered
  if (status == FARM_CONNECTION || bad_frames_count(process, peer) >= BAD_FRAMES_MOST)
    core_peer_gone(process->core, clock_now_ns(), peer);
  else
    post(process, peer, &(struct wire_message){.type = WIRE_FAULT, .fault = {0, FARM_INVALID, status_message()}});
}

static enum farm_status receive_some(struct process *process) {
  for (int i = 0; i < RECEIVE_MOST && process->put_bytes < BATCH_MOST_BYTES; i++) {
    uint64_t peer;
    const void *data;
    size_t length;
    struct arena arena = {0};
    struct wire_message message;
    enum farm_status status = router_receive(process->router, &peer, &data, &length);
    if (status == FARM_AGAIN) return FARM_OK;
    if (status == FARM_OK) status = wire_decode(data, length, &arena, &message);
    if (status == FARM_OK) {
      if (process->bad_peers.count) map_remove(&process->bad_peers, map_key_of(peer).text);
      status = handle(process, peer, &message);
    } else {
      complain(process, peer, status);
      status = FARM_OK;
    }
    arena_free(&arena);
    TRY(status);
  }
  return FARM_OK;
}

/* ---- a life ---- */

static enum farm_status restore_build(void *context, uint64_t sequence, uint32_t part, const void *data, size_t length) {
  core_restore_build(((struct process *)context)->core, sequence, part, data, length);
  return FARM_OK;
}

static enum farm_status restore_job(void *context, uint64_t sequence, uint32_t part, const void *data, size_t length) {
  (void)part;
  core_restore_job(((struct process *)context)->core, sequence, data, length);
  return FARM_OK;
}

static enum farm_status start_core(struct process *process, uint64_t epoch) {
  struct core_options options = {.build = process->options->build, .epoch = epoch};
  struct core_port port = {process, find_record, unix_time};
  TRY(core_create(&options, &port, &process->core));
  TRY(queue_each(process->queue, QUEUE_BUILDS, restore_build, process));
  TRY(queue_each(process->queue, QUEUE_JOBS, restore_job, process));
  core_start(process->core, clock_now_ns());
  return commit_and_send(process);
}

static enum farm_status open_all(struct process *process) {
  const struct coordinator_options *o = process->options;
  uint64_t epoch;
  for (int i = 0; i < o->tcp_count; i++) TRY(place_check_tcp(o->tcp[i]));
  TRY(coordinator_endpoint(o->cache_folder, process->endpoint));
  TRY(place_lock(o->cache_folder, &process->lock_fd));
  TRY(cache_open(o->cache_folder, NULL, &process->cache));
  TRY(queue_open(o->cache_folder, &process->queue, &epoch));
  TRY(blobs_open(o->cache_folder, &process->blobs));
  TRY(start_core(process, epoch));
  TRY(router_open(&process->router));
  TRY(router_bind(process->router, process->endpoint));
  place_announce(process->lock_fd, process->endpoint);
  for (int i = 0; i < o->tcp_count; i++) TRY(router_bind(process->router, o->tcp[i]));
  return children_open(o, process->endpoint, &process->children);
}

static void close_all(struct process *process) {
  if (process->children.list) children_close(&process->children);
  router_close(&process->router);
  core_free(&process->core);
  blobs_close(&process->blobs);
  queue_close(&process->queue);
  cache_close(&process->cache);
  if (process->lock_fd >= 0) close(process->lock_fd);
  for (size_t i = 0; i < process->outbox_count; i++) free(process->outbox[i].data);
  free(process->outbox);
  map_free(&process->bad_peers);
  compilers_forget(&process->compilers);
}

/* Socket and folder may be removed under a coordinator: by cleaners of temporary folders, the end of a login, `rm -r`. A socket
 * is made again. Without its folder it leaves; should a successor have a socket of the same name, that one goes with it and is
 * made again, too. */
static void look_after_place(struct process *process, uint64_t now) {
  const char *folder = process->options->cache_folder;
  char endpoint[COORDINATOR_ENDPOINT_MOST]; // may be another than before: the runtime folder may be gone, too
  if (now < process->place_at_ns || told_to_stop) return;
  process->place_at_ns = now + 1000000000ull;
  if (!place_is_kept(folder, process->lock_fd)) {
    log_warning("%s was removed or replaced: its coordinator leaves", folder);
    told_to_stop = 1;
  } else if (place_socket_is_gone(process->endpoint)) {
    enum farm_status status = coordinator_endpoint(folder, endpoint);
    if (status == FARM_OK) status = router_bind(process->router, endpoint);
    log_warning("%s was removed: %s", process->endpoint, status == FARM_OK ? "made again" : status_message());
    if (status == FARM_OK) {
      memcpy(process->endpoint, endpoint, sizeof endpoint); // children started from now on use it
      place_announce(process->lock_fd, endpoint);
    } else
      process->place_at_ns = now + 60 * 1000000000ull;
  }
}

static bool is_over(struct process *process, uint64_t now) {
  if (told_to_stop && !process->drain_until_ns) {
    core_drain(process->core, now);
    process->drain_until_ns = now + DRAIN_S * 1000000000ull;
  }
  if (process->drain_until_ns) return core_load(process->core).jobs == 0 || now >= process->drain_until_ns;
  if (!core_idle(process->core)) process->idle_since_ns = now;
  return process->options->idle_s > 0 && (double)(now - process->idle_since_ns) * 1e-9 >= process->options->idle_s;
}

static enum farm_status serve(struct process *process) {
  process->idle_since_ns = clock_now_ns();
  for (;;) {
    uint64_t now = clock_now_ns();
    if (now >= process->tick_at_ns) {
      process->tick_at_ns = now + TICK_MS * 1000000ull;
      core_tick(process->core, now);
      if (!process->drain_until_ns) children_tick(&process->children, now);
      look_after_place(process, now);
    }
    TRY(receive_some(process));
    bool over = is_over(process, now);
    TRY(commit_and_send(process));
    if (over) return FARM_OK;
    router_wait(process->router, process->tick_at_ns > now ? (int)((process->tick_at_ns - now) / 1000000) + 1 : 0);
  }
}

enum farm_status coordinator_run(const struct coordinator_options *options) {
  struct process process = {.options = options, .lock_fd = -1};
  struct sigaction action = {.sa_handler = on_signal}, before_term, before_int;
  told_to_stop = 0;
  sigaction(SIGTERM, &action, &before_term);
  sigaction(SIGINT, &action, &before_int);
  enum farm_status status = open_all(&process);
  if (status == FARM_OK) {
    log_info("coordinator of %s serves %s", options->cache_folder, process.endpoint);
    status = serve(&process);
  }
  close_all(&process);
  sigaction(SIGTERM, &before_term, NULL);
  sigaction(SIGINT, &before_int, NULL);
  return status;
}
