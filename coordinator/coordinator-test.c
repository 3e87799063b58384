/* The coordinator as a process: builders in other processes, fake workers that answer with made-up times, and kill -9 in the
 * middle.
 *
 * This binary is also the coordinator and the workers: TUNEFARM_TEST_ROLE in the environment makes it one before main() runs.
 * Workers append each measured key to FAKE_LOG, so that a test can count what was measured twice. */
#include "coordinator.h"

#include "../base/clock.h"
#include "../base/digest.h"
#include "../cluster/wire/client.h"
#include "../cluster/wire/worker-link.h"
#include "../tests/kit/test.h"
#include "place.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define SOURCE "0000000000000000000000000000000000000000000000000000000000000000"
enum { VARIANTS = 5 };

/* ---- the fake worker ---- */

static void note(const char *key) {
  int fd = open(getenv("FAKE_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  char line[600];
  int length = snprintf(line, sizeof line, "%s\n", key);
  if (fd < 0 || write(fd, line, (size_t)length) < 0) _exit(3);
  close(fd);
}

static struct record_entry timed(const struct wire_variant *variant) {
  double t = 1000 + digest_of_text(variant->text).bytes[0];
  return (struct record_entry){.variant = variant->text,
                               .source_digest = variant->source,
                               .message = "",
                               .rank = RECORD_RANK_NONE,
                               .times = {5, t, t, t, t, t, t, t, t}};
}

static struct record record_for(const struct wire_job *job, enum record_kind kind, struct record_entry *entries, uint32_t count) {
  return (struct record){.kind = kind,
                         .problem = job->problem,
                         .device_class = job->device_class,
                         .policy = job->policy,
                         .threads = job->threads,
                         .device = "fake",
                         .build = "test",
                         .clocks = "",
                         .unix_s = clock_unix_s(),
                         .device_s = 0.01,
                         .entry_count = count,
                         .entries = entries};
}

static int by_variant(const void *a, const void *b) {
  return strcmp(((const struct record_entry *)a)->variant, ((const struct record_entry *)b)->variant);
}

static void fake_final(struct worker_link *link, const struct wire_job *job) {
  struct record_entry entries[64];
  for (uint32_t i = 0; i < job->variants_count && i < 64; i++) {
    entries[i] = timed(&job->variants[i]);
    entries[i].finalist = true;
    entries[i].rank = (uint32_t)entries[i].times.median;
  }
  qsort(entries, job->variants_count, sizeof *entries, by_variant);
  struct record record = record_for(job, RECORD_FINAL, entries, job->variants_count);
  worker_link_finished(link, job->lease, FARM_OK, "", &record, 1);
}

/* One variant at a time, keeping the heartbeat; true when told to stop. */
static bool fake_pause(struct worker_link *link, int ms) {
  struct worker_event event;
  uint64_t end = clock_now_ns() + (uint64_t)ms * 1000000ull;
  while (clock_now_ns() < end)
    if (worker_link_poll(link, -1, ms, &event) != FARM_OK || event.kind == WORKER_EVENT_STOP) return true;
  return false;
}

static void fake_screen(struct worker_link *link, const struct wire_job *job, int ms) {
  struct wire_lease lease = job->lease;
  for (uint32_t i = 0; i < job->variants_count; i++) {
    if (fake_pause(link, ms)) {
      worker_link_finished(link, lease, FARM_CANCELLED, "told to stop", NULL, 0);
      return;
    }
    struct record_entry entry = timed(&job->variants[i]);
    struct record record = record_for(job, RECORD_SCREEN, &entry, 1);
    char key[500];
    snprintf(key, sizeof key, "%s|%s", job->problem, job->variants[i].text);
    note(key);
    worker_link_partial(link, lease, &record, 1);
  }
  worker_link_finished(link, lease, FARM_OK, "", NULL, 0);
}

/* Gives the blob back, reversed. */
static void fake_execute(struct worker_link *link, const struct wire_job *job) {
  uint8_t *data;
  size_t length;
  struct wire_blob_ref out = {.name = "reversed"};
  enum farm_status status = worker_link_blob_get(link, &job->blobs[0].digest, 64 << 20, 5000, &data, &length);
  if (status == FARM_OK) {
    for (size_t i = 0; i < length / 2; i++) {
      uint8_t swap = data[i];
      data[i] = data[length - 1 - i], data[length - 1 - i] = swap;
    }
    status = worker_link_blob_put(link, data, length, 5000, &out.digest);
    out.length = length;
    free(data);
  }
  worker_link_executed(link, job->lease, status, status == FARM_OK ? "" : status_message(), "{\"ok\":true}", &out, 1);
}

static void fake_worker(void) {
  int ms = atoi(getenv("FAKE_MS") ? getenv("FAKE_MS") : "5");
  struct worker_link_options options = {.endpoint = getenv("FAKE_ENDPOINT"),
                                        .build = "test",
                                        .host = "here",
                                        .device_class = "cpu fake",
                                        .device = getenv("FAKE_CORES"),
                                        .threads = 4};
  struct worker_link *link;
  if (worker_link_open(&options, &link) != FARM_OK) _exit(2);
  worker_link_ready(link, 1);
  for (;;) {
    struct worker_event event;
    if (worker_link_poll(link, -1, 1000, &event) != FARM_OK) _exit(4);
    if (event.kind == WORKER_EVENT_DRAIN) break;
    if (event.kind != WORKER_EVENT_JOB) continue;
    worker_link_started(link, event.lease);
    if (event.job->kind == WIRE_JOB_FINAL)
      fake_final(link, event.job);
    else if (event.job->kind == WIRE_JOB_EXECUTE)
      fake_execute(link, event.job);
    else
      fake_screen(link, event.job, ms);
    worker_link_ready(link, 1);
  }
  worker_link_close(&link);
  _exit(0);
}

/* ---- this binary as a coordinator ---- */

static char self[PATH_MAX];

static void fake_coordinator(void) {
  const char *argv[] = {
      "/usr/bin/env", "TUNEFARM_TEST_ROLE=worker", "FAKE_ENDPOINT={endpoint}", "FAKE_CORES={cores}", self, NULL};
  static const char *const cores[] = {"0", "1"};
  struct coordinator_options options = {.cache_folder = getenv("FAKE_FOLDER"),
                                        .build = "test",
                                        .idle_s = atof(getenv("FAKE_IDLE") ? getenv("FAKE_IDLE") : "2"),
                                        .worker_argv = argv,
                                        .worker_cores = cores,
                                        .worker_count = getenv("FAKE_WORKERS") ? atoi(getenv("FAKE_WORKERS")) : 2};
  enum farm_status status = coordinator_run(&options);
  if (status != FARM_OK && status != FARM_AGAIN) fprintf(stderr, "coordinator: %s\n", status_message());
  _exit(status == FARM_OK || status == FARM_AGAIN ? 0 : 1);
}

__attribute__((constructor)) static void take_role(void) {
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length > 0) self[length] = 0;
  const char *role = getenv("TUNEFARM_TEST_ROLE");
  if (role && strcmp(role, "worker") == 0) fake_worker();
  if (role && strcmp(role, "coordinator") == 0) fake_coordinator();
}

/* ---- builders ---- */

struct farm {
  char folder[600], log[600];
};

static struct farm farm_make(const char *name) {
  struct farm farm;
  snprintf(farm.folder, sizeof farm.folder, "%s/%s", test_folder(), name);
  snprintf(farm.log, sizeof farm.log, "%s/%s.log", test_folder(), name);
  setenv("FAKE_FOLDER", farm.folder, 1), setenv("FAKE_LOG", farm.log, 1);
  return farm;
}

static const char *ensure(const char *folder) {
  static char endpoint[COORDINATOR_ENDPOINT_MOST];
  const char *const argv[] = {"/usr/bin/env", "TUNEFARM_TEST_ROLE=coordinator", self, NULL};
  REQUIRE_OK(coordinator_ensure(folder, argv, 10000, endpoint));
  return endpoint;
}

static enum farm_status revive(void *context, const char **out_endpoint) {
  *out_endpoint = ensure(context);
  return FARM_OK;
}

static struct client *join(struct farm *farm) {
  struct client *client;
  struct client_options options = {.endpoint = ensure(farm->folder), .build = "test", .revive = revive, .context = farm->folder};
  REQUIRE_OK(client_open(&options, &client));
  return client;
}

static pid_t coordinator_pid(const struct farm *farm) {
  char path[700], text[32] = "";
  snprintf(path, sizeof path, "%s/lock", farm->folder);
  int fd = open(path, O_RDONLY);
  ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  return got > 0 ? atoi(text) : 0;
}

static void farm_end(struct farm *farm) {
  pid_t pid = coordinator_pid(farm);
  if (pid > 0 && place_is_locked(farm->folder)) kill(pid, SIGTERM);
  for (int i = 0; i < 300 && place_is_locked(farm->folder); i++) clock_sleep_ns(10000000);
}

static struct wire_item *make_items(uint32_t count, const char *prefix) {
  static struct arena arena;
  struct wire_item *items = arena_alloc_array(&arena, count, sizeof *items);
  for (uint32_t i = 0; i < count; i++) {
    struct wire_variant *variants = arena_alloc_array(&arena, VARIANTS, sizeof *variants);
    for (uint32_t v = 0; v < VARIANTS; v++) variants[v] = (struct wire_variant){arena_printf(&arena, "t%u{a=%u}", v, i), SOURCE};
    items[i] = (struct wire_item){.problem = arena_printf(&arena, "%s%u", prefix, i),
                                  .device_class = "cpu fake",
                                  .threads = 1,
                                  .estimated_ns = 1000,
                                  .weight = 1,
                                  .variants = variants,
                                  .variants_count = VARIANTS};
  }
  return items;
}

struct outcome {
  uint32_t results, hits, wrong;
  struct wire_done done;
};

/* Runs a build to its end; `half` is called once when half of the results are there. */
static struct outcome run_build(struct client *client, const struct wire_item *items, uint32_t count, void (*half)(void *),
                                void *context) {
  struct client_build build = {.label = "test", .policy = "cold/1", .items = items, .item_count = count};
  struct outcome outcome = {0};
  struct client_event event = {0};
  REQUIRE_OK(client_submit(client, &build, 10000));
  uint64_t end = clock_now_ns() + 80000000000ull;
  while (event.kind != CLIENT_DONE && clock_now_ns() < end) {
    REQUIRE_OK(client_next(client, 1000, &event));
    if (event.kind == CLIENT_DONE) outcome.done = *event.done;
    if (event.kind != CLIENT_RESULT) continue;
    outcome.results++;
    outcome.hits += event.hit;
    bool right = event.has_record && strcmp(event.record.problem, items[event.item].problem) == 0 &&
                 event.record.entry_count == VARIANTS && record_winner(&event.record) >= 0;
    outcome.wrong += !right;
    if (outcome.results == count / 2 && half) half(context);
  }
  CHECK(event.kind == CLIENT_DONE && outcome.done.status == FARM_OK && outcome.results == count && outcome.wrong == 0);
  return outcome;
}

/* Lines of the workers' log: how many, and how many different. */
static void count_log(const struct farm *farm, int *out_lines, int *out_different) {
  char command[2000], numbers[64] = "";
  snprintf(command, sizeof command, "touch %s; wc -l < %s; sort -u %s | wc -l", farm->log, farm->log, farm->log);
  FILE *pipe = popen(command, "r");
  REQUIRE(pipe && fread(numbers, 1, sizeof numbers - 1, pipe) > 0);
  pclose(pipe);
  REQUIRE(sscanf(numbers, "%d %d", out_lines, out_different) == 2);
}

/* ---- tests ---- */

TEST(coordinator_two_builds_at_once_share_one_and_measure_once, "") {
  struct farm farm = farm_make("farm");
  struct wire_item *items = make_items(12, "gemm m");
  pid_t builders[2];
  for (int i = 0; i < 2; i++)
    if ((builders[i] = fork()) == 0) {
      struct client *client = join(&farm);
      struct outcome outcome = run_build(client, items, 12, NULL, NULL);
      client_close(&client);
      _exit(outcome.results == 12 && outcome.wrong == 0 && outcome.done.status == FARM_OK ? 0 : 1);
    }
  for (int i = 0; i < 2; i++) {
    int status;
    waitpid(builders[i], &status, 0);
    CHECK(status == 0);
  }
  int lines, different;
  count_log(&farm, &lines, &different);
  CHECK_MESSAGE(lines == 12 * VARIANTS && different == lines, "measured %d, %d different", lines, different);
  struct client *client = join(&farm); // a third time: all hits
  struct outcome again = run_build(client, items, 12, NULL, NULL);
  CHECK(again.hits == 12 && again.done.variants_timed == 0);
  client_close(&client);
  count_log(&farm, &lines, &different);
  CHECK(lines == 12 * VARIANTS);
  farm_end(&farm);
}

static void kill_coordinator(void *context) {
  pid_t pid = coordinator_pid(context);
  CHECK(pid > 0 && kill(pid, SIGKILL) == 0);
}

TEST(coordinator_killed_in_mid_build, "timeout:90") {
  struct farm farm = farm_make("farm");
  struct wire_item *items = make_items(20, "conv n");
  struct client *client = join(&farm);
  struct outcome outcome = run_build(client, items, 20, kill_coordinator, &farm);
  CHECK(outcome.results == 20);
  client_close(&client);
  int lines, different;
  count_log(&farm, &lines, &different);
  CHECK_MESSAGE(different == 20 * VARIANTS && lines - different <= 2 * VARIANTS, "measured %d, %d different", lines,
                different); // two workers died with it
  farm_end(&farm);
}

/* A farm elsewhere, which nobody here can start again: the one who waits is told, once. */
TEST(coordinator_that_is_lost_is_said_to_be, "") {
  setenv("FAKE_WORKERS", "0", 1);
  struct farm farm = farm_make("farm");
  char path[700], text[2000] = "";
  struct client *client;
  struct client_event event;
  struct client_options options = {.endpoint = ensure(farm.folder), .build = "test"};
  REQUIRE_OK(client_open(&options, &client));
  snprintf(path, sizeof path, "%s/said", test_folder());
  int said = open(path, O_RDWR | O_CREAT, 0600), before = dup(STDERR_FILENO);
  REQUIRE(said >= 0 && before >= 0 && dup2(said, STDERR_FILENO) >= 0);
  kill_coordinator(&farm);
  enum farm_status status = client_next(client, 1000, &event);
  dup2(before, STDERR_FILENO), close(before);
  CHECK(status == FARM_OK && pread(said, text, sizeof text - 1, 0) > 0);
  const char *line = strstr(text, "the coordinator is lost, trying again");
  CHECK_MESSAGE(line && !strstr(line + 30, "is lost"), "said was: %s", text);
  close(said);
  client_close(&client);
  farm_end(&farm);
}

static pid_t start_worker(const struct farm *farm, const char *cores) {
  char endpoint[COORDINATOR_ENDPOINT_MOST];
  REQUIRE_OK(coordinator_endpoint(farm->folder, endpoint));
  pid_t pid = fork();
  if (pid == 0) {
    setenv("TUNEFARM_TEST_ROLE", "worker", 1), setenv("FAKE_ENDPOINT", endpoint, 1), setenv("FAKE_CORES", cores, 1);
    execl(self, self, (char *)NULL);
    _exit(127);
  }
  return pid;
}

TEST(coordinator_killed_while_workers_of_their_own_go_on, "timeout:90") {
  setenv("FAKE_WORKERS", "0", 1);
  struct farm farm = farm_make("farm");
  struct wire_item *items = make_items(20, "conv n");
  struct client *client = join(&farm);
  pid_t workers[2] = {start_worker(&farm, "0"), start_worker(&farm, "1")};
  run_build(client, items, 20, kill_coordinator, &farm);
  client_close(&client);
  int lines, different;
  count_log(&farm, &lines, &different);
  CHECK_MESSAGE(different == 20 * VARIANTS && lines == different, "measured %d, %d different", lines,
                different); // they named their jobs
  for (int i = 0; i < 2; i++) kill(workers[i], SIGKILL), waitpid(workers[i], NULL, 0);
  farm_end(&farm);
}

/* From its second second on, longer than anyone is silent who lives: a process of its own. */
static pid_t stop_coordinator_a_while(const struct farm *farm) {
  pid_t pid = coordinator_pid(farm), stopper = fork();
  if (stopper != 0) return stopper;
  clock_sleep_ns(1500000000u);
  bool stopped = pid > 0 && kill(pid, SIGSTOP) == 0;
  clock_sleep_ns(4000000000u);
  _exit(stopped && kill(pid, SIGCONT) == 0 ? 0 : 1);
}

static uint64_t counter_of(struct client *client, const char *name) {
  struct arena arena = {0};
  struct wire_status_reply status;
  uint64_t value = UINT64_MAX;
  REQUIRE_OK(client_status(client, 5000, &arena, &status));
  for (uint32_t i = 0; i < status.counters_count; i++)
    if (strcmp(status.counters[i].name, name) == 0) value = status.counters[i].value;
  arena_free(&arena);
  return value;
}

TEST(coordinator_stopped_for_a_while_takes_no_lease_away, "slow timeout:90") {
  setenv("FAKE_WORKERS", "0", 1), setenv("FAKE_MS", "2200", 1); // a job of three variants outlasts the pause
  struct farm farm = farm_make("farm");
  struct wire_item *items = make_items(2, "conv n");
  struct client *client = join(&farm);
  pid_t workers[2] = {start_worker(&farm, "0"), start_worker(&farm, "1")};
  pid_t stopper = stop_coordinator_a_while(&farm);
  run_build(client, items, 2, NULL, NULL);
  int lines, different, stopped;
  CHECK(waitpid(stopper, &stopped, 0) == stopper && stopped == 0);
  count_log(&farm, &lines, &different);
  CHECK_MESSAGE(different == 2 * VARIANTS && lines == different, "measured %d, %d different", lines, different);
  uint64_t died = counter_of(client, "leases_died");
  CHECK_MESSAGE(died == 0, "%llu leases died", (unsigned long long)died);
  client_close(&client);
  for (int i = 0; i < 2; i++) kill(workers[i], SIGKILL), waitpid(workers[i], NULL, 0);
  farm_end(&farm);
}

static void kill_workers(void *context) {
  char command[300];
  (void)context;
  snprintf(command, sizeof command, "pkill -KILL -P %d", (int)coordinator_pid(context));
  CHECK(system(command) == 0);
}

TEST(coordinator_starts_killed_workers_again, "timeout:90") {
  struct farm farm = farm_make("farm");
  struct wire_item *items = make_items(20, "conv n");
  struct client *client = join(&farm);
  run_build(client, items, 20, kill_workers, &farm);
  client_close(&client);
  int lines, different;
  count_log(&farm, &lines, &different);
  CHECK_MESSAGE(different == 20 * VARIANTS && lines - different <= 2 * VARIANTS, "measured %d, %d different", lines, different);
  farm_end(&farm);
}

static void count_line(void *context, const char *line) {
  if (strstr(line, "final|1|gemm m")) ++*(int *)context;
}

/* From the first half on, something is killed every 0.4 s: a process of its own, so that the builder need not know. */
static void begin_massacre(void *context) {
  struct farm *farm = context;
  if (fork() != 0) return;
  for (int i = 0; i < 16; i++) {
    if (i % 3 == 0)
      kill_coordinator(farm);
    else
      kill_workers(farm);
    clock_sleep_ns(400000000 + 100000000 * (uint64_t)(i % 4));
  }
  _exit(0);
}

TEST(coordinator_massacre, "slow timeout:300") {
  for (int round = 0; round < 3; round++) {
    char name[16];
    snprintf(name, sizeof name, "farm%d", round);
    struct farm farm = farm_make(name);
    struct client *client = join(&farm);
    run_build(client, make_items(150, "conv n"), 150, begin_massacre, &farm);
    client_close(&client);
    int lines, different;
    count_log(&farm, &lines, &different);
    CHECK_MESSAGE(different == 150 * VARIANTS && lines - different <= 16 * 2 * VARIANTS, "measured %d, %d different", lines,
                  different);
    while (waitpid(-1, NULL, 0) > 0) {
    }
    farm_end(&farm);
  }
}

TEST(coordinator_that_cannot_start_says_why, "") {
  struct farm farm = farm_make("farm");
  char endpoint[COORDINATOR_ENDPOINT_MOST];
  const char *const argv[] = {"/bin/sh", "-c", "echo the disk is on fire >&2", NULL};
  CHECK(coordinator_ensure(farm.folder, argv, 300, endpoint) == FARM_TIMED_OUT &&
        strstr(status_message(), "the disk is on fire"));
}

TEST(coordinator_lookup_bundles_and_status, "timeout:90") {
  struct farm farm = farm_make("one");
  struct wire_item *items = make_items(6, "gemm m");
  struct client *client = join(&farm);
  struct arena arena = {0};
  struct client_found found[6];
  REQUIRE_OK(client_lookup(client, "cold/1", WIRE_MODE_LOCKED, items, 6, 5000, &arena, found));
  CHECK(!found[0].hit && found[0].screened && found[0].screened[0] == 0);
  run_build(client, items, 5, NULL, NULL);
  REQUIRE_OK(client_lookup(client, "cold/1", WIRE_MODE_LOCKED, items, 6, 5000, &arena, found));
  for (int i = 0; i < 5; i++) CHECK(found[i].hit && record_winner(&found[i].record) >= 0);
  CHECK(!found[5].hit);
  struct wire_status_reply status;
  REQUIRE_OK(client_status(client, 5000, &arena, &status));
  CHECK(status.workers_count == 2 && status.counters_count > 10 && strcmp(status.workers[0].device_class, "cpu fake") == 0);
  int finals = 0;
  struct wire_cache_reply reply;
  REQUIRE_OK(client_cache(client, "ls", NULL, 0, NULL, 5000, count_line, &finals, &arena, &reply));
  CHECK(finals == 5);
  CHECK(client_cache(client, "nonsense", NULL, 0, NULL, 5000, NULL, NULL, &arena, &reply) == FARM_USAGE);
  REQUIRE_OK(client_cache(client, "export", NULL, 0, NULL, 5000, NULL, NULL, &arena, &reply));
  uint8_t *bundle;
  size_t length;
  REQUIRE_OK(client_blob_get(client, &reply.blob, 1 << 30, 5000, &bundle, &length));
  CHECK(length == reply.blob_bytes);
  client_close(&client);
  farm_end(&farm);
  struct farm other = farm_make("two"); // the same hits elsewhere, without a worker
  setenv("FAKE_WORKERS", "0", 1);
  client = join(&other);
  struct digest digest;
  REQUIRE_OK(client_blob_put(client, bundle, length, 5000, &digest));
  REQUIRE_OK(client_cache(client, "import", NULL, 0, &digest, 5000, NULL, NULL, &arena, &reply));
  REQUIRE_OK(client_lookup(client, "cold/1", WIRE_MODE_LOCKED, items, 6, 5000, &arena, found));
  CHECK(found[0].hit && found[4].hit && !found[5].hit);
  bundle[length / 2] ^= 1;
  REQUIRE_OK(client_blob_put(client, bundle, length, 5000, &digest));
  CHECK(client_cache(client, "import", NULL, 0, &digest, 5000, NULL, NULL, &arena, &reply) == FARM_INVALID);
  client_close(&client);
  free(bundle), arena_free(&arena);
  farm_end(&other);
}

/* A folder's name may hold what a text on the wire may not: that is no reason to end. */
TEST(coordinator_status_of_an_odd_folder, "") {
  struct farm farm = farm_make("tab\there");
  struct client *client = join(&farm);
  struct arena arena = {0};
  struct wire_status_reply status;
  for (int i = 0; i < 2; i++) {
    REQUIRE_OK(client_status(client, 5000, &arena, &status));
    CHECK_MESSAGE(strstr(status.cache, "/tab?here"), "it is called %s", status.cache);
  }
  CHECK(status.uptime_s > 0 && status.epoch == 1); // still the first one
  arena_free(&arena);
  client_close(&client);
  farm_end(&farm);
}

TEST(coordinator_execute_carries_blobs, "") {
  enum { BYTES = 3500000 };
  struct farm farm = farm_make("farm");
  struct client *client = join(&farm);
  struct arena arena = {0};
  uint8_t *data = malloc(BYTES), *back;
  size_t length;
  for (int i = 0; i < BYTES; i++) data[i] = (uint8_t)(i * 7 + i / 256);
  struct wire_blob_ref blob = {.name = "input", .length = BYTES};
  REQUIRE_OK(client_blob_put(client, data, BYTES, 10000, &blob.digest));
  struct wire_execute execute = {.device_class = "cpu fake", .threads = 1, .spec = "reverse", .blobs = &blob, .blobs_count = 1};
  struct wire_executed executed;
  REQUIRE_OK(client_execute(client, &execute, 20000, &arena, &executed));
  CHECK_TEXT(executed.report, "{\"ok\":true}");
  REQUIRE(executed.blobs_count == 1);
  REQUIRE_OK(client_blob_get(client, &executed.blobs[0].digest, BYTES, 10000, &back, &length));
  CHECK(length == BYTES && back[0] == data[BYTES - 1] && back[BYTES - 1] == data[0]);
  free(data), free(back), arena_free(&arena);
  client_close(&client);
  farm_end(&farm);
}

TEST(coordinator_survives_strangers, "") {
  struct farm farm = farm_make("farm");
  const char *endpoint = ensure(farm.folder);
  void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
  REQUIRE(zmq_connect(socket, endpoint) == 0);
  for (int i = 0; i < 40; i++) {
    char junk[64];
    for (size_t k = 0; k < sizeof junk; k++) junk[k] = (char)(i * 31 + (int)k * 7);
    zmq_send(socket, junk, (size_t)i, i % 3 == 0 ? ZMQ_SNDMORE : 0); // also several frames
  }
  zmq_send(socket, "", 0, 0);
  struct client *client = join(&farm);
  run_build(client, make_items(3, "gemm m"), 3, NULL, NULL);
  client_close(&client);
  int linger = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  zmq_close(socket), zmq_ctx_term(context);
  farm_end(&farm);
}

static void stranger_says(void *socket, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  REQUIRE_OK(wire_encode(message, &bytes));
  REQUIRE(zmq_send(socket, bytes.data, bytes.length, 0) == (int)bytes.length);
  bytes_writer_free(&bytes);
}

/* What it is told next, heartbeats aside; *out_faults: how many faults before that. */
static enum wire_type stranger_hears(void *socket, int *out_faults) {
  int wait_ms = 5000;
  *out_faults = 0;
  zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
  for (;;) {
    char data[4096];
    struct arena arena = {0};
    struct wire_message message;
    int length = zmq_recv(socket, data, sizeof data, 0);
    REQUIRE(length > 0);
    REQUIRE_OK(wire_decode(data, (size_t)length, &arena, &message));
    arena_free(&arena);
    *out_faults += message.type == WIRE_FAULT;
    if (message.type != WIRE_FAULT && message.type != WIRE_HEARTBEAT) return message.type;
  }
}

static void *stranger_make(void *context, const char *endpoint) {
  void *socket = zmq_socket(context, ZMQ_DEALER);
  int linger = 0, faults;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  REQUIRE(zmq_connect(socket, endpoint) == 0);
  stranger_says(socket, &(struct wire_message){.type = WIRE_HELLO,
                                               .hello = {.protocol_low = WIRE_VERSION,
                                                         .protocol_high = WIRE_VERSION,
                                                         .role = WIRE_ROLE_CLIENT,
                                                         .build = "",
                                                         .catalogue = "",
                                                         .host = "",
                                                         .device_class = "",
                                                         .device = "",
                                                         .cores = ""}});
  CHECK(stranger_hears(socket, &faults) == WIRE_WELCOME);
  return socket;
}

TEST(coordinator_ends_strangers_that_take_turns, "") {
  enum { STRANGERS = 2, FRAMES = 20 };
  struct farm farm = farm_make("farm");
  const char *endpoint = ensure(farm.folder);
  void *context = zmq_ctx_new(), *sockets[STRANGERS];
  int faults;
  for (int s = 0; s < STRANGERS; s++) sockets[s] = stranger_make(context, endpoint);
  for (int i = 0; i < FRAMES; i++)
    for (int s = 0; s < STRANGERS; s++) {
      REQUIRE(zmq_send(sockets[s], "junk", 4, 0) == 4);
      clock_sleep_ns(1000000); // they arrive in turns
    }
  for (int s = 0; s < STRANGERS; s++) {
    stranger_says(sockets[s], &(struct wire_message){.type = WIRE_STATUS, .status_query = {1}});
    CHECK(stranger_hears(sockets[s], &faults) == WIRE_REFUSE);
    CHECK_MESSAGE(faults == 15, "%d faults", faults);
    zmq_close(sockets[s]);
  }
  zmq_ctx_term(context);
  farm_end(&farm);
}

TEST(coordinator_ends_who_sends_several_frames, "") {
  struct farm farm = farm_make("farm");
  void *context = zmq_ctx_new(), *socket = stranger_make(context, ensure(farm.folder));
  int faults;
  stranger_says(socket, &(struct wire_message){.type = WIRE_STATUS, .status_query = {1}});
  CHECK(stranger_hears(socket, &faults) == WIRE_STATUS_REPLY);
  REQUIRE(zmq_send(socket, "one", 3, ZMQ_SNDMORE) == 3 && zmq_send(socket, "two", 3, 0) == 3);
  stranger_says(socket, &(struct wire_message){.type = WIRE_STATUS, .status_query = {2}});
  CHECK(stranger_hears(socket, &faults) == WIRE_REFUSE && faults == 0);
  zmq_close(socket), zmq_ctx_term(context);
  farm_end(&farm);
}

TEST(coordinator_leaves_when_idle_and_only_one_runs, "") {
  setenv("FAKE_IDLE", "0.5", 1);
  struct farm farm = farm_make("farm");
  ensure(farm.folder);
  struct coordinator_options second = {.cache_folder = farm.folder, .build = "test"};
  CHECK(coordinator_run(&second) == FARM_AGAIN);
  for (int i = 0; i < 400 && place_is_locked(farm.folder); i++) clock_sleep_ns(10000000);
  CHECK(!place_is_locked(farm.folder));
}

static bool is_running(pid_t pid) { // one that nobody waits for may stay as a zombie
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "r");
  size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  return got && !strstr(text, ") Z");
}

