/* What this CPU can do at most: multiply-adds from registers, bytes read from memory. `tunefarm doctor` prints them; bench
 * reports percentages of them. Clocks drift and neighbours disturb: compare only with what is measured in the same minute, on the
 * same core. */
#ifndef KERNELS_CPU_PEAK_H
#define KERNELS_CPU_PEAK_H

#include "../../base/thread-pool.h"
#include "../../problem/device-class.h"

/* GFLOP/s (a multiply-add counts two) of f32 with independent accumulators in the widest registers of `isa`, on every thread of
 * the pool at once; the best of several slices that together take about budget_ms. The CPU must have `isa`. */
double cpu_fma_peak_gflops(enum isa isa, struct thread_pool *pool, int budget_ms);
/* GB/s read sequentially from `bytes` shared out among the pool's threads (0: four times the last-level cache of the class), the
 * best of several passes within about budget_ms. 0 when there is no memory for it. */
double cpu_read_bandwidth_gbs(const struct device_class *device_class, struct thread_pool *pool, size_t bytes, int budget_ms);

/* Instances: rounds of multiply-adds, and how many operations each has; something that depends on all of `bytes`. */
struct cpu_peak {
  double flops_per_round;
  void (*rounds)(int64_t rounds);
  int32_t (*read)(const void *data, size_t bytes);
};
extern const struct cpu_peak cpu_peak__baseline, cpu_peak__avx2, cpu_peak__avx512;

#endif
