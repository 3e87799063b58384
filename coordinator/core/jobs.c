/* Jobs: what workers hold. Leasing, the results that come back, and what happens when none does.
 *
 * A lease dies with its worker's silence or its deadline. The variant that was being measured then (the first without a result)
 * is suspected: it goes out alone, to another worker when there is one. Two workers or three deaths: it is out. Many suspects on
 * one worker, while others do well: the worker is set aside and its suspects cleared.
 */
#include "core-impl.h"

#include "../../base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_lease(struct wire_lease a, struct wire_lease b) { return a.epoch == b.epoch && a.counter == b.counter; }

static struct job *job_find(const struct core *core, struct wire_lease lease) {
  for (size_t i = 0; i < core->job_count; i++)
    if (same_lease(core->jobs[i]->lease, lease)) return core->jobs[i];
  return NULL;
}

/* The job that a worker speaks of. One that ended while its connection was broken was not named in HELLO: it is the worker's all
 * the same, since nobody else was told the lease. */
static struct job *job_held(const struct core *core, struct peer *worker, struct wire_lease lease) {
  struct job *job = job_find(core, lease);
  if (!job || job->worker == worker) return job;
  if (job->worker && strcmp(job->worker->name, worker->name) != 0) return NULL;
  const char *class_text = job->execution ? job->execution->request.device_class : job->task ? job->task->pool->text : "";
  if (strcmp(class_text, worker->device_class) != 0) return NULL;
  job->worker = worker;
  return job;
}

void job_remove(struct core *core, struct job *job) {
  for (size_t i = 0; i < core->job_count; i++)
    if (core->jobs[i] == job) {
      core->jobs[i] = core->jobs[--core->job_count];
      break;
    }
  if (job->execution) job->execution->job = NULL;
  free(job->variants);
  free(job);
}

static void job_drop(struct core *core, struct job *job) {
  if (job->kind != WIRE_JOB_EXECUTE) core_put(core, CORE_DROP_JOB, job->lease.counter, 0, NULL, 0);
  job_remove(core, job);
}

struct job *job_make(struct core *core, struct wire_lease lease, enum wire_job_kind kind, uint32_t variant_most) {
  struct job *job = calloc(1, sizeof *job);
  uint32_t *variants = calloc(variant_most + 1, sizeof *variants);
  if (!job || !variants || array_reserve(&core->jobs, &core->job_capacity, core->job_count + 1) != FARM_OK) {
    free(job);
    free(variants);
    return NULL;
  }
  *job = (struct job){.lease = lease, .kind = kind, .variants = variants, .leased_ns = core->now, .progress_ns = core->now};
  core->jobs[core->job_count++] = job;
  return job;
}

/* ---- leases that end ---- */

static void suspect_variant(struct core *core, struct task *task, uint32_t index, const char *worker, enum farm_status status,
                            const char *why) {
  struct task_variant *variant = &task->variants[index];
  if (variant->deaths++ == 0) worker_suspect(core, task->pool, worker); // a second death speaks against the variant
  if (!variant_is_blamed(variant, worker) && variant->blamed_count < BLAMED_MOST)
    variant->blamed[variant->blamed_count++] = core_keep(&task->arena, worker);
  if (variant->blamed_count < WORKERS_BLAMED_MOST && variant->deaths < DEATHS_MOST) return;
  char message[400];
  snprintf(message, sizeof message, "%s, %u times on %u workers, the last %.128s", why, variant->deaths, variant->blamed_count,
           worker);
  core->counters.variants_quarantined++;
  task_fail_variant(core, task, index, status, message);
}

/* Variants without a result are needed again; returns the first of them, -1: none. */
static int hand_back(struct job *job) {
  int first = -1;
  for (uint32_t i = job->variant_count; job->kind == WIRE_JOB_SCREEN && i-- > 0;) {
    struct task_variant *variant = &job->task->variants[job->variants[i]];
    if (variant->state != VARIANT_LEASED) continue;
    variant->state = VARIANT_NEEDED;
    job->task->leased--, job->task->needed++;
    first = (int)job->variants[i];
  }
  return first;
}

static void final_failed(struct core *core, struct task *task, const char *worker, const char *why) {
  task->phase = TASK_FINAL_READY;
  task->final_blamed[task->final_attempts++] = core_keep(&task->arena, worker);
  worker_suspect(core, task->pool, worker);
  if (task->final_attempts < FINAL_ATTEMPTS_MOST) return;
  char message[400];
  snprintf(message, sizeof message, "the final did not end in %d attempts: %s, the last on %.128s", FINAL_ATTEMPTS_MOST, why,
           worker);
  task_fail(core, task, FARM_WORKER_LOST, message);
}

