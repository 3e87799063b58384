/* A worker: one device, one measuring child, jobs from the coordinator. Never runs a kernel itself, and opens no GPU: its child
 * does.
 *
 *   WORKER_CORES     the cores of a CPU: screens, finals, execute jobs
 *   WORKER_GPU       one GPU: the same; compiled kernels come from the coordinator's store (artefact-supply.h)
 *   WORKER_COMPILER  no device: compile jobs (compile.h), under the class text `compiler nvrtc 13.0`
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "../cluster/wire/worker-link.h"
#include "../device/cuda-device.h"

enum worker_part { WORKER_CORES, WORKER_GPU, WORKER_COMPILER };

struct worker_options {
  const char *endpoint;
  enum worker_part part;
  const struct cuda_properties *gpu; // WORKER_GPU: which; the child is told by child_argv
  const char *cores;                 // list, "" for all this process may use
  const char *const *child_argv;     // how to start a measuring child on the same cores; its socket is descriptor 3
  const char *build;                 // tunefarm's version
  uint64_t hang_ns;                  // see job-runner.h
  struct link_keys keys;
};

/* Serves until drained, refused or told to end by SIGTERM or SIGINT (a running job is handed back). FARM_DEVICE_LOST: its GPU
 * cannot be opened any more; the job at hand went back without blame. FARM_UNSUPPORTED: a compiler's worker without a compiler.
 */
enum farm_status worker_run(const struct worker_options *options);

#endif