/* Cleaners of temporary folders take sockets away, and so does the end of a login. */
TEST(coordinator_whose_socket_was_removed_is_found_again, "") {
  struct farm farm = farm_make("farm");
  char endpoint[COORDINATOR_ENDPOINT_MOST];
  struct wire_item *items = make_items(3, "gemm m");
  ensure(farm.folder);
  pid_t pid = coordinator_pid(&farm);
  REQUIRE(pid > 0);
  REQUIRE_OK(coordinator_endpoint(farm.folder, endpoint));
  REQUIRE(unlink(endpoint + strlen("ipc://")) == 0);
  struct client *client = join(&farm);
  run_build(client, items, 3, NULL, NULL);
  CHECK(coordinator_pid(&farm) == pid);
  client_close(&client);
  farm_end(&farm);
}

/* One folder, two environments: a login's and a cron job's, which has no XDG_RUNTIME_DIR. */
TEST(coordinator_is_found_from_another_environment, "") {
  struct farm farm = farm_make("farm");
  char login[600], command[700];
  snprintf(login, sizeof login, "%s/run", test_folder());
  snprintf(command, sizeof command, "mkdir -m 700 %s", login);
  REQUIRE(system(command) == 0 && strlen(login) < 60);
  setenv("XDG_RUNTIME_DIR", login, 1);
  ensure(farm.folder);
  pid_t pid = coordinator_pid(&farm);
  unsetenv("XDG_RUNTIME_DIR");
  struct client *client = join(&farm);
  run_build(client, make_items(3, "gemm m"), 3, NULL, NULL);
  CHECK(pid > 0 && coordinator_pid(&farm) == pid);
  client_close(&client);
  farm_end(&farm);
}

