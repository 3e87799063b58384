/* The commands of a farm: coordinator and worker as processes, what they do as status, jobs, cancel, drain and cache tell it. */
#include "command-test.h"

#include "../base/clock.h"
#include "../cluster/wire/client.h"
#include "../coordinator/coordinator.h"
#include "../include/tunefarm.h"
#include "../kernels/tactic.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static const char problem[] = "softmax outer8 len64 f32";

static void endpoint_free_port(char out[64]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
          getsockname(fd, (struct sockaddr *)&address, &length) == 0);
  close(fd);
  snprintf(out, 64, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
}

/* Asks until the number of workers is as wanted. */
static bool workers_become(const char *endpoint, size_t wanted) {
  for (uint64_t end = clock_now_ns() + 15000000000u; clock_now_ns() < end; clock_sleep_ns(100000000)) {
    json_t *root = json_of(command_say("status", "--farm", endpoint, "--json"));
    size_t count = json_array_size(json_object_get(root, "workers"));
    json_decref(root);
    if (count == wanted) return true;
  }
  return false;
}

/* A build of one item with all variants of the problem, on this class of device or one that nobody has. */
static struct client *build_submit_for(const char *endpoint, const char *device_class, uint32_t threads, uint32_t flags,
                                       struct arena *arena) {
  enum { MOST = 64 };
  struct client *client;
  struct device_class here;
  struct problem parsed;
  struct variant found[MOST];
  struct wire_variant *variants = arena_alloc_array(arena, MOST, sizeof *variants);
  struct wire_item *item = arena_alloc(arena, sizeof *item);
  const struct client_options options = {.endpoint = endpoint, .build = farm_version(), .catalogue = catalogue_digest()};
  char *class_text = arena_alloc(arena, DEVICE_CLASS_TEXT_MAX);
  REQUIRE_OK(cpu_device_class(&here));
  device_class_print(&here, class_text);
  REQUIRE_OK(problem_parse(problem, arena, &parsed));
  int count = catalogue_variants(&parsed, &here, LAYOUT_ANY, found, MOST);
  REQUIRE(count > 0 && count <= MOST);
  for (int i = 0; i < count; i++) {
    char *text = arena_alloc(arena, VARIANT_TEXT_MAX);
    variant_print(&found[i], text);
    variants[i] = (struct wire_variant){text, tactic_source_digest(found[i].tactic)};
  }
  *item = (struct wire_item){.problem = problem,
                             .device_class = device_class ? device_class : class_text,
                             .threads = threads,
                             .estimated_ns = 1e5,
                             .weight = 1,
                             .variants = variants,
                             .variants_count = (uint32_t)count};
  const struct client_build build = {
      .label = "one softmax", .policy = "cold/1 effort1", .flags = flags, .items = item, .item_count = 1};
  REQUIRE_OK(client_open(&options, &client));
  REQUIRE_OK(client_submit(client, &build, 10000));
  return client;
}

static struct client *build_submit(const char *endpoint, const char *device_class, uint32_t flags, struct arena *arena) {
  return build_submit_for(endpoint, device_class, 1, flags, arena);
}

/* Runs the build to its end; its one result has a record, or else the status is returned. */
static enum farm_status build_await(struct client *client, bool *out_has_record) {
  *out_has_record = false;
  for (uint64_t end = clock_now_ns() + 60000000000u; clock_now_ns() < end;) {
    struct client_event event;
    REQUIRE_OK(client_next(client, 500, &event));
    if (event.kind == CLIENT_RESULT) *out_has_record = event.has_record;
    if (event.kind == CLIENT_DONE) return event.status;
  }
  return FARM_TIMED_OUT;
}

static size_t lines_count(const char *text) {
  size_t count = 0;
  for (; *text; text++) count += *text == '\n';
  return count;
}

