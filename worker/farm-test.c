/* Workers and a coordinator as processes: kill -9 in mid-job, SIGTERM, DRAIN, execute jobs. This binary plays every part. */
#include "fault-tactics-test.h"

#include "../base/clock.h"
#include "../cluster/wire/client.h"
#include "../coordinator/coordinator.h"
#include "../kernels/tactic.h"
#include "engine-pair-test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ITEMS = 6, FARM_WORKERS = 2 };

struct farm {
  char endpoint[COORDINATOR_ENDPOINT_MOST], class_text[DEVICE_CLASS_TEXT_MAX];
  pid_t coordinator, workers[FARM_WORKERS];
  struct client *client;
};

static pid_t role_start(const char *role) {
  setenv("TUNEFARM_TEST_ROLE", role, 1);
  pid_t pid = fork();
  if (pid == 0) {
    execl("/proc/self/exe", "test", (char *)NULL);
    _exit(127);
  }
  REQUIRE(pid > 0);
  return pid;
}

static int ended_within(pid_t pid, int ms) { // exit code; -1: runs still, -2: a signal
  int status;
  for (int waited = 0; waited < ms; waited += 10) {
    if (waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    clock_sleep_ns(10000000);
  }
  return -1;
}

static struct farm farm_start(void) {
  struct farm farm;
  struct device_class here;
  char cache[4200];
  snprintf(cache, sizeof cache, "%s/cache", test_folder());
  setenv("XDG_RUNTIME_DIR", test_folder(), 1);
  setenv("TUNEFARM_LOCKS", test_folder(), 1);
  setenv("TUNEFARM_TEST_CACHE", cache, 1);
  REQUIRE_OK(coordinator_endpoint(cache, farm.endpoint));
  setenv("TUNEFARM_TEST_ENDPOINT", farm.endpoint, 1);
  REQUIRE_OK(cpu_device_class(&here));
  device_class_print(&here, farm.class_text);
  farm.coordinator = role_start("coordinator");
  for (int i = 0; i < FARM_WORKERS; i++) farm.workers[i] = role_start("worker");
  struct client_options options = {
      .endpoint = farm.endpoint, .build = "test", .catalogue = catalogue_digest(), .timeout_ms = 20000};
  REQUIRE_OK(client_open(&options, &farm.client));
  return farm;
}

/* DRAIN ends the workers by themselves; SIGTERM the coordinator. */
static void farm_end(struct farm *farm) {
  REQUIRE_OK(client_drain(farm->client, 10000));
  for (int i = 0; i < FARM_WORKERS; i++) {
    int code = ended_within(farm->workers[i], 15000);
    CHECK_MESSAGE(code == 0, "worker %d drained: %d", i, code);
  }
  client_close(&farm->client);
  kill(farm->coordinator, SIGTERM);
  int code = ended_within(farm->coordinator, 15000);
  CHECK_MESSAGE(code == 0, "coordinator: %d", code);
}

/* ---- builds ---- */

static const char *const mixture[] = {SPEED(200), CRASH, SPEED(800), SPEED(3200), NAN_ONE};
enum { MIXTURE = 5 };
struct submission {
  char problems[ITEMS][64];
  struct wire_variant variants[MIXTURE];
  struct wire_item items[ITEMS];
};

static void submission_make(struct submission *s, const struct farm *farm) {
  struct variant variant;
  for (int i = 0; i < MIXTURE; i++) {
    REQUIRE_OK(variant_parse(mixture[i], &variant));
    s->variants[i] = (struct wire_variant){mixture[i], tactic_source_digest(variant.tactic)};
  }
  for (int i = 0; i < ITEMS; i++) {
    snprintf(s->problems[i], sizeof s->problems[i], "gemm m16 n16 k%d f32 acc:f32", 16 + i);
    s->items[i] = (struct wire_item){.problem = s->problems[i],
                                     .device_class = farm->class_text,
                                     .threads = 1,
                                     .estimated_ns = 2e5,
                                     .weight = 1,
                                     .variants = s->variants,
                                     .variants_count = MIXTURE};
  }
}

/* What a tuned item must look like, whatever happened on the way. */
static void record_check(const struct record *record) {
  int winner = record_winner(record);
  REQUIRE(winner >= 0);
  CHECK_TEXT(record->entries[winner].variant, SPEED(200));
  for (uint32_t i = 0; i < record->entry_count; i++) {
    const struct record_entry *entry = &record->entries[i];
    enum farm_status expected = strcmp(entry->variant, CRASH) == 0     ? FARM_TACTIC_CRASHED
                                : strcmp(entry->variant, NAN_ONE) == 0 ? FARM_TACTIC_WRONG
                                                                       : FARM_OK;
    CHECK_MESSAGE(entry->status == expected, "%s: %s (%s)", entry->variant, status_name(entry->status), entry->message);
  }
}

/* Runs a build; `meddle` is called about every 50 ms. */
static void build_run_to_end(struct farm *farm, const char *policy, void (*meddle)(struct farm *farm, int tick)) {
  static struct submission s;
  struct client_event event;
  submission_make(&s, farm);
  int results = 0;
  uint64_t begin = clock_now_ns();
  REQUIRE_OK(client_submit(
      farm->client, &(struct client_build){.label = "test", .policy = policy, .items = s.items, .item_count = ITEMS}, 10000));
  for (int tick = 0;; tick++) {
    REQUIRE(clock_now_ns() - begin < 90000000000u);
    REQUIRE_OK(client_next(farm->client, 50, &event));
    if (event.kind == CLIENT_DONE) break;
    if (event.kind != CLIENT_RESULT) {
      if (meddle) meddle(farm, tick);
      continue;
    }
    CHECK_MESSAGE(event.status == FARM_OK && event.has_record, "%s: %s", s.problems[event.item], event.message);
    if (event.has_record) record_check(&event.record);
    results++;
  }
  CHECK_MESSAGE(event.status == FARM_OK && results == ITEMS, "%s, %d results", event.message, results);
}

TEST(farm_tunes_and_drains, "timeout:120") {
  struct farm farm = farm_start();
  build_run_to_end(&farm, "cold/1 effort1", NULL);
  uint64_t begin = clock_now_ns();
  build_run_to_end(&farm, "cold/1 effort1", NULL); // all hits
  CHECK(clock_now_ns() - begin < 3000000000u);
  farm_end(&farm);
}

/* Both workers are killed in mid-job, in turn, and come back; one is told to end, and leaves in order. */
static int murders;
static void murder(struct farm *farm, int tick) {
  if (tick % 8 != 5 || murders == 4) return;
  int victim = murders % FARM_WORKERS, sign = murders == 2 ? SIGTERM : SIGKILL;
  murders++;
  kill(farm->workers[victim], sign);
  int code = ended_within(farm->workers[victim], 5000);
  CHECK_MESSAGE(sign == SIGKILL ? code == -2 : code == 0, "worker ended with %d", code);
  farm->workers[victim] = role_start("worker");
}

TEST(farm_survives_the_death_of_workers, "timeout:120") {
  struct farm farm = farm_start();
  build_run_to_end(&farm, "cold/1 effort3", murder);
  CHECK_MESSAGE(murders >= 3, "%d murders", murders);
  farm_end(&farm);
}

TEST(farm_survives_deaths_many_times, "slow timeout:600") {
  for (int i = 0; i < 8; i++) {
    struct farm farm = farm_start();
    murders = 0;
    build_run_to_end(&farm, "cold/1 effort4", murder);
    farm_end(&farm);
    char command[4300];
    snprintf(command, sizeof command, "rm -rf %s/cache", test_folder());
    REQUIRE(system(command) == 0);
  }
}

/* ---- execute jobs ---- */

TEST(farm_compares_engines, "timeout:120") {
  struct farm farm = farm_start();
  struct build_comparison same, slower;
  char plain[4300], longer[4300], missing[4300], other[4300];
  engine_file_write("plain", ENGINE_PLAIN, plain, sizeof plain);
  engine_file_write("longer", ENGINE_LONGER, longer, sizeof longer);
  engine_file_write("other", ENGINE_WRONG, other, sizeof other);
  snprintf(missing, sizeof missing, "%s/missing", test_folder());
  REQUIRE_OK(build_compare_engines(farm.client, farm.class_text, 1, longer, plain, 0.3, &slower));
  CHECK_MESSAGE(slower.ratio > 1.5 && slower.ci95_low > 1.2 && slower.a_ms > slower.b_ms, "ratio %g, at least %g", slower.ratio,
                slower.ci95_low);
  CHECK(slower.n >= 5 && slower.max_rel_difference == 0);
  REQUIRE_OK(build_compare_engines(farm.client, farm.class_text, 1, plain, plain, 0.3, &same));
  CHECK_MESSAGE(same.ratio > 0.8 && same.ratio < 1.25, "an engine is %g times itself", same.ratio);
  CHECK(build_compare_engines(farm.client, farm.class_text, 1, plain, other, 0.1, &same) == FARM_VERIFY_FAILED);
  CHECK(build_compare_engines(farm.client, farm.class_text, 1, plain, missing, 0.1, &same) == FARM_NOT_FOUND);
  CHECK(build_compare_engines(farm.client, farm.class_text, 0, plain, plain, 0.1, &same) == FARM_USAGE);
  build_run_to_end(&farm, "cold/1 effort1", NULL); // and the workers go on measuring
  farm_end(&farm);
}
