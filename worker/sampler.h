/* Samples of one variant's time, and the signs of life while they are taken. */
#ifndef WORKER_SAMPLER_H
#define WORKER_SAMPLER_H

#include "measure.h"

/* How long a variant may be silent is learned from its own runs: the first may take what a slow reference would need on a busy
 * machine, the others thirty times the slowest so far and ten seconds. An estimate from outside can only lengthen that. */
struct pulse {
  const struct measure_events *events;
  int variant;
  double longest_ns; // of its runs
  uint64_t last_ns;  // clock of the last sign
};
void pulse_begin(struct pulse *pulse, const struct measure_job *job, const struct measure_events *events, int variant);
void pulse_again(struct pulse *pulse); // the same variant goes on after others ran
void pulse_ran(struct pulse *pulse, double run_ns);
double pulse_first_allowed_ns(const struct measure_job *job);

enum { SAMPLES_MOST = 4096 };
struct sampler {
  struct bench *bench;
  void *trial; // of the bench's kind
  struct pulse pulse;
  int64_t turn;    // of the rotating copies
  int repeats;     // runs per sample
  double *samples; // SAMPLES_MOST, of one run each
  uint32_t count;
  double run_ns;       // the shortest of the warm-up
  double spent_ns;     // in samples that count
  double disturbed_ns; // in those that the kind calls disturbed
  uint32_t dropped;    // of these: not kept
};

/* Errors of the kernel's run come back as such; sampler_warm finds how many runs make a sample, and keeps its first run as a
 * sample when that is far beyond `best_ns` (0: unknown): *out_hopeless. */
enum farm_status sampler_warm(struct sampler *sampler, double best_ns, bool *out_hopeless);
/* One more sample; disturbed ones are dropped until `patience_ns` went into them. */
enum farm_status sampler_take(struct sampler *sampler, double patience_ns);
/* After others ran: one run outside the samples, unless it would be long. */
enum farm_status sampler_refresh(struct sampler *sampler);

#endif
