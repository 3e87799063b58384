/* Convolutions on a GPU: texts through NVRTC, results through the emulator. Both layouts; windows that leave the image on each side,
 * strides, dilations, groups, channels that fill no run of 16 bytes, weights that are no constants, splits of the depth. */
#include "../cuda-pick-test.h"

static const int every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};
static const int some_sms[] = {75, 90, 0};
static const int unlike_sms[] = {75, 80, 90, 120, 0}; // where texts or instructions differ much: compiling takes half a second each

static const struct cuda_pick quick[] = {
    {"conv2d n1 c3 h23 w21 k17 r7 s7 stride2 pad3 f32 acc:f32 w:const +bias +relu",
     "conv2d_nchw__simt__sm75{bm=32,bn=64,bk=16,splits=1}"},
    {"conv2d n1 c12 h8 w8 k18 r3 s3 pad1 g3 f32 acc:f32 w:const +bias +silu",
     "conv2d_nchw__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"conv2d n1 c64 h5 w5 k40 r3 s3 pad1 f32 acc:f32 w:const +mul",
     "conv2d_nhwc__simt__sm75{bm=32,bn=32,bk=16,splits=4}"},
    {"conv2d n1 c16 h12 w12 k72 r3 s3 pad1 f16 acc:f32 w:const +bias +add +relu",
     "conv2d_f16_nhwc__mma__sm75{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {"conv2d n1 c3 h15 w15 k33 r7 s7 stride2 pad3 f16 acc:f32 w:const +bias +relu",
     "conv2d_f16_nhwc__mma__sm75{bm=64,bn=64,warps=8,stages=2,splits=1}"},
    {"conv2d n2 c40 h8 w8 k64 r1 s1 f16 acc:f32 w:const +bias",
     "conv2d_f16_nchw__mma__sm75{bm=64,bn=128,warps=4,stages=4,splits=1}"},
    {"conv2d n2 c33 h9 w10 k66 r5 s5 pad2 stride2 g33 f16 acc:f32 w:const +bias +relu",
     "conv2d_nchw__direct__sm75"},
};

static const struct cuda_pick more[] = {
    {"conv2d n1 c1 h1 w1 k1 r1 s1 f32 acc:f32",
     "conv2d_nchw__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"conv2d n1 c1 h1 w1 k1 r1 s1 f32 acc:f32",
     "conv2d_nhwc__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"conv2d n1 c3 h23 w21 k17 r7 s7 stride2 pad3 f32 acc:f32 w:const +bias +relu",
     "conv2d_nhwc__simt__sm75{bm=64,bn=32,bk=16,splits=1}"},
    {"conv2d n2 c16 h7 w7 k65 r3 s3 pad1 f32 acc:f32 w:const +bias +add +relu",
     "conv2d_nchw__simt__sm75{bm=128,bn=128,bk=8,splits=1}"},
    {"conv2d n2 c16 h7 w7 k65 r3 s3 pad1 f32 acc:f32 w:const +bias +add +relu",
     "conv2d_nhwc__simt__sm75{bm=128,bn=128,bk=16,splits=1}"},
    {"conv2d n2 c20 h6 w6 k36 r1 s1 f32 acc:f32 w:const +bias",
     "conv2d_nchw__simt__sm75{bm=64,bn=64,bk=16,splits=1}"},
    {"conv2d n2 c20 h6 w6 k36 r1 s1 f32 acc:f32 w:const +bias",
     "conv2d_nhwc__simt__sm75{bm=64,bn=64,bk=16,splits=1}"},
    {"conv2d n1 c7 h10 w11 k13 r3 s2 strideh2 stridew1 padt0 padl2 padb1 padr0 f32 acc:f32 +bias",
     "conv2d_nchw__simt__sm75{bm=32,bn=32,bk=8,splits=1}"},
    {"conv2d n1 c7 h10 w11 k13 r3 s2 strideh2 stridew1 padt0 padl2 padb1 padr0 f32 acc:f32 +bias",
     "conv2d_nhwc__simt__sm75{bm=32,bn=32,bk=8,splits=1}"},
    {"conv2d n1 c8 h13 w12 k10 r3 s3 dilh2 dilw3 padt2 padb3 f32 acc:f32 w:const +bias +hard_swish",
     "conv2d_nhwc__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"conv2d n1 c12 h8 w8 k18 r3 s3 pad1 g3 f32 acc:f32 w:const +bias +silu",
     "conv2d_nhwc__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"conv2d n1 c64 h5 w5 k40 r3 s3 pad1 f32 acc:f32 w:const +mul",
     "conv2d_nchw__simt__sm75{bm=32,bn=32,bk=16,splits=4}"},
    {"conv2d n1 c16 h12 w12 k72 r3 s3 pad1 f16 acc:f32 w:const +bias +add +relu",
     "conv2d_f16_nchw__mma__sm75{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {"conv2d n2 c24 h9 w7 k40 r3 s3 stride2 pad1 f16 acc:f32 w:const +bias",
     "conv2d_f16_nhwc__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=1}"},
    {"conv2d n1 c3 h15 w15 k33 r7 s7 stride2 pad3 f16 acc:f32 w:const +bias +relu",
     "conv2d_f16_nchw__mma__sm75{bm=64,bn=64,warps=8,stages=2,splits=1}"},
    {"conv2d n1 c40 h8 w8 k64 r1 s1 f16 acc:f32 w:const +bias",
     "conv2d_f16_nhwc__mma__sm75{bm=64,bn=64,warps=4,stages=3,splits=1}"},
    {"conv2d n1 c32 h6 w6 k48 r3 s3 pad1 dil2 g2 f16 acc:f32 w:const +clip",
     "conv2d_f16_nhwc__mma__sm75{bm=64,bn=64,warps=4,stages=3,splits=1}"},
    {"conv2d n1 c12 h6 w6 k20 r3 s3 pad1 f16 acc:f32 +bias",
     "conv2d_f16_nhwc__mma__sm75{bm=64,bn=64,warps=4,stages=3,splits=1}"},
    {"conv2d n1 c64 h5 w5 k16 r3 s3 pad1 f16 acc:f32 w:const +bias",
     "conv2d_f16_nhwc__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=4}"},
    {"conv2d n1 c16 h9 w9 k24 r3 s3 pad1 bf16 acc:f32 w:const +bias",
     "conv2d_bf16_nhwc__mma__sm80{bm=128,bn=64,warps=4,stages=3,splits=1}"},
    {"conv2d n1 c16 h9 w9 k24 r3 s3 pad1 bf16 acc:f32 w:const +bias",
     "conv2d_bf16_nchw__mma__sm80{bm=64,bn=128,warps=8,stages=3,splits=1}"},
    {"conv2d n1 c9 h12 w12 k9 r3 s3 pad1 g9 f32 acc:f32 w:const +bias +clip",
     "conv2d_nchw__direct__sm75"},
    {"conv2d n1 c9 h12 w12 k9 r3 s3 pad1 g9 f32 acc:f32 w:const +bias +clip",
     "conv2d_nhwc__direct__sm75"},
    {"conv2d n2 c33 h9 w10 k66 r5 s5 pad2 stride2 g33 f16 acc:f32 w:const +bias +relu",
     "conv2d_nhwc__direct__sm75"},
    {"conv2d n1 c16 h3 w2 k16 r3 s3 pad2 dil2 g16 f32 acc:f32 +bias +silu",
     "conv2d_nhwc__direct__sm75"},
};

