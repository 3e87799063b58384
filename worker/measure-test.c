/* Policies, copies, ranking of known speeds, ties, locks between processes. */
#include "measure.h"

#include "../base/clock.h"
#include "fault-tactics-test.h"
#include "noise.h"
#include "sampler.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(measure_policies_are_exact, "") {
  struct measure_policy policy;
  REQUIRE_OK(measure_policy_parse("cold/1 effort3", &policy));
  CHECK(policy.effort == 3 && policy.rungs == 2);
  const char *const wrong[] = {"",
                               "cold/1",
                               "cold/1 effort0",
                               "cold/1 effort5",
                               "cold/1 effort2 ",
                               "cold/1 effort22",
                               "cold/2 effort2",
                               "cold/1 effort 2x",
                               "hot/1 effort2"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_MESSAGE(measure_policy_parse(wrong[i], &policy) == FARM_UNSUPPORTED, "`%s` was taken", wrong[i]);
}

static int copies_of(const char *problem_text, size_t *out_bytes) {
  struct arena arena = {0};
  struct problem problem;
  struct variant variants[256];
  struct device_class here;
  REQUIRE_OK(problem_parse(problem_text, &arena, &problem));
  REQUIRE_OK(cpu_device_class(&here));
  REQUIRE(catalogue_variants(&problem, &here, LAYOUT_ANY, variants, 256) > 0);
  struct measure_job job = {.problem = &problem, .variants = variants, .threads = 1, .cold_bytes = (size_t)40 << 20};
  *out_bytes = variant_packed_bytes(&problem, &variants[0]);
  int copies = measure_copies(&job, &variants[0], *out_bytes);
  arena_free(&arena);
  return copies;
}

TEST(measure_copies_exceed_the_cache_and_fit_into_memory, "") {
  size_t bytes;
  int copies = copies_of("gemm m128 n768 k768 f32 acc:f32 w:const", &bytes);
  CHECK(bytes >= 768 * 768 * 4 && bytes * (size_t)copies > (size_t)40 << 20 && bytes * (size_t)(copies - 1) <= (size_t)40 << 20);
  CHECK(copies_of("gemm m128 n768 k768 f32 acc:f32", &bytes) == 1); // nothing is packed
  CHECK(copies_of("gemm m4 n65536 k16384 f32 acc:f32 w:const", &bytes) == 1 &&
        bytes > MEASURE_MOST_BYTES); // 4 GiB of weights: no second copy
  copies = copies_of("gemm m1 n16 k16 f32 acc:f32 w:const", &bytes);
  CHECK(copies > 100 && copies < 4096);
}

/* A first run may take what a slow reference needs on a busy machine, also when the estimate says nothing or nonsense. */
TEST(measure_patience_does_not_trust_estimates, "") {
  struct arena arena = {0};
  struct problem small, large;
  REQUIRE_OK(problem_parse("gemm m8 n8 k8 f32 acc:f32", &arena, &small));
  REQUIRE_OK(problem_parse("gemm m1024 n1024 k2048 f32 acc:f32", &arena, &large));
  CHECK(pulse_first_allowed_ns(&(struct measure_job){.problem = &small}) < 11e9);
  for (double estimate = 0; estimate < 1e9; estimate = estimate * 100 + 1) {
    double allowed = pulse_first_allowed_ns(&(struct measure_job){.problem = &large, .estimated_ns = estimate});
    CHECK_MESSAGE(allowed > 100e9 && allowed <= 600e9, "%g ns for an estimate of %g", allowed, estimate);
  }
  CHECK(pulse_first_allowed_ns(&(struct measure_job){.problem = &small, .estimated_ns = 1e30}) <= 600e9);
  arena_free(&arena);
}

