/* Softmax and norms on a GPU: texts through NVRTC, results through the emulator. */
#include "../cuda-launch.h"
#include "../cuda-family-test.h"

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
    NULL,
};

static const char *const large[] = {
    "softmax outer4096 len1024 f16",
    "softmax outer4096 len65536 f32",
    "softmax outer64 len512 inner4096 f32",
    "norm layer rows4096 len1024 f16",
    "norm layer rows4096 len65536 f32",
    NULL,
};

static const struct cuda_family softmax_and_norm = {.problems = problems, .large = large, .tactics = 5};
CUDA_FAMILY_TESTS(softmax_and_norm)

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
