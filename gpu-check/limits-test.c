/* The limits' kernels: they compile for every architecture, and on the fake driver the program's parts give rows. */
#include "limits.h"

#include "../base/clock.h"
#include "../device/fake-gpu-test.h"
#include "../device/nvrtc.h"

TEST(limits_compile_for_every_architecture, "") {
  static const int sms[] = {75, 80, 90, 120};
  char version[64];
  if (nvrtc_version(version, sizeof version) != FARM_OK) SKIP("%s", status_message());
  for (size_t i = 0; i < sizeof sms / sizeof *sms; i++) {
    struct bytes_writer cubin = {0};
    if (!nvrtc_supports(sms[i])) continue;
    enum farm_status status = limits_compile(sms[i], &cubin);
    CHECK_MESSAGE(status == FARM_OK && cubin.length > 0, "sm %d: %s", sms[i], status_message());
    bytes_writer_free(&cubin);
  }
}

static bool has_row(const json_t *rows, const char *what, double least) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    if (strcmp(json_string_value(json_object_get(row, "what")), what) == 0)
      return json_number_value(json_object_get(row, "value")) > least && json_integer_value(json_object_get(row, "n")) == 3;
  }
  return false;
}

TEST(limits_on_the_fake_driver, "") {
  struct limits limits = {
      .rows = json_array(), .missing = json_array(), .repeats = 3, .largest_bytes = 1 << 20, .largest_product = 32};
  fake_gpu("sm=90,product=fake,mem=1g");
  fake_library("TUNEFARM_LIBCUBLASLT", "libfakecublaslt.so");
  limits.end_ns = clock_now_ns() + 60000000000u;
  REQUIRE_OK(cuda_device_open(NULL, &limits.device));
  enum farm_status made = limits_image_make(&limits);
  if (made == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(made);
  CHECK(limits_launches(&limits) == FARM_OK);
  CHECK(limits_memory(&limits) == FARM_OK);
  CHECK(limits_products(&limits) == FARM_OK);
  CHECK(has_row(limits.rows, "copy by a kernel", 0) && has_row(limits.rows, "read by a kernel", 0));
  CHECK(has_row(limits.rows, "empty kernels in a graph", 0));
  CHECK(has_row(limits.rows, "matrix product f16", 0) && has_row(limits.rows, "matrix product f32", 0));
  CHECK(json_array_size(limits.missing) == 1); // overlapping launches
  limits.end_ns = 0;                           // nothing is begun then, and that is said
  CHECK(limits_memory(&limits) == FARM_OK && json_array_size(limits.missing) == 2);
  cuda_image_unload(&limits.image);
  cuda_device_close(&limits.device);
  bytes_writer_free(&limits.cubin);
  json_decref(limits.rows);
  json_decref(limits.missing);
}
