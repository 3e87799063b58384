/* Every gemm tactic with all its variants against the reference, on shapes at and around the edges of its tiles; and the 16-lane
 * tiles, which AVX-512 machines run, on this machine's own registers. */
#include "../../kernel-sweep-test.h"
#include "gemm.h"

#include <stdio.h>

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

static void sweep_shapes(struct sweep *sweep) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) sweep_problem(sweep, shapes[i]);
}

TEST(gemm_agrees_with_its_reference, "") {
  struct sweep sweep = sweep_for(ISA_AVX512, NULL);
  sweep_shapes(&sweep);
  printf("%d variants of %zu problems\n", sweep.checked, sizeof shapes / sizeof *shapes);
  CHECK(sweep.checked > 300 || sweep.device_class.isa == ISA_BASELINE);
}

TEST(gemm_on_three_threads_agrees, "") {
  struct sweep sweep = sweep_for(ISA_AVX2, "mk_4x24__avx2");
  REQUIRE_OK(thread_pool_create(3, &sweep.pool));
  sweep_shapes(&sweep);
  sweep.only = "mk_6x8__baseline";
  sweep_shapes(&sweep);
  thread_pool_destroy(&sweep.pool);
}

TEST(gemm_epilogues_agree, "") {
  static const char *const epilogues[] = {
      "+bias +scale",      "+sigmoid",        "+bias +tanh +add", "+silu",      "+bias +gelu_tanh",
      "+bias +hard_swish", "+hard_sigmoid",   "+leaky_relu",      "+mul +add",  "+add +bias +mul +relu +add",
      "+relu +clip",       "+clip +bias +relu", "+bias +relu +add +clip"};
  for (size_t i = 0; i < sizeof epilogues / sizeof *epilogues; i++) {
    char text[160];
    snprintf(text, sizeof text, "gemm m13 n37 k300 f32 acc:f32 w:const %s", epilogues[i]);
    struct sweep fast = sweep_for(ISA_AVX2, "mk_6x16__avx2"), slow = sweep_for(ISA_BASELINE, "mk_6x8__baseline");
    sweep_problem(&fast, text);
    sweep_problem(&slow, text);
    CHECK(slow.checked > 0);
  }
}

TEST(gemm_sixteen_lane_tiles_agree, "") {
  struct sweep sweep = sweep_wide();
  sweep_shapes(&sweep);
  CHECK(sweep.checked > 150);
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
  struct sweep all = sweep_for(ISA_AVX512, NULL), some = sweep_for(ISA_AVX2, "6x16");
  sweep_problem(&all, "gemm m7 n33 k50000 f32 acc:f32 w:const +bias");
  sweep_problem(&some, "gemm m384 n1030 k1000 f32 acc:f32 w:const +bias +gelu");
}
