/* The catalogue and variant texts: what engines, locks and records rely on. */
#include "../tests/kit/test.h"
#include "tactic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct device_class usual = {.kind = DEVICE_CPU,
                                          .isa = ISA_AVX512,
                                          .vendor = "amd",
                                          .family = 25,
                                          .model = 17,
                                          .l1d_bytes = 32 << 10,
                                          .l2_bytes = 1 << 20,
                                          .l3_bytes = 32 << 20,
                                          .memory_bytes = (int64_t)8 << 30};

TEST(tactic_ids_are_distinct_and_well_formed, "") {
  int count;
  const struct tactic *const *all = catalogue_tactics(&count);
  REQUIRE(count > 20);
  for (int i = 0; i < count; i++) {
    CHECK_MESSAGE(catalogue_find(all[i]->id) == all[i], "%s stands twice", all[i]->id);
    const char *how = strstr(all[i]->id, "__");
    CHECK_MESSAGE(how && strstr(how + 2, "__"), "%s is not what__how__arch", all[i]->id);
    CHECK_MESSAGE(strlen(tactic_source_digest(all[i])) == 64, "%s: no digest of its source family '%s'", all[i]->id,
                  all[i]->source);
  }
  CHECK(catalogue_find("gemm_f32__mk_6x16") == NULL);
  CHECK(strlen(catalogue_digest()) == 64);
}

TEST(every_kind_ends_in_its_reference, "") {
  int count;
  const struct tactic *const *all = catalogue_tactics(&count);
  const struct tactic *last[PROBLEM_KIND_COUNT] = {0};
  for (int i = 0; i < count; i++) last[all[i]->kind] = all[i];
  for (int kind = 0; kind < PROBLEM_KIND_COUNT; kind++)
    CHECK_MESSAGE(last[kind] && strstr(last[kind]->id, "__reference__"), "%s", problem_kind_name((enum problem_kind)kind));
}

static const char *const problems[] = {
    "gemm m128 n768 k768 f32 acc:f32 w:const +bias",
    "gemm m1 n50257 k768 f32 acc:f32 w:const",
    "gemm m4 n4 k4 f16 acc:f32",
    "conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias +relu",
    "conv2d n1 c144 h56 w56 k144 r3 s3 pad1 stride2 g144 f32 acc:f32 w:const +bias +clip",
    "pool2d max n1 c64 h56 w56 r2 s2 stride2 f32",
    "softmax outer12 len128 f32",
    "norm layer rows128 len768 f32",
    "transpose d64 d32 perm10 f32",
};

TEST(variants_are_legal_and_their_texts_come_back, "") {
  static struct variant variants[4096];
  for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
    struct arena arena = {0};
    struct problem problem;
    REQUIRE_OK(problem_parse(problems[p], &arena, &problem));
    int count = catalogue_variants(&problem, &usual, LAYOUT_ANY, variants, 4096);
    REQUIRE(count > 0 && count <= 4096);
    for (int i = 0; i < count; i++) {
      char text[VARIANT_TEXT_MAX], again[VARIANT_TEXT_MAX];
      struct variant parsed;
      variant_print(&variants[i], text);
      REQUIRE_OK(variant_parse(text, &parsed));
      variant_print(&parsed, again);
      CHECK_TEXT(again, text);
      CHECK_MESSAGE(variant_legal(&problem, &parsed), "%s", text);
      CHECK_MESSAGE(variant_cost(&problem, &parsed, &usual, 2) > 0, "%s costs nothing", text);
    }
    arena_free(&arena);
  }
}

TEST(a_class_never_gets_what_it_cannot_run, "") {
  static struct variant variants[4096];
  struct device_class baseline = usual;
  baseline.isa = ISA_BASELINE;
  for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
    struct arena arena = {0};
    struct problem problem;
    REQUIRE_OK(problem_parse(problems[p], &arena, &problem));
    int count = catalogue_variants(&problem, &baseline, LAYOUT_NCHW, variants, 4096);
    for (int i = 0; i < count; i++) {
      CHECK(variants[i].tactic->isa == ISA_BASELINE);
      CHECK(variants[i].tactic->layout != LAYOUT_NHWC);
    }
    CHECK(catalogue_default(&problem, &baseline, LAYOUT_NHWC, 1).tactic != NULL);
    arena_free(&arena);
  }
}

TEST(hostile_variant_texts_are_refused, "") {
  static const char *const malformed[] = {"",
                                          "{",
                                          "gemm_f32__mk_6x16__avx2",
                                          "gemm_f32__mk_6x16__avx2{",
                                          "gemm_f32__mk_6x16__avx2{}",
                                          "gemm_f32__mk_6x16__avx2{kc=0,mc=96,pa=0,pb=1,pf=0",
                                          "gemm_f32__mk_6x16__avx2{kc=0,mc=96,pa=0,pb=1,pf=0}x",
                                          "gemm_f32__mk_6x16__avx2{mc=96,kc=0,pa=0,pb=1,pf=0}",
                                          "gemm_f32__mk_6x16__avx2{kc=1,mc=96,pa=0,pb=1,pf=0}",
                                          "gemm_f32__mk_6x16__avx2{kc=00,mc=96,pa=0,pb=1,pf=0}",
                                          "gemm_f32__mk_6x16__avx2{kc= 0,mc=96,pa=0,pb=1,pf=0}",
                                          "gemm_f32__mk_6x16__avx2{kc=99999999999999999999,mc=96,pa=0,pb=1,pf=0}",
                                          "gemm__reference__any{a=1}"};
  struct variant variant;
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
    CHECK_MESSAGE(variant_parse(malformed[i], &variant) == FARM_INVALID, "accepted: %s", malformed[i]);
  CHECK(variant_parse("conv9d__x__avx2{a=1}", &variant) == FARM_NOT_FOUND);
  char *endless = malloc(100001);
  REQUIRE(endless);
  memset(endless, 'a', 100000);
  endless[100000] = 0;
  CHECK(variant_parse(endless, &variant) == FARM_INVALID);
  free(endless);
}

TEST(the_cpu_has_a_class, "") {
  struct device_class found, capped;
  REQUIRE_OK(cpu_device_class(&found));
  char text[DEVICE_CLASS_TEXT_MAX];
  device_class_print(&found, text);
  printf("%s\n", text);
  CHECK(found.vendor[0] && found.memory_bytes > 0 && found.memory_bytes % (1 << 30) == 0);
  CHECK(found.l1d_bytes >= 8 << 10 && found.l2_bytes > found.l1d_bytes);
  setenv("TUNEFARM_ISA", "baseline", 1);
  REQUIRE_OK(cpu_device_class(&capped));
  CHECK(capped.isa == ISA_BASELINE);
  setenv("TUNEFARM_ISA", "avx2", 1);
  REQUIRE_OK(cpu_device_class(&capped));
  CHECK(capped.isa <= ISA_AVX2 && capped.isa <= found.isa);
  setenv("TUNEFARM_ISA", "sse9", 1);
  CHECK(cpu_device_class(&capped) == FARM_USAGE);
}
