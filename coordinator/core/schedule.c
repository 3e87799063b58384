/* Leasing: which task a worker with a credit serves next, and which variants go into the job. Fair between builds in estimated
 * device time, finals before screens, the longest remaining work first; batches of a few seconds. */
#include "core-impl.h"

#include <stdlib.h>
#include <string.h>

struct choice {
  struct task *task;
  double served, remaining;
  bool final;
  uint32_t candidates;
};

static double served_of(const struct build *build, const struct device_pool *pool) {
  return pool->index < build->served_capacity ? build->served[pool->index] : 0;
}

/* The waiting build that was served least: fairness in estimated device time. */
static double least_served(const struct task *task) {
  double least = 0;
  for (size_t i = 0; i < task->waiter_count; i++) {
    double served = served_of(task->waiters[i].build, task->pool);
    if (i == 0 || served < least) least = served;
  }
  return least;
}

static bool may_measure(struct core *core, const struct task *task, const struct task_variant *variant,
                        const struct peer *worker) {
  if (variant->state != VARIANT_NEEDED || worker_lacks(worker, variant)) return false;
  bool elsewhere = variant_is_blamed(variant, worker->name) || task_failed_on(task, worker->name);
  return !elsewhere || !worker_has_colleague(core, task->pool, worker->name);
}

static bool may_final(struct core *core, const struct task *task, const struct peer *worker) {
  for (size_t i = 0; i < task->variant_count; i++)
    if (worker_lacks(worker, &task->variants[i])) return false;
  for (uint32_t i = 0; i < task->final_attempts; i++)
    if (strcmp(task->final_blamed[i], worker->name) == 0 && worker_has_colleague(core, task->pool, worker->name)) return false;
  return true;
}

static bool may_screen(struct core *core, const struct task *task, const struct peer *worker) {
  for (size_t i = 0; task->needed && i < task->variant_count; i++)
    if (may_measure(core, task, &task->variants[i], worker)) return true;
  return false;
}

static bool better(const struct choice *a, const struct choice *b) {
  if (!b->task) return true;
  if (a->served != b->served) return a->served < b->served;
  if (a->final != b->final) return a->final;
  return a->remaining > b->remaining;
}

static struct choice choose(struct core *core, const struct peer *worker) {
  struct choice best = {0};
  uint32_t candidates = 0;
  for (struct map_entry *e = map_next(&core->tasks, NULL); e; e = map_next(&core->tasks, e)) {
    struct task *task = e->value;
    if (task->pool != worker->pool || (worker->threads && task->threads > worker->threads)) continue;
    struct choice choice = {.task = task, .final = task->phase == TASK_FINAL_READY && may_final(core, task, worker)};
    if (!choice.final && !may_screen(core, task, worker)) continue;
    candidates++;
    choice.served = least_served(task);
    choice.remaining = task_variant_seconds(task) * (task->needed + 1);
    if (better(&choice, &best)) best = choice;
  }
  best.candidates = candidates;
  return best;
}

/* Which variants go into a screen job: as many as fit the batch; a suspect goes alone. */
static void fill_screen(struct core *core, struct job *job, const struct peer *worker, const struct choice *choice) {
  struct task *task = job->task;
  double fit = core->options.batch_s / task_variant_seconds(task);
  uint32_t most = fit < 1 ? 1 : fit > core->options.batch_most ? core->options.batch_most : (uint32_t)fit;
  uint32_t workers = task->pool->workers ? task->pool->workers : 1;
  uint32_t share = (task->needed + workers - 1) / workers;
  if (choice->candidates < workers && share < most) most = share ? share : 1;
  int suspect = -1;
  for (size_t i = 0; i < task->variant_count && job->variant_count < most; i++) {
    struct task_variant *variant = &task->variants[i];
    if (!may_measure(core, task, variant, worker)) continue;
    if (variant->deaths == 0)
      job->variants[job->variant_count++] = (uint32_t)i;
    else if (suspect < 0)
      suspect = (int)i;
  }
  if (job->variant_count == 0 && suspect >= 0) job->variants[job->variant_count++] = (uint32_t)suspect;
  for (uint32_t i = 0; i < job->variant_count; i++) task->variants[job->variants[i]].state = VARIANT_LEASED;
  task->needed -= job->variant_count;
  task->leased += job->variant_count;
}

static void fill_final(struct job *job) {
  struct task *task = job->task;
  struct record_entry *entries = calloc(task->variant_count, sizeof *entries);
  for (size_t i = 0; entries && i < task->variant_count; i++) {
    if (task->variants[i].state == VARIANT_LANDED)
      entries[i] = task->variants[i].entry;
    else
      entries[i] = (struct record_entry){.variant = task->variants[i].text, .status = FARM_FAILURE};
    for (size_t w = 0; w < task->waiter_count; w++) {
      const struct wire_item *item = &task->waiters[w].build->items[task->waiters[w].item].item;
      entries[i].is_default |= strcmp(item->variants[item->default_index].text, task->variants[i].text) == 0;
    }
  }
  if (entries) record_pick_finalists(entries, (uint32_t)task->variant_count);
  for (size_t i = 0; entries && i < task->variant_count; i++)
    if (entries[i].finalist) job->variants[job->variant_count++] = (uint32_t)i;
  free(entries);
  if (job->variant_count) task->phase = TASK_FINAL_LEASED;
}

