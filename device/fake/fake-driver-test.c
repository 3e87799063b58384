/* The fake driver through the device layer: queues that wait to be asked, memory that bites, each fault, images and texts it
 * refuses. */
#include "fake-rig-test.h"

#include "../../base/clock.h"
#include "../../base/file.h"

#include <signal.h>
#include <sys/wait.h>

#define TEXT "simt-parts-test.cu"

static uint32_t *pinned_words(struct rig *rig, size_t bytes) {
  void *data;
  REQUIRE_OK(cuda_host_alloc(rig->device, bytes, &data));
  return data;
}

/* One counter in device memory; `one_more` adds 1. */
struct counter {
  cuda_address at;
  uint32_t *seen; // pinned
  struct cuda_launch launch;
};
static struct counter counter_make(struct rig *rig) {
  struct counter counter;
  REQUIRE_OK(cuda_alloc(rig->device, 4, &counter.at));
  REQUIRE_OK(cuda_fill(rig->device, counter.at, 0, 4));
  counter.seen = pinned_words(rig, 4);
  *counter.seen = 77;
  counter.launch = rig_launch("one_more", 1, 1, (struct rig_args){.out = counter.at});
  return counter;
}

TEST(fake_waits_to_be_asked, "") {
  struct rig rig = rig_open("mem=64m", TEXT, 90);
  struct counter counter = counter_make(&rig);
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  REQUIRE_OK(cuda_copy_out(rig.device, counter.seen, counter.at, 4));
  clock_sleep_ns(20000000);
  CHECK(*counter.seen == 77); // nobody has waited
  REQUIRE_OK(cuda_wait(rig.device));
  CHECK(*counter.seen == 1);
  *counter.seen = 5; // pinned memory is read when the copy runs
  REQUIRE_OK(cuda_copy_in(rig.device, counter.at, counter.seen, 4));
  *counter.seen = 6;
  uint32_t plain = 8, back; // other memory is read at once
  REQUIRE_OK(cuda_copy_out(rig.device, &back, counter.at, 4));
  REQUIRE_OK(cuda_wait(rig.device));
  CHECK(back == 6);
  REQUIRE_OK(cuda_copy_in(rig.device, counter.at, &plain, 4));
  plain = 9;
  REQUIRE_OK(cuda_copy_out(rig.device, &back, counter.at, 4));
  REQUIRE_OK(cuda_wait_for(rig.device, 1000000000));
  CHECK(back == 8);
  rig_close(&rig);
}

TEST(fake_graphs_replay, "") {
  struct rig rig = rig_open("mem=64m", TEXT, 90);
  struct counter counter = counter_make(&rig);
  struct cuda_graph *graph;
  REQUIRE_OK(cuda_wait(rig.device));
  REQUIRE_OK(cuda_capture_begin(rig.device));
  for (int i = 0; i < 3; i++) REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  REQUIRE_OK(cuda_copy_out(rig.device, counter.seen, counter.at, 4));
  REQUIRE_OK(cuda_capture_end(rig.device, &graph));
  REQUIRE_OK(cuda_wait(rig.device));
  CHECK(*counter.seen == 77); // recorded, not run
  for (int i = 0; i < 4; i++) REQUIRE_OK(cuda_graph_launch(rig.device, graph));
  cuda_graph_free(&graph); // what was launched runs nevertheless
  REQUIRE_OK(cuda_wait(rig.device));
  CHECK(*counter.seen == 12);
  rig_close(&rig);
}

TEST(fake_marks_take_time, "") {
  struct rig rig = rig_open("mem=64m", TEXT, 90);
  struct rig_args args = {.at = 2000000};
  double ns, none;
  REQUIRE_OK(cuda_alloc(rig.device, 4, &args.out));
  struct cuda_launch launch = rig_launch("forever_long", 1, 1, args);
  REQUIRE_OK(cuda_mark_begin(rig.device));
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &launch));
  REQUIRE_OK(cuda_mark_end(rig.device));
  CHECK(cuda_marked_ns(rig.device, &none) != FARM_OK); // not yet
  REQUIRE_OK(cuda_wait(rig.device));
  REQUIRE_OK(cuda_marked_ns(rig.device, &ns));
  CHECK_MESSAGE(ns > 2e5, "%g ns for 2 million steps", ns);
  rig_close(&rig);
}

/* ---- memory ---- */

static int signal_of(void (*touch)(cuda_address), cuda_address address) {
  pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL); // whatever a sanitizer makes of it
    touch(address);
    _exit(0);
  }
  int state = 0;
  REQUIRE(child > 0 && waitpid(child, &state, 0) == child);
  return WIFSIGNALED(state) ? WTERMSIG(state) : 0;
}
static void touch_read(cuda_address address) { (void)*(volatile float *)(uintptr_t)address; }
static void touch_write(cuda_address address) { *(volatile float *)(uintptr_t)address = 1.0f; }