TEST(measure_screen_finds_known_speeds, "timeout:120") {
  const char *const variants[] = {SPEED(3200), SPEED(800), SPEED(400), SPEED(200)};
  const double ns[] = {3200e3, 800e3, 400e3, 200e3};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_SCREEN, .variants = variants, .count = 4, .policy = "cold/1 effort2"},
                 &outcome);
  CHECK(outcome.status == FARM_OK && outcome.count == 4);
  for (int i = 0; i < 4; i++) {
    const struct job_entry *entry = entry_of(&outcome, variants[i]);
    REQUIRE(entry && entry->entry.times.n);
    const struct record_times *t = &entry->entry.times;
    CHECK_MESSAGE(t->min >= ns[i] * 0.999 && t->min < ns[i] * 1.5, "%s: min %g", variants[i], t->min);
    CHECK(t->min <= t->q1 && t->q1 <= t->median && t->median <= t->q3 && t->q3 <= t->max && t->ci_low <= t->median &&
          t->median <= t->ci_high);
  }
  uint32_t slow = entry_of(&outcome, SPEED(3200))->entry.times.n, fast = entry_of(&outcome, SPEED(200))->entry.times.n;
  CHECK_MESSAGE(fast > 3 * slow, "%u samples of the fastest, %u of the slowest", fast, slow);
  CHECK_MESSAGE(strncmp(outcome.clocks, "mhz ", 4) == 0 && strstr(outcome.clocks, " foreign "), "`%s`", outcome.clocks);
}

TEST(measure_final_ranks_known_speeds_and_finds_ties, "timeout:120") {
  const char *const variants[] = {SPEED(800), SPEED(400), SPEED(200), SPEED(3200)};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_FINAL, .variants = variants, .count = 4, .policy = "cold/1 effort3"},
                 &outcome);
  CHECK(outcome.status == FARM_OK && outcome.count == 4);
  CHECK(entry_of(&outcome, SPEED(200))->entry.rank == 0 && entry_of(&outcome, SPEED(400))->entry.rank == 1);
  CHECK(entry_of(&outcome, SPEED(800))->entry.rank == 2 && entry_of(&outcome, SPEED(3200))->entry.rank == 3);
  CHECK(entry_of(&outcome, SPEED(3200))->entry.times.n < entry_of(&outcome, SPEED(200))->entry.times.n); // it rested
  for (int i = 1; i < 4; i++) CHECK(strcmp(outcome.entries[i - 1].variant, outcome.entries[i].variant) < 0);
  for (int i = 0; i < 4; i++) CHECK(outcome.entries[i].entry.finalist);
}

/* The very same work under two names. */
TEST(measure_final_finds_ties, "timeout:120") {
  const char *const variants[] = {SPEED(400), SPEED(401), SPEED(3200)};
  struct job_outcome outcome;
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_FINAL, .variants = variants, .count = 3}, &outcome);
  CHECK(outcome.status == FARM_OK && outcome.count == 3);
  CHECK(entry_of(&outcome, SPEED(400))->entry.rank == 0 && entry_of(&outcome, SPEED(401))->entry.rank == 0);
  CHECK(entry_of(&outcome, SPEED(3200))->entry.rank == 1);
}

TEST(measured_clock_is_plausible, "") {
  double mhz = clock_measured_mhz();
  CHECK_MESSAGE(mhz > 300 && mhz < 10000, "%.0f MHz", mhz);
  struct noise noise = {0};
  char text[NOISE_TEXT_MAX];
  noise_print(&noise, text);
  CHECK_TEXT(text, "");
  noise_begin(&noise);
  clock_sleep_ns(30000000); // not running is what foreign load looks like
  noise_end(&noise);
  CHECK_MESSAGE(noise.cpu_ns < 0.5 * noise.wall_ns, "%g of %g ns", noise.cpu_ns, noise.wall_ns);
  noise_print(&noise, text);
  CHECK(strstr(text, "foreign 9") || strstr(text, "foreign 8"));
}

/* ---- core locks ---- */

static void signs_count(void *context) { ++*(int *)context; }

static cpu_set_t first_core(void) {
  cpu_set_t all, one;
  REQUIRE_OK(cores_parse("", &all));
  CPU_ZERO(&one);
  for (int core = 0; core < CPU_SETSIZE; core++)
    if (CPU_ISSET(core, &all)) {
      CPU_SET(core, &one);
      break;
    }
  return one;
}

