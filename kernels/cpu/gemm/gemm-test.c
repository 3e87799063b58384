/* Every gemm tactic with all its variants against the reference, on shapes at and around the edges of its tiles; and the 16-lane
 * tiles, which AVX-512 machines run, on this machine's own registers. */
#include "../../../tests/kit/test.h"
#include "../../kernel-check.h"
#include "gemm.h"

#include <stdio.h>
#include <string.h>

enum { MOST_VARIANTS = 1024 };

static bool wanted(const struct variant *variant, const char *only) {
  return variant->tactic->detail && (!only || strstr(variant->tactic->id, only));
}

/* Checks all variants of the problem for the class, on a pool; returns how many. */
static int check_problem(const char *text, const struct device_class *device_class, struct thread_pool *pool, const char *only) {
  static struct variant variants[MOST_VARIANTS];
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  REQUIRE_OK(kernel_case_make(&problem, &made));
  int count = catalogue_variants(&problem, device_class, LAYOUT_ANY, variants, MOST_VARIANTS), checked = 0;
  REQUIRE(count <= MOST_VARIANTS);
  for (int i = 0; i < count; i++) {
    struct kernel_trial *trial;
    struct kernel_verdict verdict;
    if (!wanted(&variants[i], only)) continue;
    REQUIRE_OK(kernel_trial_make(made, &variants[i], thread_pool_size(pool), 1, &trial));
    enum farm_status status = kernel_trial_check(trial, pool, &verdict);
    CHECK_MESSAGE(status == FARM_OK, "%s: %s", text, status_message());
    kernel_trial_free(&trial);
    checked++;
  }
  kernel_case_free(&made);
  arena_free(&arena);
  return checked;
}

static const char *const shapes[] = {
    "gemm m1 n1 k1 f32 acc:f32",
    "gemm m1 n1 k1 f32 acc:f32 w:const +bias",
    "gemm m1 n129 k7 f32 acc:f32 w:const +bias +relu",
    "gemm m2 n47 k3 f32 acc:f32 +bias",
    "gemm m3 n95 k33 f32 acc:f32 w:const +add +bias +relu",
    "gemm m4 n64 k128 f32 acc:f32 w:const",
    "gemm m5 n15 k2 f32 acc:f32 w:const +bias +clip",
    "gemm m6 n16 k5 f32 acc:f32 +bias +add +relu",
    "gemm m7 n17 k4 f32 acc:f32 w:const +bias +add +clip",
    "gemm m11 n23 k9 f32 acc:f32 w:const +mul +bias",
    "gemm m12 n48 k400 f32 acc:f32 w:const +bias",
    "gemm m13 n49 k777 f32 acc:f32 w:const +bias +gelu",
    "gemm m97 n31 k391 f32 acc:f32 w:const +bias +relu",
    "gemm m100 n33 k770 f32 acc:f32 +add",
    "gemm m9 n40 k12 ta f32 acc:f32 w:const +bias",
    "gemm m19 n21 k400 ta f32 acc:f32",
    "gemm m8 n50 k31 tb f32 acc:f32",
    "gemm m14 n34 k65 ta tb f32 acc:f32 +relu",
    "gemm m10 n33 k401 tb f32 acc:f32 w:const +bias",
    "gemm b3 m7 n18 k11 f32 acc:f32",
    "gemm b2 m5 n20 k9 tb f32 acc:f32 w:const +bias",
    "gemm b4 m1 n70 k8 f32 acc:f32 +add",
    "gemm b3 m6 n13 k10 ta bshared f32 acc:f32 w:const",
    "gemm b3 m6 n13 k10 ashared f32 acc:f32 +bias",
};

static struct device_class class_of(enum isa isa) {
  struct device_class device_class;
  REQUIRE_OK(cpu_device_class(&device_class));
  if (device_class.isa > isa) device_class.isa = isa;
  return device_class;
}

TEST(gemm_agrees_with_its_reference, "") {
  struct device_class device_class = class_of(ISA_AVX512);
  int checked = 0;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) checked += check_problem(shapes[i], &device_class, NULL, NULL);
  printf("%d variants of %zu problems\n", checked, sizeof shapes / sizeof *shapes);
  CHECK(checked > 300);
}

TEST(gemm_on_three_threads_agrees, "") {
  struct device_class device_class = class_of(ISA_AVX512);
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(3, &pool));
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_problem(shapes[i], &device_class, pool, "mk_4x24__avx2");
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_problem(shapes[i], &device_class, pool, "mk_6x8__baseline");
  thread_pool_destroy(&pool);
}

