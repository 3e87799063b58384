/* See statistics.h. */
#include "statistics.h"

#include "../base/order-statistics.h"

void times_of(double *samples, uint32_t n, struct record_times *out) {
  samples_sort(samples, n);
  *out = (struct record_times){.n = n,
                               .min = samples[0],
                               .q1 = samples_quantile(samples, n, 0.25),
                               .median = samples_quantile(samples, n, 0.5),
                               .q3 = samples_quantile(samples, n, 0.75),
                               .max = samples[n - 1],
                               .mean = samples_mean(samples, n)};
  samples_median_interval(samples, n, &out->ci_low, &out->ci_high);
}

static bool ties(const struct record_times *fastest, const struct record_times *other) {
  return other->ci_low <= fastest->ci_high || other->median <= fastest->median * (1 + TIE_SHARE);
}

void entries_rank(struct record_entry *entries, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) entries[i].rank = UINT32_MAX;
  for (uint32_t rank = 0;; rank++) {
    const struct record_entry *fastest = NULL;
    for (uint32_t i = 0; i < count; i++) {
      const struct record_entry *e = &entries[i];
      bool open = e->finalist && e->status == FARM_OK && e->times.n && e->rank == UINT32_MAX;
      if (open && (!fastest || e->times.median < fastest->times.median)) fastest = e;
    }
    if (!fastest) return;
    const struct record_times times = fastest->times;
    for (uint32_t i = 0; i < count; i++) {
      struct record_entry *e = &entries[i];
      bool open = e->finalist && e->status == FARM_OK && e->times.n && e->rank == UINT32_MAX;
      if (open && ties(&times, &e->times)) e->rank = rank;
    }
  }
}

static bool is_known(const struct record_times *times) { return times->ci_high - times->ci_low <= TIE_SHARE * times->median; }

bool entries_settled(const struct record_times *times, uint32_t count) {
  uint32_t best = 0;
  bool all_separated = true;
  for (uint32_t i = 1; i < count; i++)
    if (times[i].median < times[best].median) best = i;
  for (uint32_t i = 0; i < count; i++) {
    if (i == best || times[i].ci_low > times[best].ci_high) continue;
    all_separated = false;
    if (!is_known(&times[i])) return false;
  }
  return all_separated || is_known(&times[best]);
}