TEST(fake_memory_is_not_the_hosts, "") {
  struct rig rig = rig_open("mem=64m", NULL, 90);
  cuda_address address;
  REQUIRE_OK(cuda_alloc(rig.device, 1000, &address));
  REQUIRE_OK(cuda_fill(rig.device, address, 0, 1000));
  REQUIRE_OK(cuda_wait(rig.device));
  CHECK(address % 256 == 0);
  CHECK(signal_of(touch_read, address) == SIGSEGV);
  CHECK(signal_of(touch_write, address) == SIGSEGV);
  rig_close(&rig);
}

TEST(fake_memory_is_fresh_and_bounded, "") {
  struct rig rig = rig_open("mem=1m", NULL, 90);
  cuda_address address, more;
  unsigned char bytes[300];
  REQUIRE_OK(cuda_alloc(rig.device, 300, &address));
  REQUIRE_OK(cuda_copy_out(rig.device, bytes, address, 300));
  REQUIRE_OK(cuda_wait(rig.device));
  for (int i = 0; i < 300; i++) CHECK(bytes[i] == 0xff);                // NaN
  CHECK(cuda_copy_out(rig.device, bytes, address + 1, 300) != FARM_OK); // beyond the end
  CHECK(cuda_alloc(rig.device, 1 << 20, &more) == FARM_NO_MEMORY);
  REQUIRE_OK(cuda_alloc(rig.device, (1 << 20) - 300, &more));
  CHECK(cuda_alloc(rig.device, 1, &address) == FARM_NO_MEMORY);
  cuda_free(rig.device, &more);
  REQUIRE_OK(cuda_alloc(rig.device, 1, &more));
  rig_close(&rig);
}

TEST(fake_freed_memory, "") {
  struct rig rig = rig_open("mem=64m,quiet=1", TEXT, 90);
  struct counter counter = counter_make(&rig);
  REQUIRE_OK(cuda_wait(rig.device));
  cuda_free(rig.device, &counter.at);
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  CHECK(cuda_wait(rig.device) == FARM_WORKER_LOST && strstr(status_message(), "it was freed (an allocation of "));
  rig_close(&rig);
}

/* ---- faults ---- */

static const struct {
  const char *fault, *says;
  enum farm_status status;
  int good;       // runs before it strikes
  bool elsewhere; // is another context of the process of use?
} faults[] = {{"launch@3", "the launch fails, as was asked for", FARM_WORKER_LOST, 2, true},
              {"illegal@2", "an illegal address, as was asked for", FARM_WORKER_LOST, 1, true},
              {"lost@2", "CUDA_ERROR_DEVICE_UNAVAILABLE", FARM_WORKER_LOST, 1, false}};

static void check_fault(int f) {
  char spec[64];
  snprintf(spec, sizeof spec, "mem=64m,quiet=1,fault=%s", faults[f].fault);
  struct rig rig = rig_open(spec, TEXT, 90);
  struct counter counter = counter_make(&rig);
  struct cuda_device *other = NULL;
  for (int i = 0; i < faults[f].good; i++) {
    REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
    REQUIRE_OK(cuda_wait(rig.device));
  }
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  CHECK(cuda_wait(rig.device) == faults[f].status);
  CHECK_MESSAGE(strstr(status_message(), faults[f].says), "%s", status_message());
  CHECK(cuda_launch(rig.device, rig.image, &counter.launch) == faults[f].status); // it sticks
  CHECK(cuda_device_state(rig.device) == faults[f].status);
  CHECK((cuda_device_open(NULL, &other) == FARM_OK) == faults[f].elsewhere);
  if (other) REQUIRE_OK(cuda_wait(other));
  cuda_device_close(&other);
  rig_close(&rig);
}
TEST(fake_fault_launch, "") { check_fault(0); }
TEST(fake_fault_illegal, "") { check_fault(1); }
TEST(fake_fault_lost, "") { check_fault(2); }

TEST(fake_fault_oom, "") {
  struct rig rig = rig_open("mem=64m,fault=oom@2", TEXT, 90);
  cuda_address a, b;
  REQUIRE_OK(cuda_alloc(rig.device, 64, &a));
  CHECK(cuda_alloc(rig.device, 64, &b) == FARM_NO_MEMORY);
  REQUIRE_OK(cuda_alloc(rig.device, 64, &b)); // does not stick
  REQUIRE_OK(cuda_device_state(rig.device));
  rig_close(&rig);
}

