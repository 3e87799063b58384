/* What `run` tells of measured times, by the definitions of base/order-statistics.h (percentiles are quantiles of type 7). */
#ifndef CLI_TIMING_H
#define CLI_TIMING_H

#include <stddef.h>

struct timing {
  double min, mean, median, p90, p95, p99, max;
  double ci95; // width of the interval of the median
};

void timing_of(double *samples, size_t count, struct timing *out); // sorts the samples; count >= 1

/* CPU time that others took while we measured, as a share of this machine's: from /proc/stat less our own. */
struct foreign_load {
  unsigned long long busy, total;
  double own_s;
};
void foreign_load_begin(struct foreign_load *load);
double foreign_load_share(const struct foreign_load *load); // since begin; negative when it cannot be known

#endif
