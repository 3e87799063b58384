/* cuBLASLt through its stand-in on the fake driver: what is told to the library, what is refused, what is absent. */
#include "cublaslt.h"

#include "cublaslt-check-test.h"
#include "fake-gpu-test.h"

static struct cuda_device *fake_open(const char *about) {
  struct cuda_device *device = NULL;
  fake_gpu(about);
  fake_library("TUNEFARM_LIBCUBLASLT", "libfakecublaslt.so");
  REQUIRE_OK(cuda_device_open(NULL, &device));
  return device;
}

TEST(cublaslt_products_are_row_major, "") {
  struct cuda_device *device = fake_open("");
  products_check(device);
  cuda_device_close(&device);
}

TEST(cublaslt_refuses_what_it_cannot, "") {
  struct cuda_device *device = fake_open("");
  struct cublaslt *handle;
  struct cublaslt_algo algos[4];
  struct cublaslt_plan *plan = NULL;
  const struct cublaslt_product good = {
      .m = 8, .n = 16, .k = 24, .batch = 1, .type = DTYPE_F32, .alpha = 1, .workspace_most_bytes = 5000};
  int count = 0;
  REQUIRE_OK(cublaslt_open(device, &handle));
  REQUIRE_OK(cublaslt_algos(handle, &good, algos, 4, &count));
  CHECK(count == 2 && algos[0].workspace_bytes == 0 && algos[1].workspace_bytes == 4096); // of three, one wants too much
  REQUIRE_OK(cublaslt_algos(handle, &good, algos, 1, &count));
  CHECK(count == 1);
  struct cublaslt_product rows[] = {good, good, good, good, good, good, good};
  rows[0].m = 0;
  rows[1].k = -1;
  rows[2].batch = INT64_C(1) << 40;
  rows[3].lda = 23;
  rows[4].batch = 2; // all into one matrix
  rows[5].activation = (enum cublaslt_activation)3;
  rows[6].type = DTYPE_I8;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    enum farm_status expected = i == 6 ? FARM_TACTIC_REFUSED : FARM_USAGE;
    CHECK_MESSAGE(cublaslt_algos(handle, &rows[i], algos, 4, &count) == expected, "row %zu", i);
    CHECK_MESSAGE(cublaslt_prepare(handle, &rows[i], &algos[0], &plan) == expected && !plan, "row %zu", i);
  }
  struct cublaslt_algo other = algos[0];
  other.bytes[3] ^= 1; // another version's
  CHECK(cublaslt_prepare(handle, &good, &other, &plan) == FARM_TACTIC_REFUSED && !plan);
  CHECK(strstr(status_message(), "cuBLASLt"));
  cublaslt_close(&handle);
  cuda_device_close(&device);
}

TEST(cublaslt_failure_spoils_a_capture, "") {
  struct cuda_device *device = fake_open("");
  struct cublaslt *handle;
  struct cublaslt_algo algo;
  struct cublaslt_plan *plan;
  struct cuda_graph *graph = NULL;
  const struct cublaslt_product product = {.m = 8, .n = 16, .k = 24, .batch = 1, .type = DTYPE_F32, .alpha = 1};
  const struct cublaslt_operands crooked = {.a = 4, .b = 16, .d = 16};
  int count;
  REQUIRE_OK(cublaslt_open(device, &handle));
  REQUIRE_OK(cublaslt_algos(handle, &product, &algo, 1, &count));
  REQUIRE_OK(cublaslt_prepare(handle, &product, &algo, &plan));
  REQUIRE_OK(cuda_capture_begin(device));
  CHECK(cublaslt_enqueue(plan, &crooked) == FARM_TACTIC_REFUSED);
  CHECK(cuda_capture_end(device, &graph) == FARM_TACTIC_REFUSED && !graph);
  CHECK(cublaslt_enqueue(plan, &crooked) == FARM_TACTIC_REFUSED);
  CHECK(cuda_device_state(device) == FARM_OK);
  cublaslt_plan_free(&plan);
  cublaslt_plan_free(&plan);
  cublaslt_close(&handle);
  cublaslt_close(&handle);
  cuda_device_close(&device);
}

TEST(cublaslt_absent_is_unsupported, "") {
  struct cuda_device *device;
  struct cublaslt *handle = NULL;
  int version = -1;
  fake_gpu("");
  setenv("TUNEFARM_LIBCUBLASLT", "/nowhere/libcublasLt.so", 1);
  REQUIRE_OK(cuda_device_open(NULL, &device));
  CHECK(cublaslt_version(&version) == FARM_UNSUPPORTED && version == -1);
  CHECK(strstr(status_message(), "TUNEFARM_LIBCUBLASLT=/nowhere"));
  CHECK(cublaslt_open(device, &handle) == FARM_UNSUPPORTED && !handle);
  cuda_device_close(&device);
}

TEST(cublaslt_of_the_machine_tells_its_version, "") {
  int version = 0;
  if (cublaslt_version(&version) != FARM_OK) SKIP("%s", status_message());
  CHECK_MESSAGE(version >= 110000 && version < 300000, "version %d", version);
}
