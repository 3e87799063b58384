/* gemm on a GPU: texts through NVRTC, results through the emulator. Sizes stand at the edges of tiles: 1, one less, equal, one more; depths
 * that are no multiple of a chunk; every step of an epilogue; every way operands lie in memory.
 */
#include "../cuda-sweep-test.h"

static const int every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};
static const int some_sms[] = {75, 90, 0};

static const char *const problems[] = {
    "gemm m1 n1 k1 f32 acc:f32",
    "gemm m33 n31 k17 f32 acc:f32 w:const +bias",
    "gemm m32 n64 k16 f32 acc:f32 w:const +bias +relu",
    "gemm m65 n129 k33 f32 acc:f32",
    "gemm m64 n63 k40 tb f32 acc:f32 w:const +bias +gelu +add",
    "gemm m31 n66 k20 ta f32 acc:f32 +scale +clip",
    "gemm m12 n40 k24 ta tb f32 acc:f32 +mul +sigmoid",
    "gemm b3 m9 n12 k8 f32 acc:f32 +add +tanh",
    "gemm b2 m20 n16 k12 ashared f32 acc:f32 a:const +leaky_relu",
    "gemm b2 m20 n16 k12 ta bshared f32 acc:f32 w:const +silu",
    "gemm m40 n36 k520 f32 acc:f32 w:const +bias +hard_swish",
    "gemm m1 n70 k300 f32 acc:f32 w:const +bias",
    "gemm m3 n130 k65 tb f32 acc:f32 w:const +bias +relu",
    "gemm m8 n33 k1100 tb f32 acc:f32 +gelu_tanh",
    "gemm b2 m5 n30 k64 f32 acc:f32 +hard_sigmoid",
    "gemm m1 n1 k1 f16 acc:f32",
    "gemm m64 n64 k32 f16 acc:f32 w:const",
    "gemm m65 n63 k33 f16 acc:f32 w:const +bias",
    "gemm m63 n72 k40 f16 acc:f32 w:const +bias +gelu",
    "gemm m129 n130 k72 f16 acc:f32 +bias +relu",
    "gemm m128 n128 k96 tb f16 acc:f32 w:const +bias +add",
    "gemm m72 n65 k31 ta f16 acc:f32 +clip",
    "gemm m66 n70 k48 ta tb f16 acc:f32 +tanh",
    "gemm b3 m17 n24 k16 tb f16 acc:f32",
    "gemm b2 m24 n17 k40 ashared f16 acc:f32 a:const +bias",
    "gemm m16 n24 k1032 f16 acc:f32 w:const +bias +silu",
    "gemm m2 n264 k128 f16 acc:f32 w:const +bias",
    "gemm m7 n9 k520 tb f16 acc:f32 w:const +sigmoid",
    "gemm m6 n21 k37 ta f16 acc:f32 w:const",
    "gemm m70 n72 k64 bf16 acc:f32 w:const +bias +gelu_tanh",
    "gemm m20 n65 k36 tb bf16 acc:f32 +bias +relu",
    "gemm m4 n40 k66 bf16 acc:f32 w:const",
    "gemm m20 n24 k40 in:f16 in:f16 in:f16 in:f32 out:f32 acc:f32 w:const +bias +add",
    "gemm m20 n24 k40 in:f16 in:f32 out:f16 acc:f32",
};

TEST(cuda_gemm_compiles, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_compiler("gemm", 97, some_sms);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  CHECK(sweep.compiled > 10);
  cuda_sweep_end(&sweep);
}

TEST(cuda_gemm_compiles_for_every_architecture, "slow timeout:3600") {
  struct cuda_sweep sweep = cuda_sweep_compiler("gemm", 3, every_sm);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}

TEST(cuda_gemm_gives_the_references_results, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_emulator("gemm", 31, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  CHECK(sweep.checked >= 20);
  cuda_sweep_end(&sweep);
}

TEST(cuda_gemm_in_every_variant, "slow timeout:7200") {
  struct cuda_sweep sweep = cuda_sweep_emulator("gemm", 1, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}
