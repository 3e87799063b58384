/* Every conv2d tactic with all its variants against the reference: windows larger than the image, pads larger than windows,
 * strides, dilations, groups, odd channels, several images; then on three threads, and the 16-lane tiles. */
#include "../../kernel-sweep-test.h"
#include "conv.h"

#include <stdio.h>

static const char *const shapes[] = {
    "conv2d n1 c1 h1 w1 k1 r1 s1 f32 acc:f32",
    "conv2d n1 c3 h9 w8 k5 r3 s3 pad1 f32 acc:f32 w:const +bias",
    "conv2d n1 c3 h23 w21 k17 r7 s7 stride2 pad3 f32 acc:f32 w:const +bias +relu",
    "conv2d n2 c16 h7 w7 k33 r3 s3 pad1 f32 acc:f32 w:const +bias +add +relu",
    "conv2d n2 c5 h6 w5 k7 r1 s1 f32 acc:f32 w:const +bias",
    "conv2d n1 c20 h9 w9 k18 r1 s1 stride2 f32 acc:f32 w:const +bias +clip",
    "conv2d n1 c8 h5 w4 k9 r2 s3 pad4 f32 acc:f32 w:const",
    "conv2d n1 c7 h10 w11 k13 r3 s2 strideh2 stridew1 padt0 padl2 padb1 padr0 f32 acc:f32 +bias",
    "conv2d n1 c6 h13 w12 k10 r3 s3 dil2 pad2 f32 acc:f32 w:const +bias +hard_swish",
    "conv2d n1 c6 h14 w9 k10 r3 s3 dilh3 dilw1 padt3 padb3 f32 acc:f32 w:const +add",
    "conv2d n1 c12 h8 w8 k18 r3 s3 pad1 g3 f32 acc:f32 w:const +bias +relu",
    "conv2d n2 c8 h6 w6 k8 r3 s3 pad1 stride2 g2 f32 acc:f32 +bias +silu",
    "conv2d n1 c4 h6 w7 k8 r3 s3 pad1 g4 f32 acc:f32 w:const +bias +mul",
    "conv2d n1 c96 h5 w5 k40 r5 s5 pad2 f32 acc:f32 w:const +bias",
    "conv2d n1 c600 h4 w3 k24 r1 s1 f32 acc:f32 w:const +bias +add",
    "conv2d n1 c2 h1 w40 k6 r1 s9 padl4 padr4 f32 acc:f32 w:const +bias +gelu",
    "conv2d n1 c9 h12 w12 k9 r3 s3 pad1 g9 f32 acc:f32 w:const +bias +clip",
    "conv2d n2 c33 h9 w10 k33 r5 s5 pad2 stride2 g33 f32 acc:f32 w:const +bias +relu",
    "conv2d n1 c40 h7 w7 k40 r3 s3 pad5 dil2 g40 f32 acc:f32 w:const +add",
    "conv2d n1 c16 h3 w2 k16 r3 s3 pad2 g16 f32 acc:f32 +bias +silu",
    "conv2d n1 c24 h16 w5 k24 r1 s1 g24 f32 acc:f32 w:const",
    "conv2d n1 c3 h19 w75 k3 r3 s3 pad1 g3 f32 acc:f32 w:const +bias +add +clip",
    "conv2d n2 c2 h21 w70 k2 r3 s3 pad1 stride2 g2 f32 acc:f32 w:const +bias +hard_swish +mul",
    "conv2d n1 c2 h20 w53 k2 r4 s5 strideh3 stridew3 dilh1 dilw2 padt3 padl4 padb0 padr6 g2 f32 acc:f32 +add +bias",
    "conv2d n1 c3 h9 w131 k3 r1 s7 strideh1 stridew2 padl0 padr7 g3 f32 acc:f32 w:const +gelu",
};

static void sweep_shapes(struct sweep *sweep) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) sweep_problem(sweep, shapes[i]);
}

TEST(conv_agrees_with_its_reference, "") {
  struct sweep sweep = sweep_for(ISA_AVX512, NULL);
  sweep_shapes(&sweep);
  printf("%d variants of %zu problems\n", sweep.checked, sizeof shapes / sizeof *shapes);
  CHECK(sweep.checked > 300 || sweep.device_class.isa == ISA_BASELINE);
}

TEST(conv_of_the_baseline_agrees, "") {
  struct sweep sweep = sweep_for(ISA_BASELINE, NULL);
  sweep_shapes(&sweep);
  CHECK(sweep.checked > 100);
}

TEST(conv_on_three_threads_agrees, "") {
  static const char *const some[] = {"igemm_6x16__avx2", "im2col_6x16__avx2", "__dw", "__baseline"};
  struct sweep sweep = sweep_for(ISA_AVX2, NULL);
  REQUIRE_OK(thread_pool_create(3, &sweep.pool));
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    sweep.only = some[i];
    sweep_shapes(&sweep);
  }
  thread_pool_destroy(&sweep.pool);
}

TEST(conv_sixteen_lane_tiles_agree, "") {
  struct sweep sweep = sweep_wide();
  sweep_shapes(&sweep);
  CHECK(sweep.checked > 100);
}

TEST(conv_has_tens_of_variants_in_both_layouts, "") {
  struct device_class device_class = {
      .kind = DEVICE_CPU, .isa = ISA_AVX2, .l1d_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 32 << 20};
  struct arena arena = {0};
  struct problem problem;
  REQUIRE_OK(problem_parse("conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias +relu", &arena, &problem));
  int nhwc = catalogue_variants(&problem, &device_class, LAYOUT_NHWC, NULL, 0);
  int nchw = catalogue_variants(&problem, &device_class, LAYOUT_NCHW, NULL, 0);
  CHECK_MESSAGE(nhwc >= 30 && nhwc <= 120 && nchw >= 4, "%d nhwc, %d nchw", nhwc, nchw);
  arena_free(&arena);
}
