/* The screen: see measure.h. Results leave as soon as it is decided that a variant goes no further, so that what comes later and
 * dies takes little with it. */
#include "contender.h"

#include <stdlib.h>

#define GIVE_UP_SHARE 2.0 // slower than the best by this: no further samples
#define REACH_SHARE 1.5   // survives a rung
#define PATIENCE_SHARE 4  // of the budget may go into disturbed samples
enum { LEAST_SAMPLES = 5, SAMPLES_TO_GIVE_UP = 3 };

struct screen {
  struct bench *bench;
  const struct measure_job *job;
  const struct measure_events *events;
  struct contender *all;
  uint64_t case_sum;
};

/* Samples for `budget` of timed work, or until even the fastest one is far from `best_ns`. */
static enum farm_status rung_samples(struct sampler *s, double budget, double best_ns) {
  uint32_t begin = s->count;
  double least = 0, patience_end = s->disturbed_ns + PATIENCE_SHARE * budget;
  do {
    TRY(sampler_take(s, patience_end - s->disturbed_ns));
    double ns = s->samples[s->count - 1];
    if (least == 0 || ns < least) least = ns;
    if (best_ns > 0 && s->count - begin >= SAMPLES_TO_GIVE_UP && least > GIVE_UP_SHARE * best_ns) return FARM_OK;
  } while (s->count < SAMPLES_MOST && s->spent_ns < 4 * budget && (s->spent_ns < budget || s->count - begin < LEAST_SAMPLES));
  return FARM_OK;
}

static enum farm_status rung_timed(struct contender *c, double budget, double best_ns) {
  struct sampler *s = &c->sampler;
  bool hopeless;
  s->bench->kind->noise_begin(s->bench, &c->noise);
  enum farm_status status = sampler_warm(s, best_ns, &hopeless);
  if (status == FARM_OK && !hopeless) status = rung_samples(s, budget, best_ns);
  s->bench->kind->noise_end(s->bench, &c->noise);
  return contender_judge(c, status == FARM_OK ? s->bench->kind->guards(s->bench, s->trial) : status);
}

static enum farm_status rung_of(struct screen *screen, int index, int rung) {
  const struct measure_job *job = screen->job;
  struct contender *c = &screen->all[index];
  struct device_locks locks = {.count = 0};
  pulse_begin(&c->sampler.pulse, job, screen->events, index);
  TRY(contender_judge(c, contender_prepare(c, job, index)));
  if (c->alive && rung == 0) TRY(contender_judge(c, contender_check(c)));
  if (c->alive) {
    TRY(device_lock_alive(screen->bench, job, screen->events, index, &locks));
    double budget = job->policy.rung_ns * (double)(1 << 2 * rung);
    enum farm_status status = rung_timed(c, budget, contenders_best(screen->all, job->variant_count));
    device_unlock(&locks);
    TRY(status);
  }
  contender_put_away(c);
  TRY(contender_aftermath(screen->bench, screen->case_sum));
  contender_settle(c);
  return FARM_OK;
}

/* The best only ever gets better: who is out of its reach now is out. */
static bool is_decided(const struct screen *screen, int index, int rung) {
  const struct contender *c = &screen->all[index];
  if (!c->alive || rung + 1 == screen->job->policy.rungs) return true;
  return c->entry.times.median > REACH_SHARE * contenders_best(screen->all, screen->job->variant_count);
}

static enum farm_status decided_tell(struct screen *screen, int index, int rung, bool *out_told) {
  if (*out_told || !is_decided(screen, index, rung)) return FARM_OK;
  *out_told = true;
  screen->all[index].alive = false;
  return contender_tell(&screen->all[index], index, screen->events);
}

static enum farm_status rungs_run(struct screen *screen, bool *told) {
  int count = screen->job->variant_count;
  for (int rung = 0; rung < screen->job->policy.rungs; rung++) {
    for (int i = 0; i < count; i++) {
      if (screen->all[i].alive) TRY(rung_of(screen, i, rung));
      TRY(decided_tell(screen, i, rung, &told[i]));
    }
    for (int i = 0; i < count; i++) TRY(decided_tell(screen, i, rung, &told[i]));
  }
  return FARM_OK;
}

enum farm_status measure_screen(struct bench *bench, const struct measure_job *job, const struct measure_events *events) {
  struct screen screen = {.bench = bench, .job = job, .events = events};
  enum farm_status status;
  TRY(bench_expect(bench, events, &screen.case_sum));
  bool *told = calloc((size_t)job->variant_count, sizeof *told);
  FAIL_IF(!told, FARM_NO_MEMORY, "out of memory for a screen");
  TRY_OR(contenders_make(job, bench, &screen.all), free_told);
  status = rungs_run(&screen, told);
  if (status != FARM_WORKER_LOST) contenders_free(screen.all, job->variant_count); // a broken heap is not touched again
free_told:
  if (status != FARM_WORKER_LOST) free(told);
  return status;
}