/* A process that holds the core for `ms`, then ends; *out_began once it does. */
static pid_t holder_start(const cpu_set_t *cores, uint64_t ms) {
  int ready[2];
  char byte;
  REQUIRE(pipe(ready) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct device_locks locks;
    bool held = cores_lock(cores, NULL, NULL, &locks) == FARM_OK && write(ready[1], "x", 1) == 1;
    clock_sleep_ns(ms * 1000000);
    _exit(!held);
  }
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]), close(ready[1]);
  return pid;
}

TEST(core_locks_exclude_other_processes, "") {
  setenv("TUNEFARM_LOCKS", test_folder(), 1);
  cpu_set_t core = first_core();
  struct device_locks locks;
  int status, signs = 0;
  pid_t pid = holder_start(&core, 500);
  uint64_t begin = clock_now_ns();
  REQUIRE_OK(cores_lock(&core, signs_count, &signs, &locks));
  CHECK(clock_now_ns() - begin > 300000000u); // it waited
  CHECK_MESSAGE(signs >= 1, "it said %d times that it waits", signs);
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  device_unlock(&locks);
  pid = holder_start(&core, 60000); // killed while it holds: the lock is free
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  begin = clock_now_ns();
  REQUIRE_OK(cores_lock(&core, NULL, NULL, &locks));
  CHECK(clock_now_ns() - begin < 200000000u);
  device_unlock(&locks);
}

/* A whole job waits for the core, and is not taken for hung meanwhile although it is allowed much less. */
TEST(core_locks_waited_for_are_no_hang, "") {
  setenv("TUNEFARM_LOCKS", test_folder(), 1);
  cpu_set_t core = first_core();
  const char *const variants[] = {SPEED(200), SPEED(400)};
  struct job_outcome outcome;
  int status;
  pid_t pid = holder_start(&core, 1900);
  uint64_t begin = clock_now_ns();
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_SCREEN, .variants = variants, .count = 2, .hang_ns = 600000000u}, &outcome);
  CHECK(outcome.status == FARM_OK && clock_now_ns() - begin > 1400000000u);
  for (int i = 0; i < 2; i++) CHECK(entry_of(&outcome, variants[i]) && entry_of(&outcome, variants[i])->entry.status == FARM_OK);
  CHECK(waitpid(pid, &status, 0) == pid);
}

TEST(cores_lists_are_checked, "") {
  cpu_set_t all, some;
  char text[256], again[256];
  REQUIRE_OK(cores_parse("", &all));
  cores_print(&all, text, sizeof text);
  REQUIRE_OK(cores_parse(text, &some));
  CHECK(CPU_EQUAL(&all, &some));
  cores_print(&some, again, sizeof again);
  CHECK_TEXT(again, text);
  const char *const wrong[] = {"x", "0-", "-1", "1-0", "0,", ",0", "99999", "0 1", "1023", "18446744073709551616"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_MESSAGE(cores_parse(wrong[i], &some) == FARM_USAGE, "`%s` was taken", wrong[i]);
}

/* The reference at the largest size that is checked in full: seconds per run, more on a busy machine, and no sign of a hang. */
TEST(measure_slow_reference_is_no_hang, "slow timeout:600") {
  const char *const variants[] = {"gemm__reference__any"};
  struct job_outcome outcome;
  struct job_plan plan = {.kind = WIRE_JOB_SCREEN,
                          .variants = variants,
                          .count = 1,
                          .hang_ns = 600000000000u,
                          .problem = "gemm m1024 n1024 k1900 f32 acc:f32"};
  job_run_to_end(&plan, &outcome);
  const struct job_entry *reference = entry_of(&outcome, variants[0]);
  REQUIRE(reference);
  CHECK_MESSAGE(outcome.status == FARM_OK && reference->entry.status == FARM_OK, "%s %s", outcome.message, reference->message);
  CHECK(reference->entry.times.n && reference->entry.times.min > 1e8);
}
