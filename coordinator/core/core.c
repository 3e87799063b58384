/* See core.h: peers, greeting, and which message goes where. */
#include "core-impl.h"

#include "../../base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MOST = 65536, POOLS_MOST = 4096 };

struct peer *core_peer(const struct core *core, uint64_t id) {
  return map_get(&core->peers, map_key_of(id).text);
}
bool core_peer_greeted(const struct core *core, uint64_t id) {
  const struct peer *peer = core_peer(core, id);
  return peer && !peer->unreachable;
}
const struct core_counters *core_counters(const struct core *core) { return &core->counters; }

const char *core_keep(struct arena *arena, const char *text) {
  const char *copy = arena_string(arena, text, strlen(text));
  return copy ? copy : "";
}

struct device_pool *core_pool(struct core *core, const char *text) {
  struct device_pool *pool = map_get(&core->pools, text);
  if (pool) return pool;
  pool = core->pools.count < POOLS_MOST ? calloc(1, sizeof *pool) : NULL;
  char *copy = strdup(text);
  if (!pool || !copy || map_set(&core->pools, text, pool) != FARM_OK) {
    free(pool);
    free(copy);
    return NULL;
  }
  *pool = (struct device_pool){.text = copy, .index = (uint32_t)core->pools.count - 1, .ratio = 1};
  return pool;
}

static uint64_t or_ns(uint64_t value, double seconds) { return value ? value : (uint64_t)(seconds * 1e9); }

enum farm_status core_create(const struct core_options *options, const struct core_port *port, struct core **out_core) {
  struct core *core = calloc(1, sizeof *core);
  FAIL_IF(!core, FARM_NO_MEMORY, "out of memory for a coordinator");
  core->options = *options;
  core->build_text = strdup(options->build ? options->build : "");
  if (!core->build_text) {
    free(core);
    return status_set(FARM_NO_MEMORY, "out of memory for a coordinator");
  }
  struct core_options *o = &core->options;
  o->heartbeat_ns = or_ns(o->heartbeat_ns, 1), o->dead_ns = or_ns(o->dead_ns, 3), o->grace_ns = or_ns(o->grace_ns, 3);
  o->orphan_ns = or_ns(o->orphan_ns, 60), o->fail_fast_ns = or_ns(o->fail_fast_ns, 10),
  o->deadline_ns = or_ns(o->deadline_ns, 60);
  o->set_aside_ns = or_ns(o->set_aside_ns, 10);
  o->batch_s = o->batch_s > 0 ? o->batch_s : 2;
  o->batch_most = o->batch_most ? o->batch_most : 32;
  core->port = *port;
  core->next_lease = core->next_sequence = 1;
  *out_core = core;
  return FARM_OK;
}

static void peer_free(struct peer *peer) {
  arena_free(&peer->arena);
  free(peer);
}

void core_free(struct core **out) {
  struct core *core = *out;
  if (!core) return;
  while (core->execution_count) execution_free(core, core->executions[0]);
  for (struct map_entry *e; (e = map_next(&core->builds, NULL));) build_free(core, e->value);
  for (struct map_entry *e; (e = map_next(&core->tasks, NULL));) task_free(core, e->value);
  while (core->job_count) job_remove(core, core->jobs[0]);
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) peer_free(e->value);
  for (struct map_entry *e = map_next(&core->culprits, NULL); e; e = map_next(&core->culprits, e)) free(e->value);
  for (struct map_entry *e = map_next(&core->pools, NULL); e; e = map_next(&core->pools, e)) {
    free(((struct device_pool *)e->value)->text);
    free(e->value);
  }
  map_free(&core->peers), map_free(&core->builds), map_free(&core->tasks), map_free(&core->pools), map_free(&core->culprits);
  for (size_t i = 0; i < core->action_count; i++) free(core->actions[i].data);
  free(core->actions), free(core->jobs), free(core->executions), free(core->build_text);
  free(core);
  *out = NULL;
}

/* ---- greeting ---- */

static void refuse(struct core *core, uint64_t peer, enum farm_status status, const char *reason) {
  core_send(core, peer, &(struct wire_message){.type = WIRE_REFUSE, .refuse = {WIRE_VERSION, WIRE_VERSION, status, reason}});
}

static const char *why_refused(const struct wire_hello *hello, enum farm_status *out_status) {
  *out_status = FARM_MISMATCH;
  if (hello->protocol_low > WIRE_VERSION || hello->protocol_high < WIRE_VERSION)
    return "this coordinator speaks protocol 1 only: use the same release on both sides";
  if (hello->role != WIRE_ROLE_CLIENT && hello->role != WIRE_ROLE_WORKER) return "unknown role";
  if (hello->role == WIRE_ROLE_WORKER && (!hello->device_class[0] || strchr(hello->device_class, '|')))
    return "a worker names its device class";
  return NULL;
}