TEST(farm_over_tcp_measures_drains_and_ends, "timeout:120") {
  char endpoint[64];
  struct arena arena = {0};
  bool has_record;
  endpoint_free_port(endpoint);
  pid_t coordinator = command_start((const char *const[]){"coordinator", "--listen", endpoint, "--workers", "none", "--cache",
                                                          in_folder("farm"), "--idle-exit", "0", NULL});
  pid_t worker = command_start((const char *const[]){"worker", "--connect", endpoint, "--threads", "1", NULL});
  CHECK(workers_become(endpoint, 1));
  struct client *client = build_submit(endpoint, NULL, 0, &arena);
  CHECK(build_await(client, &has_record) == FARM_OK && has_record);
  client_close(&client);
  json_t *root = json_of(command_say("status", "--farm", endpoint, "--json"));
  CHECK(number_at(json_object_get(root, "counters"), "finals") == 1);
  CHECK(number_at(json_object_get(root, "counters"), "cache_records") > 1);
  CHECK_TEXT(text_at(root, "cache"), in_folder("farm"));
  json_decref(root);
  command_works("drain", "--farm", endpoint);
  struct said said = command_wait(worker);
  CHECK_MESSAGE(said.code == 0, "the worker left with code %d", said.code);
  said_free(&said);
  kill(coordinator, SIGTERM);
  said = command_wait(coordinator);
  CHECK_MESSAGE(said.code == 0, "the coordinator left with code %d", said.code);
  said_free(&said);
  arena_free(&arena);
}

TEST(builds_are_told_that_no_worker_has_so_many_cores, "timeout:60") {
  char endpoint[64], said_last[256] = "";
  struct arena arena = {0};
  endpoint_free_port(endpoint);
  pid_t coordinator = command_start((const char *const[]){"coordinator", "--listen", endpoint, "--workers", "none", "--cache",
                                                          in_folder("farm"), "--idle-exit", "0", NULL});
  pid_t worker = command_start((const char *const[]){"worker", "--connect", endpoint, "--threads", "1", NULL});
  CHECK(workers_become(endpoint, 1));
  struct client *client = build_submit_for(endpoint, NULL, 1000, 0, &arena);
  for (uint64_t end = clock_now_ns() + 15000000000u; clock_now_ns() < end && !*said_last;) {
    struct client_event event;
    REQUIRE_OK(client_next(client, 500, &event));
    if (event.kind == CLIENT_PROGRESS && event.progress->classes_count)
      snprintf(said_last, sizeof said_last, "%s", event.progress->classes[0].waiting_for);
  }
  CHECK_MESSAGE(strstr(said_last, "as many cores"), "%s", said_last);
  client_close(&client);
  kill(worker, SIGTERM), kill(coordinator, SIGTERM);
  struct said said = command_wait(worker);
  said_free(&said);
  said = command_wait(coordinator);
  said_free(&said);
  arena_free(&arena);
}

TEST(cache_is_listed_explained_exported_and_imported_elsewhere, "timeout:120") {
  struct arena arena = {0};
  bool has_record;
  char endpoint[COORDINATOR_ENDPOINT_MOST], key[1024];
  json_t *root = json_of(command_say("status", "--json")); // starts the embedded one
  json_decref(root);
  REQUIRE_OK(coordinator_endpoint(in_folder("cache-of-test"), endpoint));
  struct client *client = build_submit(endpoint, NULL, 0, &arena);
  CHECK(build_await(client, &has_record) == FARM_OK && has_record);
  struct said listed = command_say("cache", "ls"), finals = command_say("cache", "ls", "final|");
  CHECK(listed.code == 0 && lines_count(listed.out) > 2 && lines_count(finals.out) == 1);
  const char *begin = strstr(finals.out, "final|1|");
  REQUIRE(begin != NULL);
  snprintf(key, sizeof key, "%.*s", (int)strcspn(begin, "\n"), begin);
  char *policy = strstr(key, "effort1");
  REQUIRE(policy != NULL);
  policy[6] = '3';
  struct said why = command_say("cache", "explain", key);
  CHECK_MESSAGE(why.code == 0 && strstr(why.out, "effort1"), "%s%s", why.out, why.error);
  command_works("cache", "export", "-o", in_folder("all.bundle"));
  command_works("cache", "verify");

  root = json_of(command_say("cache", "import", in_folder("all.bundle"), "--cache", in_folder("other"), "--dry-run", "--json"));
  CHECK(number_at(root, "added") == (double)lines_count(listed.out));
  json_decref(root);
  struct said none = command_say("cache", "ls", "--cache", in_folder("other"));
  CHECK_TEXT(none.out, "");
  said_free(&none);
  root = json_of(command_say("cache", "import", in_folder("all.bundle"), "--cache", in_folder("other"), "--json"));
  CHECK(number_at(root, "added") == (double)lines_count(listed.out));
  json_decref(root);
  struct said other = command_say("cache", "ls", "--cache", in_folder("other"));
  CHECK_TEXT(other.out, listed.out);
  root = json_of(command_say("inspect", in_folder("other"), "--json"));
  CHECK(number_at(root, "records") == (double)lines_count(listed.out));
  json_decref(root);
  root = json_of(command_say("cache", "prune", "--key", "screen|", "--cache", in_folder("other"), "--json"));
  CHECK(number_at(root, "pruned") == (double)lines_count(listed.out) - 1);
  json_decref(root);
  client_close(&client);
  said_free(&listed);
  said_free(&finals);
  said_free(&other);
  said_free(&why);
  arena_free(&arena);
}

