/* What the core's files share: its objects, and who owns what.
 *
 *   core ─┬─ peers     by connection
 *         ├─ builds    by id; own their items (texts in the build's arena)
 *         ├─ tasks     by final key; own variants; wait lists point to items
 *         ├─ jobs      by lease counter; point to a task or an execution, and to a worker (or none yet, after a restart)
 *         └─ classes   by text; never freed: there are as many as device types
 */
#ifndef COORDINATOR_CORE_CORE_IMPL_H
#define COORDINATOR_CORE_CORE_IMPL_H

#include "core.h"

#include "../../base/array.h"
#include "../../base/map.h"

enum {
  BLAMED_MOST = 3,
  DEATHS_MOST = 3,
  WORKERS_BLAMED_MOST = 2,
  FINAL_ATTEMPTS_MOST = 5,
  SUSPECTS_MOST = 3,
  REFUSALS_MOST = 4,
  BUILDS_MOST = 4096,
  EXECUTIONS_MOST = 4096
};

struct device_pool { // a device class
  char *text;
  uint32_t index;
  uint32_t workers; // alive
  double ratio;     // observed over estimated seconds of a variant, smoothed
};

struct peer {
  uint64_t id, heard_ns;
  enum wire_role role;
  struct arena arena; // texts of HELLO
  const char *host, *device_class, *device, *build, *catalogue, *name;
  uint32_t threads;
  struct device_pool *pool;
  uint32_t credits, finished;
  bool draining;
  bool unreachable; // nothing can be sent to it; what it had begun waits for its next connection, or for its silence to be long
                    // enough
  uint64_t stored;  // last result sequence
};

/* What is remembered of a worker beyond its connection, by name (host and device). */
struct culprit {
  uint32_t suspects; // different variants that died on it in a row
  uint64_t aside_until_ns, aside_for_ns;
};

struct build_item {
  struct wire_item item;
  bool answered, hit;
  enum farm_status status;
  const char *message;
  struct task *task;
};

struct build {
  struct digest id;
  char hex[DIGEST_HEX_BYTES];
  uint64_t sequence;
  const char *label, *policy;
  uint32_t flags, total, received, parts, answered, hits, failed;
  struct build_item *items;
  struct arena arena;
  uint64_t peer; // attached client; 0: none
  uint64_t orphan_ns, submitted_ns;
  double *served; // per class index: estimated seconds given to it
  size_t served_capacity;
  bool complete, done;
  enum farm_status outcome;
  uint32_t variants_timed;
  double device_s, eta_s;
};

enum variant_state { VARIANT_NEEDED, VARIANT_LEASED, VARIANT_LANDED };
struct task_variant {
  const char *text, *source;
  enum variant_state state;
  struct record_entry entry; // LANDED
  uint32_t deaths, blamed_count, refused_count;
  const char *blamed[BLAMED_MOST]; // names of workers it died on
  uint64_t refused[REFUSALS_MOST]; // hashes of catalogues that lack it
};

struct waiter {
  struct build *build;
  uint32_t item;
};

enum task_phase { TASK_SCREENING, TASK_FINAL_READY, TASK_FINAL_LEASED };
struct task {
  char *key;
  struct arena arena;
  const char *problem, *policy;
  uint32_t threads;
  struct device_pool *pool;
  double estimated_ns;
  enum task_phase phase;
  struct task_variant *variants;
  size_t variant_count, variant_capacity;
  struct map by_text; // variant text → index + 1
  const char *default_text;
  struct waiter *waiters;
  size_t waiter_count, waiter_capacity;
  uint32_t needed, leased; // variants in these states
  uint32_t final_attempts;
  const char *final_blamed[FINAL_ATTEMPTS_MOST];
  uint32_t failures, failed_on_count; // screens that failed as a whole since one landed, and on which workers
  const char *failed_on[WORKERS_BLAMED_MOST];
  /* Of the last screen that landed: what a record made without a final says. */
  const char *device, *build, *clocks;
  uint64_t unix_s;
};

struct job {
  struct wire_lease lease;
  enum wire_job_kind kind;
  struct task *task;           // screen, final
  struct execution *execution; // execute
  struct peer *worker;         // NULL: restored, its worker has not come back yet
  uint32_t *variants;          // indices into the task's
  uint32_t variant_count, landed;
  double estimated_s;
  bool started;
  uint64_t leased_ns, progress_ns, deadline_ns; // deadline: a length
};

struct execution {
  uint64_t peer;
  struct wire_execute request; // in arena
  struct arena arena;
  struct job *job;
  uint32_t attempts, returns; // leases that died; those given back, nobody's fault
};

struct core {
  struct core_options options;
  struct core_port port;
  char *build_text;
  uint64_t now, next_lease, next_sequence, heartbeat_at, progress_at, started_ns, grace_until;
  uint64_t ticked_ns; // the last tick
  bool started, draining;
  struct map peers, builds, tasks, pools, culprits; // culprits: name → struct culprit
  struct job **jobs;
  size_t job_count, job_capacity;
  struct execution **executions;
  size_t execution_count, execution_capacity;
  struct core_action *actions;
  size_t action_count, action_capacity;
  bool handed_out; // the actions were seen
  struct core_counters counters;
};