static uint32_t default_among(const struct task *task, const struct job *job) {
  for (uint32_t i = 0; i < job->variant_count; i++)
    if (strcmp(task->variants[job->variants[i]].text, task->default_text) == 0) return i;
  return 0;
}

static void job_send(struct core *core, struct job *job) {
  struct task *task = job->task;
  struct arena arena = {0};
  struct wire_variant *variants = arena_alloc_array(&arena, job->variant_count, sizeof *variants);
  for (uint32_t i = 0; variants && i < job->variant_count; i++)
    variants[i] = (struct wire_variant){task->variants[job->variants[i]].text, task->variants[job->variants[i]].source};
  struct wire_message message = {.type = WIRE_JOB};
  message.job = (struct wire_job){.lease = job->lease,
                                  .kind = (uint8_t)job->kind,
                                  .problem = task->problem,
                                  .device_class = task->pool->text,
                                  .threads = task->threads,
                                  .policy = task->policy,
                                  .default_index = default_among(task, job),
                                  .estimated_ns = task->estimated_ns,
                                  .deadline_ms = (uint32_t)(job->deadline_ns / 1000000),
                                  .variants = variants,
                                  .variants_count = variants ? job->variant_count : 0,
                                  .spec = ""};
  core_put_message(core, CORE_PUT_JOB, job->lease.counter, 0, &message);
  core_send(core, job->worker->id, &message);
  arena_free(&arena);
}

static void charge(struct task *task, double seconds) {
  for (size_t i = 0; i < task->waiter_count; i++) {
    struct build *build = task->waiters[i].build;
    size_t before = build->served_capacity;
    if (array_reserve(&build->served, &build->served_capacity, task->pool->index + 1) != FARM_OK) continue;
    for (size_t k = before; k < build->served_capacity; k++) build->served[k] = 0;
    build->served[task->pool->index] += seconds / (double)task->waiter_count;
  }
}

static bool lease_task(struct core *core, struct peer *worker) {
  struct choice choice = choose(core, worker);
  if (!choice.task) return false;
  struct task *task = choice.task;
  struct wire_lease lease = {core->options.epoch, core->next_lease++};
  struct job *job = job_make(core, lease, choice.final ? WIRE_JOB_FINAL : WIRE_JOB_SCREEN, (uint32_t)task->variant_count);
  if (!job) return false;
  job->task = task;
  job->worker = worker;
  if (choice.final)
    fill_final(job);
  else
    fill_screen(core, job, worker, &choice);
  if (job->variant_count == 0) {
    job_remove(core, job);
    return false;
  }
  job->estimated_s = task_variant_seconds(task) * job->variant_count;
  double patience = 10e9 * task_variant_seconds(task) * (choice.final ? job->variant_count : 1);
  job->deadline_ns = core->options.deadline_ns + (uint64_t)(patience < 3.6e12 ? patience : 3.6e12);
  charge(task, job->estimated_s);
  core->counters.jobs_leased++;
  job_send(core, job);
  return true;
}

static bool lease_execution(struct core *core, struct peer *worker) {
  struct execution *execution = executions_next(core, worker);
  if (!execution) return false;
  struct job *job = job_make(core, (struct wire_lease){core->options.epoch, core->next_lease++}, WIRE_JOB_EXECUTE, 0);
  if (!job) return false;
  const struct wire_execute *request = &execution->request;
  job->execution = execution, job->worker = worker;
  execution->job = job;
  job->deadline_ns = request->deadline_ms ? request->deadline_ms * 1000000ull : core->options.deadline_ns;
  core->counters.jobs_leased++;
  core_send(core, worker->id,
            &(struct wire_message){.type = WIRE_JOB,
                                   .job = {.lease = job->lease,
                                           .kind = WIRE_JOB_EXECUTE,
                                           .problem = "",
                                           .device_class = request->device_class,
                                           .threads = request->threads,
                                           .policy = "",
                                           .estimated_ns = request->estimated_ns,
                                           .deadline_ms = request->deadline_ms,
                                           .spec = request->spec,
                                           .blobs = request->blobs,
                                           .blobs_count = request->blobs_count}});
  return true;
}

void jobs_dispatch(struct core *core) {
  if (!core->started || core->draining || (core->tasks.count == 0 && core->execution_count == 0)) return;
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) {
    struct peer *worker = e->value;
    if (worker->role != WIRE_ROLE_WORKER || worker->draining || !worker->credits || worker_is_aside(core, worker)) continue;
    while (worker->credits && (lease_execution(core, worker) || lease_task(core, worker))) worker->credits--;
  }
}
