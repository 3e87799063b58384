/* The device layer on a real GPU, its compiler and its libraries. Skipped where there is none, or where a stand-in is named. */
#include "cuda-device.h"

#include "cublaslt-check-test.h"
#include "nvml.h"
#include "nvrtc.h"

#include "../base/clock.h"

static const char kernels[] =
    "struct scale_args { float *x; int count; float factor; };\n"
    "extern \"C\" __global__ void scale(const __grid_constant__ scale_args args) {\n"
    "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  if (i < args.count) args.x[i] *= args.factor;\n"
    "}\n"
    "extern \"C\" __global__ void wild(const __grid_constant__ scale_args args) { *(float *)64 = args.factor; }\n"
    "extern \"C\" __global__ void slow(const __grid_constant__ scale_args args) {\n"
    "  long long begin = clock64();\n" // ends by itself after some seconds
    "  while (clock64() - begin < 6000000000ll) __nanosleep(1000);\n"
    "}\n";
struct scale_args {
  cuda_address x;
  int count;
  float factor;
};

enum { COUNT = 1000000 };
static const uint64_t SECOND = 1000000000;

struct machine {
  struct cuda_device *device;
  struct cuda_image *image;
  cuda_address x; // float[COUNT]
};

static struct machine machine_open(void) {
  struct machine m = {0};
  struct bytes_writer cubin = {0};
  int count;
  if (getenv("TUNEFARM_LIBCUDA")) SKIP("TUNEFARM_LIBCUDA names a stand-in of the driver");
  if (cuda_device_count(&count) != FARM_OK) SKIP("%s", status_message());
  REQUIRE_OK(cuda_device_open(NULL, &m.device));
  enum farm_status status = nvrtc_compile("real.cu", kernels, cuda_device_about(m.device)->sm, &cubin, NULL);
  if (status == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(status);
  REQUIRE_OK(cuda_image_load(m.device, cubin.data, cubin.length, &m.image));
  REQUIRE_OK(cuda_alloc(m.device, COUNT * sizeof(float), &m.x));
  bytes_writer_free(&cubin);
  return m;
}

static void machine_close(struct machine *m) {
  cuda_free(m->device, &m->x);
  cuda_image_unload(&m->image);
  cuda_device_close(&m->device);
}

static enum farm_status launch(struct machine *m, const char *entry, unsigned blocks, unsigned threads, float factor) {
  struct cuda_launch launch = {
      .entry = entry, .grid = {blocks, 1, 1}, .block = {threads, 1, 1}, .argument_bytes = sizeof(struct scale_args)};
  memcpy(launch.arguments, &(struct scale_args){m->x, COUNT, factor}, sizeof(struct scale_args));
  return cuda_launch(m->device, m->image, &launch);
}

TEST(real_gpu_kernels_compile, "") {
  struct bytes_writer cubin = {0};
  enum farm_status status = nvrtc_compile("real.cu", kernels, 80, &cubin, NULL);
  if (status == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(status);
  bytes_writer_free(&cubin);
}

TEST(real_gpu_computes, "needs:gpu") {
  struct machine m = machine_open();
  struct cuda_graph *graph = NULL;
  float *in = NULL, *out = NULL;
  double ns = 0;
  REQUIRE_OK(cuda_host_alloc(m.device, COUNT * sizeof(float), (void **)&in));
  REQUIRE_OK(cuda_host_alloc(m.device, COUNT * sizeof(float), (void **)&out));
  for (int i = 0; i < COUNT; i++) in[i] = (float)i;
  REQUIRE_OK(cuda_capture_begin(m.device));
  REQUIRE_OK(cuda_copy_in(m.device, m.x, in, COUNT * sizeof(float)));
  for (int i = 0; i < 10; i++) REQUIRE_OK(launch(&m, "scale", COUNT / 250, 250, 2));
  REQUIRE_OK(cuda_copy_out(m.device, out, m.x, COUNT * sizeof(float)));
  REQUIRE_OK(cuda_capture_end(m.device, &graph));
  REQUIRE_OK(cuda_mark_begin(m.device));
  for (int i = 0; i < 5; i++) REQUIRE_OK(cuda_graph_launch(m.device, graph));
  REQUIRE_OK(cuda_mark_end(m.device));
  REQUIRE_OK(cuda_wait_for(m.device, 20 * SECOND));
  REQUIRE_OK(cuda_marked_ns(m.device, &ns));
  for (int i = 0; i < COUNT; i += 997) CHECK(out[i] == (float)i * 1024);
  CHECK_MESSAGE(ns > 5 * 10 * 500 && ns < 1e9, "five graphs took %g ns", ns);
  REQUIRE_OK(cuda_fill(m.device, m.x, 0, COUNT * sizeof(float)));
  REQUIRE_OK(cuda_copy_out(m.device, out, m.x, 4));
  REQUIRE_OK(cuda_wait(m.device));
  CHECK(out[0] == 0 && out[997] != 0);
  cuda_graph_free(&graph);
  cuda_host_free(m.device, (void **)&in);
  cuda_host_free(m.device, (void **)&out);
  machine_close(&m);
}

TEST(real_gpu_refuses_and_goes_on, "needs:gpu") {
  struct machine m = machine_open();
  struct cuda_image *image = NULL;
  struct bytes_writer other = {0};
  cuda_address address = 0;
  CHECK(launch(&m, "scale", 1, 1025, 2) == FARM_TACTIC_REFUSED);
  CHECK(launch(&m, "none", 1, 32, 2) == FARM_TACTIC_REFUSED);
  CHECK(cuda_alloc(m.device, (size_t)1 << 50, &address) == FARM_NO_MEMORY && !address);
  int sm = cuda_device_about(m.device)->sm == 80 ? 90 : 80;
  if (nvrtc_compile("real.cu", "extern \"C\" __global__ void f() {}", sm, &other, NULL) == FARM_OK)
    CHECK(cuda_image_load(m.device, other.data, other.length, &image) == FARM_MISMATCH && !image);
  bytes_writer_free(&other);
  REQUIRE_OK(launch(&m, "scale", 1, 32, 2));
  REQUIRE_OK(cuda_wait(m.device));
  machine_close(&m);
}

TEST(real_gpu_errors_stick, "needs:gpu") {
  struct machine m = machine_open();
  REQUIRE_OK(launch(&m, "wild", 1, 1, 2));
  CHECK(cuda_wait(m.device) == FARM_WORKER_LOST);
  CHECK_MESSAGE(strstr(status_message(), "CUDA_ERROR_ILLEGAL_ADDRESS"), "%s", status_message());
  CHECK(launch(&m, "scale", 1, 32, 2) == FARM_WORKER_LOST && cuda_device_state(m.device) == FARM_WORKER_LOST);
  machine_close(&m);
}

TEST(real_gpu_that_takes_too_long_is_given_up, "needs:gpu") {
  struct machine m = machine_open();
  uint64_t begin = clock_now_ns();
  REQUIRE_OK(launch(&m, "slow", 1, 1, 0));
  CHECK(cuda_wait_for(m.device, SECOND / 4) == FARM_TIMED_OUT);
  CHECK(cuda_wait(m.device) == FARM_TIMED_OUT);
  machine_close(&m);
  CHECK_MESSAGE(clock_now_ns() - begin < SECOND, "it took %g s", (double)(clock_now_ns() - begin) * 1e-9);
}

TEST(real_gpu_products_by_cublaslt, "needs:gpu") {
  struct machine m = machine_open();
  products_check(m.device);
  machine_close(&m);
}

TEST(real_gpu_tells_how_it_fares, "needs:gpu") {
  struct machine m = machine_open();
  struct nvml_reading reading;
  if (nvml_read(cuda_device_about(m.device)->uuid, &reading) != FARM_OK) SKIP("%s", status_message());
  CHECK(reading.temperature_c == -1 || (reading.temperature_c > 0 && reading.temperature_c < 120));
  CHECK(reading.sm_mhz == -1 || (reading.sm_mhz > 50 && reading.sm_mhz <= cuda_device_about(m.device)->clock_mhz + 100));
  machine_close(&m);
}
