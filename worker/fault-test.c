/* Each fault costs only itself, and the right variant is blamed: through the job runner and real children. */
#include "fault-tactics-test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static void expect(const struct job_outcome *outcome, const char *variant, enum farm_status status) {
  const struct job_entry *entry = entry_of(outcome, variant);
  CHECK_MESSAGE(entry, "%s has no entry", variant);
  if (!entry) return;
  bool either =
      strcmp(variant, FAR_PAST) == 0 && entry->entry.status == FARM_TACTIC_OVERRAN; // who finds it first: allocator or walk
  CHECK_MESSAGE(entry->entry.status == status || either, "%s: %s (%s) instead of %s", variant, status_name(entry->entry.status),
                entry->message, status_name(status));
  CHECK_MESSAGE((status == FARM_OK) == (entry->entry.times.n > 0), "%s: %u samples", variant, entry->entry.times.n);
  CHECK_MESSAGE((status == FARM_OK) == !*entry->message, "%s: message `%s`", variant, entry->message);
}

/* What each fault is called in the end; a sanitizer that watches the guard zones while a variant is
 * checked ends the process at the access itself. */
static const struct {
  const char *variant;
  enum farm_status status, watched;
} faults[] = {{CRASH, FARM_TACTIC_CRASHED, FARM_TACTIC_CRASHED},
              {SPIN, FARM_TACTIC_HUNG, FARM_TACTIC_HUNG},
              {SLEEP, FARM_TACTIC_HUNG, FARM_TACTIC_HUNG},
              {NAN_ONE, FARM_TACTIC_WRONG, FARM_TACTIC_WRONG},
              {SLIGHTLY, FARM_TACTIC_WRONG, FARM_TACTIC_WRONG},
              {PAST_END, FARM_TACTIC_OVERRAN, FARM_TACTIC_CRASHED},
              {LATE_PAST, FARM_TACTIC_OVERRAN, FARM_TACTIC_OVERRAN},
              {FAR_PAST, FARM_TACTIC_CRASHED, FARM_TACTIC_CRASHED},
              {OPERAND, FARM_TACTIC_OVERRAN, FARM_TACTIC_OVERRAN},
              {READS_GUARD, FARM_TACTIC_WRONG, FARM_TACTIC_CRASHED},
              {SECOND_RUN, FARM_TACTIC_CRASHED, FARM_TACTIC_CRASHED},
              {REFUSES, FARM_TACTIC_REFUSED, FARM_TACTIC_REFUSED},
              {ILLEGAL, FARM_TACTIC_REFUSED, FARM_TACTIC_REFUSED}};

static enum farm_status verdict_of(int fault) { return under_asan() ? faults[fault].watched : faults[fault].status; }

static void screen_one_between_good(const char *fault, enum farm_status status) {
  const char *const variants[] = {SPEED(200), fault, SPEED(400)};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_SCREEN, .variants = variants, .count = 3, .hang_ns = 1000000000u}, &outcome);
  CHECK_MESSAGE(outcome.status == FARM_OK, "%s: %s", fault, outcome.message);
  CHECK(outcome.count == 3);
  expect(&outcome, SPEED(200), FARM_OK);
  expect(&outcome, SPEED(400), FARM_OK);
  if (status != FARM_OK) expect(&outcome, fault, status);
}

TEST(fault_costs_only_itself, "timeout:120") {
  for (int i = 0; i < COUNT(faults); i++)
    if (faults[i].status != FARM_TACTIC_HUNG) screen_one_between_good(faults[i].variant, verdict_of(i)); // the mixtures hang, too
}

/* The allocator finds it in its own way: an abort, or canaries. */
TEST(fault_in_the_heap_is_found_at_its_maker, "") {
  if (under_asan()) SKIP("the sanitizer ends the process at the write");
  const char *const variants[] = {SPEED(200), SCRIBBLE, SPEED(400)};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_SCREEN, .variants = variants, .count = 3}, &outcome);
  CHECK(outcome.status == FARM_OK && outcome.count == 3);
  expect(&outcome, SPEED(200), FARM_OK);
  expect(&outcome, SPEED(400), FARM_OK);
  const struct job_entry *entry = entry_of(&outcome, SCRIBBLE);
  REQUIRE(entry);
  bool found = entry->entry.status == FARM_TACTIC_CRASHED || entry->entry.status == FARM_TACTIC_OVERRAN;
  CHECK_MESSAGE(found, "%s: %s", status_name(entry->entry.status), entry->message);
}

static void mixed_in_order(uint64_t seed, enum wire_job_kind kind) {
  const char *variants[ENTRIES_MOST];
  int count = 0;
  for (int i = 0; i < COUNT(faults); i++) variants[count++] = faults[i].variant;
  if (!under_asan()) variants[count++] = SCRIBBLE;
  variants[count++] = SPEED(200);
  variants[count++] = SPEED(400);
  variants[count++] = SPEED(800);
  for (int i = count - 1; i > 0; i--) { // Fisher and Yates, by a small congruential generator
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    int k = (int)((seed >> 33) % (uint64_t)(i + 1));
    const char *t = variants[i];
    variants[i] = variants[k], variants[k] = t;
  }
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = kind, .variants = variants, .count = count, .hang_ns = 1000000000u}, &outcome);
  CHECK_MESSAGE(outcome.status == FARM_OK, "seed %llu: %s", (unsigned long long)seed, outcome.message);
  CHECK(outcome.count == count);
  for (int i = 0; i < COUNT(faults); i++) expect(&outcome, faults[i].variant, verdict_of(i));
  expect(&outcome, SPEED(200), FARM_OK);
  expect(&outcome, SPEED(400), FARM_OK);
  expect(&outcome, SPEED(800), FARM_OK);
}