/* The job goes; what it still owed is handed out again. `why` NULL: nobody is to blame. */
static void job_release(struct core *core, struct job *job, enum farm_status status, const char *why) {
  struct task *task = job->task;
  char name[520] = "";
  if (job->worker) snprintf(name, sizeof name, "%s", job->worker->name);
  bool is_final = job->kind == WIRE_JOB_FINAL, started = job->started;
  if (job->kind == WIRE_JOB_EXECUTE) {
    struct execution *execution = job->execution;
    job_drop(core, job);
    if (execution && started && why)
      executions_retry(core, execution, status == FARM_TACTIC_HUNG ? FARM_TIMED_OUT : FARM_WORKER_LOST, why);
    else if (execution)
      executions_returned(core, execution, why ? why : "it was not begun");
    return;
  }
  int first = hand_back(job);
  job_drop(core, job);
  if (is_final) {
    if (why && started)
      final_failed(core, task, name, why);
    else
      task->phase = TASK_FINAL_READY;
    return;
  }
  if (first >= 0 && why && started) suspect_variant(core, task, (uint32_t)first, name, status, why);
  task_advance(core, task);
}

void jobs_of_worker_die(struct core *core, struct peer *worker, bool blame) {
  for (size_t i = 0; i < core->job_count;) {
    struct job *job = core->jobs[i];
    if (job->worker != worker) {
      i++;
      continue;
    }
    core->counters.leases_died++;
    job_release(core, job, FARM_TACTIC_CRASHED, blame ? "its worker was lost" : NULL);
    i = 0; // a release may end other jobs
  }
}

void jobs_of_worker_unbegun(struct core *core, struct peer *worker) {
  for (size_t i = 0; i < core->job_count;) {
    struct job *job = core->jobs[i];
    if (job->worker != worker || job->started) {
      i++;
      continue;
    }
    core->counters.leases_died++;
    job_release(core, job, FARM_OK, NULL);
    i = 0;
  }
}

static uint64_t later(uint64_t time, uint64_t by, uint64_t at_most) { return time + by < at_most ? time + by : at_most; }

void jobs_excuse(struct core *core, uint64_t deaf_ns) {
  for (size_t i = 0; i < core->job_count; i++) core->jobs[i]->progress_ns = later(core->jobs[i]->progress_ns, deaf_ns, core->now);
}

void jobs_of_worker_detach(struct core *core, struct peer *worker) {
  for (size_t i = 0; i < core->job_count; i++)
    if (core->jobs[i]->worker == worker) core->jobs[i]->worker = NULL;
}

static void stop(struct core *core, const struct peer *worker, struct wire_lease lease, const char *reason) {
  core_send(core, worker->id, &(struct wire_message){.type = WIRE_STOP, .stop = {lease, reason}});
}

void jobs_of_task_stop(struct core *core, struct task *task, int kind, const struct peer *except) {
  for (size_t i = 0; i < core->job_count;) {
    struct job *job = core->jobs[i];
    if (job->task != task || (kind && (int)job->kind != kind)) {
      i++;
      continue;
    }
    bool owes = hand_back(job) >= 0 || job->kind != WIRE_JOB_SCREEN; // one that has delivered all is about to end by itself
    if (owes && job->worker && job->worker != except) stop(core, job->worker, job->lease, "nobody waits for it");
    job_drop(core, job);
  }
}

/* The next job whose time is over: its worker did not come back, or it is overdue. */
static struct job *job_overdue(const struct core *core) {
  for (size_t i = 0; i < core->job_count; i++) {
    struct job *job = core->jobs[i];
    if (!job->worker && core->now >= core->grace_until) return job;
    uint64_t allowed = job->started ? job->deadline_ns : job->deadline_ns * 10;
    if (job->worker && core->now - job->progress_ns > allowed) return job;
  }
  return NULL;
}

void jobs_tick(struct core *core) {
  for (struct job *job; (job = job_overdue(core));) {
    core->counters.leases_died++;
    if (job->worker) stop(core, job->worker, job->lease, "overdue");
    job_release(core, job, FARM_TACTIC_HUNG, job->worker && job->started ? "no result within its deadline" : NULL);
  }
}

/* ---- results ---- */