static void peer_remove(struct core *core, struct peer *peer, bool blame) {
  if (peer->role == WIRE_ROLE_WORKER) {
    jobs_of_worker_die(core, peer, blame);
    peer->pool->workers--;
  } else {
    builds_detach_peer(core, peer->id);
    executions_of_peer_end(core, peer->id);
  }
  map_remove(&core->peers, map_key_of(peer->id).text);
  peer_free(peer);
}

static struct peer *peer_make(struct core *core, uint64_t id, const struct wire_hello *hello) {
  struct peer *peer = core->peers.count < PEERS_MOST ? calloc(1, sizeof *peer) : NULL;
  if (!peer) return NULL;
  *peer = (struct peer){.id = id, .role = (enum wire_role)hello->role, .heard_ns = core->now, .threads = hello->threads};
  peer->host = core_keep(&peer->arena, hello->host), peer->device = core_keep(&peer->arena, hello->device);
  peer->device_class = core_keep(&peer->arena, hello->device_class), peer->build = core_keep(&peer->arena, hello->build);
  peer->catalogue = core_keep(&peer->arena, hello->catalogue);
  const char *name = arena_printf(&peer->arena, "%s/%s", hello->host, hello->device);
  peer->name = name ? name : "";
  peer->pool = peer->role == WIRE_ROLE_WORKER ? core_pool(core, hello->device_class) : NULL;
  if ((peer->role == WIRE_ROLE_WORKER && !peer->pool) || map_set(&core->peers, map_key_of(id).text, peer) != FARM_OK) {
    peer_free(peer);
    return NULL;
  }
  if (peer->pool) peer->pool->workers++;
  return peer;
}

static void greet(struct core *core, uint64_t id, const struct wire_hello *hello) {
  enum farm_status status;
  const char *reason = why_refused(hello, &status);
  if (reason) return refuse(core, id, status, reason);
  struct peer *before = core_peer(core, id);
  if (before) {
    jobs_of_worker_detach(core, before); // what it does not name again is handed out anew by the next tick
    peer_remove(core, before, false);
  }
  struct peer *peer = peer_make(core, id, hello);
  if (!peer) return refuse(core, id, FARM_NO_MEMORY, "too many peers");
  core_send(core, id,
            &(struct wire_message){.type = WIRE_WELCOME,
                                   .welcome = {.protocol = WIRE_VERSION,
                                               .epoch = core->options.epoch,
                                               .build = core->build_text,
                                               .heartbeat_ms = (uint32_t)(core->options.heartbeat_ns / 1000000),
                                               .dead_ms = (uint32_t)(core->options.dead_ns / 1000000)}});
  for (uint32_t i = 0; i < hello->running_count && peer->role == WIRE_ROLE_WORKER; i++)
    jobs_announced(core, peer, &hello->running[i]);
}

/* ---- messages ---- */

static void acknowledge(struct core *core, struct peer *worker, uint64_t sequence) {
  if (sequence > worker->stored) worker->stored = sequence;
  core_send(core, worker->id, &(struct wire_message){.type = WIRE_STORED, .stored = {worker->stored}});
}

static void from_worker(struct core *core, struct peer *worker, const struct wire_message *message) {
  switch (message->type) {
  case WIRE_READY:
    worker->credits = message->ready.credits;
    break;
  case WIRE_STARTED:
    jobs_started(core, worker, message->started.lease);
    break;
  case WIRE_PARTIAL:
    jobs_take_records(core, worker, message->partial.records, message->partial.records_count);
    jobs_progress(core, worker, message->partial.lease);
    acknowledge(core, worker, message->partial.sequence);
    break;
  case WIRE_FINISHED:
    jobs_take_records(core, worker, message->finished.records, message->finished.records_count);
    jobs_finished(core, worker, &message->finished);
    acknowledge(core, worker, message->finished.sequence);
    break;
  case WIRE_RETURN:
    jobs_returned(core, worker, &message->returned);
    acknowledge(core, worker, message->returned.sequence);
    break;
  case WIRE_DRAIN:
    worker->draining = true;
    break;
  default:
    core->counters.bad_messages++;
  }
}

static void drain_workers(struct core *core) {
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) {
    struct peer *peer = e->value;
    if (peer->role != WIRE_ROLE_WORKER) continue;
    peer->draining = true;
    core_send(core, peer->id, &(struct wire_message){.type = WIRE_DRAIN, .drain = {"the coordinator drains"}});
  }
}

static void from_client(struct core *core, struct peer *client, const struct wire_message *message) {
  switch (message->type) {
  case WIRE_SUBMIT:
    builds_submit(core, client, message);
    break;
  case WIRE_ATTACH:
    builds_attach(core, client, &message->attach);
    break;
  case WIRE_CLOSE:
    builds_close(core, &message->close.build);
    break;
  case WIRE_CANCEL:
    builds_cancel(core, client, &message->cancel.build);
    break;
  case WIRE_LOOKUP:
    builds_lookup(core, client, &message->lookup);
    break;
  case WIRE_EXECUTE:
    executions_take(core, client, message);
    break;
  case WIRE_DRAIN:
    drain_workers(core); // those there are: who comes afterwards is welcome
    break;
  default:
    core->counters.bad_messages++;
  }
}

