/* NVRTC without a GPU: every architecture, the same bytes for the same text, errors by their first line. Without NVRTC: skipped.
 */
#include "nvrtc.h"

#include "../tests/kit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char scale[] = "struct scale_args { float *x; int count; float factor; };\n"
                            "template <class T> static __device__ T twice(T x) { return x + x; }\n"
                            "static __device__ float unused(float x) { return x; }\n"
                            "extern \"C\" __global__ void scale(const __grid_constant__ scale_args args) {\n"
                            "  __shared__ float tile[128];\n"
                            "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                            "  tile[threadIdx.x] = i < args.count ? args.x[i] : 0.0f;\n"
                            "  __syncthreads();\n"
                            "  if (i < args.count) args.x[i] = twice(tile[threadIdx.x ^ 1]) * args.factor;\n"
                            "}\n";

static void needs_nvrtc(void) {
  char text[64];
  if (nvrtc_version(text, sizeof text) != FARM_OK) SKIP("%s", status_message());
  CHECK(strncmp(text, "nvrtc 1", 7) == 0);
}

static struct bytes_writer compiled(const char *source, int sm) {
  struct bytes_writer cubin = {0};
  struct strbuf log = {0};
  REQUIRE_OK(nvrtc_compile("scale.cu", source, sm, &cubin, &log));
  CHECK_TEXT(strbuf_text(&log), "");
  strbuf_free(&log);
  test_keep(cubin.data);
  return cubin;
}

TEST(nvrtc_compiles_for_every_architecture, "") {
  static const struct {
    int sm;
    const char *arch;
  } rows[] = {{75, "sm_75"}, {80, "sm_80"}, {86, "sm_86"}, {89, "sm_89"}, {90, "sm_90a"}, {100, "sm_100a"}, {120, "sm_120a"}};
  needs_nvrtc();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char arch[16];
    nvrtc_arch(rows[i].sm, arch);
    CHECK_TEXT(arch, rows[i].arch);
    if (!nvrtc_supports(rows[i].sm)) continue; // an older NVRTC
    struct bytes_writer cubin = compiled(scale, rows[i].sm);
    CHECK_MESSAGE(cubin.length > 64 && memcmp(cubin.data,
                                              "\x7f"
                                              "ELF",
                                              4) == 0,
                  "sm %d: no ELF image", rows[i].sm);
    CHECK(memmem(cubin.data, cubin.length, ".text.scale", 11) != NULL);
  }
  CHECK(nvrtc_supports(90) && nvrtc_supports(80) && !nvrtc_supports(12));
}

TEST(nvrtc_gives_the_same_bytes_for_the_same_text, "") {
  needs_nvrtc();
  struct bytes_writer first = compiled(scale, 90), second = compiled(scale, 90), other = compiled(scale, 80);
  CHECK(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
  CHECK(first.length != other.length || memcmp(first.data, other.data, first.length) != 0);
}

TEST(nvrtc_says_the_first_error, "") {
  struct bytes_writer cubin = {0};
  struct strbuf log = {0};
  needs_nvrtc();
  CHECK(nvrtc_compile("broken.cu", "__device__ int a;\nextern \"C\" __global__ void f() { a = oops; int b = alas; }\n", 80,
                      &cubin, &log) == FARM_INVALID);
  CHECK(strstr(status_message(), "broken.cu(2): error") && strstr(status_message(), "oops") && !strstr(status_message(), "alas"));
  CHECK(strstr(strbuf_text(&log), "alas") != NULL);
  CHECK(cubin.length == 0);
  CHECK(nvrtc_compile("broken.cu", "#include <vector>\n", 80, &cubin, NULL) == FARM_INVALID);
  CHECK(nvrtc_compile("asm.cu", "extern \"C\" __global__ void f() { asm(\"nonsense;\"); }", 80, &cubin, NULL) == FARM_INVALID);
  CHECK(strstr(status_message(), "asm.cu does not compile for sm 80: ptxas"));
  CHECK(nvrtc_compile("old.cu", "", 12, &cubin, NULL) == FARM_UNSUPPORTED && strstr(status_message(), "sm 12"));
  strbuf_free(&log);
  bytes_writer_free(&cubin);
}

static void *compile_some(void *out) {
  struct bytes_writer *cubin = out;
  for (int i = 0; i < 3; i++) {
    bytes_writer_free(cubin);
    *cubin = (struct bytes_writer){0};
    if (nvrtc_compile("scale.cu", scale, 90, cubin, NULL) != FARM_OK) return cubin;
  }
  return NULL;
}

TEST(nvrtc_compiles_on_several_threads, "") {
  struct bytes_writer cubins[3] = {{0}};
  pthread_t threads[3];
  needs_nvrtc();
  for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&threads[i], NULL, compile_some, &cubins[i]) == 0);
  for (int i = 0; i < 3; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    CHECK(!failed && cubins[i].length == cubins[0].length && memcmp(cubins[i].data, cubins[0].data, cubins[0].length) == 0);
  }
  for (int i = 0; i < 3; i++) bytes_writer_free(&cubins[i]);
}

TEST(nvrtc_that_is_absent_says_what_was_tried, "") {
  char text[64] = "kept";
  setenv("TUNEFARM_LIBNVRTC", "/nowhere/libnvrtc.so", 1);
  CHECK(nvrtc_version(text, sizeof text) == FARM_UNSUPPORTED);
  CHECK(strstr(status_message(), "TUNEFARM_LIBNVRTC=/nowhere/libnvrtc.so") != NULL);
  CHECK_TEXT(text, "kept");
  status_set(FARM_OK, " ");
  struct bytes_writer cubin = {0};
  CHECK(nvrtc_compile("scale.cu", scale, 90, &cubin, NULL) == FARM_UNSUPPORTED);
  CHECK(strstr(status_message(), "/nowhere/libnvrtc.so") != NULL); // the first answer, again
  CHECK(!nvrtc_supports(90));
}
