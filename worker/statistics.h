/* Statistics of samples of time: what a record keeps. Sources are named where a method has one. */
#ifndef WORKER_STATISTICS_H
#define WORKER_STATISTICS_H

#include "../problem/record.h"

#include <stdbool.h>

/* What a record keeps of samples, by the definitions of base/order-statistics.h (quantiles of type 7). Sorts them. n >= 1. */
void times_of(double *samples, uint32_t n, struct record_times *out);

/* Groups of a final: entries sorted by median; an entry ties with its group's fastest when their intervals of the median overlap
 * or the medians are within TIE_SHARE. Sets rank of finalists that are OK (0 = fastest), UINT32_MAX of the others. */
#define TIE_SHARE 0.005
void entries_rank(struct record_entry *entries, uint32_t count);
/* Is a further round of a final pointless: everything separated from the fastest, or known to TIE_SHARE? */
bool entries_settled(const struct record_times *times, uint32_t count);

#endif