TEST(fake_fault_hang, "timeout:20") {
  struct rig rig = rig_open("mem=64m,fault=hang@2", TEXT, 90);
  struct counter counter = counter_make(&rig);
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  REQUIRE_OK(cuda_wait_for(rig.device, 1000000000));
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  CHECK(cuda_wait_for(rig.device, 50000000) == FARM_TIMED_OUT);
  CHECK(cuda_launch(rig.device, rig.image, &counter.launch) == FARM_TIMED_OUT);
  cuda_image_unload(&rig.image); // neither of these may wait for it
  cuda_device_close(&rig.device);
}

TEST(fake_no_device, "") {
  rig_libraries("fault=nodevice");
  int count = 0;
  struct cuda_device *device;
  CHECK(cuda_device_count(&count) == FARM_UNSUPPORTED || count == 0);
  CHECK(cuda_device_open(NULL, &device) == FARM_UNSUPPORTED);
}

TEST(fake_bad_words, "") {
  static const char *const words[] = {"sm",           "sm=",     "sm=9x", "speed=3", "mem=99999999999g", "fault=launch@0",
                                      "fault=boom@1", "order=up"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    pid_t child = fork(); // a process opens the driver once
    if (child == 0) {
      int count;
      rig_libraries(words[i]);
      _exit(cuda_device_count(&count) == FARM_UNSUPPORTED ? 0 : 1);
    }
    int state = 0;
    REQUIRE(child > 0 && waitpid(child, &state, 0) == child);
    CHECK_MESSAGE(state == 0, "TUNEFARM_FAKE_CUDA=%s is taken", words[i]);
  }
}

TEST(fake_description, "") {
  struct rig rig =
      rig_open("sm=120,product=H200 NVL,mem=141g,sms=132,clock=1980,memclock=3201,l2=50m,driver=12040,devices=3", NULL, 120);
  struct cuda_properties about;
  int count;
  REQUIRE_OK(cuda_device_count(&count));
  CHECK(count == 3);
  REQUIRE_OK(cuda_device_properties(2, &about));
  CHECK_TEXT(about.name, "NVIDIA H200 NVL");
  CHECK_TEXT(about.uuid, "GPU-66616b65-6375-6461-0000-000000000002");
  CHECK(about.sm == 120 && about.multiprocessors == 132 && about.clock_mhz == 1980 && about.memory_clock_mhz == 3201);
  CHECK(about.memory_bytes == (int64_t)141 << 30 && about.l2_bytes == 50 << 20 && about.driver_version == 12040);
  rig_close(&rig);
}

/* ---- launches, images, texts ---- */

TEST(fake_refuses_launches, "") {
  struct rig rig = rig_open("mem=64m", TEXT, 90);
  struct cuda_launch launch = rig_launch("one_more", 1, 1, (struct rig_args){0});
  static const struct {
    const char *entry;
    uint32_t grid, block, bytes;
  } bad[] = {{"none_such", 1, 1, sizeof(struct rig_args)}, {"nothing", 1, 1025, sizeof(struct rig_args)},
             {"one_more", 1, 2, sizeof(struct rig_args)},  {"nothing", 0, 32, sizeof(struct rig_args)},
             {"nothing", 1, 0, sizeof(struct rig_args)},   {"nothing", 1, 32, sizeof(struct rig_args) - 8}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    launch.entry = bad[i].entry;
    launch.grid[0] = bad[i].grid;
    launch.block[0] = bad[i].block;
    launch.argument_bytes = bad[i].bytes;
    enum farm_status status = cuda_launch(rig.device, rig.image, &launch);
    CHECK_MESSAGE(status != FARM_OK && status != FARM_WORKER_LOST, "launch %zu: %s", i, status_name(status));
  }
  launch = rig_launch("nothing", 2, 1024, (struct rig_args){0});
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &launch));
  REQUIRE_OK(cuda_wait(rig.device));
  rig_close(&rig);
}

/* Every byte counts: what is not as the compiler made it is not loaded. */
TEST(fake_refuses_images, "") {
  struct rig rig = rig_open("sm=80,mem=64m", TEXT, 80);
  struct cuda_image *image;
  for (size_t at = 0; at < rig.cubin.length; at += rig.cubin.length / 97) {
    rig.cubin.data[at] ^= 0x41;
    CHECK_MESSAGE(cuda_image_load(rig.device, rig.cubin.data, rig.cubin.length, &image) != FARM_OK, "byte %zu", at);
    rig.cubin.data[at] ^= 0x41;
  }
  REQUIRE_OK(cuda_device_state(rig.device));
  REQUIRE_OK(cuda_image_load(rig.device, rig.cubin.data, rig.cubin.length, &image));
  cuda_image_unload(&image);
  rig_close(&rig);
}