/* actions.c */
void core_send(struct core *core, uint64_t peer, const struct wire_message *message);
void core_put(struct core *core, enum core_action_kind kind, uint64_t sequence, uint32_t part, const void *data, size_t length);
void core_put_message(struct core *core, enum core_action_kind kind, uint64_t sequence, uint32_t part,
                      const struct wire_message *message);
void core_drop_peer(struct core *core, uint64_t peer);
void core_fault(struct core *core, uint64_t peer, uint32_t request, enum farm_status status, const char *message);

/* core.c */
struct peer *core_peer(const struct core *core, uint64_t id);
struct device_pool *core_pool(struct core *core, const char *text); // made when unknown; NULL: out of memory
const char *core_keep(struct arena *arena, const char *text);       // a copy; "" when memory is out

/* builds.c */
void builds_submit(struct core *core, struct peer *peer, const struct wire_message *message);
void builds_attach(struct core *core, struct peer *peer, const struct wire_attach *attach);
void builds_close(struct core *core, const struct digest *id);
void builds_cancel(struct core *core, struct peer *peer, const struct digest *id);
void builds_lookup(struct core *core, struct peer *peer, const struct wire_lookup *lookup);
void builds_detach_peer(struct core *core, uint64_t peer);
void builds_tick(struct core *core);
void builds_resolve_all(struct core *core);
void build_answer(struct core *core, struct build *build, uint32_t item, enum farm_status status, const char *message, bool hit,
                  struct wire_blob record);
void build_free(struct core *core, struct build *build);
void builds_progress(struct core *core);

/* tasks.c */
bool task_covers(struct core *core, const struct record *final, const struct wire_item *item, bool any_age);
/* Why a final without a winner is none: which problem, and what became of its default. */
struct task_why {
  char text[500];
};
struct task_why task_nothing_works(const struct record *final);
struct task *task_join(struct core *core, struct build *build, uint32_t item);
void task_leave(struct core *core, struct task *task, struct build *build);
void task_land(struct core *core, struct task *task, uint32_t variant, const struct record *screen);
void task_fail_variant(struct core *core, struct task *task, uint32_t variant, enum farm_status status, const char *message);
bool task_take_final(struct core *core, struct task *task, const struct record *final, const struct peer *from);
void task_advance(struct core *core, struct task *task);
void task_fail(struct core *core, struct task *task, enum farm_status status, const char *message);
void task_free(struct core *core, struct task *task);
int task_find_variant(const struct task *task, const char *text); // -1
double task_variant_seconds(const struct task *task);

/* schedule.c */
void jobs_dispatch(struct core *core);

/* jobs.c */
void jobs_take_records(struct core *core, struct peer *worker, const struct wire_record *records, uint32_t count);
void jobs_started(struct core *core, struct peer *worker, struct wire_lease lease);
void jobs_progress(struct core *core, struct peer *worker, struct wire_lease lease);
void jobs_finished(struct core *core, struct peer *worker, const struct wire_finished *finished);
void jobs_returned(struct core *core, struct peer *worker, const struct wire_returned *returned);
void jobs_announced(struct core *core, struct peer *worker, const struct wire_job *running);
void jobs_restore(struct core *core, uint64_t sequence, const struct wire_job *stored);
void jobs_of_worker_die(struct core *core, struct peer *worker, bool blame);
void jobs_of_worker_unbegun(struct core *core, struct peer *worker); // go out again at once, nobody's fault
void jobs_excuse(struct core *core, uint64_t deaf_ns);               // time in which nothing was listened to is nobody's silence
void jobs_of_worker_detach(struct core *core, struct peer *worker);  // its jobs wait to be named by another connection
/* Jobs of a kind (0: all) end; their workers are told to stop, except the one whose result made them needless. */
void jobs_of_task_stop(struct core *core, struct task *task, int kind, const struct peer *except);
void jobs_tick(struct core *core);
void job_remove(struct core *core, struct job *job);
struct job *job_make(struct core *core, struct wire_lease lease, enum wire_job_kind kind,
                     uint32_t variant_most); // NULL: out of memory

/* workers.c */
struct culprit *core_culprit(struct core *core, const char *name);
bool worker_is_aside(struct core *core, const struct peer *worker);
bool worker_has_colleague(struct core *core, const struct device_pool *pool, const char *name); // another that could do its work
bool variant_is_blamed(const struct task_variant *variant, const char *name);
bool task_failed_on(const struct task *task, const char *name);
void worker_suspect(struct core *core, const struct device_pool *pool, const char *name);
bool worker_lacks(const struct peer *worker, const struct task_variant *variant);
void worker_refuses(const struct peer *worker, struct task_variant *variant);

/* executions.c */
void executions_take(struct core *core, struct peer *peer, const struct wire_message *message);
void executions_finish(struct core *core, struct execution *execution, enum farm_status status, const char *message,
                       const struct wire_finished *finished);
/* Its lease died of `why`: it goes out again, three times in all. */
void executions_retry(struct core *core, struct execution *execution, enum farm_status status, const char *why);
/* It was given back blamelessly (`why`: what the worker says) or never begun: it goes out again, unless everybody gives it back.
 */
void executions_returned(struct core *core, struct execution *execution, const char *why);
void executions_of_peer_end(struct core *core, uint64_t peer);
struct execution *executions_next(struct core *core, const struct peer *worker);
void execution_free(struct core *core, struct execution *execution);

#endif
