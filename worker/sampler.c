/* See sampler.h. */
#include "sampler.h"

#include "../base/clock.h"

#define SAMPLE_NS 20e3
#define SLOW_NS 5e6         // runs longer than this need no second warm-up
#define HOPELESS_SHARE 8.0  // of the best: the warm-up run says enough
#define SIGN_EVERY_NS 200e6 // of life
#define ALLOWED_LEAST_NS 10e9
#define ALLOWED_MOST_NS 600e9

/* ---- signs of life ---- */

double pulse_first_allowed_ns(const struct measure_job *job) {
  double slow =
      60 * (problem_macs(job->problem) + problem_bytes(job->problem)); // three times what the catalogue expects of a reference
  double estimated = 60 * job->estimated_ns;
  double allowed = ALLOWED_LEAST_NS + (slow > estimated ? slow : estimated);
  return allowed < ALLOWED_MOST_NS ? allowed : ALLOWED_MOST_NS;
}

static void sign(struct pulse *pulse, double allowed_ns) {
  pulse->last_ns = clock_now_ns();
  pulse->events->running(pulse->events->context, pulse->variant, allowed_ns);
}

void pulse_begin(struct pulse *pulse, const struct measure_job *job, const struct measure_events *events, int variant) {
  *pulse = (struct pulse){.events = events, .variant = variant};
  sign(pulse, pulse_first_allowed_ns(job));
}

void pulse_again(struct pulse *pulse) { sign(pulse, ALLOWED_LEAST_NS + 30 * pulse->longest_ns); }

void pulse_ran(struct pulse *pulse, double run_ns) {
  if (run_ns > pulse->longest_ns) pulse->longest_ns = run_ns;
  if ((double)(clock_now_ns() - pulse->last_ns) > SIGN_EVERY_NS) pulse_again(pulse);
}

/* ---- samples ---- */

static enum farm_status runs_time(struct sampler *s, int repeats, double *out_ns) {
  uint64_t begin = clock_now_ns();
  for (int i = 0; i < repeats; i++) TRY(kernel_trial_run(s->trial, s->pool, s->turn++));
  double total = (double)(clock_now_ns() - begin);
  s->spent_ns += total;
  *out_ns = total / repeats;
  pulse_ran(&s->pulse, *out_ns);
  return FARM_OK;
}

enum farm_status sampler_warm(struct sampler *s, double best_ns, bool *out_hopeless) {
  double ns;
  *out_hopeless = false;
  s->repeats = 1;
  TRY(runs_time(s, 1, &ns));
  if (best_ns > 0 && ns > HOPELESS_SHARE * best_ns && ns > SLOW_NS && s->count < SAMPLES_MOST) {
    s->samples[s->count++] = ns;
    *out_hopeless = true;
    return FARM_OK;
  }
  for (int i = 0; i < 2 && ns < SLOW_NS; i++) TRY(runs_time(s, 1, &ns));
  s->repeats = ns >= SAMPLE_NS ? 1 : (int)(SAMPLE_NS / (ns > 10 ? ns : 10)) + 1;
  s->spent_ns = 0;
  return FARM_OK;
}

enum farm_status sampler_take(struct sampler *s) {
  double ns;
  if (s->count == SAMPLES_MOST) return FARM_OK;
  TRY(runs_time(s, s->repeats, &ns));
  s->samples[s->count++] = ns;
  return FARM_OK;
}

enum farm_status sampler_refresh(struct sampler *s) {
  double ns;
  return s->pulse.longest_ns < SLOW_NS ? runs_time(s, 1, &ns) : FARM_OK;
}
