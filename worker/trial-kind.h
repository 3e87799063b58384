/* What a variant is run and timed on, behind one struct of functions: screen, final and sampler know neither CPUs nor GPUs.
 *
 *   bench (a device, a case) ──make──► trial ──check──► verdict ──time × n──► samples ──guards──► free
 *                              └─lock: nobody else measures on the device meanwhile
 *
 *   trial-cpu.c    a kernel_trial on a pool of threads, by the clock; disturbed: the system took a core away
 *   trial-cuda.c   a cuda_trial on one GPU, between two marks around a captured graph of runs
 *
 * An error of a device that sticks comes back as FARM_WORKER_LOST from any of them: this process can run nothing more there.
 */
#ifndef WORKER_TRIAL_KIND_H
#define WORKER_TRIAL_KIND_H

#include "../kernels/kernel-check.h"
#include "cores.h"
#include "noise.h"

struct gpu_bench;
struct trial_kind;

struct bench {
  const struct trial_kind *kind;
  struct kernel_case *kernel_case;
  struct thread_pool *pool; // CPU
  const cpu_set_t *cores;   // CPU: those it is bound to
  struct gpu_bench *gpu;    // CUDA: gpu-bench.h
};

struct trial_request {
  const struct variant *variant;
  int threads, copies; // copies of weights, rotated from run to run
  double patience_ns;  // longest run that is believed
};

struct trial_kind {
  double sample_ns;   // a sample is at least this long: shorter runs are repeated inside it
  bool shares_memory; // kernels can write to this process's heap
  size_t (*weight_bytes)(const struct problem *problem, const struct variant *variant); // of one copy
  enum farm_status (*make)(struct bench *bench, const struct trial_request *request, void **out_trial);
  void (*free)(struct bench *bench, void *trial);
  enum farm_status (*check)(struct bench *bench, void *trial, struct kernel_verdict *out_verdict);
  enum farm_status (*guards)(struct bench *bench, void *trial);
  /* `repeats` runs, the first with copy `turn`; nanoseconds of all of them. */
  enum farm_status (*time)(struct bench *bench, void *trial, int repeats, int64_t turn, double *out_ns, bool *out_disturbed);
  /* Waits; `waiting` is called about every 200 ms meanwhile. */
  enum farm_status (*lock)(struct bench *bench, void (*waiting)(void *context), void *context, struct device_locks *out_locks);
  /* Facts about a window of time; windows add up. */
  void (*noise_begin)(struct bench *bench, struct noise *noise);
  void (*noise_end)(struct bench *bench, struct noise *noise);
  void (*noise_print)(const struct noise *noise, char out[NOISE_TEXT_MAX]);
};

extern const struct trial_kind trial_kind_cpu, trial_kind_cuda;

#endif
