/* See measure.h. */
#include "measure.h"

#include "../base/clock.h"
#include "statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SAMPLES = 4096, MOST_COPIES = 24 };
#define SAMPLE_NS 20e3
#define COLD_BYTES (96u << 20) // more than any last-level slice that one core sees; capped by MOST_COPIES
#define GIVE_UP_SHARE 2.0      // slower than the best by this: no further samples in this rung
#define REACH_SHARE 1.5        // survives a rung

enum farm_status measure_policy_parse(const char *text, struct measure_policy *out) {
  static const struct measure_policy policies[] = {{1, 8e6, 1, 120e6}, {2, 12e6, 2, 250e6}, {3, 25e6, 2, 500e6}, {4, 50e6, 3, 1500e6}};
  int effort;
  char rest;
  FAIL_IF(sscanf(text, "cold/1 effort%d%c", &effort, &rest) != 1 || effort < 1 || effort > 4, FARM_UNSUPPORTED, "unknown measuring policy `%s`", text);
  *out = policies[effort - 1];
  return FARM_OK;
}

/* ---- samples ---- */

struct sampler {
  struct kernel_trial *trial;
  struct thread_pool *pool;
  int64_t turn;  // of the rotating copies
  int repeats;   // runs per sample
  double *samples;
  uint32_t count;
  double spent_ns;
};

static enum farm_status sample_take(struct sampler *s, double *out_ns) {
  uint64_t begin = clock_now_ns();
  for (int i = 0; i < s->repeats; i++) TRY(kernel_trial_run(s->trial, s->pool, s->turn++));
  double total = (double)(clock_now_ns() - begin);
  s->spent_ns += total;
  *out_ns = total / s->repeats;
  return FARM_OK;
}

/* Warm-up: code, page tables, predictors; finds how many runs make a sample. */
static enum farm_status sampler_warm(struct sampler *s) {
  double ns;
  s->repeats = 1;
  TRY(sample_take(s, &ns));
  for (int i = 0; i < 2 && ns < 5e6; i++) TRY(sample_take(s, &ns));
  s->repeats = ns >= SAMPLE_NS ? 1 : (int)(SAMPLE_NS / (ns > 10 ? ns : 10)) + 1;
  s->spent_ns = 0;
  return FARM_OK;
}

static enum farm_status sample_keep(struct sampler *s) {
  double ns;
  TRY(sample_take(s, &ns));
  s->samples[s->count++] = ns;
  return FARM_OK;
}

static int copies_for(const struct variant *variant, const struct problem *problem) {
  size_t bytes = variant_packed_bytes(problem, variant);
  if (bytes == 0) return 1;
  size_t copies = COLD_BYTES / bytes + 1;
  return copies > MOST_COPIES ? MOST_COPIES : (int)copies;
}

/* ---- one variant's state over the rungs ---- */

struct contender {
  struct record_entry entry;
  double *samples; // MOST_SAMPLES
  uint32_t count;
  int64_t turn;
  bool alive;
};

static double allowed_ns(const struct measure_job *job, double runs) { return 5e9 + runs * 60 * (job->estimated_ns > 0 ? job->estimated_ns : 1e8); }

static void contender_fail(struct contender *c, enum farm_status status) {
  c->alive = false;
  c->entry.status = status;
  c->entry.message = strdup(status_message());
  if (!c->entry.message) c->entry.message = "";
  c->entry.times = (struct record_times){0};
}

static void contender_settle(struct contender *c) {
  if (c->entry.status == FARM_OK && c->count) times_of(c->samples, c->count, &c->entry.times);
}

/* Trouble that is the variant's own; anything else (no memory, no lock) is the job's. */
static bool is_variants_fault(enum farm_status status) { return status_loses(status) == LOSES_TACTIC; }

static enum farm_status check_variant(struct kernel_trial *trial, struct thread_pool *pool, struct contender *c) {
  struct kernel_verdict verdict = {0};
  enum farm_status status = kernel_trial_check(trial, pool, &verdict);
  c->entry.error = verdict.worst_share >= 0 && verdict.worst_share < 1e30 ? verdict.worst_share : 1e30;
  return status;
}

/* A broken heap is nobody's to go on with: the child ends, and the parent retries what ran since the last sound look. */
static enum farm_status heap_check(void) {
  FAIL_IF(!heap_is_sound(), FARM_WORKER_LOST, "the heap is broken");
  return FARM_OK;
}