TEST(fault_mixture_in_any_order, "timeout:120") { mixed_in_order(1, WIRE_JOB_SCREEN); }
TEST(fault_mixtures_in_many_orders, "slow timeout:600") {
  for (uint64_t seed = 2; seed < 12; seed++) mixed_in_order(seed, WIRE_JOB_SCREEN);
}
TEST(fault_mixture_in_a_final, "timeout:120") { mixed_in_order(3, WIRE_JOB_FINAL); }

/* A death that somebody else caused, and that cannot be found out: the victim is heard alone. */
TEST(fault_victim_is_innocent, "") {
  const char *const variants[] = {POISON, VICTIM, SPEED(200)};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_SCREEN, .variants = variants, .count = 3}, &outcome);
  CHECK(outcome.status == FARM_OK && outcome.count == 3);
  expect(&outcome, POISON, FARM_OK);
  expect(&outcome, VICTIM, FARM_OK);
}

/* Harmless alone, deadly in every final: only repetition can tell, and the others get their final. */
TEST(fault_in_company_only, "timeout:120") {
  const char *const variants[] = {SPEED(200), IN_COMPANY, SPEED(404)};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_FINAL, .variants = variants, .count = 3}, &outcome);
  CHECK_MESSAGE(outcome.status == FARM_OK, "%s", outcome.message);
  expect(&outcome, SPEED(200), FARM_OK);
  expect(&outcome, SPEED(404), FARM_OK);
  expect(&outcome, IN_COMPANY, FARM_TACTIC_CRASHED);
}

TEST(fault_of_a_single_variant, "") {
  const char *const variants[] = {CRASH};
  struct job_outcome outcome;
  for (int kind = WIRE_JOB_SCREEN; kind <= WIRE_JOB_FINAL; kind++) {
    job_run_to_end(&(struct job_plan){.kind = (enum wire_job_kind)kind, .variants = variants, .count = 1}, &outcome);
    CHECK(outcome.status == FARM_OK && outcome.count == 1);
    expect(&outcome, CRASH, FARM_TACTIC_CRASHED);
  }
}

/* kill -9 from outside at any moment of a job: nobody is blamed for one. */
TEST(fault_from_outside_blames_nobody, "timeout:120") {
  const char *const variants[] = {SPEED(200), SPEED(400), SPEED(800), SPEED(3200)};
  struct job_outcome outcome;
  int kills = 0;
  for (int kind = WIRE_JOB_SCREEN; kind <= WIRE_JOB_FINAL; kind++)
    for (uint64_t ms = 3; ms < 130; ms += 42) {
      job_run_to_end(
          &(struct job_plan){
              .kind = (enum wire_job_kind)kind, .variants = variants, .count = 4, .kill_after_ns = ms * 1000000, .kills = 1},
          &outcome);
      CHECK_MESSAGE(outcome.status == FARM_OK && outcome.count == 4, "%s", outcome.message);
      for (int i = 0; i < 4; i++) expect(&outcome, variants[i], FARM_OK);
      kills += outcome.kills;
    }
  CHECK(kills > 3);
}

/* A child's bytes are no more believed than a peer's. */
TEST(fault_of_the_mind, "timeout:120") {
  const char *const variants[] = {SPEED(200), SPEED(400), SPEED(800)};
  struct job_outcome outcome;
  setenv("TUNEFARM_TEST_ROLE", "babbler", 1);
  for (int seed = 0; seed < 30; seed++) {
    char text[16];
    snprintf(text, sizeof text, "%d", seed);
    setenv("TUNEFARM_TEST_SEED", text, 1);
    struct job_plan plan = {.kind = seed % 2 ? WIRE_JOB_FINAL : WIRE_JOB_SCREEN, .variants = variants, .count = 3};
    job_run_to_end(&plan, &outcome);
    for (int i = 0; i < outcome.count; i++) CHECK(outcome.entries[i].entry.status != FARM_OK);
    CHECK(outcome.status != FARM_OK || outcome.count == 3);
  }
}

/* What cannot be measured at all fails as a job, and blames no variant. */
TEST(fault_of_the_job_blames_no_variant, "") {
  const char *const variants[] = {SPEED(200), SPEED(400)};
  struct job_outcome outcome;
  const struct job_plan plans[] = {{.problem = "gemm m16"}, {.problem = "op Shape-15 in:f32[1]"}, {.policy = "hot/7 effort9"}};
  for (int i = 0; i < COUNT(plans); i++) {
    struct job_plan plan = plans[i];
    plan.kind = WIRE_JOB_SCREEN, plan.variants = variants, plan.count = 2;
    job_run_to_end(&plan, &outcome);
    CHECK_MESSAGE(outcome.status != FARM_OK && outcome.count == 0 && *outcome.message, "plan %d: %s", i,
                  status_name(outcome.status));
  }
  setenv("TUNEFARM_TEST_ROLE", "nobody", 1); // ends without a word
  struct job_plan plan = {.kind = WIRE_JOB_FINAL, .variants = variants, .count = 2};
  job_run_to_end(&plan, &outcome);
  CHECK(outcome.status == FARM_FAILURE && outcome.count == 0);
}
