/* When cuBLASLt is offered: where the library is found, and for epilogues that it computes as ours are defined. What a step hands to
 * it, through stand-ins of driver and library. */
#include "../../../device/fake-gpu-test.h"
#include "../cuda-tactic.h"

#include "../../../device/cublaslt.h"

#include <stdlib.h>
#include <string.h>

/* Is a variant of the library's tactics among those for this problem, and is it the default? */
static bool offered(const char *text, bool *out_default) {
  static struct variant variants[1024];
  const struct device_class device_class = {.kind = DEVICE_CUDA, .sm = 90};
  struct arena arena = {0};
  struct problem problem;
  bool found = false;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  int count = catalogue_variants(&problem, &device_class, LAYOUT_ANY, variants, 1024);
  REQUIRE(count > 0 && count <= 1024);
  for (int i = 0; i < count; i++) found |= strstr(variants[i].tactic->id, "cublaslt") != NULL;
  *out_default = strstr(catalogue_default(&problem, &device_class, LAYOUT_ANY, 1).tactic->id, "cublaslt") != NULL;
  arena_free(&arena);
  return found;
}

TEST(cublaslt_is_not_offered_where_it_is_absent, "") {
  bool is_default;
  setenv("TUNEFARM_LIBCUBLASLT", "/nowhere/libcublasLt.so", 1);
  CHECK(!offered("gemm m128 n128 k128 f16 acc:f32 w:const +bias", &is_default));
  struct arena arena = {0};
  struct problem problem;
  REQUIRE_OK(problem_parse("gemm m128 n128 k128 f16 acc:f32 w:const +bias", &arena, &problem));
  struct variant known = {.tactic = catalogue_find("gemm_f16__cublaslt__cuda")};
  CHECK(variant_legal(&problem, &known)); // so that engines and locks that name it can be read
  arena_free(&arena);
}

TEST(cublaslt_takes_the_epilogues_that_it_computes_exactly, "") {
  static const struct {
    const char *text;
    bool taken;
  } rows[] = {
      {"gemm m128 n128 k128 f16 acc:f32", true},
      {"gemm m128 n128 k128 f32 acc:f32 w:const +bias", true},
      {"gemm m128 n128 k128 bf16 acc:f32 w:const +bias +relu", true},
      {"gemm m128 n128 k128 f16 acc:f32 w:const +scale +bias +add +gelu_tanh", true},
      {"gemm b4 m32 n16 k8 tb f16 acc:f32 +add +relu", true},
      {"gemm m128 n128 k128 f16 acc:f32 w:const +bias +gelu", false},
      {"gemm m128 n128 k128 f16 acc:f32 w:const +relu +bias", false},
      {"gemm m128 n128 k128 f16 acc:f32 w:const +bias +scale", false},
      {"gemm m128 n128 k128 f16 acc:f32 +add +add", false},
      {"gemm m128 n128 k128 f16 acc:f32 +mul", false},
      {"gemm m128 n128 k128 in:f16 in:f16 out:f32 acc:f32", false},
  };
  int version;
  if (cublaslt_version(&version) != FARM_OK) SKIP("%s", status_message());
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    bool is_default;
    CHECK_MESSAGE(offered(rows[i].text, &is_default) == rows[i].taken, "%s", rows[i].text);
    CHECK_MESSAGE(!is_default, "%s: a library without a measurement", rows[i].text);
  }
}

TEST(cublaslt_names_its_version_in_its_source_digest, "") {
  const struct tactic *library = catalogue_find("gemm_f16__cublaslt__cuda"), *own = catalogue_find("gemm_f16__mma__sm75");
  REQUIRE(library && own);
  CHECK(strlen(tactic_source_digest(library)) == 64);
  CHECK(strcmp(tactic_source_digest(library), tactic_source_digest(own)) != 0);
  char with[65];
  strcpy(with, tactic_source_digest(library));
  CHECK(strcmp(with, tactic_source_digest(catalogue_find("gemm_f32__cublaslt__cuda"))) == 0);
}

/* ---- steps ---- */

enum { M = 8, N = 16, K = 24, DEVICES = 18 };

struct product { // of ones, on one device
  struct cuda_device *device;
  struct cuda_step *step;
  cuda_address a, b, d, workspace;
};

static const struct variant second_rank = {.params = {1}}; // the stand-in's first one wants no workspace

static void fakes_take(void) {
  fake_gpu("sm=90,product=fake,mem=2g");
  fake_library("TUNEFARM_LIBCUBLASLT", "libfakecublaslt.so");
}

static void ones_put(struct cuda_device *device, int count, cuda_address *out) {
  float ones[K * N];
  for (int i = 0; i < count; i++) ones[i] = 1;
  REQUIRE_OK(cuda_alloc(device, (size_t)count * sizeof *ones, out));
  REQUIRE_OK(cuda_copy_in(device, *out, ones, (size_t)count * sizeof *ones));
}

/* The workspace begins `apart` bytes behind an aligned place and has not a byte more than the tactic asks for. */
static void product_make(struct product *out, size_t apart) {
  static const struct operation_scalars scalars;
  struct arena arena = {0};
  struct problem problem;
  struct variant variant = second_rank;
  variant.tactic = catalogue_find("gemm_f32__cublaslt__cuda");
  REQUIRE_OK(problem_parse("gemm m8 n16 k24 f32 acc:f32", &arena, &problem));
  REQUIRE_OK(cuda_device_open("0", &out->device));
  ones_put(out->device, M * K, &out->a);
  ones_put(out->device, K * N, &out->b);
  ones_put(out->device, M * N, &out->d);
  REQUIRE_OK(cuda_alloc(out->device, apart + variant_workspace(&problem, &variant, 1), &out->workspace));
  struct cuda_call call = {.problem = &problem, .variant = &variant, .scalars = &scalars, .inputs = {out->a, out->b},
                           .outputs = {out->d}, .workspace = out->workspace + apart};
  REQUIRE_OK(cuda_step_make(out->device, NULL, &call, &out->step));
  arena_free(&arena);
}

static void product_check(struct product *product) {
  float got[M * N];
  REQUIRE_OK(cuda_step_enqueue(product->step));
  REQUIRE_OK(cuda_copy_out(product->device, got, product->d, sizeof got));
  REQUIRE_OK(cuda_wait(product->device));
  for (int i = 0; i < M * N; i++) CHECK(got[i] == K);
}

static void product_free(struct product *product) {
  cuda_step_free(&product->step);
  cuda_device_close(&product->device);
}

/* Memory plans know multiples of 64; the library of an H100 refuses what is not a multiple of 256. */
TEST(cublaslt_gets_an_aligned_workspace_wherever_the_plan_puts_it, "") {
  fakes_take();
  for (size_t apart = 0; apart <= 256; apart += apart ? 48 : 64) {
    struct product product;
    product_make(&product, apart);
    product_check(&product);
    product_free(&product);
  }
}

/* Each engine has a device of its own, and a server has many engines. */
TEST(cublaslt_serves_any_number_of_devices, "") {
  static struct product products[DEVICES];
  fakes_take();
  for (int i = 0; i < DEVICES; i++) product_make(&products[i], 0);
  for (int i = 0; i < DEVICES; i++) product_check(&products[i]);
  for (int i = 0; i < DEVICES; i += 2) product_free(&products[i]);
  for (int i = 1; i < DEVICES; i += 2) product_check(&products[i]);
  for (int i = 1; i < DEVICES; i += 2) product_free(&products[i]);
}