static void take_screen(struct core *core, const struct record *record, const struct wire_blob *bytes) {
  struct arena arena = {0};
  const struct record_entry *entry = &record->entries[0];
  const char *key = record_final_key(record->problem, record->device_class, record->threads, record->policy, &arena);
  struct task *task = key ? map_get(&core->tasks, key) : NULL;
  arena_free(&arena);
  int index = task ? task_find_variant(task, entry->variant) : -1;
  bool same = index >= 0 && strcmp(task->variants[index].source, entry->source_digest) == 0;
  if (same && task->variants[index].state == VARIANT_LANDED) {
    core->counters.results_duplicate++;
    return;
  }
  core_put(core, CORE_PUT_RECORD, 0, 0, bytes->data, bytes->length); // a measurement is data, waited for or not
  if (!same) {
    core->counters.results_late++;
    return;
  }
  task_land(core, task, (uint32_t)index, record);
  task_advance(core, task);
}

static void take_final(struct core *core, const struct peer *worker, const struct record *record) {
  struct arena arena = {0};
  const char *key = record_key(record, &arena);
  struct task *task = key ? map_get(&core->tasks, key) : NULL;
  arena_free(&arena);
  if (!task || !task_take_final(core, task, record, worker)) core->counters.results_late++;
}

void jobs_take_records(struct core *core, struct peer *worker, const struct wire_record *records, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct arena arena = {0};
    struct record record;
    if (record_decode(records[i].bytes.data, records[i].bytes.length, &arena, &record) != FARM_OK ||
        strcmp(record.device_class, worker->device_class) != 0) {
      core->counters.results_refused++;
      log_warning("worker %s sent a record that cannot be its: %s", worker->name, status_message());
    } else if (record.kind == RECORD_FINAL)
      take_final(core, worker, &record);
    else
      take_screen(core, &record, &records[i].bytes);
    arena_free(&arena);
  }
}

void jobs_started(struct core *core, struct peer *worker, struct wire_lease lease) {
  struct job *job = job_held(core, worker, lease);
  if (!job) return;
  job->started = true;
  job->progress_ns = core->now;
}

void jobs_progress(struct core *core, struct peer *worker, struct wire_lease lease) { jobs_started(core, worker, lease); }

static void learn(struct core *core, const struct job *job) {
  if (job->kind != WIRE_JOB_SCREEN || !job->variant_count || !job->started) return;
  double base = task_variant_seconds(job->task) / job->task->pool->ratio * job->variant_count;
  double seen = (double)(core->now - job->leased_ns) * 1e-9 / base;
  double ratio = 0.8 * job->task->pool->ratio + 0.2 * seen;
  job->task->pool->ratio = ratio < 0.01 ? 0.01 : ratio > 100 ? 100 : ratio;
}

/* Memory, disk, locks, a connection: no variant is to blame for these, and none must be remembered as one that crashes. What a
 * child could not explain comes as FAILURE. */
static bool is_jobs_own(enum farm_status status) {
  enum status_loses loses = status_loses(status);
  bool of_variant = loses == LOSES_TACTIC || loses == LOSES_WORKER || loses == LOSES_DEVICE || status == FARM_FAILURE;
  return status != FARM_OK && status != FARM_CANCELLED && !of_variant;
}

/* A screen that failed as a whole goes to another worker; two workers or three failures end its task, with what they say. */
static void screen_failed(struct core *core, struct job *job, const struct peer *worker, const struct wire_finished *finished) {
  struct task *task = job->task;
  bool owes = false;
  for (uint32_t i = 0; i < job->variant_count; i++) owes |= task->variants[job->variants[i]].state == VARIANT_LEASED;
  job_release(core, job, FARM_OK, NULL);
  if (!owes) return; // its task may be over
  if (!task_failed_on(task, worker->name) && task->failed_on_count < WORKERS_BLAMED_MOST)
    task->failed_on[task->failed_on_count++] = core_keep(&task->arena, worker->name);
  task->failures++;
  worker_suspect(core, task->pool, worker->name); // may forgive it what it failed
  if (task->failed_on_count < WORKERS_BLAMED_MOST && task->failures < DEATHS_MOST) return;
  char message[500];
  snprintf(message, sizeof message, "it could not be measured, %u times on %u workers, the last %.128s: %.300s", task->failures,
           task->failed_on_count, worker->name, finished->message);
  task_fail(core, task, finished->status, message);
}

void jobs_finished(struct core *core, struct peer *worker, const struct wire_finished *finished) {
  struct job *job = job_held(core, worker, finished->lease);
  worker->finished++;
  core->counters.jobs_finished++;
  struct culprit *culprit = map_get(&core->culprits, worker->name);
  if (culprit && finished->status == FARM_OK) culprit->suspects = 0;
  if (!job) return; // its task was answered, or the lease had died
  if (job->kind == WIRE_JOB_EXECUTE) {
    struct execution *execution = job->execution;
    job_drop(core, job);
    executions_finish(core, execution, finished->status, finished->message, finished);
    return;
  }
  if (job->kind == WIRE_JOB_SCREEN && is_jobs_own(finished->status)) return screen_failed(core, job, worker, finished);
  if (finished->status == FARM_OK) learn(core, job);
  job->started = true;
  char why[160];
  snprintf(why, sizeof why, "%.80s %.60s",
           finished->status == FARM_OK ? "it ended without a result" : status_name(finished->status), finished->message);
  job_release(core, job, FARM_TACTIC_CRASHED, finished->status == FARM_CANCELLED ? NULL : why);
}

