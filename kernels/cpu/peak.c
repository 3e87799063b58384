/* The probes of peak.h: slices on all threads of a pool, the best slice counts. */
#include "peak.h"

#include "../../base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { SLICES = 8 };

struct fma_slice {
  const struct cpu_peak *peak;
  int64_t rounds;
};

static void fma_task(void *argument, int64_t index, int thread) {
  (void)index, (void)thread;
  const struct fma_slice *slice = argument;
  slice->peak->rounds(slice->rounds);
}

static const struct cpu_peak *peak_of(enum isa isa) {
  static const struct cpu_peak *const peaks[ISA_COUNT] = {
      [ISA_BASELINE] = &cpu_peak__baseline, [ISA_AVX2] = &cpu_peak__avx2, [ISA_AVX512] = &cpu_peak__avx512};
  return peaks[isa];
}

/* Nanoseconds of one slice on all threads. */
static double slice_ns(struct thread_pool *pool, int64_t tasks, thread_pool_fn fn, void *argument) {
  uint64_t start = clock_now_ns();
  thread_pool_run(pool, tasks, fn, argument);
  return (double)(clock_now_ns() - start);
}

double cpu_fma_peak_gflops(enum isa isa, struct thread_pool *pool, int budget_ms) {
  struct fma_slice slice = {peak_of(isa), 20000};
  int threads = thread_pool_size(pool);
  double ns = slice_ns(pool, threads, fma_task, &slice); // also warms up
  double target = (double)budget_ms * 1e6 / SLICES;
  if (ns > 0 && target > ns) slice.rounds = (int64_t)((double)slice.rounds * target / ns);
  double best = 0;
  for (int i = 0; i < SLICES; i++) {
    ns = slice_ns(pool, threads, fma_task, &slice);
    double gflops = slice.peak->flops_per_round * (double)slice.rounds * threads / ns;
    if (gflops > best) best = gflops;
  }
  return best;
}

/* ---- reading ---- */
struct read_slice {
  const struct cpu_peak *peak;
  const char *data;
  size_t part_bytes; // of each task
  int passes;        // over a part: small ones would only measure the start of a loop
  volatile int32_t sink;
};

static void read_task(void *argument, int64_t index, int thread) {
  (void)thread;
  struct read_slice *slice = argument;
  int32_t sum = 0;
  for (int i = 0; i < slice->passes; i++)
    sum += slice->peak->read(slice->data + slice->part_bytes * (size_t)index, slice->part_bytes);
  slice->sink = sum;
}

double cpu_read_bandwidth_gbs(const struct device_class *device_class, struct thread_pool *pool, size_t bytes, int budget_ms) {
  if (bytes == 0) bytes = 4 * (size_t)(device_class->l3_bytes > 0 ? device_class->l3_bytes : 32 << 20);
  char *data = malloc(bytes);
  if (!data) return 0;
  memset(data, 1, bytes); // pages exist
  int threads = thread_pool_size(pool);
  struct read_slice slice = {.peak = peak_of(device_class->isa), .data = data, .part_bytes = bytes / (size_t)threads / 64 * 64};
  slice.passes = bytes >= (1 << 20) ? 1 : 1 + (int)((4 << 20) / (bytes + 1));
  double best = 0, spent = 0;
  for (int i = 0; i < 3 || (i < 1000 && spent < (double)budget_ms * 1e6); i++) {
    double ns = slice_ns(pool, threads, read_task, &slice);
    double rate = (double)slice.part_bytes * threads * slice.passes / (ns > 1 ? ns : 1);
    if (rate > best) best = rate;
    spent += ns;
  }
  free(data);
  return best;
}
