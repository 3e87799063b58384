/* See contender.h. */
#include "contender.h"

#include "statistics.h"

#include <stdlib.h>
#include <string.h>

static void contender_fail(struct contender *c, enum farm_status status) {
  c->alive = false;
  c->entry.status = status;
  c->entry.message = strdup(status_message());
  if (!c->entry.message) c->entry.message = "";
  c->entry.times = (struct record_times){0};
}

static void contender_make(const struct measure_job *job, struct thread_pool *pool, int i, double *samples,
                           struct contender *out) {
  *out = (struct contender){.alive = true, .sampler = {.pool = pool, .samples = samples}};
  out->entry = (struct record_entry){.variant = job->texts[i],
                                     .source_digest = job->sources[i],
                                     .status = FARM_OK,
                                     .message = "",
                                     .rank = RECORD_RANK_NONE,
                                     .is_default = i == job->default_index};
  if (variant_legal(job->problem, &job->variants[i]))
    out->entry.workspace_bytes = variant_workspace(job->problem, &job->variants[i], job->threads);
  else
    contender_fail(out, status_set(FARM_TACTIC_REFUSED, "%s does not apply to this problem", job->texts[i]));
}

enum farm_status contenders_make(const struct measure_job *job, struct thread_pool *pool, struct contender **out) {
  size_t count = (size_t)job->variant_count;
  struct contender *all = calloc(count, sizeof *all);
  double *samples = calloc(count * SAMPLES_MOST, sizeof *samples);
  if (!all || !samples) {
    free(all);
    free(samples);
    return status_set(FARM_NO_MEMORY, "out of memory for samples of %d variants", job->variant_count);
  }
  for (size_t i = 0; i < count; i++) contender_make(job, pool, (int)i, samples + i * SAMPLES_MOST, &all[i]);
  *out = all;
  return FARM_OK;
}

void contenders_free(struct contender *all, int count) {
  double *samples = all[0].sampler.samples;
  for (int i = 0; i < count; i++) {
    kernel_trial_free(&all[i].sampler.trial);
    if (all[i].entry.message[0]) free((char *)(uintptr_t)all[i].entry.message);
  }
  free(samples);
  free(all);
}

enum farm_status contender_prepare(struct contender *c, struct kernel_case *kernel_case, const struct measure_job *job,
                                   int index) {
  const struct variant *variant = &job->variants[index];
  return kernel_trial_make(kernel_case, variant, job->threads, measure_copies(job, variant), &c->sampler.trial);
}

enum farm_status contender_check(struct contender *c, struct thread_pool *pool) {
  struct kernel_verdict verdict = {0};
  enum farm_status status = kernel_trial_check(c->sampler.trial, pool, &verdict);
  c->entry.error = verdict.worst_share >= 0 && verdict.worst_share < 1e30 ? verdict.worst_share : 1e30;
  return status;
}

/* Whatever a kernel's run returns is its own trouble; loss of the process is not, and lack of memory is when it is asked for
 * here. */
enum farm_status contender_judge(struct contender *c, enum farm_status status) {
  if (status == FARM_OK || status == FARM_WORKER_LOST) return status;
  contender_fail(c,
                 status_loses(status) == LOSES_TACTIC ? status : status_prefix(FARM_TACTIC_REFUSED, "%s", status_name(status)));
  return FARM_OK;
}

void contender_settle(struct contender *c) {
  if (c->entry.status == FARM_OK && c->sampler.count) times_of(c->sampler.samples, c->sampler.count, &c->entry.times);
}

enum farm_status contender_tell(struct contender *c, int index, const struct measure_events *events) {
  char clocks[NOISE_TEXT_MAX];
  c->noise.dropped = c->sampler.dropped;
  noise_print(&c->noise, clocks);
  return events->entry(events->context, index, &c->entry, clocks);
}

double contenders_best(const struct contender *all, int count) {
  double best = 0;
  for (int i = 0; i < count; i++)
    if (all[i].entry.status == FARM_OK && all[i].entry.times.n && (best == 0 || all[i].entry.times.median < best))
      best = all[i].entry.times.median;
  return best;
}

enum farm_status contender_aftermath(const struct kernel_case *kernel_case, uint64_t case_sum) {
  FAIL_IF(!heap_is_sound(), FARM_WORKER_LOST, "the heap is broken");
  FAIL_IF(kernel_case_sum(kernel_case) != case_sum, FARM_WORKER_LOST, "operands were written to");
  return FARM_OK;
}

struct waiter {
  const struct measure_events *events;
  int variant;
  double allowed_ns;
};

static void waiting_sign(void *context) {
  const struct waiter *waiter = context;
  waiter->events->running(waiter->events->context, waiter->variant, waiter->allowed_ns);
}

enum farm_status cores_lock_alive(const struct measure_job *job, const struct measure_events *events, int variant,
                                  struct core_locks *out_locks) {
  struct waiter waiter = {events, variant, pulse_first_allowed_ns(job)};
  return cores_lock(job->cores, waiting_sign, &waiter, out_locks);
}
