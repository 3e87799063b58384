/* The rules of blame, without children: every path of blame.h's picture, and random histories that must come to an end. */
#include "blame.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

static struct blame screen_of(int count, bool final) {
  struct blame blame;
  REQUIRE(blame_make(count, final, &blame) == FARM_OK);
  return blame;
}

static void expect_next(const struct blame *blame, enum blame_trial trial, int count, int first) {
  int batch[16], got;
  enum blame_trial is = blame_next(blame, batch, &got);
  CHECK_MESSAGE(is == trial && got == count && (count == 0 || batch[0] == first), "trial %d of %d from %d", is, got,
                got ? batch[0] : -1);
}

TEST(blame_screen_hears_the_suspect_alone, "") {
  struct blame blame = screen_of(3, false);
  expect_next(&blame, TRIAL_COMPANY, 3, 0);
  CHECK(blame_result(&blame, 0, true, true));
  CHECK(blame_death(&blame, 1, false, true) == BLAME_RETRY);
  expect_next(&blame, TRIAL_ALONE, 1, 1);
  CHECK(blame_result(&blame, 1, true, true)); // innocent
  expect_next(&blame, TRIAL_COMPANY, 1, 2);
  CHECK(blame_death(&blame, 2, true, true) == BLAME_RETRY); // alone, but once only
  expect_next(&blame, TRIAL_ALONE, 1, 2);
  CHECK(blame_death(&blame, 2, true, true) == BLAME_CONVICTED);
  expect_next(&blame, TRIAL_NONE, 0, 0);
  blame_free(&blame);
}

TEST(blame_failures_stand_only_alone, "") {
  struct blame blame = screen_of(2, false);
  CHECK(!blame_result(&blame, 1, false, false));
  expect_next(&blame, TRIAL_ALONE, 1, 1);
  CHECK(blame_result(&blame, 1, false, true));
  expect_next(&blame, TRIAL_COMPANY, 1, 0);
  blame_free(&blame);
}

TEST(blame_final_hears_everybody_when_the_suspect_is_innocent, "") {
  struct blame blame = screen_of(3, true);
  expect_next(&blame, TRIAL_COMPANY, 3, 0);
  CHECK(blame_death(&blame, 2, false, true) == BLAME_RETRY);
  expect_next(&blame, TRIAL_ALONE, 1, 2); // the suspect first
  CHECK(blame_result(&blame, 2, true, true));
  expect_next(&blame, TRIAL_ALONE, 1, 0);
  CHECK(blame_death(&blame, 0, true, true) == BLAME_RETRY);
  expect_next(&blame, TRIAL_ALONE, 1, 0);
  CHECK(blame_death(&blame, 0, true, true) == BLAME_CONVICTED);
  expect_next(&blame, TRIAL_COMPANY, 2, 1); // 1 was suspected only for what 0 did
  bool failed[3] = {true, false, false};
  CHECK(blame_final_taken(&blame, failed));
  blame_free(&blame);
}

TEST(blame_final_runs_again_after_a_failure_in_company, "") {
  struct blame blame = screen_of(2, true);
  bool failed[2] = {false, true};
  CHECK(!blame_final_taken(&blame, failed));
  expect_next(&blame, TRIAL_ALONE, 1, 1);
  CHECK(blame_result(&blame, 1, true, true));
  expect_next(&blame, TRIAL_COMPANY, 2, 0);
  CHECK(blame_final_taken(&blame, failed)); // twice: it is its own doing
  blame_free(&blame);
}

TEST(blame_without_a_name_gives_up, "") {
  struct blame screen = screen_of(2, false), final = screen_of(2, true);
  CHECK(blame_death(&screen, -1, true, false) == BLAME_RETRY && blame_death(&screen, -1, true, false) == BLAME_GIVE_UP);
  CHECK(blame_death(&final, -1, false, true) == BLAME_RETRY);
  expect_next(&final, TRIAL_ALONE, 1, 0);
  CHECK(blame_death(&final, -1, false, true) == BLAME_RETRY && blame_death(&final, -1, false, true) == BLAME_GIVE_UP);
  blame_free(&screen);
  blame_free(&final);
}

/* One trial by dice: 0 dies without a name, 1 dies, 2 fails, else harmless. False: the job is over. */
static bool trial_play(struct blame *blame, enum blame_trial trial, const int *batch, int count, uint64_t seed, bool *guilty) {
  bool failed[16] = {false};
  bool whole_final = blame->final && trial == TRIAL_COMPANY;
  for (int k = 0; k < count; k++) {
    uint64_t dice = random_u64(seed, (uint64_t)k) % 8;
    guilty[batch[k]] |= dice == 1 || dice == 2;
    if (dice < 2) return blame_death(blame, dice ? batch[k] : -1, k == 0, k > 0) != BLAME_GIVE_UP;
    failed[batch[k]] = dice == 2;
    if (!whole_final) blame_result(blame, batch[k], dice != 2, k == 0);
  }
  return !whole_final || !blame_final_taken(blame, failed);
}

/* Whatever children do, a job ends after a bounded number of trials, and whoever never died or failed is never convicted. */
TEST(blame_always_ends, "") {
  enum { COUNT = 6, TRIALS_MOST = 200 };
  for (uint64_t seed = 0; seed < 3000; seed++) {
    bool guilty[COUNT] = {false}, final = seed & 1;
    struct blame blame = screen_of(COUNT, final);
    int batch[COUNT], count, trials = 0;
    enum blame_trial trial = blame_next(&blame, batch, &count);
    while (trial != TRIAL_NONE && trial_play(&blame, trial, batch, count, seed * 1000 + (uint64_t)trials, guilty)) {
      REQUIRE(++trials < TRIALS_MOST);
      trial = blame_next(&blame, batch, &count);
    }
    for (int i = 0; final && i < COUNT; i++) CHECK(guilty[i] || !blame.variants[i].out);
    blame_free(&blame);
  }
}
