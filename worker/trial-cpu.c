/* Variants on the cores of a CPU: see trial-kind.h. */
#include "trial-kind.h"

#include "../base/clock.h"

#include <sys/resource.h>

static enum farm_status make(struct bench *bench, const struct trial_request *request, void **out_trial) {
  struct kernel_trial *trial = NULL;
  TRY(kernel_trial_make(bench->kernel_case, request->variant, request->threads, request->copies, &trial));
  *out_trial = trial;
  return FARM_OK;
}

static void trial_free(struct bench *bench, void *trial) {
  (void)bench;
  kernel_trial_free(&(struct kernel_trial *){trial});
}

static enum farm_status check(struct bench *bench, void *trial, struct kernel_verdict *out_verdict) {
  return kernel_trial_check(trial, bench->pool, out_verdict);
}

static enum farm_status guards(struct bench *bench, void *trial) {
  (void)bench;
  return kernel_trial_guards(trial);
}

/* How often the system took a core away from one of this process's threads while it wanted to run. */
static long preemptions(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

static enum farm_status time_runs(struct bench *bench, void *trial, int repeats, int64_t turn, double *out_ns,
                                  bool *out_disturbed) {
  long before = preemptions();
  uint64_t begin = clock_now_ns();
  for (int i = 0; i < repeats; i++) TRY(kernel_trial_run(trial, bench->pool, turn + i));
  *out_ns = (double)(clock_now_ns() - begin);
  *out_disturbed = preemptions() != before;
  return FARM_OK;
}

static enum farm_status lock(struct bench *bench, void (*waiting)(void *context), void *context, struct device_locks *out_locks) {
  return cores_lock(bench->cores, waiting, context, out_locks);
}

static void window_begin(struct bench *bench, struct noise *noise) {
  (void)bench;
  noise_begin(noise);
}

static void window_end(struct bench *bench, struct noise *noise) {
  (void)bench;
  noise_end(noise);
}

const struct trial_kind trial_kind_cpu = {.sample_ns = 20e3,
                                          .shares_memory = true,
                                          .weight_bytes = variant_packed_bytes,
                                          .make = make,
                                          .free = trial_free,
                                          .check = check,
                                          .guards = guards,
                                          .time = time_runs,
                                          .lock = lock,
                                          .noise_begin = window_begin,
                                          .noise_end = window_end,
                                          .noise_print = noise_print};
