/* The coordinator's heart: a state machine without sockets, stores or a clock. Messages and ticks go in with the time of an
 * injected monotonic clock; actions come out, in order. Whoever runs it makes the puts durable before it carries out the sends
 * that follow.
 *
 *   build ── items ──► task (problem, class, threads, policy; shared by all builds that want it)
 *   task:  SCREENING ──all variants have a screen record──► FINAL ──final record──► answered
 *   job:   some variants of a task, leased to a worker: lives until finished, returned, or its lease dies
 *
 * It knows no kernel: texts, times, and the fixed rules of problem/record.h are all it works with. Not thread safe.
 */
#ifndef COORDINATOR_CORE_CORE_H
#define COORDINATOR_CORE_CORE_H

#include "../../cluster/wire/messages.h"
#include "../../problem/record.h"

/* What the core reads from outside. What it put is found from the next event on, also before it is durable. */
struct core_port {
  void *context;
  /* The current record under a key, in `arena`; any_age: also a quarantine that is over. FARM_NOT_FOUND. */
  enum farm_status (*find)(void *context, const char *key, bool any_age, struct arena *arena, struct record *out,
                           struct wire_blob *out_bytes);
  uint64_t (*unix_s)(void *context); // for records that the core makes itself
};

struct core_options {    // 0: the default in brackets
  const char *build;     // this coordinator's version, for WELCOME and its own records
  uint64_t epoch;        // of this boot: greater than all before it
  uint64_t heartbeat_ns; // [1 s]
  uint64_t dead_ns;      // [3 s] silence after which a peer is dead
  uint64_t grace_ns;     // [3 s] after a restart, for workers to name their jobs
  uint64_t orphan_ns;    // [60 s] until a build without its client ends
  uint64_t fail_fast_ns; // [10 s] until a fail-fast item without any worker of its class fails
  uint64_t deadline_ns;  // [60 s] floor of a job's deadline
  uint64_t set_aside_ns; // [10 s] first time a worker is set aside; doubles up to 300 s
  double batch_s;        // [2] estimated time of a screen job
  uint32_t batch_most;   // [32] its variants
};

enum core_action_kind {
  CORE_SEND,
  CORE_PUT_RECORD,
  CORE_PUT_BUILD,
  CORE_DROP_BUILD,
  CORE_PUT_JOB,
  CORE_DROP_JOB,
  CORE_DROP_PEER
};
struct core_action {
  enum core_action_kind kind;
  uint64_t peer;     // SEND, DROP_PEER
  uint64_t sequence; // builds and jobs: their key in the queue
  uint32_t part;     // PUT_BUILD: chunk
  uint8_t *data;     // a frame, or a record's bytes; owned by the action
  size_t length;
};

struct core;
enum farm_status core_create(const struct core_options *options, const struct core_port *port, struct core **out_core);
void core_free(struct core **core);

/* After a restart, before core_start: what the queue holds, builds first, in order. Malformed entries are dropped with a log
 * line. */
void core_restore_build(struct core *core, uint64_t sequence, uint32_t part, const void *data, size_t length);
void core_restore_job(struct core *core, uint64_t sequence, const void *data, size_t length);
void core_start(struct core *core, uint64_t now_ns);

/* `peer` names a connection, never 0, never used again. Messages that the process handles itself (STATUS, CACHE, blobs) only
 * count as a sign of life. */
void core_receive(struct core *core, uint64_t now_ns, uint64_t peer, const struct wire_message *message);
void core_peer_gone(struct core *core, uint64_t now_ns, uint64_t peer);
/* Its connection is broken: nothing can be sent. A client is gone. A worker may be back on another one in a moment: what it has
 * begun stays its own until it has been silent for long enough. */
void core_peer_unreachable(struct core *core, uint64_t now_ns, uint64_t peer);
void core_tick(struct core *core, uint64_t now_ns); // every 50 to 500 ms
bool core_peer_greeted(const struct core *core, uint64_t peer);

/* The actions since the last call, oldest first; the array is valid until the next call into the core. */
struct core_action *core_actions(struct core *core, size_t *out_count);

void core_drain(struct core *core, uint64_t now_ns); // tells workers to finish and leave; leases nothing any more
bool core_idle(const struct core *core);             // no unfinished build, no client
/* For STATUS: everything in `arena`. */
enum farm_status core_status(const struct core *core, uint64_t now_ns, struct arena *arena, struct wire_status_reply *out);

#define CORE_COUNTER_LIST(X)                                                                                                     \
  X(builds)                                                                                                                      \
  X(items)                                                                                                                       \
  X(item_hits) X(items_merged) X(items_failed) X(jobs_leased) X(jobs_finished) X(leases_died) X(variants_timed) X(finals)        \
      X(variants_quarantined) X(results_late) X(results_duplicate) X(results_refused) X(workers_set_aside) X(bad_messages)
struct core_counters {
#define X(name) uint64_t name;
  CORE_COUNTER_LIST(X)
#undef X
};
const struct core_counters *core_counters(const struct core *core);
/* How much it holds; tests check that all return to zero. */
struct core_load {
  size_t peers, builds, tasks, jobs, executions;
};
struct core_load core_load(const struct core *core);

#endif
