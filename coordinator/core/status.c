/* What the core tells people: progress of builds with an estimate of the rest, and the whole state for STATUS. */
#include "core-impl.h"

#include <stdio.h>
#include <string.h>

enum { CLASSES_MOST = 256, WORKERS_SHOWN = 256 };

static const char *worker_state(const struct core *core, const struct peer *worker, const struct job **out_job) {
  *out_job = NULL;
  for (size_t i = 0; i < core->job_count; i++)
    if (core->jobs[i]->worker == worker && (!*out_job || core->jobs[i]->started)) *out_job = core->jobs[i];
  if (*out_job) {
    static const char *const kinds[] = {"", "screening", "final", "executing"};
    return (*out_job)->started ? kinds[(*out_job)->kind] : "leased";
  }
  const struct culprit *culprit = map_get(&core->culprits, worker->name);
  if (culprit && culprit->aside_until_ns > core->now) return "set aside";
  return worker->draining ? "draining" : "idle";
}

/* Workers of a pool, or of all (NULL). */
static uint32_t describe_workers(const struct core *core, const struct device_pool *pool, struct wire_worker_info *out,
                                 uint32_t most) {
  uint32_t count = 0;
  for (struct map_entry *e = map_next(&core->peers, NULL); e && count < most; e = map_next(&core->peers, e)) {
    const struct peer *worker = e->value;
    const struct job *job;
    if (worker->role != WIRE_ROLE_WORKER || (pool && worker->pool != pool)) continue;
    const char *state = worker_state(core, worker, &job);
    out[count++] = (struct wire_worker_info){
        worker->host,    worker->device_class, worker->device, worker->build, state, job && job->task ? job->task->problem : "",
        worker->finished};
  }
  return count;
}

/* threads: the least that one of the jobs wants. */
static const char *waiting_for(const struct core *core, const struct device_pool *pool, uint32_t running, uint32_t threads) {
  uint32_t usable = 0, large = 0;
  if (pool->workers == 0) return "no worker of this device class is registered";
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) {
    const struct peer *worker = e->value;
    const struct culprit *culprit = map_get(&core->culprits, worker->name ? worker->name : "");
    bool counts = worker->pool == pool && !worker->draining && !(culprit && culprit->aside_until_ns > core->now);
    usable += counts;
    large += counts && (worker->threads == 0 || worker->threads >= threads);
  }
  if (!usable) return "all workers of this device class are draining or set aside";
  if (!large) return "no worker of this device class has as many cores as this build wants (--threads)";
  return running ? "" : "all workers of this device class are busy";
}

struct tally {
  struct wire_class_progress classes[CLASSES_MOST];
  double left_s[CLASSES_MOST]; // device time still to spend
  const struct device_pool *pools[CLASSES_MOST];
  uint32_t threads[CLASSES_MOST]; // the least of what is not done; 0: all is
  uint32_t count;
};

static struct wire_class_progress *row_of(struct tally *tally, const struct device_pool *pool, uint32_t *out_index) {
  for (uint32_t i = 0; i < tally->count; i++)
    if (tally->pools[i] == pool) return &tally->classes[*out_index = i];
  if (tally->count == CLASSES_MOST) return NULL;
  *out_index = tally->count;
  tally->pools[tally->count] = pool;
  tally->classes[tally->count] = (struct wire_class_progress){.device_class = pool->text, .workers = pool->workers};
  return &tally->classes[tally->count++];
}

static void count_item(struct core *core, struct tally *tally, const struct build_item *item) {
  struct device_pool *pool = core_pool(core, item->item.device_class);
  uint32_t index, steps = item->item.variants_count + 1;
  struct wire_class_progress *row = pool ? row_of(tally, pool, &index) : NULL;
  if (!row) return;
  row->total += steps;
  if (!item->task) {
    row->done += steps;
    return;
  }
  const struct task *task = item->task;
  if (!tally->threads[index] || task->threads < tally->threads[index]) tally->threads[index] = task->threads;
  uint32_t open = task->needed + task->leased;
  if (open >= steps) open = steps - 1; // other builds may have added variants
  row->done += steps - 1 - open;
  row->running += task->leased + (task->phase == TASK_FINAL_LEASED);
  tally->left_s[index] += task_variant_seconds(task) * (open + 4.0); // a final takes about as long as four screens
}

