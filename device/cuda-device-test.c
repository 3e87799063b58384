/* A GPU's life, on the fake driver: what it is, copies, launches, graphs, marks, and each thing that goes wrong. */
#include "cuda-api.h"

#include "fake-gpu-test.h"
#include "library-search.h"
#include "nvrtc.h"

#include "../base/clock.h"
#include "../base/file.h"

#include <pthread.h>
#include <sys/wait.h>

static const char kernels[] = "struct scale_args { FARM_POINTER(float) x; int count; float factor; };\n"
                              "FARM_KERNEL(scale, scale_args, 128) {\n"
                              "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                              "  if (i < args.count) args.x[i] = args.x[i] * args.factor;\n"
                              "}\n";
struct scale_args {
  cuda_address x;
  int count;
  float factor;
};

enum { COUNT = 1000 };
static const uint64_t SECOND = 1000000000;

struct machine {
  struct cuda_device *device;
  struct cuda_image *image;
  cuda_address x; // float[COUNT] of ones
};

static struct bytes_writer cubin_make(int sm) {
  struct bytes_writer cubin = {0};
  struct strbuf text = {0};
  char *dialect;
  size_t length;
  REQUIRE_OK(file_read_all("kernels/cuda/dialect.cuh", 1 << 20, &dialect, &length));
  strbuf_add_bytes(&text, dialect, length);
  strbuf_add(&text, kernels);
  free(dialect);
  enum farm_status status = nvrtc_compile("scale.cu", strbuf_text(&text), sm, &cubin, NULL);
  strbuf_free(&text);
  if (status == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(status);
  test_keep(cubin.data);
  return cubin;
}

static struct machine machine_open(const char *which) {
  struct machine m = {0};
  float ones[COUNT];
  struct bytes_writer cubin = cubin_make(90);
  for (int i = 0; i < COUNT; i++) ones[i] = 1;
  REQUIRE_OK(cuda_device_open(which, &m.device));
  REQUIRE_OK(cuda_image_load(m.device, cubin.data, cubin.length, &m.image));
  REQUIRE_OK(cuda_alloc(m.device, sizeof ones, &m.x));
  REQUIRE_OK(cuda_copy_in(m.device, m.x, ones, sizeof ones));
  return m;
}

static void machine_close(struct machine *m) {
  cuda_free(m->device, &m->x);
  cuda_image_unload(&m->image);
  cuda_device_close(&m->device);
  CHECK(!m->x && !m->image && !m->device);
}

static struct cuda_launch scale_by(const struct machine *m, float factor) {
  struct cuda_launch launch = {
      .entry = "scale", .grid = {8, 1, 1}, .block = {128, 1, 1}, .argument_bytes = sizeof(struct scale_args)};
  memcpy(launch.arguments, &(struct scale_args){m->x, COUNT, factor}, sizeof(struct scale_args));
  return launch;
}

static enum farm_status scale(const struct machine *m, float factor) {
  struct cuda_launch launch = scale_by(m, factor);
  return cuda_launch(m->device, m->image, &launch);
}

static void check_all(const struct machine *m, float expected) {
  float got[COUNT];
  REQUIRE_OK(cuda_copy_out(m->device, got, m->x, sizeof got));
  REQUIRE_OK(cuda_wait(m->device));
  for (int i = 0; i < COUNT; i++)
    if (got[i] != expected) {
      CHECK_MESSAGE(false, "element %d is %g, not %g", i, (double)got[i], (double)expected);
      return;
    }
}

/* ---- what it is ---- */

TEST(gpu_has_properties_and_a_class, "") {
  struct cuda_properties about;
  struct device_class device_class, again;
  char text[DEVICE_CLASS_TEXT_MAX];
  int count = 0;
  fake_gpu("sm=90,product=H200 SXM-5,sms=132,clock=1980,memclock=3201,mem=2047m,l2=50m,devices=2,driver=12040");
  REQUIRE_OK(cuda_device_count(&count));
  CHECK(count == 2);
  REQUIRE_OK(cuda_device_properties(1, &about));
  CHECK(about.ordinal == 1 && about.sm == 90 && about.multiprocessors == 132 && about.driver_version == 12040);
  CHECK(about.memory_bytes == (int64_t)2047 << 20 && about.l2_bytes == (int64_t)50 << 20);
  CHECK(about.shared_bytes >= 48 << 10 && about.shared_optin_bytes >= about.shared_bytes);
  CHECK(strncmp(about.uuid, "GPU-", 4) == 0 && strlen(about.uuid) == 40);
  cuda_device_class(&about, &device_class);
  device_class_print(&device_class, text);
  CHECK_TEXT(text, "cuda sm:90 product:h200sxm5 sms:132 clock:1980 memclock:3201 mem:2g");
  REQUIRE_OK(device_class_parse(text, &again));
  CHECK(cuda_device_properties(2, &about) == FARM_NOT_FOUND && cuda_device_properties(-1, &about) == FARM_NOT_FOUND);
}

TEST(gpu_products_have_names, "") {
  static const char *const rows[][2] = {{"NVIDIA H200", "h200"},
                                        {"NVIDIA A100-SXM4-80GB", "a100sxm480gb"},
                                        {"NVIDIA GeForce RTX 4090", "geforcertx4090"},
                                        {"Tesla T4", "teslat4"},
                                        {"NVIDIA", "nvidia"},
                                        {"\xc3\xa4 -", "unknown"},
                                        {"", "unknown"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct cuda_properties about = {.sm = 90, .memory_bytes = INT64_C(150110011392)};
    struct device_class device_class;
    snprintf(about.name, sizeof about.name, "%s", rows[i][0]);
    cuda_device_class(&about, &device_class);
    CHECK_TEXT(device_class.product, rows[i][1]);
    CHECK(device_class.memory_bytes == (int64_t)140 << 30);
  }
}

TEST(gpu_opens_by_uuid_or_ordinal, "") {
  struct cuda_properties second;
  struct cuda_device *device = NULL, *other = NULL;
  fake_gpu("devices=2");
  REQUIRE_OK(cuda_device_properties(1, &second));
  REQUIRE_OK(cuda_device_open(second.uuid, &device));
  CHECK(cuda_device_about(device)->ordinal == 1);
  REQUIRE_OK(cuda_device_open(NULL, &other));
  CHECK(cuda_device_about(other)->ordinal == 0 && strcmp(cuda_device_about(other)->uuid, second.uuid) != 0);
  cuda_device_close(&other);
  REQUIRE_OK(cuda_device_open("1", &other));
  CHECK(cuda_device_about(other)->ordinal == 1 && cuda_device_stream(other) != cuda_device_stream(device));
  cuda_device_close(&other);
  cuda_device_close(&device);
  cuda_device_close(&device); // of none
  static const char *const wrong[] = {"2", "", "-1", "1 ", "99999999999999999999", "GPU-66616b65", "fake"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK_MESSAGE(cuda_device_open(wrong[i], &device) == FARM_NOT_FOUND, "`%s` was found", wrong[i]);
    CHECK(strstr(status_message(), second.uuid) && !device); // what there is, is told
  }
}

/* ---- what it does ---- */

/* ---- the thread's own context ---- */

static void *opened_elsewhere(void *out_device) {
  struct cuda_device *device = NULL;
  const struct cuda_api *api;
  cuda_context current = NULL;
  REQUIRE_OK(cuda_api(&api));
  REQUIRE_OK(cuda_device_open("0", &device));
  CHECK(api->cuCtxGetCurrent(&current) == CUDA_SUCCESS && !current);
  *(struct cuda_device **)out_device = device;
  return NULL;
}

/* Another user of CUDA on the same thread finds its contexts where it left them, as many as they were. */
TEST(gpu_leaves_the_threads_contexts_as_they_were, "") {
  const struct cuda_api *api;
  struct cuda_device *devices[2] = {NULL};
  cuda_context theirs[2] = {NULL}, current = NULL;
  pthread_t thread;
  fake_gpu("sm=90");
  REQUIRE_OK(cuda_api(&api));
  for (int i = 0; i < 2; i++) REQUIRE(api->cuCtxCreate_v2(&theirs[i], 0, 0) == CUDA_SUCCESS);
  REQUIRE_OK(cuda_device_open("0", &devices[0]));
  CHECK(api->cuCtxGetCurrent(&current) == CUDA_SUCCESS && current == theirs[1]);
  REQUIRE(pthread_create(&thread, NULL, opened_elsewhere, &devices[1]) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
  for (int i = 0; i < 2; i++) {
    cuda_address address = 0;
    void *before = cuda_thread_take(devices[i]);
    REQUIRE_OK(cuda_alloc(devices[i], 64, &address));
    CHECK(api->cuCtxGetCurrent(&current) == CUDA_SUCCESS && current != theirs[1]);
    cuda_thread_give(devices[i], before);
    CHECK(api->cuCtxGetCurrent(&current) == CUDA_SUCCESS && current == theirs[1]);
    cuda_device_close(&devices[i]);
    CHECK(api->cuCtxGetCurrent(&current) == CUDA_SUCCESS && current == theirs[1]);
  }
  for (int i = 1; i >= 0; i--) CHECK(api->cuCtxPopCurrent_v2(&current) == CUDA_SUCCESS && current == theirs[i]);
  CHECK(api->cuCtxPopCurrent_v2(&current) == CUDA_ERROR_INVALID_CONTEXT);
  for (int i = 0; i < 2; i++) CHECK(api->cuCtxDestroy_v2(theirs[i]) == CUDA_SUCCESS);
}

TEST(gpu_copies_fill_and_read_back, "") {
  unsigned char bytes[1000], got[1000];
  cuda_address a = 0, b = 0, none = 0;
  void *pinned = NULL;
  struct cuda_device *device;
  fake_gpu("");
  for (int i = 0; i < 1000; i++) bytes[i] = (unsigned char)(i * 7);
  REQUIRE_OK(cuda_device_open(NULL, &device));
  REQUIRE_OK(cuda_alloc(device, 1000, &a));
  REQUIRE_OK(cuda_alloc(device, 0, &b));
  CHECK(a % 256 == 0 && b && a != b);
  cuda_free(device, &b);
  cuda_free(device, &none);
  REQUIRE_OK(cuda_alloc(device, 1000, &b));
  REQUIRE_OK(cuda_host_alloc(device, 1000, &pinned));
  memcpy(pinned, bytes, 1000);
  REQUIRE_OK(cuda_copy_in(device, a, pinned, 1000));
  REQUIRE_OK(cuda_fill(device, b, 0xa5, 1000));
  REQUIRE_OK(cuda_copy_on(device, b + 256, a, 500));
  REQUIRE_OK(cuda_copy_out(device, got, b, 1000));
  REQUIRE_OK(cuda_copy_in(device, 0, NULL, 0)); // nothing is nothing
  REQUIRE_OK(cuda_copy_out(device, NULL, 0, 0));
  REQUIRE_OK(cuda_wait_for(device, 10 * SECOND));
  CHECK(got[0] == 0xa5 && got[255] == 0xa5 && got[756] == 0xa5 && memcmp(got + 256, bytes, 500) == 0);
  CHECK(cuda_copy_in(device, 1, bytes, 10) == FARM_FAILURE); // no memory of the device
  CHECK(strstr(status_message(), "CUDA_ERROR_INVALID_VALUE") && strstr(status_message(), "copying 10 bytes in"));
  CHECK(cuda_device_state(device) == FARM_OK);
  cuda_host_free(device, &pinned);
  cuda_free(device, &a);
  cuda_free(device, &b);
  CHECK(!pinned && !a && !b);
  cuda_device_close(&device);
}

TEST(gpu_launches_kernels, "") {
  fake_gpu("");
  struct machine m = machine_open(NULL);
  REQUIRE_OK(scale(&m, 3));
  REQUIRE_OK(scale(&m, 0.5f));
  check_all(&m, 1.5f);
  machine_close(&m);
}

TEST(gpu_refuses_launches_that_cannot_be, "") {
  fake_gpu("");
  struct machine m = machine_open(NULL);
  struct cuda_launch usual = scale_by(&m, 2), launch;
  const struct {
    const char *entry;
    uint32_t grid[3], block[3], argument_bytes;
  } rows[] = {{"shrink", {1, 1, 1}, {128, 1, 1}, usual.argument_bytes},
              {"scale", {1, 1, 1}, {129, 1, 1}, usual.argument_bytes}, // compiled for 128
              {"scale", {1, 1, 1}, {65536, 65536, 1}, usual.argument_bytes},
              {"scale", {1, 1, 1}, {1u << 31, 1u << 31, 4}, usual.argument_bytes},
              {"scale", {0, 1, 1}, {128, 1, 1}, usual.argument_bytes},
              {"scale", {1, 1, 70000}, {128, 1, 1}, usual.argument_bytes},
              {"scale", {1, 1, 1}, {128, 0, 1}, usual.argument_bytes},
              {"scale", {1, 1, 1}, {128, 1, 1}, usual.argument_bytes - 4},
              {"scale", {1, 1, 1}, {128, 1, 1}, CUDA_ARGUMENTS_MOST + 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    launch = usual;
    launch.entry = rows[i].entry;
    memcpy(launch.grid, rows[i].grid, sizeof launch.grid);
    memcpy(launch.block, rows[i].block, sizeof launch.block);
    launch.argument_bytes = rows[i].argument_bytes;
    CHECK_MESSAGE(cuda_launch(m.device, m.image, &launch) == FARM_TACTIC_REFUSED, "row %zu: %s", i, status_message());
    CHECK(strstr(status_message(), rows[i].entry));
  }
  check_all(&m, 1); // nothing ran, nothing sticks
  REQUIRE_OK(scale(&m, 2));
  check_all(&m, 2);
  machine_close(&m);
}

TEST(gpu_refuses_images_that_are_none, "") {
  static const char text[] = "no image at all, but long enough to have an ELF header in it, if it had one";
  fake_gpu("");
  struct machine m = machine_open(NULL);
  struct bytes_writer cubin = cubin_make(90), other = cubin_make(80);
  struct cuda_image *image = NULL;
  CHECK(cuda_image_load(m.device, text, sizeof text, &image) == FARM_INVALID);
  for (size_t i = 0; i < 64; i++) {
    CHECK(cuda_image_load(m.device, cubin.data, i * cubin.length / 70, &image) == FARM_INVALID);
    CHECK_MESSAGE(strstr(status_message(), "no ELF file, or a torn one"), "%s", status_message()); // before the driver sees it
  }
  CHECK(cuda_image_load(m.device, other.data, other.length, &image) == FARM_MISMATCH);
  CHECK(strstr(status_message(), "NO_BINARY_FOR_GPU") && !image);
  check_all(&m, 1);
  machine_close(&m);
}

/* ---- graphs and time ---- */

TEST(gpu_captures_and_replays, "") {
  float in[COUNT], out[COUNT] = {0};
  struct cuda_graph *graph = NULL;
  fake_gpu("");
  struct machine m = machine_open(NULL);
  REQUIRE_OK(cuda_capture_begin(m.device));
  REQUIRE_OK(cuda_copy_in(m.device, m.x, in, sizeof in));
  REQUIRE_OK(scale(&m, 2));
  REQUIRE_OK(cuda_copy_out(m.device, out, m.x, sizeof out));
  REQUIRE_OK(cuda_capture_end(m.device, &graph));
  for (int turn = 1; turn <= 3; turn++) {
    for (int i = 0; i < COUNT; i++) in[i] = (float)(turn * i);
    REQUIRE_OK(cuda_graph_launch(m.device, graph));
    REQUIRE_OK(cuda_wait(m.device));
    CHECK(out[0] == 0 && out[1] == (float)(2 * turn) && out[COUNT - 1] == (float)(2 * turn * (COUNT - 1)));
  }
  cuda_graph_free(&graph);
  cuda_graph_free(&graph);
  machine_close(&m);
}

TEST(gpu_gives_no_graph_after_an_error, "") {
  struct cuda_graph *graph = NULL;
  fake_gpu("");
  struct machine m = machine_open(NULL);
  struct cuda_launch launch = scale_by(&m, 2);
  CHECK(cuda_capture_end(m.device, &graph) == FARM_USAGE);
  launch.block[0] = 0;
  REQUIRE_OK(cuda_capture_begin(m.device));
  CHECK(cuda_capture_begin(m.device) == FARM_USAGE);
  REQUIRE_OK(scale(&m, 5));
  CHECK(cuda_launch(m.device, m.image, &launch) == FARM_TACTIC_REFUSED); // the driver never hears of it
  CHECK(cuda_wait(m.device) == FARM_USAGE && cuda_wait_for(m.device, SECOND) == FARM_USAGE);
  CHECK(cuda_capture_end(m.device, &graph) == FARM_TACTIC_REFUSED && !graph);
  CHECK(strstr(status_message(), "an empty launch"));
  REQUIRE_OK(cuda_capture_begin(m.device));
  CHECK(cuda_copy_in(m.device, 1, &launch, 10) == FARM_FAILURE);
  CHECK(cuda_capture_end(m.device, &graph) == FARM_FAILURE && !graph);
  check_all(&m, 1);
  REQUIRE_OK(cuda_capture_begin(m.device)); // spoilt captures are over
  REQUIRE_OK(scale(&m, 5));
  REQUIRE_OK(cuda_capture_end(m.device, &graph));
  REQUIRE_OK(cuda_graph_launch(m.device, graph));
  check_all(&m, 5);
  cuda_graph_free(&graph);
  REQUIRE_OK(cuda_capture_begin(m.device));
  machine_close(&m); // while capturing
}

TEST(gpu_measures_time_between_marks, "") {
  double ns = -1;
  fake_gpu("");
  struct machine m = machine_open(NULL);
  CHECK(cuda_marked_ns(m.device, &ns) == FARM_USAGE);
  REQUIRE_OK(cuda_mark_begin(m.device));
  CHECK(cuda_marked_ns(m.device, &ns) == FARM_USAGE);
  REQUIRE_OK(scale(&m, 2));
  REQUIRE_OK(cuda_mark_end(m.device));
  CHECK(cuda_marked_ns(m.device, &ns) == FARM_AGAIN && ns == -1);
  REQUIRE_OK(cuda_wait(m.device));
  REQUIRE_OK(cuda_marked_ns(m.device, &ns));
  CHECK(ns > 0 && ns < 1e10);
  machine_close(&m);
}

/* ---- what goes wrong ---- */

TEST(gpu_out_of_memory_does_not_stick, "") {
  cuda_address address = 0;
  fake_gpu("mem=64m,fault=oom@2");
  struct machine m = machine_open(NULL);
  CHECK(cuda_alloc(m.device, 1000, &address) == FARM_NO_MEMORY && !address);
  CHECK(strstr(status_message(), "allocating 1000 bytes") && strstr(status_message(), "CUDA_ERROR_OUT_OF_MEMORY"));
  CHECK(cuda_alloc(m.device, (size_t)65 << 20, &address) == FARM_NO_MEMORY);
  CHECK(cuda_alloc(m.device, SIZE_MAX, &address) == FARM_NO_MEMORY);
  CHECK(cuda_device_state(m.device) == FARM_OK);
  REQUIRE_OK(cuda_alloc(m.device, 1000, &address));
  cuda_free(m.device, &address);
  REQUIRE_OK(scale(&m, 2));
  check_all(&m, 2);
  machine_close(&m);
}

/* After the error: every call repeats it, at once; giving everything back and closing works; another device computes. */
static void check_stuck(struct machine *m, enum farm_status expected, const char *word) {
  struct cuda_graph *graph = NULL;
  struct cuda_image *image = NULL;
  cuda_address address = 0;
  char byte = 0;
  double ns;
  uint64_t begin = clock_now_ns();
  const enum farm_status got[] = {cuda_device_state(m->device),
                                  cuda_alloc(m->device, 10, &address),
                                  cuda_copy_in(m->device, m->x, &byte, 1),
                                  cuda_copy_out(m->device, &byte, m->x, 1),
                                  cuda_fill(m->device, m->x, 0, 1),
                                  cuda_copy_on(m->device, m->x, m->x + 4, 1),
                                  cuda_wait(m->device),
                                  cuda_wait_for(m->device, SECOND),
                                  scale(m, 2),
                                  cuda_capture_begin(m->device),
                                  cuda_mark_begin(m->device),
                                  cuda_mark_end(m->device),
                                  cuda_marked_ns(m->device, &ns),
                                  cuda_image_load(m->device, &byte, 1, &image)};
  for (size_t i = 0; i < sizeof got / sizeof *got; i++)
    CHECK_MESSAGE(got[i] == expected, "call %zu says %s", i, status_name(got[i]));
  CHECK_MESSAGE(strstr(status_message(), word), "`%s` does not say %s", status_message(), word);
  CHECK(!address && !image && !graph);
  machine_close(m);
  CHECK(clock_now_ns() - begin < SECOND);
}

static void check_fault(const char *about, const char *word) {
  fake_gpu(about);
  struct machine m = machine_open("0");
  REQUIRE_OK(scale(&m, 2));
  CHECK(cuda_wait(m.device) == FARM_WORKER_LOST);
  CHECK_MESSAGE(strstr(status_message(), word) && strstr(status_message(), "GPU 0"), "message `%s`", status_message());
  check_stuck(&m, FARM_WORKER_LOST, word);
}

static void check_another_works(void) {
  struct machine other = machine_open("1");
  REQUIRE_OK(scale(&other, 7));
  check_all(&other, 7);
  machine_close(&other);
}

TEST(gpu_failed_launch_sticks, "") {
  check_fault("devices=2,fault=launch@1", "CUDA_ERROR_LAUNCH_FAILED");
  check_another_works();
}

TEST(gpu_illegal_address_sticks, "") {
  check_fault("devices=2,fault=illegal@1", "CUDA_ERROR_ILLEGAL_ADDRESS");
  check_another_works();
}

TEST(gpu_illegal_address_in_a_graph_sticks, "") {
  struct cuda_graph *graph = NULL;
  fake_gpu("devices=2,fault=illegal@2");
  struct machine m = machine_open(NULL);
  REQUIRE_OK(cuda_capture_begin(m.device));
  REQUIRE_OK(scale(&m, 2));
  REQUIRE_OK(cuda_capture_end(m.device, &graph));
  REQUIRE_OK(cuda_graph_launch(m.device, graph));
  check_all(&m, 2);
  REQUIRE_OK(cuda_graph_launch(m.device, graph));
  CHECK(cuda_wait_for(m.device, 10 * SECOND) == FARM_WORKER_LOST);
  CHECK(cuda_graph_launch(m.device, graph) == FARM_WORKER_LOST);
  cuda_graph_free(&graph);
  check_stuck(&m, FARM_WORKER_LOST, "CUDA_ERROR_ILLEGAL_ADDRESS");
  check_another_works();
}

TEST(gpu_that_hangs_is_given_up, "") {
  fake_gpu("devices=2,fault=hang@1");
  struct machine m = machine_open(NULL);
  REQUIRE_OK(scale(&m, 2));
  uint64_t begin = clock_now_ns();
  CHECK(cuda_wait_for(m.device, SECOND / 10) == FARM_TIMED_OUT);
  uint64_t took = clock_now_ns() - begin;
  CHECK_MESSAGE(took >= SECOND / 10 && took < 2 * SECOND, "it took %.3f s", (double)took * 1e-9);
  CHECK(strstr(status_message(), "0.1 s"));
  check_stuck(&m, FARM_TIMED_OUT, "did not end within");
  check_another_works();
}

TEST(gpu_that_is_lost_is_told_from_a_lost_context, "") {
  struct cuda_device *device = NULL;
  check_fault("devices=2,fault=lost@1", "CUDA_ERROR_DEVICE_UNAVAILABLE");
  CHECK(cuda_device_open(NULL, &device) == FARM_DEVICE_LOST && !device);
  CHECK(strstr(status_message(), "CUDA_ERROR_DEVICE_UNAVAILABLE"));
}

TEST(gpu_absent_is_unsupported, "") {
  int count = -1;
  struct cuda_device *device = NULL;
  struct cuda_properties about;
  fake_gpu("fault=nodevice");
  CHECK(cuda_device_count(&count) == FARM_UNSUPPORTED && count == -1);
  CHECK(strstr(status_message(), "CUDA_ERROR_NO_DEVICE"));
  CHECK(cuda_device_open(NULL, &device) == FARM_UNSUPPORTED && cuda_device_properties(0, &about) == FARM_UNSUPPORTED);
}

/* ---- the driver's library ---- */

TEST(driver_absent_is_unsupported, "") {
  int count = -1;
  setenv("TUNEFARM_LIBCUDA", "/nowhere/libcuda.so.1", 1);
  CHECK(cuda_device_count(&count) == FARM_UNSUPPORTED && count == -1);
  CHECK(strstr(status_message(), "TUNEFARM_LIBCUDA=/nowhere/libcuda.so.1"));
  CHECK_TEXT(library_file(LIBRARY_CUDA), "");
}

TEST(driver_without_a_function_names_it, "") {
  int count = -1;
  setenv("TUNEFARM_LIBCUDA", "libm.so.6", 1);
  CHECK(cuda_device_count(&count) == FARM_UNSUPPORTED);
  CHECK(strstr(status_message(), "has no cuInit"));
  status_set(FARM_OK, " ");
  CHECK(cuda_device_count(&count) == FARM_UNSUPPORTED && strstr(status_message(), "has no cuInit")); // again
}

/* The toolkit's stub has every function and starts nowhere. */
TEST(driver_of_the_toolkit_has_every_function, "") {
  static const char *const stubs[] = {"/usr/local/cuda/lib64/stubs/libcuda.so",
                                      "/usr/local/cuda/targets/x86_64-linux/lib/stubs/libcuda.so"};
  int count = -1;
  const char *found = NULL;
  for (size_t i = 0; i < sizeof stubs / sizeof *stubs; i++)
    if (access(stubs[i], R_OK) == 0) found = stubs[i];
  if (!found) SKIP("no stub of the driver is installed");
  setenv("TUNEFARM_LIBCUDA", found, 1);
  CHECK(cuda_device_count(&count) == FARM_UNSUPPORTED);
  CHECK_MESSAGE(strstr(status_message(), "does not start"), "%s", status_message());
}

static void *count_devices(void *unused) {
  int count = 0;
  (void)unused;
  return cuda_device_count(&count) == FARM_OK && count == 3 ? NULL : "wrong";
}

/* A server that forks its workers: a driver does not live on in them. */
TEST(driver_started_before_a_fork_says_so, "") {
  fake_gpu("sm=90");
  struct machine m = machine_open("0");
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int count;
    bool told = cuda_device_count(&count) == FARM_DEVICE_LOST && strstr(status_message(), "fork first");
    told = told && cuda_wait(m.device) == FARM_WORKER_LOST && strstr(status_message(), "fork first");
    cuda_image_unload(&m.image);
    cuda_device_close(&m.device);
    _exit(!told);
  }
  int code;
  REQUIRE(waitpid(child, &code, 0) == child);
  CHECK(code == 0);
  check_all(&m, 1);
  machine_close(&m);
}

TEST(driver_is_opened_once_by_many_threads, "") {
  pthread_t threads[8];
  fake_gpu("devices=3");
  for (int i = 0; i < 8; i++) REQUIRE(pthread_create(&threads[i], NULL, count_devices, NULL) == 0);
  for (int i = 0; i < 8; i++) {
    void *wrong;
    pthread_join(threads[i], &wrong);
    CHECK(!wrong);
  }
}
