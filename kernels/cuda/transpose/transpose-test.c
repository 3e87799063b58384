/* Transposes on a GPU: texts through NVRTC, results through the emulator. */
#include "../cuda-launch.h"
#include "../cuda-family-test.h"

static const char *const problems[] = {
    "transpose d1 perm0 f32",
    "transpose d4099 perm0 f16",
    "transpose d33 d65 perm10 f32",
    "transpose d64 d64 perm10 f16",
    "transpose d3 d70 d31 perm021 bf16",
    "transpose d2 d12 d5 d64 perm0213 f32",
    "transpose d5 d6 d7 d33 perm3120 f32",
    "transpose d40 d3 d37 perm210 u8",
    "transpose d9 d4 d6 perm102 i64",
    "transpose d2 d3 d4 d5 d3 d2 perm524130 f32",
    NULL,
};

static const char *const large[] = {
    "transpose d4096 d4096 perm10 f16",
    "transpose d64 d64 d64 d64 perm0213 f32",
    NULL,
};

static const struct cuda_family transpose = {.problems = problems, .large = large, .sm = 75, .tactics = 2};
CUDA_FAMILY_TESTS(transpose)

TEST(cuda_transposes_go_on_from_block_to_block, "timeout:120") {
  static const char *const many[] = {"transpose d70 d3 d67 perm210 f32"};
  cuda_grid_most = 2;
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  CUDA_SWEEP_PROBLEMS(sweep, many);
  cuda_sweep_go(&sweep);
  CHECK(sweep.checked == 2);
  cuda_sweep_end(&sweep);
}
