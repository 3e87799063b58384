/* See order-statistics.h. */
#include "order-statistics.h"

#include "pmath.h"

#include <stdlib.h>

static int rising(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void samples_sort(double *samples, size_t count) { qsort(samples, count, sizeof *samples, rising); }

double samples_mean(const double *samples, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += samples[i];
  return sum / (double)count;
}

double samples_quantile(const double *sorted, size_t count, double q) {
  double at = q * (double)(count - 1);
  size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
  return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

void samples_median_interval(const double *sorted, size_t count, double *out_low, double *out_high) {
  double half = 0.98 * pmath_sqrt((double)count); // 1.96 * sqrt(n / 4) ranks
  double low = pmath_floor((double)count / 2 - half);
  size_t skipped = count < 6 || low < 0 ? 0 : (size_t)low; // at either end
  *out_low = sorted[skipped];
  *out_high = sorted[count - 1 - skipped];
}