/* Checks when `first`, then samples for `budget` or until it is clearly slower than `best_ns`. */
static enum farm_status rung_run(struct kernel_case *kernel_case, const struct measure_job *job, struct thread_pool *pool, int index, bool first,
                                 double budget, double best_ns, struct contender *c) {
  const struct variant *variant = &job->variants[index];
  struct sampler s = {.pool = pool, .turn = c->turn, .samples = c->samples, .count = c->count};
  struct core_locks locks = {.count = 0};
  enum farm_status status = kernel_trial_make(kernel_case, variant, job->threads, copies_for(variant, job->problem), &s.trial);
  if (status != FARM_OK) return status;
  if (first) TRY_OR(check_variant(s.trial, pool, c), free_trial);
  TRY_OR(cores_lock(job->cores, &locks), free_trial);
  TRY_OR(sampler_warm(&s), unlock);
  do {
    TRY_OR(sample_keep(&s), unlock);
    bool hopeless = best_ns > 0 && s.samples[s.count - 1] > GIVE_UP_SHARE * best_ns && s.count >= 3;
    if (hopeless) break;
  } while (s.count < MOST_SAMPLES && (s.spent_ns < budget || s.count - c->count < 5) && s.spent_ns < 4 * budget);
  status = kernel_trial_guards(s.trial);
unlock:
  cores_unlock(&locks);
  c->count = s.count;
  c->turn = s.turn;
free_trial:
  kernel_trial_free(&s.trial);
  if (status == FARM_OK) status = heap_check();
  return status;
}

static enum farm_status contenders_make(const struct measure_job *job, struct contender **out) {
  struct contender *all = calloc((size_t)job->variant_count, sizeof *all);
  double *samples = calloc((size_t)job->variant_count * MOST_SAMPLES, sizeof *samples);
  if (!all || !samples) {
    free(all);
    free(samples);
    return status_set(FARM_NO_MEMORY, "out of memory for samples of %d variants", job->variant_count);
  }
  for (int i = 0; i < job->variant_count; i++) {
    all[i] = (struct contender){.samples = samples + (size_t)i * MOST_SAMPLES, .alive = true};
    all[i].entry = (struct record_entry){.variant = job->texts[i], .source_digest = job->sources[i], .status = FARM_OK, .message = "", .rank = UINT32_MAX,
                                         .workspace_bytes = variant_workspace(job->problem, &job->variants[i], job->threads),
                                         .is_default = i == job->default_index};
  }
  *out = all;
  return FARM_OK;
}

static void contenders_free(struct contender *all, int count) {
  if (!all) return;
  for (int i = 0; i < count; i++)
    if (all[i].entry.message[0]) free((char *)(uintptr_t)all[i].entry.message);
  free(all[0].samples);
  free(all);
}

static double best_median(const struct contender *all, int count) {
  double best = 0;
  for (int i = 0; i < count; i++)
    if (all[i].entry.status == FARM_OK && all[i].entry.times.n && (best == 0 || all[i].entry.times.median < best)) best = all[i].entry.times.median;
  return best;
}

static enum farm_status expect(struct kernel_case *kernel_case, const struct measure_events *events) {
  events->running(events->context, -1, 600e9);
  return kernel_case_expect(kernel_case);
}

/* ---- screen ---- */

static enum farm_status screen_rung(struct kernel_case *kernel_case, const struct measure_job *job, struct thread_pool *pool,
                                    const struct measure_events *events, int rung, struct contender *all) {
  double budget = job->policy.rung_ns * (double)(1 << 2 * rung);
  for (int i = 0; i < job->variant_count; i++) {
    if (!all[i].alive) continue;
    events->running(events->context, i, allowed_ns(job, 10) + 10 * budget);
    enum farm_status status = rung_run(kernel_case, job, pool, i, rung == 0, budget, best_median(all, job->variant_count), &all[i]);
    if (is_variants_fault(status)) contender_fail(&all[i], status);
    else if (status != FARM_OK) return status;
    contender_settle(&all[i]);
    if (!all[i].alive) TRY(events->entry(events->context, i, &all[i].entry));
  }
  return FARM_OK;
}

enum farm_status measure_screen(struct kernel_case *kernel_case, const struct measure_job *job, struct thread_pool *pool, const struct measure_events *events) {
  struct contender *all = NULL;
  enum farm_status status;
  heap_is_sound(); // lays the canaries
  TRY(contenders_make(job, &all));
  TRY_OR(expect(kernel_case, events), free_all);
  for (int rung = 0; rung < job->policy.rungs; rung++) {
    TRY_OR(screen_rung(kernel_case, job, pool, events, rung, all), free_all);
    double best = best_median(all, job->variant_count);
    for (int i = 0; i < job->variant_count; i++) {
      bool last = rung + 1 == job->policy.rungs || all[i].entry.times.median > REACH_SHARE * best;
      if (!all[i].alive || !last) continue;
      all[i].alive = false;
      TRY_OR(events->entry(events->context, i, &all[i].entry), free_all);
    }
  }
free_all:
  contenders_free(all, job->variant_count);
  return status;
}

/* ---- final ---- */

