/* The worker of a GPU at a coordinator, as processes: what nobody compiled goes back, and a device that is gone costs no variant.
 */
#include "../cluster/wire/client.h"
#include "../coordinator/coordinator.h"
#include "../device/nvrtc.h"
#include "../kernels/cuda/cuda-artefact.h"
#include "../kernels/cuda/cuda-tactic.h"
#include "../base/clock.h"
#include "fault-tactics-test.h"
#include "gpus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD "gemm_f32__test_gpu_good__sm75"
#define NO_GPU "GPU-00000000-0000-0000-0000-000000000000"

static void library_named(const char *variable, const char *name) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/worker
  snprintf(path + strlen(path), 64, "/%s", name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

static pid_t role_start(const char *role, const char *gpu) {
  setenv("TUNEFARM_TEST_ROLE", role, 1);
  setenv("TUNEFARM_TEST_GPU", gpu, 1);
  pid_t pid = fork();
  if (pid == 0) {
    execl("/proc/self/exe", "test", (char *)NULL);
    _exit(127);
  }
  REQUIRE(pid > 0);
  return pid;
}

static int exit_code(pid_t pid) {
  int status;
  for (int waited = 0; waited < 15000; waited += 10) {
    if (waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    clock_sleep_ns(10000000);
  }
  return -1;
}

struct gpu_farm {
  pid_t coordinator;
  struct client *client;
  char uuid[CUDA_UUID_TEXT_MAX], class_text[DEVICE_CLASS_TEXT_MAX];
};

static struct gpu_farm farm_begin(void) {
  struct gpu_farm farm;
  struct cuda_properties gpu;
  struct device_class device_class;
  char cache[4200], endpoint[COORDINATOR_ENDPOINT_MOST];
  if (under_asan() || under_tsan()) SKIP("the emulator's threads have stacks that sanitizers know nothing of");
  library_named("TUNEFARM_LIBCUDA", "libfakecuda.so");
  library_named("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", "sm=90,product=fake,mem=256m,l2=4096", 1);
  REQUIRE_OK(gpus_find("0", &gpu));
  snprintf(farm.uuid, sizeof farm.uuid, "%s", gpu.uuid);
  gpu = test_gpu_properties(farm.uuid);
  cuda_device_class(&gpu, &device_class);
  device_class_print(&device_class, farm.class_text);
  snprintf(cache, sizeof cache, "%s/cache", test_folder());
  setenv("XDG_RUNTIME_DIR", test_folder(), 1);
  setenv("TUNEFARM_LOCKS", test_folder(), 1);
  setenv("TUNEFARM_TEST_CACHE", cache, 1);
  REQUIRE_OK(coordinator_endpoint(cache, endpoint));
  setenv("TUNEFARM_TEST_ENDPOINT", endpoint, 1);
  farm.coordinator = role_start("coordinator", "");
  const struct client_options options = {.endpoint = endpoint, .build = "test", .catalogue = "", .timeout_ms = 20000};
  REQUIRE_OK(client_open(&options, &farm.client));
  return farm;
}

static void farm_end(struct gpu_farm *farm) {
  client_close(&farm->client);
  kill(farm->coordinator, SIGTERM);
  CHECK(exit_code(farm->coordinator) == 0);
}

static const struct variant *good_variant(void) {
  static struct variant variant;
  REQUIRE_OK(variant_parse(GOOD, &variant));
  return &variant;
}

static void submit(const struct gpu_farm *farm) {
  static struct wire_variant variant;
  static struct wire_item item;
  variant = (struct wire_variant){GOOD, tactic_source_digest(good_variant()->tactic)};
  item = (struct wire_item){.problem = TEST_PROBLEM,
                            .device_class = farm->class_text,
                            .threads = 1,
                            .estimated_ns = 1e5,
                            .weight = 1,
                            .variants = &variant,
                            .variants_count = 1};
  const struct client_build build = {.label = "test", .policy = "cold/1 effort1", .items = &item, .item_count = 1};
  REQUIRE_OK(client_submit(farm->client, &build, 10000));
}

/* The item's status; *out_good: it has a record in which the variant is well. */
static enum farm_status await(const struct gpu_farm *farm, char message[400], bool *out_good) {
  enum farm_status status = FARM_TIMED_OUT;
  *out_good = false;
  for (uint64_t end = clock_now_ns() + 60000000000u; clock_now_ns() < end;) {
    struct client_event event;
    REQUIRE_OK(client_next(farm->client, 200, &event));
    if (event.kind == CLIENT_RESULT) {
      status = event.status;
      snprintf(message, 400, "%s", event.message);
      *out_good = event.has_record && event.record.entries[0].status == FARM_OK;
    }
    if (event.kind == CLIENT_DONE) break;
  }
  return status;
}

static void artefact_put(const struct gpu_farm *farm) {
  struct strbuf source = {0};
  struct bytes_writer envelope = {0}, list = {0};
  struct arena arena = {0};
  struct digest blob;
  struct wire_cache_reply reply;
  char compiler[64];
  bool good = false;
  REQUIRE_OK(nvrtc_version(compiler, sizeof compiler));
  REQUIRE_OK(cuda_tactic_of(good_variant()->tactic)->source(NULL, good_variant(), &source));
  REQUIRE_OK(cuda_artefact_compile(strbuf_text(&source), 90, compiler, &envelope, &good));
  REQUIRE(good);
  bytes_put_u32(&list, 1);
  bytes_put_blob(&list, envelope.data, envelope.length);
  REQUIRE_OK(client_blob_put(farm->client, list.data, list.length, 10000, &blob));
  REQUIRE_OK(client_cache(farm->client, "artefacts-put", NULL, 0, &blob, 10000, NULL, NULL, &arena, &reply));
  strbuf_free(&source);
  bytes_writer_free(&envelope), bytes_writer_free(&list);
  arena_free(&arena);
}

TEST(gpu_worker_returns_what_nobody_compiled, "timeout:120") {
  struct gpu_farm farm = farm_begin();
  char message[400] = "";
  bool good;
  pid_t worker = role_start("gpu-worker", farm.uuid);
  submit(&farm);
  enum farm_status status = await(&farm, message, &good);
  CHECK_MESSAGE(status == FARM_MISMATCH && strstr(message, "no compiled kernel in the store"), "%s: %s", status_name(status),
                message);
  artefact_put(&farm);
  submit(&farm);
  status = await(&farm, message, &good);
  CHECK_MESSAGE(status == FARM_OK && good, "%s: %s", status_name(status), message);
  kill(worker, SIGTERM);
  CHECK(exit_code(worker) == 0);
  farm_end(&farm);
}

TEST(gpu_worker_leaves_when_its_device_is_gone, "timeout:120") {
  struct gpu_farm farm = farm_begin();
  char message[400] = "";
  bool good;
  artefact_put(&farm);
  pid_t worker = role_start("gpu-worker", NO_GPU);
  submit(&farm);
  int code = exit_code(worker);
  CHECK_MESSAGE(code == status_exit_code(FARM_DEVICE_LOST), "it left with %d", code);
  worker = role_start("gpu-worker", farm.uuid); // the same item, on one that works: nothing was held against the variant
  enum farm_status status = await(&farm, message, &good);
  CHECK_MESSAGE(status == FARM_OK && good, "%s: %s", status_name(status), message);
  kill(worker, SIGTERM);
  CHECK(exit_code(worker) == 0);
  farm_end(&farm);
}
