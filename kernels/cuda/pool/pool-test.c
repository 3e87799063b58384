/* Pooling on a GPU: texts through NVRTC, results through the emulator. */
#include "../cuda-pick-test.h"

static const int every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};
static const int some_sms[] = {75, 90, 0};

static const struct cuda_pick quick[] = {
    {"pool2d max n2 c5 h13 w17 r3 s3 stride2 pad1 f16",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n1 c3 h12 w13 r3 s3 stride2 pad1 countpad ceil f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n2 c70 h7 w7 r7 s7 f32",
     "pool2d_nchw__warps__sm75"},
    {"pool2d max n2 c9 h8 w9 r8 s9 f32",
     "pool2d_nhwc__warps__sm75"},
};

static const struct cuda_pick more[] = {
    {"pool2d max n1 c3 h7 w9 r3 s3 f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n1 c9 h14 w14 r3 s3 pad1 countpad f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d max n1 c2 h15 w31 r3 s2 strideh1 stridew4 padt1 padl0 padb0 padr1 f32",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n1 c3 h19 w23 r3 s3 stride2 dilh1 dilw3 pad1 countpad f32",
     "pool2d_nchw__threads__sm75"},
    {"pool2d average n1 c3 h10 w10 r3 s3 stride2 ceil bf16",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n2 c70 h7 w7 r7 s7 f16",
     "pool2d_nhwc__threads__sm75"},
    {"pool2d average n1 c3 h9 w9 r6 s6 pad2 stride3 f32",
     "pool2d_nchw__warps__sm75"},
    {"pool2d average n1 c3 h1 w1 r1 s1 f32",
     "pool2d_nchw__threads__sm75"},
};

TEST(cuda_pool_compiles, "timeout:300") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, some_sms);
  cuda_pick_run(&sweep, &quick[0]);
  cuda_sweep_go(&sweep);
  CHECK(sweep.compiled > 0);
  cuda_sweep_end(&sweep);
}

TEST(every_architecture_compiles_cuda_pool, "slow timeout:1800") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, every_sm);
  CUDA_PICKS(sweep, quick);
  CUDA_PICKS(sweep, more);
  cuda_sweep_go(&sweep);
  printf("%d texts\n", sweep.compiled);
  cuda_sweep_end(&sweep);
}

TEST(cuda_pool_gives_the_references_results, "timeout:300") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_PICKS(sweep, quick);
  cuda_sweep_go(&sweep);
  cuda_sweep_end(&sweep);
}

TEST(cuda_pool_at_the_edges_of_tiles, "slow timeout:600") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  CUDA_PICKS(sweep, quick);
  CUDA_PICKS(sweep, more);
  cuda_sweep_go(&sweep);
  cuda_sweep_end(&sweep);
}

static const char *const problems[] = {
    "pool2d max n2 c5 h13 w17 r6 s6 stride2 pad1 f32",       "pool2d max n1 c9 h14 w14 r6 s6 pad1 f16",
    "pool2d max n1 c9 h14 w14 r6 s6 dilh1 dilw2 pad1 bf16",  "pool2d average n2 c70 h7 w7 r7 s7 f16",
    "pool2d average n1 c9 h14 w14 r3 s3 pad1 countpad bf16", "pool2d average n1 c9 h14 w14 r6 s6 pad1 ceil bf16",
    "pool2d average n2 c5 h13 w17 r6 s7 stride2 pad1 f32",
};

/* Of any size, these may be solved by nothing that was not tried. */
static const char *const large[] = {
    "pool2d max n64 c512 h112 w112 r9 s9 f16",
    "pool2d average n64 c512 h112 w112 r9 s9 f32",
};

TEST(cuda_pool_in_every_variant, "slow timeout:3600") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) cuda_sweep_covers(&sweep, large[i]);
  cuda_sweep_go(&sweep);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}
