/* One GPU as its measuring child sees it: the device, what was compiled for the job at hand, and whether it still works. */
#ifndef WORKER_GPU_BENCH_H
#define WORKER_GPU_BENCH_H

#include "../device/cuda-device.h"
#include "artefact-shelf.h"

struct gpu_bench {
  struct cuda_device *device;
  const struct artefact_shelf *shelf; // of the job
};

/* FARM_DEVICE_LOST: it cannot be opened; the message names it and says why. */
enum farm_status gpu_bench_open(const char *which, struct gpu_bench **out_bench);
void gpu_bench_close(struct gpu_bench **bench);
size_t gpu_bench_cold_bytes(const struct gpu_bench *bench); // twice the second-level cache
/* What the error that sticks is called in an entry, with its message set: TACTIC_HUNG, TACTIC_CRASHED. FARM_OK: there is none. */
enum farm_status gpu_bench_blame(const struct gpu_bench *bench);

#endif
