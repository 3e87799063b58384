/* A variant on a GPU: what kernel_trial (../kernel-check.h) is on a CPU, over the same cases, with the same verdicts.
 *
 *   kernel_case ──upload──► [ guard | operand | guard ] in device memory, the pattern all over outputs, workspace and zones
 *   variant ──source──► options.cubin ──► image ──► one prepared step per copy of the weights
 *   run(turn) puts that step on the stream, nothing else: it may be captured and timed.    check runs, downloads, compares
 *
 * What is copied, so that a run does not find the last run's weights in a cache: the packed operand, or else every operand that
 * the problem calls constant.
 */
#ifndef KERNELS_CUDA_CUDA_TRIAL_H
#define KERNELS_CUDA_CUDA_TRIAL_H

#include "../../base/bytes.h"
#include "../kernel-check.h"
#include "cuda-tactic.h"

/* The cubin of a text for the trial's device: from a cache, an artefact, or a compiler. Not asked for a library's tactic. */
typedef enum farm_status (*cuda_cubin_fn)(void *context, const char *source, int sm, struct bytes_writer *out_cubin);

struct cuda_trial_options {
  cuda_cubin_fn cubin;
  void *context;        // of `cubin`
  int copies;           // of the weights, at least 1
  uint64_t patience_ns; // how long the check waits for a kernel before it is FARM_TIMED_OUT, which sticks; 0: for ever
};

struct cuda_trial;

/* The device and the case must outlive the trial. FARM_TACTIC_REFUSED: no tactic for this device; else what compiling, loading or
 * allocating said. Nothing has run yet. */
enum farm_status cuda_trial_make(struct cuda_device *device, struct kernel_case *kernel_case, const struct variant *variant,
                                 const struct cuda_trial_options *options, struct cuda_trial **out_trial);
void cuda_trial_free(struct cuda_trial **trial); // waits for nothing: after cuda_wait, or after an error that sticks
/* Enqueues one run with copy `turn` modulo copies. */
enum farm_status cuda_trial_run(struct cuda_trial *trial, int64_t turn);
/* Runs it on outputs full of NaN, waits and compares; then the guards, and that no input was changed. Verdict and statuses as
 * kernel_trial_check; errors of the device (FARM_WORKER_LOST, FARM_TIMED_OUT) as they come. */
enum farm_status cuda_trial_check(struct cuda_trial *trial, struct kernel_verdict *out_verdict);
/* Guard zones alone: after timed runs. Waits for the stream. FARM_TACTIC_OVERRAN: which buffer. */
enum farm_status cuda_trial_guards(struct cuda_trial *trial);
size_t cuda_trial_weight_bytes(const struct cuda_trial *trial); // of one copy: what `copies` is to be computed from
/* The same before there is a trial. */
size_t cuda_trial_weight_bytes_of(const struct problem *problem, const struct variant *variant);

#endif