TEST(cuda_conv_compiles, "timeout:300") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, some_sms);
  cuda_pick_run(&sweep, &quick[0]);
  cuda_sweep_go(&sweep);
  CHECK(sweep.compiled > 0);
  cuda_sweep_end(&sweep);
}

TEST(every_architecture_compiles_cuda_conv, "slow timeout:1800") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, every_sm);
  CUDA_PICKS(sweep, quick);
  sweep.sms = unlike_sms;
  CUDA_PICKS(sweep, more);
  cuda_sweep_go(&sweep);
  printf("%d texts\n", sweep.compiled);
  cuda_sweep_end(&sweep);
}

TEST(cuda_conv_gives_the_references_results, "timeout:300") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_PICKS(sweep, quick);
  cuda_sweep_go(&sweep);
  cuda_sweep_end(&sweep);
}

TEST(cuda_conv_at_the_edges_of_tiles, "slow timeout:600") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  CUDA_PICKS(sweep, quick);
  CUDA_PICKS(sweep, more);
  cuda_sweep_go(&sweep);
  cuda_sweep_end(&sweep);
}

static const char *const problems[] = {
    "conv2d n1 c24 h12 w12 k72 r3 s3 pad1 f16 acc:f32 w:const +bias +add +relu",
    "conv2d n2 c20 h9 w9 k70 r3 s3 stride2 pad1 f32 acc:f32 w:const +bias +relu",
    "conv2d n2 c64 h8 w8 k80 r1 s1 bf16 acc:f32 w:const +bias",
    "conv2d n1 c141 h9 w9 k66 r3 s3 pad1 f16 acc:f32 +bias",
    "conv2d n1 c1277 h9 w8 k66 r1 s1 bf16 acc:f32 w:const +bias",
    "conv2d n1 c142 h9 w8 k70 r3 s3 pad1 f32 acc:f32 w:const",
    "conv2d n1 c40 h12 w12 k80 r3 s3 pad1 g40 f32 acc:f32 w:const +bias +clip",
};

/* Of any size, these may be solved by nothing that was not tried. */
static const char *const large[] = {
    "conv2d n1 c455 h17 w17 k257 r3 s3 pad1 f16 acc:f32 w:const",
    "conv2d n1 c455 h17 w17 k257 r3 s3 pad1 bf16 acc:f32 w:const",
    "conv2d n1 c455 h17 w17 k257 r3 s3 pad1 f32 acc:f32 w:const",
    "conv2d n8 c512 h56 w56 k512 r3 s3 pad1 g512 f32 acc:f32 w:const",
};

TEST(cuda_conv_in_every_variant, "slow timeout:3600") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) cuda_sweep_covers(&sweep, large[i]);
  cuda_sweep_go(&sweep);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}
