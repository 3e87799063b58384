/* The final: see measure.h. */
#include "contender.h"

#include "statistics.h"

#include <stdlib.h>

#define REST_SHARE 2.0 // of the fastest median: what is this slow needs no more samples
enum {
  LEAST_SAMPLES = 12,
  LEAST_OVER_BUDGET = 5,
  LEAST_TO_REST = 8,
  LEAST_TO_REST_SLOW = 4,
  LOOK_EVERY = 4,
  MOST_FINALISTS = 64
};

struct final {
  struct bench *bench;
  const struct measure_job *job;
  const struct measure_events *events;
  struct contender *all;
  uint64_t case_sum;
};

static enum farm_status finalist_prepare(struct final *f, int index) {
  struct contender *c = &f->all[index];
  bool hopeless;
  pulse_begin(&c->sampler.pulse, f->job, f->events, index);
  TRY(contender_judge(c, contender_prepare(c, f->job, index)));
  if (c->alive) TRY(contender_judge(c, contender_check(c)));
  if (c->alive) TRY(contender_judge(c, sampler_warm(&c->sampler, 0, &hopeless)));
  return contender_aftermath(f->bench, f->case_sum);
}

/* As much as the budget may go into disturbed samples, a tenth of it into one. */
static double patience_of(const struct final *f, const struct contender *c) {
  double budget = f->job->policy.final_ns;
  return c->sampler.disturbed_ns < budget ? budget / 10 : 0;
}

/* One sample of each, beginning with another one each round, so that nobody always follows the same neighbour. */
static enum farm_status round_run(struct final *f, int round) {
  for (int k = 0; k < f->job->variant_count; k++) {
    struct contender *c = &f->all[(k + round) % f->job->variant_count];
    if (!c->alive || c->resting) continue;
    pulse_again(&c->sampler.pulse);
    enum farm_status status = sampler_refresh(&c->sampler);
    TRY(contender_judge(c, status == FARM_OK ? sampler_take(&c->sampler, patience_of(f, c)) : status));
  }
  return FARM_OK;
}

/* Times so far of those that are alive; *out_least: samples of the one with fewest that does not rest. */
static uint32_t times_so_far(struct final *f, struct record_times *out, int *out_index, uint32_t *out_least) {
  uint32_t count = 0;
  *out_least = UINT32_MAX;
  for (int i = 0; i < f->job->variant_count && count < MOST_FINALISTS; i++) {
    struct contender *c = &f->all[i];
    if (!c->alive || c->sampler.count == 0) continue;
    contender_settle(c);
    out_index[count] = i;
    out[count++] = c->entry.times;
    if (!c->resting && c->sampler.count < *out_least) *out_least = c->sampler.count;
  }
  return count;
}

static bool is_over(struct final *f) {
  struct record_times times[MOST_FINALISTS];
  int index[MOST_FINALISTS];
  uint32_t least, count = times_so_far(f, times, index, &least);
  double spent = 0, best = contenders_best(f->all, f->job->variant_count);
  for (uint32_t k = 0; k < count; k++) {
    struct contender *c = &f->all[index[k]];
    uint32_t enough = c->sampler.spent_ns > f->job->policy.final_ns ? LEAST_TO_REST_SLOW : LEAST_TO_REST;
    c->resting = c->sampler.count >= enough && times[k].min > REST_SHARE * best;
    spent += c->sampler.spent_ns;
  }
  if (count == 0 || least == UINT32_MAX || least >= SAMPLES_MOST) return true;
  double budget = f->job->policy.final_ns * count;
  if ((spent > budget && least >= LEAST_OVER_BUDGET) || spent > 8 * budget) return true;
  return least >= LEAST_SAMPLES && entries_settled(times, count);
}

static enum farm_status rounds_run(struct final *f) {
  int round = 0;
  do {
    for (int i = 0; i < LOOK_EVERY; i++) TRY(round_run(f, round++));
  } while (!is_over(f));
  return FARM_OK;
}

static enum farm_status timed_part(struct final *f) {
  struct device_locks locks;
  struct noise noise = {0};
  TRY(device_lock_alive(f->bench, f->job, f->events, -1, &locks));
  enum farm_status status = FARM_OK;
  for (int i = 0; i < f->job->variant_count && status == FARM_OK; i++)
    if (f->all[i].alive) status = finalist_prepare(f, i);
  f->bench->kind->noise_begin(f->bench, &noise);
  if (status == FARM_OK) status = rounds_run(f);
  f->bench->kind->noise_end(f->bench, &noise);
  device_unlock(&locks);
  for (int i = 0; i < f->job->variant_count; i++) f->all[i].noise = noise;
  return status;
}

static enum farm_status results_tell(struct final *f) {
  int count = f->job->variant_count;
  struct record_entry *entries = calloc((size_t)count, sizeof *entries);
  FAIL_IF(!entries, FARM_NO_MEMORY, "out of memory for entries");
  for (int i = 0; i < count; i++) {
    struct contender *c = &f->all[i];
    contender_settle(c);
    entries[i] = c->entry;
    entries[i].finalist = c->entry.status == FARM_OK && c->entry.times.n;
  }
  entries_rank(entries, (uint32_t)count);
  enum farm_status status = FARM_OK;
  for (int i = 0; i < count && status == FARM_OK; i++) {
    f->all[i].entry.finalist = entries[i].finalist;
    f->all[i].entry.rank = entries[i].rank;
    status = contender_tell(&f->all[i], i, f->events);
  }
  free(entries);
  return status;
}

static enum farm_status final_run(struct final *f) {
  TRY(timed_part(f));
  f->events->running(f->events->context, -1, 60e9); // from here on nobody in particular is to blame
  for (int i = 0; i < f->job->variant_count; i++)
    if (f->all[i].alive) TRY(contender_judge(&f->all[i], f->bench->kind->guards(f->bench, f->all[i].sampler.trial)));
  TRY(contender_aftermath(f->bench, f->case_sum));
  return results_tell(f);
}

enum farm_status measure_final(struct bench *bench, const struct measure_job *job, const struct measure_events *events) {
  struct final f = {.bench = bench, .job = job, .events = events};
  FAIL_IF(job->variant_count > MOST_FINALISTS, FARM_INVALID, "a final of %d variants", job->variant_count);
  TRY(bench_expect(bench, events, &f.case_sum));
  TRY(contenders_make(job, bench, &f.all));
  enum farm_status status = final_run(&f);
  if (status != FARM_WORKER_LOST) contenders_free(f.all, job->variant_count);
  return status;
}