/* Every worker of the class said that it does not have the variant. */
static bool nobody_has(struct core *core, const struct task *task, const struct task_variant *variant) {
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) {
    const struct peer *other = e->value;
    if (other->role == WIRE_ROLE_WORKER && other->pool == task->pool && !worker_lacks(other, variant)) return false;
  }
  return true;
}

void jobs_returned(struct core *core, struct peer *worker, const struct wire_returned *returned) {
  struct job *job = job_held(core, worker, returned->lease);
  if (!job) return;
  struct task *task = job->task;
  const char *missing = NULL;
  for (uint32_t i = 0; task && i < returned->unknown_count; i++) {
    int index = task_find_variant(task, returned->unknown[i].text);
    struct task_variant *variant = index < 0 ? NULL : &task->variants[index];
    if (!variant) continue;
    worker_refuses(worker, variant);
    if (variant->refused_count == REFUSALS_MOST || nobody_has(core, task, variant)) missing = variant->text;
  }
  if (returned->unknown_count == 0) { // it has them, but cannot now: not at once again
    struct culprit *culprit = core_culprit(core, worker->name);
    if (culprit && culprit->aside_until_ns < core->now + core->options.heartbeat_ns)
      culprit->aside_until_ns = core->now + core->options.heartbeat_ns;
  }
  char message[400];
  if (job->kind == WIRE_JOB_EXECUTE) {
    struct execution *execution = job->execution;
    job_drop(core, job);
    if (execution) executions_returned(core, execution, returned->reason);
    return;
  }
  if (missing)
    snprintf(message, sizeof message, "no worker of this class has %.170s from this build's source (%.80s; workers run %.60s)",
             missing, returned->reason, worker->build);
  job_release(core, job, FARM_OK, NULL);
  if (missing) task_fail(core, task, FARM_MISMATCH, message);
}

/* ---- after a restart or a reconnect ---- */

void jobs_announced(struct core *core, struct peer *worker, const struct wire_job *running) {
  struct job *job = job_find(core, running->lease);
  if (job) {
    job->worker = worker;
    job->started = true;
    job->progress_ns = core->now;
    return;
  }
  struct arena arena = {0};
  const char *key = record_final_key(running->problem, running->device_class, running->threads, running->policy, &arena);
  bool awaited = key && map_get(&core->tasks, key); // its lease died, but a late result still counts
  arena_free(&arena);
  if (!awaited) stop(core, worker, running->lease, "nobody waits for it");
}

void jobs_restore(struct core *core, uint64_t sequence, const struct wire_job *stored) {
  builds_resolve_all(core);
  if (core->next_lease <= sequence) core->next_lease = sequence + 1;
  struct arena arena = {0};
  const char *key = record_final_key(stored->problem, stored->device_class, stored->threads, stored->policy, &arena);
  struct task *task = key ? map_get(&core->tasks, key) : NULL;
  arena_free(&arena);
  struct job *job = task && stored->lease.counter == sequence
                        ? job_make(core, stored->lease, (enum wire_job_kind)stored->kind, stored->variants_count)
                        : NULL;
  if (!job) return core_put(core, CORE_DROP_JOB, sequence, 0, NULL, 0);
  job->task = task;
  job->deadline_ns = stored->deadline_ms * 1000000ull;
  for (uint32_t i = 0; i < stored->variants_count; i++) {
    int index = task_find_variant(task, stored->variants[i].text);
    if (index < 0 || (job->kind == WIRE_JOB_SCREEN && task->variants[index].state != VARIANT_NEEDED)) continue;
    job->variants[job->variant_count++] = (uint32_t)index;
    if (job->kind != WIRE_JOB_SCREEN) continue;
    task->variants[index].state = VARIANT_LEASED;
    task->needed--, task->leased++;
  }
  bool wanted = job->kind == WIRE_JOB_SCREEN ? job->variant_count > 0
                                             : job->variant_count == stored->variants_count && task->phase == TASK_FINAL_READY;
  if (!wanted) return job_drop(core, job);
  if (job->kind == WIRE_JOB_FINAL) task->phase = TASK_FINAL_LEASED;
}
