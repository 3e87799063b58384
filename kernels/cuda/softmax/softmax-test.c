/* Softmax and norms on a GPU: texts through NVRTC, results through the emulator. */
#include "../cuda-launch.h"
#include "../cuda-sweep-test.h"

static const int every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};
static const int one_sm[] = {75, 0};

/* Rows: shorter than a warp, of a warp's lanes and one more, of vectors and not, too long for registers. */
static const char *const problems[] = {
    "softmax outer3 len1 f32",
    "softmax outer5 len33 f32",
    "softmax outer9 len128 f16",
    "softmax log outer4 len77 bf16",
    "softmax outer2 len1000 f32",
    "softmax log outer2 len5000 f32",
    "softmax outer2 len20000 f16",
    "softmax outer3 len10 inner7 f32",
    "softmax log outer2 len33 inner65 f16",
    "softmax outer300 len3 f32",
    "norm layer rows3 len37 f32",
    "norm layer rows3 len1 f32",
    "norm layer rows5 len768 f32",
    "norm rms rows4 len33 bias0 f16",
    "norm layer rows2 len1024 scale0 bias0 bf16",
    "norm rms rows2 len5001 scale0 f32",
    "norm layer rows2 len5000 f32",
    "norm layer rows9 len64 in:f16 in:f32 in:f32 out:f16",
    "norm layer rows2 len20000 f16",
};

TEST(cuda_softmax_and_norm_compile, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, CUDA_SWEEP_COVERING, one_sm);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  cuda_sweep_go(&sweep);
  CHECK(sweep.checked == 5); // one of each tactic
  cuda_sweep_end(&sweep);
}

TEST(cuda_every_architecture_compiles_softmax_and_norm, "slow timeout:900") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, every_sm);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  cuda_sweep_go(&sweep);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}

TEST(cuda_softmax_and_norm_give_the_references_results, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  cuda_sweep_go(&sweep);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  CHECK(sweep.checked >= 10);
  cuda_sweep_end(&sweep);
}

/* Of any size, these may be solved by nothing that was not tried. */
static const char *const large[] = {
    "softmax outer4096 len1024 f16",
    "softmax outer4096 len65536 f32",
    "softmax outer64 len512 inner4096 f32",
    "norm layer rows4096 len1024 f16",
    "norm layer rows4096 len65536 f32",
};

TEST(cuda_every_variant_of_softmax_and_norm, "slow timeout:1800") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) cuda_sweep_covers(&sweep, large[i]);
  cuda_sweep_go(&sweep);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}

TEST(cuda_softmax_and_norm_go_on_from_block_to_block, "timeout:120") {
  static const char *const many[] = {"softmax outer9 len40 f32", "norm layer rows9 len40 f32"};
  cuda_grid_most = 2;
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  CUDA_SWEEP_PROBLEMS(sweep, many);
  sweep.only = "__columns__", sweep.stride = 1; // with several threads per column
  cuda_sweep_problem(&sweep, "softmax outer3 len9 inner70 f32");
  cuda_sweep_go(&sweep);
  CHECK(sweep.checked == 8);
  cuda_sweep_end(&sweep);
}
