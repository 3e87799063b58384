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

static void contender_make(const struct measure_job *job, struct bench *bench, int i, double *samples, struct contender *out) {
  *out = (struct contender){.alive = true, .sampler = {.bench = bench, .samples = samples}};
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

enum farm_status contenders_make(const struct measure_job *job, struct bench *bench, struct contender **out) {
  size_t count = (size_t)job->variant_count;
  struct contender *all = calloc(count, sizeof *all);
  double *samples = calloc(count * SAMPLES_MOST, sizeof *samples);
  if (!all || !samples) {
    free(all);
    free(samples);
    return status_set(FARM_NO_MEMORY, "out of memory for samples of %d variants", job->variant_count);
  }
  for (size_t i = 0; i < count; i++) contender_make(job, bench, (int)i, samples + i * SAMPLES_MOST, &all[i]);
  *out = all;
  return FARM_OK;
}

void contenders_free(struct contender *all, int count) {
  double *samples = all[0].sampler.samples;
  for (int i = 0; i < count; i++) {
    contender_put_away(&all[i]);
    if (all[i].entry.message[0]) free((char *)(uintptr_t)all[i].entry.message);
  }
  free(samples);
  free(all);
}

enum farm_status contender_prepare(struct contender *c, const struct measure_job *job, int index) {
  struct bench *bench = c->sampler.bench;
  const struct variant *variant = &job->variants[index];
  const struct trial_request request = {
      .variant = variant,
      .threads = job->threads,
      .copies = measure_copies(job, variant, bench->kind->weight_bytes(job->problem, variant)),
      .patience_ns = pulse_first_allowed_ns(job)};
  return bench->kind->make(bench, &request, &c->sampler.trial);
}

void contender_put_away(struct contender *c) {
  if (c->sampler.trial) c->sampler.bench->kind->free(c->sampler.bench, c->sampler.trial);
  c->sampler.trial = NULL;
}

enum farm_status contender_check(struct contender *c) {
  struct kernel_verdict verdict = {0};
  struct bench *bench = c->sampler.bench;
  enum farm_status status = bench->kind->check(bench, c->sampler.trial, &verdict);
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
  c->sampler.bench->kind->noise_print(&c->noise, clocks);
  return events->entry(events->context, index, &c->entry, clocks);
}

double contenders_best(const struct contender *all, int count) {
  double best = 0;
  for (int i = 0; i < count; i++)
    if (all[i].entry.status == FARM_OK && all[i].entry.times.n && (best == 0 || all[i].entry.times.median < best))
      best = all[i].entry.times.median;
  return best;
}

enum farm_status bench_expect(struct bench *bench, const struct measure_events *events, uint64_t *out_case_sum) {
  if (bench->kind->shares_memory) heap_is_sound(); // lays the canaries
  events->running(events->context, -1, 600e9);
  TRY(kernel_case_expect(bench->kernel_case));
  *out_case_sum = kernel_case_sum(bench->kernel_case);
  return FARM_OK;
}

enum farm_status contender_aftermath(const struct bench *bench, uint64_t case_sum) {
  FAIL_IF(bench->kind->shares_memory && !heap_is_sound(), FARM_WORKER_LOST, "the heap is broken");
  FAIL_IF(kernel_case_sum(bench->kernel_case) != case_sum, FARM_WORKER_LOST, "operands were written to");
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

enum farm_status device_lock_alive(struct bench *bench, const struct measure_job *job, const struct measure_events *events,
                                   int variant, struct device_locks *out_locks) {
  struct waiter waiter = {events, variant, pulse_first_allowed_ns(job)};
  return bench->kind->lock(bench, waiting_sign, &waiter, out_locks);
}