/* Somebody removes the whole cache folder: the next build has a coordinator of its own there, and keeps it when the first one,
 * whose folder is gone, leaves and takes the socket of that name with it. */
TEST(coordinator_whose_folder_was_removed_leaves, "timeout:60") {
  struct farm farm = farm_make("farm");
  char command[700];
  ensure(farm.folder);
  pid_t first = coordinator_pid(&farm);
  snprintf(command, sizeof command, "rm -rf %s", farm.folder);
  REQUIRE(system(command) == 0);
  struct client *client = join(&farm);
  pid_t second = coordinator_pid(&farm);
  CHECK(second > 0 && second != first);
  for (int i = 0; i < 500 && is_running(first); i++) clock_sleep_ns(10000000);
  CHECK(!is_running(first));
  run_build(client, make_items(3, "gemm m"), 3, NULL, NULL);
  client_close(&client);
  client = join(&farm);
  CHECK(coordinator_pid(&farm) == second);
  client_close(&client);
  farm_end(&farm);
}

TEST(coordinator_refuses_open_doors, "") {
  CHECK(place_check_tcp("tcp://127.0.0.1:7410") == FARM_OK && place_check_tcp("tcp://localhost:*") == FARM_OK &&
        place_check_tcp("tcp://[::1]:7410") == FARM_OK);
  CHECK(place_check_tcp("tcp://0.0.0.0:7410") == FARM_DENIED && place_check_tcp("tcp://*:7410") == FARM_DENIED &&
        place_check_tcp("tcp://192.168.1.2:1") == FARM_DENIED);
  CHECK(place_check_tcp("tcp://127.0.0.1.example.org:1") == FARM_DENIED && place_check_tcp("udp://x:1") == FARM_USAGE &&
        place_check_tcp("tcp://127.0.0.1") == FARM_USAGE);
}
