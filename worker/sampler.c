/* See sampler.h. */
#include "sampler.h"

#include "../base/clock.h"

#define SLOW_NS 5e6 // runs longer than this need no second warm-up
#define WARM_PATIENCE_NS 30e6
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

static enum farm_status runs_time(struct sampler *s, int repeats, double *out_ns, bool *out_disturbed) {
  double total;
  TRY(s->bench->kind->time(s->bench, s->trial, repeats, s->turn, &total, out_disturbed));
  s->turn += repeats;
  if (!*out_disturbed)
    s->spent_ns += total;
  else
    s->disturbed_ns += total;
  *out_ns = total / repeats;
  pulse_ran(&s->pulse, *out_ns);
  return FARM_OK;
}

/* Runs until one is undisturbed, or `patience_ns` went into disturbed ones; the last one counts then. */
static enum farm_status quiet_time(struct sampler *s, int repeats, double patience_ns, double *out_ns) {
  bool disturbed;
  double limit = s->disturbed_ns + patience_ns;
  do {
    TRY(runs_time(s, repeats, out_ns, &disturbed));
    s->dropped += disturbed;
  } while (disturbed && s->disturbed_ns < limit);
  if (!disturbed) return FARM_OK;
  s->dropped--;
  s->spent_ns += *out_ns * repeats;
  return FARM_OK;
}

enum farm_status sampler_warm(struct sampler *s, double best_ns, bool *out_hopeless) {
  *out_hopeless = false;
  s->repeats = 1;
  s->run_ns = 0;
  for (int i = 0; i < 3 && (i == 0 || s->run_ns < SLOW_NS); i++) {
    double ns;
    TRY(quiet_time(s, 1, WARM_PATIENCE_NS, &ns));
    s->run_ns = i == 0 || ns < s->run_ns ? ns : s->run_ns;
  }
  s->spent_ns = 0;
  double sample_ns = s->bench->kind->sample_ns;
  s->repeats = s->run_ns >= sample_ns ? 1 : (int)(sample_ns / (s->run_ns > 10 ? s->run_ns : 10)) + 1;
  *out_hopeless = best_ns > 0 && s->run_ns > HOPELESS_SHARE * best_ns && s->run_ns > SLOW_NS && s->count < SAMPLES_MOST;
  if (*out_hopeless) s->samples[s->count++] = s->run_ns;
  return FARM_OK;
}

enum farm_status sampler_take(struct sampler *s, double patience_ns) {
  double ns;
  if (s->count == SAMPLES_MOST) return FARM_OK;
  TRY(quiet_time(s, s->repeats, patience_ns, &ns));
  s->samples[s->count++] = ns;
  return FARM_OK;
}

enum farm_status sampler_refresh(struct sampler *s) {
  double ns;
  bool disturbed;
  return s->run_ns < SLOW_NS ? runs_time(s, 1, &ns, &disturbed) : FARM_OK;
}