static bool is_for_the_process(enum wire_type type) {
  return type == WIRE_HEARTBEAT || type == WIRE_STATUS || type == WIRE_CACHE || type == WIRE_BLOB_PUT || type == WIRE_BLOB_GET;
}

void core_receive(struct core *core, uint64_t now_ns, uint64_t id, const struct wire_message *message) {
  core->now = now_ns;
  if (message->type == WIRE_HELLO) {
    greet(core, id, &message->hello);
    jobs_dispatch(core);
    return;
  }
  struct peer *peer = core_peer(core, id);
  if (!peer || peer->unreachable) return refuse(core, id, FARM_AGAIN, "say HELLO"); // it may have missed something
  peer->heard_ns = now_ns;
  if (is_for_the_process(message->type)) return;
  if (message->type == WIRE_BYE)
    peer_remove(core, peer, false);
  else if (peer->role == WIRE_ROLE_WORKER)
    from_worker(core, peer, message);
  else
    from_client(core, peer, message);
  jobs_dispatch(core);
}

void core_peer_gone(struct core *core, uint64_t now_ns, uint64_t id) {
  core->now = now_ns;
  struct peer *peer = core_peer(core, id);
  if (peer) peer_remove(core, peer, true);
  jobs_dispatch(core);
}

void core_peer_unreachable(struct core *core, uint64_t now_ns, uint64_t id) {
  struct peer *peer = core_peer(core, id);
  if (!peer || peer->role != WIRE_ROLE_WORKER) return core_peer_gone(core, now_ns, id);
  core->now = now_ns;
  peer->unreachable = peer->draining = true;
  jobs_of_worker_unbegun(core, peer);
  jobs_dispatch(core);
}

/* ---- time ---- */

/* A coordinator that was stopped, or waited for its disk, has heard nobody: that is no silence of theirs. What they said
 * meanwhile is read after this tick. */
static void excuse_silence(struct core *core) {
  uint64_t deaf_ns = core->ticked_ns ? core->now - core->ticked_ns : 0;
  core->ticked_ns = core->now;
  if (deaf_ns <= core->options.heartbeat_ns) return;
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) {
    struct peer *peer = e->value;
    peer->heard_ns = peer->heard_ns + deaf_ns < core->now ? peer->heard_ns + deaf_ns : core->now;
  }
  jobs_excuse(core, deaf_ns);
  core->grace_until += deaf_ns;
}

static void bury_the_silent(struct core *core) {
  struct map_entry *e = map_next(&core->peers, NULL);
  while (e) {
    struct peer *peer = e->value;
    struct map_entry *after = map_next(&core->peers, e);
    if (core->now - peer->heard_ns > core->options.dead_ns) {
      core_drop_peer(core, peer->id);
      peer_remove(core, peer, true);
    }
    e = after;
  }
}

static void beat(struct core *core) {
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e))
    if (!((struct peer *)e->value)->unreachable)
      core_send(core, ((struct peer *)e->value)->id, &(struct wire_message){.type = WIRE_HEARTBEAT, .heartbeat = {core->now}});
  core->heartbeat_at = core->now + core->options.heartbeat_ns;
}

void core_tick(struct core *core, uint64_t now_ns) {
  core->now = now_ns;
  excuse_silence(core);
  bury_the_silent(core);
  jobs_tick(core);
  builds_tick(core);
  if (now_ns >= core->heartbeat_at) {
    beat(core);
    builds_progress(core);
  }
  jobs_dispatch(core); // also what a lost notification would have left lying
}

void core_start(struct core *core, uint64_t now_ns) {
  core->now = core->started_ns = now_ns;
  core->started = true;
  core->grace_until = now_ns + core->options.grace_ns;
  builds_resolve_all(core);
}

void core_restore_job(struct core *core, uint64_t sequence, const void *data, size_t length) {
  struct arena arena = {0};
  struct wire_message message;
  if (wire_decode(data, length, &arena, &message) == FARM_OK && message.type == WIRE_JOB)
    jobs_restore(core, sequence, &message.job);
  else
    core_put(core, CORE_DROP_JOB, sequence, 0, NULL, 0);
  arena_free(&arena);
}

void core_drain(struct core *core, uint64_t now_ns) {
  core->now = now_ns;
  core->draining = true;
  drain_workers(core);
}

bool core_idle(const struct core *core) {
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e))
    if (((struct peer *)e->value)->role == WIRE_ROLE_CLIENT) return false;
  for (struct map_entry *e = map_next(&core->builds, NULL); e; e = map_next(&core->builds, e))
    if (!((struct build *)e->value)->done) return false;
  return core->execution_count == 0;
}

struct core_load core_load(const struct core *core) {
  return (struct core_load){core->peers.count, core->builds.count, core->tasks.count, core->job_count, core->execution_count};
}
