/* See timing.h. */
#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int rising(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double q) {
  double at = q * (double)(count - 1);
  size_t low = (size_t)at;
  size_t high = low + 1 < count ? low + 1 : low;
  return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

void timing_of(double *samples, size_t count, struct timing *out) {
  qsort(samples, count, sizeof *samples, rising);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += samples[i];
  *out = (struct timing){.min = samples[0],
                         .mean = sum / (double)count,
                         .median = quantile(samples, count, 0.5),
                         .p90 = quantile(samples, count, 0.9),
                         .p95 = quantile(samples, count, 0.95),
                         .p99 = quantile(samples, count, 0.99),
                         .max = samples[count - 1]};
  double half = 0.98 * sqrt((double)count); // 1.96 * sqrt(n / 4) ranks to either side
  double low = floor((double)count / 2 - half), high = ceil((double)count / 2 + half);
  size_t low_rank = low < 0 ? 0 : (size_t)low, high_rank = high > (double)count - 1 ? count - 1 : (size_t)high;
  out->ci95 = samples[high_rank] - samples[low_rank];
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