static enum farm_status finalists_prepare(struct kernel_case *kernel_case, const struct measure_job *job, struct thread_pool *pool,
                                          const struct measure_events *events, struct contender *all, struct sampler *samplers) {
  for (int i = 0; i < job->variant_count; i++) {
    events->running(events->context, i, allowed_ns(job, 20));
    samplers[i] = (struct sampler){.pool = pool, .samples = all[i].samples};
    int copies = copies_for(&job->variants[i], job->problem);
    enum farm_status status = kernel_trial_make(kernel_case, &job->variants[i], job->threads, copies, &samplers[i].trial);
    if (status == FARM_OK) status = check_variant(samplers[i].trial, pool, &all[i]);
    if (status == FARM_OK) status = sampler_warm(&samplers[i]);
    if (status == FARM_OK) status = heap_check();
    if (is_variants_fault(status)) contender_fail(&all[i], status);
    else if (status != FARM_OK) return status;
  }
  return FARM_OK;
}

static enum farm_status final_round(const struct measure_job *job, const struct measure_events *events, struct contender *all, struct sampler *samplers) {
  for (int i = 0; i < job->variant_count; i++) {
    if (!all[i].alive) continue;
    events->running(events->context, i, allowed_ns(job, 4));
    for (int k = 0; k < 2 && samplers[i].count < MOST_SAMPLES; k++) TRY(sample_keep(&samplers[i]));
  }
  return FARM_OK;
}

static bool final_is_settled(const struct measure_job *job, struct contender *all, struct sampler *samplers, uint32_t least) {
  struct record_times times[RECORD_FINAL_MOST + 64];
  uint32_t count = 0;
  for (int i = 0; i < job->variant_count; i++) {
    if (!all[i].alive) continue;
    if (samplers[i].count < least || count == RECORD_FINAL_MOST + 64) return false;
    times_of(samplers[i].samples, samplers[i].count, &times[count++]);
  }
  return count < 2 || entries_settled(times, count);
}

static enum farm_status final_rounds(const struct measure_job *job, const struct measure_events *events, struct contender *all, struct sampler *samplers) {
  enum { LEAST_SAMPLES = 12, CHECK_EVERY = 4 };
  for (int round = 1;; round++) {
    TRY(final_round(job, events, all, samplers));
    double spent = 0;
    uint32_t samples = 0, alive = 0;
    for (int i = 0; i < job->variant_count; i++) {
      spent += samplers[i].spent_ns;
      alive += all[i].alive;
      if (all[i].alive && samplers[i].count > samples) samples = samplers[i].count;
    }
    if (!alive || samples >= MOST_SAMPLES - 1) return FARM_OK;
    if (spent > job->policy.final_ns * alive && samples >= 6) return FARM_OK;
    if (round % CHECK_EVERY == 0 && final_is_settled(job, all, samplers, LEAST_SAMPLES)) return FARM_OK;
  }
}

static enum farm_status final_entries(const struct measure_job *job, const struct measure_events *events, struct contender *all, struct sampler *samplers) {
  struct record_entry *entries = calloc((size_t)job->variant_count, sizeof *entries);
  FAIL_IF(!entries, FARM_NO_MEMORY, "out of memory for entries");
  for (int i = 0; i < job->variant_count; i++) {
    enum farm_status guards = all[i].alive ? kernel_trial_guards(samplers[i].trial) : FARM_OK;
    if (guards != FARM_OK) contender_fail(&all[i], guards);
    all[i].count = samplers[i].count;
    contender_settle(&all[i]);
    entries[i] = all[i].entry;
    entries[i].finalist = entries[i].status == FARM_OK;
  }
  entries_rank(entries, (uint32_t)job->variant_count);
  enum farm_status status = FARM_OK;
  for (int i = 0; i < job->variant_count && status == FARM_OK; i++) status = events->entry(events->context, i, &entries[i]);
  free(entries);
  return status;
}

enum farm_status measure_final(struct kernel_case *kernel_case, const struct measure_job *job, struct thread_pool *pool, const struct measure_events *events) {
  struct contender *all = NULL;
  struct core_locks locks = {.count = 0};
  enum farm_status status;
  heap_is_sound();
  TRY(contenders_make(job, &all));
  struct sampler *samplers = calloc((size_t)job->variant_count, sizeof *samplers);
  if (!samplers) {
    status = status_set(FARM_NO_MEMORY, "out of memory for %d finalists", job->variant_count);
    goto free_all;
  }
  TRY_OR(expect(kernel_case, events), free_all);
  TRY_OR(cores_lock(job->cores, &locks), free_all);
  TRY_OR(finalists_prepare(kernel_case, job, pool, events, all, samplers), unlock);
  TRY_OR(final_rounds(job, events, all, samplers), unlock);
  status = heap_check();
unlock:
  cores_unlock(&locks);
  if (status == FARM_OK) status = final_entries(job, events, all, samplers);
free_all:
  for (int i = 0; samplers && i < job->variant_count; i++) kernel_trial_free(&samplers[i].trial);
  free(samplers);
  contenders_free(all, job->variant_count);
  return status;
}
