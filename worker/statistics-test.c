/* Order statistics on known samples; ties and ranks as the rule says. */
#include "statistics.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

TEST(times_of_known_samples, "") {
  double samples[9] = {9, 1, 8, 2, 7, 3, 6, 4, 5};
  struct record_times times;
  times_of(samples, 9, &times);
  CHECK(times.n == 9 && times.min == 1 && times.q1 == 3 && times.median == 5 && times.q3 == 7 && times.max == 9 &&
        times.mean == 5);
  CHECK(times.ci_low <= 3 && times.ci_high >= 7 && times.ci_low >= 1 && times.ci_high <= 9);
  double one = 3;
  times_of(&one, 1, &times);
  CHECK(times.median == 3 && times.ci_low == 3 && times.ci_high == 3);
}

/* The interval must hold the true median about 95 times in 100. */
TEST(times_interval_covers_the_median, "") {
  int covered = 0;
  for (uint64_t trial = 0; trial < 2000; trial++) {
    double samples[41];
    struct record_times times;
    for (uint64_t i = 0; i < 41; i++) samples[i] = random_uniform(trial, i);
    times_of(samples, 41, &times);
    covered += times.ci_low <= 0.5 && 0.5 <= times.ci_high;
  }
  CHECK_MESSAGE(covered > 1840 && covered < 1990, "%d of 2000", covered);
}

static struct record_entry entry(double median, double half, bool finalist) {
  return (struct record_entry){.status = FARM_OK,
                               .finalist = finalist,
                               .times = {.n = 10, .median = median, .ci_low = median - half, .ci_high = median + half}};
}

TEST(entries_rank_groups_ties, "") {
  struct record_entry entries[] = {entry(120, 1, true), entry(100, 2, true), entry(101, 2, true), entry(90, 1, false),
                                   entry(120.3, 0.1, true)};
  entries_rank(entries, 5);
  CHECK(entries[1].rank == 0 && entries[2].rank == 0);
  CHECK(entries[0].rank == 1 && entries[4].rank == 1); // within half a percent, though the intervals touch, too
  CHECK(entries[3].rank == UINT32_MAX);
  entries[1].status = FARM_TACTIC_WRONG;
  entries_rank(entries, 5);
  CHECK(entries[1].rank == UINT32_MAX && entries[2].rank == 0);
}

TEST(entries_settle_when_separated_or_known, "") {
  struct record_times far[] = {{.median = 100, .ci_low = 99.9, .ci_high = 100.1}, {.median = 120, .ci_low = 110, .ci_high = 130}};
  struct record_times near[] = {{.median = 100, .ci_low = 98, .ci_high = 102}, {.median = 101, .ci_low = 99, .ci_high = 103}};
  struct record_times tied[] = {{.median = 100, .ci_low = 99.9, .ci_high = 100.1},
                                {.median = 100.05, .ci_low = 99.9, .ci_high = 100.2}};
  struct record_times vague_winner[] = {{.median = 100, .ci_low = 90, .ci_high = 110},
                                        {.median = 140, .ci_low = 130, .ci_high = 150}};
  CHECK(entries_settled(vague_winner, 2)); // how fast exactly does not change who won
  CHECK(entries_settled(far, 2) && !entries_settled(near, 2) && entries_settled(tied, 2));
}