TEST(gemm_epilogues_agree, "") {
  static const char *const epilogues[] = {"+bias +scale",     "+sigmoid",
                                          "+bias +tanh +add", "+silu",
                                          "+bias +gelu_tanh", "+bias +hard_swish",
                                          "+hard_sigmoid",    "+leaky_relu",
                                          "+mul +add",        "+add +bias +mul +relu +add",
                                          "+relu +clip",      "+bias +relu +add +clip",
                                          "+clip +bias"};
  struct device_class device_class = class_of(ISA_AVX512);
  for (size_t i = 0; i < sizeof epilogues / sizeof *epilogues; i++) {
    char text[160];
    snprintf(text, sizeof text, "gemm m13 n37 k300 f32 acc:f32 w:const %s", epilogues[i]);
    CHECK(check_problem(text, &device_class, NULL, "mk_6x16__avx2") +
              check_problem(text, &device_class, NULL, "mk_6x8__baseline") >
          0);
  }
}

/* The rows of the AVX-512 tactics with the 16-lane tiles compiled for AVX2 in place of their own. */
TEST(gemm_sixteen_lane_tiles_agree, "") {
  static const struct {
    const char *id;
    const struct tile *tile;
  } stand_ins[] = {
#define X(mr, nr) {"gemm_f32__mk_" #mr "x" #nr "__avx512", &tile_##mr##x##nr##__wide},
      TILE_LIST_AVX512(X)
#undef X
  };
  struct device_class any = {
      .kind = DEVICE_CPU, .isa = ISA_AVX512, .l1d_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 32 << 20};
  if (class_of(ISA_AVX512).isa < ISA_AVX2) SKIP("needs AVX2");
  static struct variant variants[MOST_VARIANTS];
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    struct arena arena = {0};
    struct problem problem;
    REQUIRE_OK(problem_parse(shapes[s], &arena, &problem));
    int count = catalogue_variants(&problem, &any, LAYOUT_ANY, variants, MOST_VARIANTS);
    for (int i = 0; i < count; i++)
      for (size_t t = 0; t < sizeof stand_ins / sizeof *stand_ins; t++) {
        if (strcmp(variants[i].tactic->id, stand_ins[t].id) != 0) continue;
        struct tactic tactic = *variants[i].tactic;
        tactic.detail = stand_ins[t].tile;
        struct variant variant = variants[i];
        variant.tactic = &tactic;
        struct kernel_verdict verdict;
        enum farm_status status = kernel_check(&problem, &variant, NULL, &verdict);
        CHECK_MESSAGE(status == FARM_OK, "%s: %s", shapes[s], status_message());
      }
    arena_free(&arena);
  }
}

TEST(gemm_has_tens_of_variants, "") {
  struct device_class device_class = {
      .kind = DEVICE_CPU, .isa = ISA_AVX2, .l1d_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 32 << 20};
  struct arena arena = {0};
  struct problem problem;
  REQUIRE_OK(problem_parse("gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu", &arena, &problem));
  int count = catalogue_variants(&problem, &device_class, LAYOUT_ANY, NULL, 0);
  CHECK_MESSAGE(count >= 30 && count <= 120, "%d variants", count);
  arena_free(&arena);
}

TEST(gemm_long_sums_agree, "slow timeout:300") {
  struct device_class device_class = class_of(ISA_AVX512);
  check_problem("gemm m7 n33 k50000 f32 acc:f32 w:const +bias", &device_class, NULL, NULL);
  check_problem("gemm m384 n1030 k1000 f32 acc:f32 w:const +bias +gelu", &device_class, NULL, "6x16");
}

/* Beyond 2 G multiply-adds: samples and a projection. */
TEST(gemm_large_problems_are_sampled, "slow timeout:300") {
  struct arena arena = {0};
  struct problem problem;
  struct device_class device_class = class_of(ISA_AVX512);
  REQUIRE_OK(problem_parse("gemm m1500 n1500 k1000 f32 acc:f32 w:const +bias", &arena, &problem));
  struct variant best = catalogue_default(&problem, &device_class, LAYOUT_ANY, 1);
  struct kernel_verdict verdict;
  REQUIRE_OK(kernel_check(&problem, &best, NULL, &verdict));
  CHECK(verdict.projected);
  CHECK(verdict.compared >= 4096 + 1500);
  arena_free(&arena);
}