/* Compiles for `made` and loads on `runs`; what the kernel sees of its architecture, or 0. */
static uint32_t arch_on(int made, int runs) {
  int ends[2];
  uint32_t seen = 0;
  REQUIRE(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    char spec[32];
    struct bytes_writer cubin = {0};
    struct rig rig = {0};
    uint32_t in[1] = {0}, out[1] = {0};
    snprintf(spec, sizeof spec, "sm=%d", runs);
    rig_libraries(spec);
    REQUIRE_OK(nvrtc_compile(TEXT, rig_source(rig_file(TEXT)), made, &cubin, NULL));
    REQUIRE_OK(cuda_device_open(NULL, &rig.device));
    if (cuda_image_load(rig.device, cubin.data, cubin.length, &rig.image) == FARM_OK)
      REQUIRE_OK(rig_run(&rig, "arch", 1, 1, 0, in, sizeof in, out, sizeof out));
    _exit(write(ends[1], out, sizeof out) == sizeof out ? 0 : 1);
  }
  REQUIRE(child > 0 && read(ends[0], &seen, sizeof seen) == sizeof seen);
  waitpid(child, NULL, 0);
  close(ends[0]);
  close(ends[1]);
  return seen;
}

TEST(fake_architectures, "timeout:120") {
  CHECK(arch_on(80, 80) == 800);
  CHECK(arch_on(80, 86) == 800);
  CHECK(arch_on(86, 80) == 0); // newer than the device
  CHECK(arch_on(90, 90) == 900);
  CHECK(arch_on(80, 90) == 0); // another generation
}

TEST(fake_compiler_errors, "") {
  struct bytes_writer cubin = {0};
  struct strbuf log = {0};
  rig_libraries("");
  enum farm_status status = nvrtc_compile("wrong.cu", rig_source("int twice(int x) { return 2 * y; }\n"), 90, &cubin, &log);
  CHECK(status == FARM_INVALID && strstr(status_message(), "wrong.cu"));
  CHECK_MESSAGE(strstr(strbuf_text(&log), "was not declared") || strstr(strbuf_text(&log), "undeclared"), "%s",
                strbuf_text(&log));
  strbuf_clear(&log);
  const char *brain =
      "struct A { int n; };\nFARM_KERNEL(k, A, 32) { float d[4] = {}; u32 x[4] = {}; mma_16x8x16(d, x, x, bf16()); }\n";
  CHECK(nvrtc_compile("brain.cu", rig_source(brain), 75, &cubin, &log) == FARM_INVALID); // sm_75 has none
  REQUIRE_OK(nvrtc_compile("brain.cu", rig_source(brain), 80, &cubin, &log));
  CHECK(cubin.length > 0);
  bytes_writer_free(&cubin);
  strbuf_free(&log);
}

TEST(fake_compiler_keeps_images, "") {
  struct bytes_writer first = {0}, second = {0};
  const char *text = "struct A { int n; };\nFARM_KERNEL(k, A, 32) {}\n";
  char cache[4096];
  rig_libraries("");
  snprintf(cache, sizeof cache, "%s/kept", test_folder());
  setenv("TUNEFARM_FAKE_CACHE", cache, 1);
  REQUIRE_OK(nvrtc_compile("k.cu", rig_source(text), 90, &first, NULL));
  const char *compiler = getenv("TUNEFARM_FAKE_CXX");
  char *kept_compiler = compiler ? strdup(compiler) : NULL;
  setenv("TUNEFARM_FAKE_CXX", "/bin/false", 1);
  CHECK(nvrtc_compile("k.cu", rig_source("struct B { int n; };\n"), 90, &second, NULL) == FARM_INVALID); // no compiler any more
  if (compiler) setenv("TUNEFARM_FAKE_CXX", test_keep(kept_compiler), 1);
  else unsetenv("TUNEFARM_FAKE_CXX");
  REQUIRE_OK(nvrtc_compile("k.cu", rig_source(text), 90, &second, NULL));
  CHECK(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
  bytes_writer_free(&first);
  bytes_writer_free(&second);
}

TEST(fake_log_has_all, "") {
  char path[4096], *text;
  size_t length;
  snprintf(path, sizeof path, "%s/calls", test_folder());
  setenv("TUNEFARM_FAKE_CUDA_LOG", path, 1);
  struct rig rig = rig_open("mem=64m", TEXT, 90);
  struct counter counter = counter_make(&rig);
  REQUIRE_OK(cuda_launch(rig.device, rig.image, &counter.launch));
  REQUIRE_OK(cuda_wait(rig.device));
  rig_close(&rig);
  REQUIRE_OK(file_read_all(path, 1 << 20, &text, &length));
  CHECK(strstr(text, "cuInit 0 -> CUDA_SUCCESS\n"));
  CHECK(strstr(text, "cuLaunchKernel one_more (1,1,1) (1,1,1) -> CUDA_SUCCESS\n"));
  CHECK(strstr(text, "# ran one_more grid (1,1,1) block (1,1,1) in "));
  free(text);
}
