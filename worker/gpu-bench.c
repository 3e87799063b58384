/* See gpu-bench.h. */
#include "gpu-bench.h"

#include <stdio.h>
#include <stdlib.h>

enum farm_status gpu_bench_open(const char *which, struct gpu_bench **out_bench) {
  struct gpu_bench *bench = calloc(1, sizeof *bench);
  FAIL_IF(!bench, FARM_NO_MEMORY, "out of memory for a GPU");
  enum farm_status status = cuda_device_open(which, &bench->device);
  if (status != FARM_OK) {
    char why[400];
    snprintf(why, sizeof why, "%s", status_message());
    free(bench);
    return status_set(FARM_DEVICE_LOST, "GPU %s cannot be opened: %s", which, why);
  }
  *out_bench = bench;
  return FARM_OK;
}

void gpu_bench_close(struct gpu_bench **bench) {
  if (!*bench) return;
  cuda_device_close(&(*bench)->device);
  free(*bench);
  *bench = NULL;
}

size_t gpu_bench_cold_bytes(const struct gpu_bench *bench) {
  int64_t l2 = cuda_device_about(bench->device)->l2_bytes;
  return l2 > 0 ? 2 * (size_t)l2 : (size_t)128 << 20;
}

enum farm_status gpu_bench_blame(const struct gpu_bench *bench) {
  enum farm_status state = cuda_device_state(bench->device);
  if (state == FARM_OK) return FARM_OK;
  char why[480];
  snprintf(why, sizeof why, "%s", status_message());
  return status_set(state == FARM_TIMED_OUT ? FARM_TACTIC_HUNG : FARM_TACTIC_CRASHED, "%s", why);
}