static void tally_build(struct core *core, struct build *build, struct tally *tally) {
  for (uint32_t i = 0; i < build->total; i++) count_item(core, tally, &build->items[i]);
  build->eta_s = 0;
  for (uint32_t i = 0; i < tally->count; i++) {
    struct wire_class_progress *row = &tally->classes[i];
    double eta = tally->left_s[i] / (row->workers ? row->workers : 1);
    if (eta > build->eta_s) build->eta_s = eta;
    if (row->done < row->total) row->waiting_for = waiting_for(core, tally->pools[i], row->running, tally->threads[i]);
  }
}

void builds_progress(struct core *core) {
  for (struct map_entry *e = map_next(&core->builds, NULL); e; e = map_next(&core->builds, e)) {
    struct build *build = e->value;
    static _Thread_local struct tally tally;
    if (!build->peer || !build->complete || build->done) continue;
    memset(&tally, 0, sizeof tally);
    tally_build(core, build, &tally);
    struct wire_worker_info workers[WORKERS_SHOWN];
    uint32_t count = 0;
    for (uint32_t i = 0; i < tally.count; i++)
      count += describe_workers(core, tally.pools[i], workers + count, WORKERS_SHOWN - count);
    core_send(core, build->peer,
              &(struct wire_message){.type = WIRE_PROGRESS,
                                     .progress = {.build = build->id,
                                                  .eta_s = build->eta_s,
                                                  .classes = tally.classes,
                                                  .classes_count = tally.count,
                                                  .workers = workers,
                                                  .workers_count = count}});
  }
}

static uint32_t describe_builds(const struct core *core, struct wire_build_info *out, uint32_t most) {
  uint32_t count = 0;
  for (struct map_entry *e = map_next(&core->builds, NULL); e && count < most; e = map_next(&core->builds, e)) {
    const struct build *build = e->value;
    out[count++] =
        (struct wire_build_info){build->id, build->label, build->total, build->answered, build->peer != 0, build->eta_s};
  }
  return count;
}

enum farm_status core_status(const struct core *core, uint64_t now_ns, struct arena *arena, struct wire_status_reply *out) {
  enum { MOST = 512 };
  static const char *const names[] = {
#define X(name) #name,
      CORE_COUNTER_LIST(X)
#undef X
  };
  const uint64_t values[] = {
#define X(name) core->counters.name,
      CORE_COUNTER_LIST(X)
#undef X
  };
  enum { COUNTERS = sizeof names / sizeof *names };
  struct wire_worker_info *workers = arena_alloc_array(arena, MOST, sizeof *workers);
  struct wire_build_info *builds = arena_alloc_array(arena, MOST, sizeof *builds);
  struct wire_counter *counters = arena_alloc_array(arena, COUNTERS, sizeof *counters);
  FAIL_IF(!workers || !builds || !counters, FARM_NO_MEMORY, "out of memory for a status");
  for (int i = 0; i < COUNTERS; i++) counters[i] = (struct wire_counter){names[i], values[i]};
  *out = (struct wire_status_reply){.epoch = core->options.epoch,
                                    .uptime_s = (double)(now_ns - core->started_ns) * 1e-9,
                                    .cache = "",
                                    .workers = workers,
                                    .workers_count = describe_workers(core, NULL, workers, MOST),
                                    .builds = builds,
                                    .builds_count = describe_builds(core, builds, MOST),
                                    .counters = counters,
                                    .counters_count = COUNTERS};
  return FARM_OK;
}
