/* Quantiles against values worked out by hand; the interval of the median against its exact probability. */
#include "order-statistics.h"

#include "../tests/kit/test.h"

#include <math.h>

TEST(samples_quantiles_are_of_type_7, "") {
  double samples[] = {40, 10, 30, 20}; // their first quartile is 17.5 by no other type
  samples_sort(samples, 4);
  CHECK(samples[0] == 10 && samples[1] == 20 && samples[2] == 30 && samples[3] == 40);
  static const struct { double q, wanted; } cases[] = {{0, 10}, {0.25, 17.5}, {0.5, 25}, {0.75, 32.5}, {0.9, 37}, {1, 40}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double got = samples_quantile(samples, 4, cases[i].q);
    CHECK_MESSAGE(fabs(got - cases[i].wanted) < 1e-12, "quantile %g: %.17g, not %g", cases[i].q, got, cases[i].wanted);
  }
  CHECK(samples_mean(samples, 4) == 25);
  CHECK(samples_quantile(samples, 1, 0) == 10 && samples_quantile(samples, 1, 0.99) == 10 &&
        samples_quantile(samples, 1, 1) == 10);
}

/* With samples 0 … n-1 the ends of the interval are their own ranks, and it holds the median of any continuous distribution when
 * more than `low` and at most `high` samples lie below that: a sum of binomials. */
static double coverage(int n, double *out_low, double *out_high) {
  double samples[1024] = {0}, chance = 0, term = 1; // term: C(n, k) / 2^n
  for (int i = 0; i < n; i++) samples[i] = i;
  samples_median_interval(samples, (size_t)n, out_low, out_high);
  for (int i = 0; i < n; i++) term /= 2;
  for (int k = 0; k <= n; k++) {
    if (k > *out_low && k <= *out_high) chance += term;
    term = term * (n - k) / (k + 1);
  }
  return chance;
}

TEST(samples_median_interval_holds_it_95_times_in_100, "") {
  double low, high;
  for (int n = 1; n <= 1000; n++) {
    double chance = coverage(n, &low, &high), median = (n - 1) / 2.0;
    CHECK_MESSAGE(low + high == n - 1 && low <= median && median <= high, "n %d: from %g to %g", n, low, high);
    if (n < 6)
      CHECK(low == 0 && high == n - 1);
    else
      CHECK_MESSAGE(n < 100 ? chance > 0.921 && chance < 0.985 : chance > 0.938 && chance < 0.961, "n %d: %.4f", n, chance);
  }
}
