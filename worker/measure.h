/* Measuring: one problem, several variants, in the measuring child. Timing details live here and nowhere else.
 *
 * screen   every variant is checked, then timed in rungs: a short look at each, a longer one at those within reach of the best,
 * and again (successive halving; a variant twice as slow as the best stops early). A record each, as soon as it is decided that
 * it goes no further. final    all variants of the job interleaved, round after round (A B C, B C A, …), until they are separated
 * from the fastest or known to half a percent, or the budget is spent. What is twice as slow as the fastest rests after a few
 * samples.
 *
 * Weights are timed cold: copies of them are rotated so that together they exceed the last cache, as they do in a network.
 * Activations stay as warm as one run leaves them. Short runs are repeated inside a sample. What a run is, and how its time is
 * taken, is the trial kind's affair (trial-kind.h): nothing here knows CPUs from GPUs.
 *
 * A variant's own trouble (a wrong result, a write outside its buffers, any error from its run) becomes its failed entry; what is
 * returned is the job's. FARM_WORKER_LOST: memory that is not the kernels' was written to, or a device is of no use any more;
 * this process must not go on.
 */
#ifndef WORKER_MEASURE_H
#define WORKER_MEASURE_H

#include "../problem/record.h"
#include "trial-kind.h"

struct measure_policy { // from the policy's text; durations of timed work in nanoseconds
  int effort;
  double rung_ns; // of the first rung, per variant; each further one four times that
  int rungs;
  double final_ns; // per finalist
};
enum farm_status measure_policy_parse(const char *text, struct measure_policy *out); // FARM_UNSUPPORTED: unknown policy

/* What the child tells while it works. `running`: variant about to run (-1: the reference, or none), and how long it may take
 * until the next sign of life. `entry`: one variant's result, and what was seen of clocks and foreign load while it was timed. */
struct measure_events {
  void *context;
  void (*running)(void *context, int variant, double allowed_ns);
  enum farm_status (*entry)(void *context, int variant, const struct record_entry *entry, const char *clocks);
};

struct measure_job {
  const struct problem *problem;
  const struct variant *variants;
  const char *const *texts, *const *sources; // of the variants
  int variant_count, default_index, threads;
  double estimated_ns; // of one run; 0: unknown
  size_t cold_bytes;   // what copies of weights shall exceed together: measure_cold_bytes()
  struct measure_policy policy;
};

enum farm_status measure_screen(struct bench *bench, const struct measure_job *job, const struct measure_events *events);
enum farm_status measure_final(struct bench *bench, const struct measure_job *job, const struct measure_events *events);

size_t measure_cold_bytes(const struct device_class *device_class); // of a CPU
/* How many copies of `weight_bytes` to rotate for a variant: more than cold_bytes together, but what the case needs with them
 * stays below MEASURE_MOST_BYTES (one copy always is). */
#define MEASURE_MOST_BYTES ((size_t)2 << 30)
int measure_copies(const struct measure_job *job, const struct variant *variant, size_t weight_bytes);

/* Is this process's heap sound? Walks canaries laid out at the first call and makes the allocator walk its lists (which ends the
 * process when they are broken: the parent then knows whom to suspect). */
bool heap_is_sound(void);

#endif
