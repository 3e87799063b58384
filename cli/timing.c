/* See timing.h. */
#include "timing.h"

#include "../base/order-statistics.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void timing_of(double *samples, size_t count, struct timing *out) {
  double low, high;
  samples_sort(samples, count);
  samples_median_interval(samples, count, &low, &high);
  *out = (struct timing){.min = samples[0],
                         .mean = samples_mean(samples, count),
                         .median = samples_quantile(samples, count, 0.5),
                         .p90 = samples_quantile(samples, count, 0.9),
                         .p95 = samples_quantile(samples, count, 0.95),
                         .p99 = samples_quantile(samples, count, 0.99),
                         .max = samples[count - 1],
                         .ci95 = high - low};
}

static int stat_read(unsigned long long *busy, unsigned long long *total) {
  FILE *file = fopen("/proc/stat", "re");
  if (!file) return 0;
  unsigned long long v[8] = {0};
  int got = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
  fclose(file);
  *total = 0;
  for (int i = 0; i < 8; i++) *total += v[i];
  *busy = *total - v[3] - v[4]; // less idle and iowait; steal counts as foreign
  return got == 8;
}

static double own_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void foreign_load_begin(struct foreign_load *load) {
  if (!stat_read(&load->busy, &load->total)) load->total = 0;
  load->own_s = own_seconds();
}

double foreign_load_share(const struct foreign_load *load) {
  unsigned long long busy, total;
  if (!load->total || !stat_read(&busy, &total) || total == load->total) return -1;
  double ticks = (double)(total - load->total), own = (own_seconds() - load->own_s) * (double)sysconf(_SC_CLK_TCK);
  double share = ((double)(busy - load->busy) - own) / ticks;
  return share < 0 ? 0 : share;
}
