/* When cuBLASLt is offered: where the library is found, and for epilogues that it computes as ours are defined. Running it takes a GPU. */
#include "../../../tests/kit/test.h"
#include "../../tactic.h"

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
