/* A farm with a GPU, which is the fake driver's: builds measure, keep what they compiled, share, and are repeated without a
 * device. */
#include "command-test.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define FAKE "sm=90,product=fake,mem=1g,l2=16384,sms=2"

/* The library beside the command. */
static void library_named(const char *variable, const char *name) {
  char path[PATH_MAX], *slash;
  REQUIRE(realpath(program(), path) && (slash = strrchr(path, '/')) && strlen(path) + strlen(name) < sizeof path);
  strcpy(slash + 1, name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

static void gpu_begin(const char *about) {
  library_named("TUNEFARM_LIBCUDA", "libfakecuda.so");
  library_named("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
  setenv("XDG_RUNTIME_DIR", test_folder(), 1);
}

static void gpu_end(void) { // neither driver nor compiler
  setenv("TUNEFARM_LIBCUDA", "/nonexistent/libcuda.so", 1);
  setenv("TUNEFARM_LIBNVRTC", "/nonexistent/libnvrtc.so", 1);
}

#define BUILD "--target", "cuda-sm90", "--effort", "1", "--compare", "0"

static json_t *target_of(json_t *report) { return json_array_get(json_object_get(report, "targets"), 0); }

static json_t *build(const char *model, const char *engine, const char *cache) {
  return json_of(command_say("build", model, "-o", engine, BUILD, "--cache", cache, "--json"));
}

static double stat_of(const char *cache, const char *name) {
  json_t *root = json_of(command_say("cache", "stats", "--cache", cache, "--json"));
  double value = number_at(root, name);
  json_decref(root);
  return value;
}

static void same_engines(json_t *a, json_t *b) { CHECK_TEXT(text_at(a, "digest"), text_at(b, "digest")); }

/* Measured once, then from the cache; from another cache without a driver; and what is missing there is named. */
TEST(gpu_build_is_repeated_without_a_device, "timeout:240") {
  const char *model = small_model("net.onnx", "2"), *engine = in_folder("net.engine"), *bundle = in_folder("net.bundle");
  const char *first_cache = in_folder("first"), *other_cache = in_folder("other");
  gpu_begin(FAKE);
  json_t *first = build(model, engine, first_cache), *again = build(model, engine, first_cache);
  CHECK(strncmp(text_at(target_of(first), "device_class"), "cuda sm:90 product:fake ", 24) == 0);
  CHECK_MESSAGE(number_at(target_of(first), "measured") == 2, "%s", json_dumps(first, 0));
  CHECK(number_at(target_of(again), "measured") == 0 && number_at(target_of(again), "hits") == 2);
  same_engines(first, again);
  CHECK(stat_of(first_cache, "artefacts") >= 2 && stat_of(first_cache, "corrupt") == 0);
  command_works("cache", "export", "-o", bundle, "--cache", first_cache);
  gpu_end();
  command_works("cache", "import", bundle, "--cache", other_cache);
  CHECK(stat_of(other_cache, "artefacts") == stat_of(first_cache, "artefacts"));
  command_works("cache", "verify", "--cache", other_cache);
  json_t *locked =
      json_of(command_say("build", model, "-o", engine, BUILD, "--cache", other_cache, "--cache-mode", "locked", "--json"));
  same_engines(first, locked);
  command_works("cache", "prune", "--key", "artefact|", "--cache", other_cache);
  CHECK(stat_of(other_cache, "artefacts") == 0);
  struct said said = command_say("build", model, "-o", engine, BUILD, "--cache", other_cache, "--cache-mode", "locked");
  CHECK_MESSAGE(said.code == 3 && strstr(said.error, "compiled kernels are not in the store"), "code %d: %s", said.code,
                said.error);
  said_free(&said);
  said = command_say("build", model, "-o", engine, BUILD, "--cache", in_folder("empty"), "--cache-mode", "locked");
  CHECK_MESSAGE(said.code == 3, "code %d: %s", said.code, said.error);
  said_free(&said);
  json_decref(first), json_decref(again), json_decref(locked);
}

/* Two builds at once want the same: each variant is measured once, and both get the same engine. */
TEST(gpu_builds_at_once_share, "timeout:240") {
  const char *model = small_model("net.onnx", "3"), *cache = in_folder("first"), *one = in_folder("1.engine"),
             *two = in_folder("2.engine");
  gpu_begin(FAKE);
  pid_t first = command_start((const char *const[]){"build", model, "-o", one, BUILD, "--cache", cache, NULL});
  pid_t second = command_start((const char *const[]){"build", model, "-o", two, BUILD, "--cache", cache, NULL});
  struct said said = command_wait(first);
  CHECK_MESSAGE(said.code == 0, "code %d: %s", said.code, said.error);
  said_free(&said);
  said = command_wait(second);
  CHECK_MESSAGE(said.code == 0, "code %d: %s", said.code, said.error);
  said_free(&said);
  char *a, *b;
  size_t a_length, b_length;
  REQUIRE_OK(file_read_all(one, 1 << 30, &a, &a_length));
  REQUIRE_OK(file_read_all(two, 1 << 30, &b, &b_length));
  CHECK(a_length == b_length && memcmp(a, b, a_length) == 0);
  free(a), free(b);
  CHECK(stat_of(cache, "replaced") == 0 && stat_of(cache, "history") == 0); // nothing was measured twice
  json_t *status = json_of(command_say("status", "--cache", cache, "--json"));
  bool compiler = false, gpu = false;
  size_t i;
  json_t *worker;
  json_array_foreach(json_object_get(status, "workers"), i, worker) {
    compiler |= strncmp(text_at(worker, "device_class"), "compiler nvrtc ", 15) == 0;
    gpu |= strncmp(text_at(worker, "device_class"), "cuda sm:90 product:fake ", 24) == 0;
  }
  CHECK_MESSAGE(compiler && gpu, "%s", json_dumps(status, 0));
  json_decref(status);
}

static void endpoint_free_port(char out[64]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
          getsockname(fd, (struct sockaddr *)&address, &length) == 0);
  close(fd);
  snprintf(out, 64, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
}

/* Asks until so many workers are there. */
static bool workers_become(const char *endpoint, size_t wanted) {
  for (int tries = 0; tries < 150; tries++) {
    json_t *root = json_of(command_say("status", "--farm", endpoint, "--json"));
    size_t count = json_array_size(json_object_get(root, "workers"));
    json_decref(root);
    if (count == wanted) return true;
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  }
  return false;
}

static int exit_code(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A farm of others: with a GPU alone the builder compiles by itself, and says so when it cannot; with `--gpu all` there are
 * compilers, too. Drained workers leave in order. */
TEST(gpu_workers_join_a_farm, "timeout:240") {
  char endpoint[64];
  const char *model = small_model("net.onnx", "1"), *engine = in_folder("net.engine"), *farm = in_folder("farm");
  gpu_begin(FAKE);
  endpoint_free_port(endpoint);
  pid_t coordinator = command_start(
      (const char *const[]){"coordinator", "--listen", endpoint, "--workers", "none", "--cache", farm, "--idle-exit", "0", NULL});
  pid_t one = command_start((const char *const[]){"worker", "--connect", endpoint, "--gpu", "0", NULL});
  CHECK(workers_become(endpoint, 1));
  char compiler[PATH_MAX];
  snprintf(compiler, sizeof compiler, "%s", getenv("TUNEFARM_LIBNVRTC"));
  setenv("TUNEFARM_LIBNVRTC", "/nonexistent/libnvrtc.so", 1);
  command_fails(5, "nobody compiles for this build", "build", model, "-o", engine, BUILD, "--farm", endpoint);
  setenv("TUNEFARM_LIBNVRTC", compiler, 1);
  json_t *report = json_of(command_say("build", model, "-o", engine, BUILD, "--farm", endpoint, "--json"));
  CHECK(number_at(target_of(report), "measured") == 2);
  json_decref(report);
  kill(one, SIGTERM);
  CHECK(exit_code(one) == 0 && workers_become(endpoint, 0));
  pid_t all = command_start((const char *const[]){"worker", "--connect", endpoint, "--gpu", "all", NULL});
  CHECK(workers_become(endpoint, 2)); // the GPU's and a compiler
  command_works("drain", "--farm", endpoint);
  CHECK(exit_code(all) == 0);
  kill(coordinator, SIGTERM);
  CHECK(exit_code(coordinator) == 0);
}

/* One engine for the cores and the GPU: tuned and default engine are compared on each in its own section. */
TEST(gpu_and_cores_are_compared_each_by_itself, "timeout:240") {
  const char *model = small_model("net.onnx", "1");
  gpu_begin(FAKE);
  json_t *report = json_of(command_say("build", model, "-o", in_folder("net.engine"), "--target", "auto", "--effort", "1",
                                       "--compare", "0.2", "--cache", in_folder("farm"), "--json"));
  json_t *targets = json_object_get(report, "targets");
  CHECK_MESSAGE(json_array_size(targets) == 2, "%zu targets", json_array_size(targets));
  for (size_t i = 0; i < json_array_size(targets); i++) {
    const json_t *target = json_array_get(targets, i), *tuning = json_object_get(target, "tuning");
    CHECK_MESSAGE(tuning && number_at(tuning, "ratio") > 0.3, "%s: ratio %g", text_at(target, "device_class"),
                  tuning ? number_at(tuning, "ratio") : 0.0); // the other device is a hundred times slower, or quicker
  }
  json_decref(report);
}

/* A worker of a GPU that is not there says so and leaves. */
TEST(gpu_worker_without_its_gpu_says_so, "timeout:60") {
  gpu_begin(FAKE ",fault=nodevice@1");
  command_fails(1, "GPU 0: there is none on this machine", "worker", "--connect", "tcp://127.0.0.1:1", "--gpu", "0");
  command_fails(1, "no GPU that works", "worker", "--connect", "tcp://127.0.0.1:1", "--gpu", "all");
  command_fails(2, "one worker has one part", "worker", "--connect", "tcp://127.0.0.1:1", "--gpu", "0", "--compiler");
}