static size_t builds_count(void) {
  json_t *root = json_of(command_say("jobs", "--json"));
  size_t count = json_array_size(json_object_get(root, "builds"));
  json_decref(root);
  return count;
}

/* Who stops a build stops what the farm does for it, and is ended by the signal that was sent. */
TEST(interrupted_build_is_cancelled, "timeout:120") {
  static const char nobody[] = "cpu vendor:nobody family:1 model:1 isa:avx2 l1d:32k l2:1m l3:8m mem:8g";
  static const int signals[] = {SIGINT, SIGTERM};
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine");
  CHECK(builds_count() == 0); // starts the coordinator
  for (int i = 0; i < 2; i++) {
    pid_t build = command_start((const char *const[]){"build", model, "-o", engine, "--effort", "1", "--target", nobody, NULL});
    uint64_t end = clock_now_ns() + 20000000000u;
    while (builds_count() == 0 && clock_now_ns() < end) clock_sleep_ns(50000000);
    CHECK(builds_count() == 1);
    kill(build, signals[i]);
    struct said said = command_wait(build);
    CHECK_MESSAGE(said.code == -signals[i], "code %d: %s", said.code, said.error);
    said_free(&said);
    CHECK(builds_count() == 0 && access(engine, F_OK) != 0);
  }
}

TEST(cancel_ends_a_build_and_tells_who_waits, "timeout:120") {
  struct arena arena = {0};
  bool has_record;
  char endpoint[COORDINATOR_ENDPOINT_MOST];
  json_t *root = json_of(command_say("status", "--json"));
  json_decref(root);
  REQUIRE_OK(coordinator_endpoint(in_folder("cache-of-test"), endpoint));
  struct client *client =
      build_submit(endpoint, "cpu vendor:nobody family:1 model:1 isa:avx2 l1d:32k l2:1m l3:8m mem:8g", 0, &arena);
  root = json_of(command_say("jobs", "--json"));
  const json_t *build = json_array_get(json_object_get(root, "builds"), 0);
  CHECK(json_array_size(json_object_get(root, "builds")) == 1);
  CHECK_TEXT(text_at(build, "label"), "one softmax");
  CHECK(number_at(build, "items") == 1 && number_at(build, "answered") == 0);
  command_fails(1, "no such build", "cancel", "0123456789");
  char id[13];
  snprintf(id, sizeof id, "%.12s", text_at(build, "build"));
  json_decref(root);
  command_works("cancel", id);
  CHECK(build_await(client, &has_record) == FARM_CANCELLED);
  root = json_of(command_say("jobs", "--json"));
  CHECK(json_array_size(json_object_get(root, "builds")) == 0);
  json_decref(root);
  client_close(&client);
  arena_free(&arena);
}

TEST(farm_commands_refuse_wrong_calls, "") {
  command_fails(2, "no --connect", "worker");
  command_fails(2, "for workers only", "worker", "--measuring-child", "7");
  command_fails(2, "--workers", "coordinator", "--workers", "some");
  command_fails(2, "cores", "coordinator", "--cores", "0,,1");
  command_fails(7, "loopback", "coordinator", "--listen", "tcp://0.0.0.0:7410", "--workers", "none");
  command_fails(2, "no verb", "cache", "frobnicate");
  command_fails(2, "which key", "cache", "explain");
  command_fails(2, "--policy", "cache", "import", "x", "--policy", "best");
  command_fails(2, "of what", "cache", "prune");
  command_fails(1, "no coordinator runs", "drain");
  command_fails(1, "bundle: ", "cache", "import", small_model("small.onnx", "1"));
}

TEST(commands_tell_their_options_with_examples, "") {
  static const char *const names[] = {"build",  "run",  "test", "bench",  "inspect", "synth", "coordinator", "worker",
                                      "status", "jobs", "top",  "cancel", "drain",   "cache", "doctor"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct said said = command_say(names[i], "--help");
    CHECK_MESSAGE(said.code == 0 && strstr(said.out, "Usage: tunefarm ") && strstr(said.out, "Examples:") &&
                      strstr(said.out, names[i]),
                  "%s --help: %s", names[i], said.out);
    CHECK(said.error[0] == 0 && strstr(said.out, "measuring-child") == NULL);
    said_free(&said);
  }
}
