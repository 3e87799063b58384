/* gemm on a GPU: texts through NVRTC, results through the emulator. Sizes stand at the edges of tiles: 1, one less, equal, one more; depths
 * that are no multiple of a chunk; every step of an epilogue; every way operands lie in memory. */
#include "../cuda-family-test.h"

static const int unlike_sms[] = {75, 80, 90, 120, 0}; // where texts or instructions differ much: compiling takes half a second each

static const struct cuda_pick quick[] = {
    {"gemm m129 n127 k17 f32 acc:f32 +bias +relu",
     "gemm__simt__sm75{bm=128,bn=128,bk=8,splits=1}"},
    {"gemm m63 n64 k24 ta tb f32 acc:f32 +mul +sigmoid",
     "gemm__simt__sm75{bm=64,bn=64,bk=16,splits=1}"},
    {"gemm m40 n36 k520 f32 acc:f32 w:const +bias +hard_swish",
     "gemm__simt__sm75{bm=32,bn=32,bk=16,splits=4}"},
    {"gemm b2 m5 n30 k64 f32 acc:f32 +hard_sigmoid",
     "gemm__skinny__sm75{splits=1}"},
    {"gemm m65 n63 k33 f16 acc:f32 w:const +bias",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=3,splits=1}"},
    {"gemm m72 n64 k31 ta f16 acc:f32 +clip",
     "gemm_f16__mma__sm75{bm=128,bn=64,warps=8,stages=4,splits=1}"},
    {"gemm m72 n65 k48 ta tb f16 acc:f32 +scale",
     "gemm_f16__mma__sm75{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {"gemm m16 n24 k1272 f16 acc:f32 w:const +bias +silu",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=8}"},
    {"gemm m70 n72 k64 bf16 acc:f32 w:const +bias +gelu_tanh",
     "gemm_bf16__mma__sm80{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {NULL, NULL},
};

static const struct cuda_pick more[] = {
    {"gemm m1 n1 k1 f32 acc:f32",
     "gemm__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"gemm m33 n31 k17 f32 acc:f32 w:const +bias",
     "gemm__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"gemm m128 n132 k64 f32 acc:f32 w:const +bias +gelu +add",
     "gemm__simt__sm75{bm=128,bn=128,bk=16,splits=1}"},
    {"gemm m127 n65 k40 tb f32 acc:f32 +add",
     "gemm__simt__sm75{bm=128,bn=64,bk=16,splits=1}"},
    {"gemm m66 n128 k20 ta f32 acc:f32 +scale +clip",
     "gemm__simt__sm75{bm=64,bn=128,bk=16,splits=1}"},
    {"gemm b3 m9 n12 k8 f32 acc:f32 +add +tanh",
     "gemm__simt__sm75{bm=32,bn=32,bk=8,splits=1}"},
    {"gemm b2 m20 n16 k12 ashared f32 acc:f32 a:const +leaky_relu",
     "gemm__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"gemm b2 m20 n16 k12 ta bshared f32 acc:f32 w:const +silu",
     "gemm__simt__sm75{bm=32,bn=32,bk=16,splits=1}"},
    {"gemm m34 n33 k300 f32 acc:f32 w:const +hard_sigmoid",
     "gemm__simt__sm75{bm=32,bn=64,bk=8,splits=2}"},
    {"gemm m70 n64 k40 in:f16 in:f32 out:f16 acc:f32",
     "gemm__simt__sm75{bm=64,bn=64,bk=16,splits=1}"},
    {"gemm m130 n20 k40 f16 acc:f32 +bias",
     "gemm__simt__sm75{bm=128,bn=32,bk=8,splits=1}"},
    {"gemm m1 n70 k300 f32 acc:f32 w:const +bias",
     "gemm__skinny__sm75{splits=1}"},
    {"gemm m1 n131 k300 f32 acc:f32 +bias",
     "gemm__skinny__sm75{splits=2}"},
    {"gemm m3 n130 k65 tb f32 acc:f32 w:const +bias +relu",
     "gemm__skinny__sm75{splits=1}"},
    {"gemm m8 n33 k2001 tb f32 acc:f32 w:const +gelu_tanh",
     "gemm__skinny__sm75{splits=4}"},
    {"gemm m2 n264 k128 f16 acc:f32 w:const +bias",
     "gemm__skinny__sm75{splits=1}"},
    {"gemm m7 n9 k520 tb f16 acc:f32 w:const +sigmoid",
     "gemm__skinny__sm75{splits=2}"},
    {"gemm m6 n21 k37 ta f16 acc:f32 w:const",
     "gemm__skinny__sm75{splits=1}"},
    {"gemm m4 n24 k33 ta tb bf16 acc:f32 w:const",
     "gemm__skinny__sm75{splits=1}"},
    {"gemm m1 n1 k1 f16 acc:f32",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=8,stages=4,splits=1}"},
    {"gemm m64 n64 k32 f16 acc:f32 w:const",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=1}"},
    {"gemm m65 n72 k40 f16 acc:f32 w:const +bias +gelu",
     "gemm_f16__mma__sm75{bm=128,bn=128,warps=8,stages=2,splits=1}"},
    {"gemm m129 n130 k72 f16 acc:f32 +bias +relu",
     "gemm_f16__mma__sm75{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {"gemm m128 n128 k200 tb f16 acc:f32 w:const +bias +add",
     "gemm_f16__mma__sm75{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {"gemm m72 n65 k160 ta f16 acc:f32",
     "gemm_f16__mma__sm75{bm=128,bn=128,warps=8,stages=3,splits=1}"},
    {"gemm m63 n127 k48 ta tb f16 acc:f32 +tanh",
     "gemm_f16__mma__sm75{bm=64,bn=128,warps=4,stages=4,splits=1}"},
    {"gemm m129 n64 k48 f16 acc:f32 +mul",
     "gemm_f16__mma__sm75{bm=128,bn=64,warps=4,stages=3,splits=1}"},
    {"gemm m64 n72 k48 f16 acc:f32",
     "gemm_f16__mma__sm75{bm=64,bn=128,warps=8,stages=2,splits=1}"},
    {"gemm b3 m17 n24 k16 tb f16 acc:f32",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=1}"},
    {"gemm b2 m24 n17 k40 ashared f16 acc:f32 a:const +bias",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=1}"},
    {"gemm b2 m24 n16 k40 ta bshared f16 acc:f32 w:const +leaky_relu",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=1}"},
    {"gemm m20 n65 k36 tb bf16 acc:f32 +bias +relu",
     "gemm_bf16__mma__sm80{bm=64,bn=64,warps=8,stages=3,splits=1}"},
    {"gemm m20 n24 k40 in:f16 in:f16 in:f16 in:f32 out:f32 acc:f32 w:const +bias +add",
     "gemm_f16__mma__sm75{bm=64,bn=64,warps=4,stages=4,splits=1}"},
    {NULL, NULL},
};

static const char *const problems[] = {
    "gemm m66 n130 k72 f16 acc:f32 w:const +bias +gelu",
    "gemm m130 n66 k520 f32 acc:f32 w:const +bias +relu",
    "gemm m65 n65 k33 tb bf16 acc:f32 +add",
    "gemm m5 n200 k2100 f32 acc:f32 w:const +bias",
    "gemm m65 n66 k1280 ta f16 acc:f32 w:const +scale",
    "gemm m65 n66 k1277 bf16 acc:f32 w:const",
    "gemm m65 n70 k1277 tb f32 acc:f32 +bias",
    NULL,
};

/* Every number of rows has a text of its own, and each way w lies. */
static const char *const skinny[] = {
    "gemm m1 n70 k2081 f16 acc:f32 w:const +bias",
    "gemm m2 n33 k130 tb f32 acc:f32 +relu",
    "gemm m3 n131 k67 ta bf16 acc:f32 w:const",
    "gemm m4 n9 k2085 tb f16 acc:f32 w:const +add",
    "gemm m6 n264 k129 f32 acc:f32",
    "gemm m7 n31 k300 ta tb bf16 acc:f32 w:const +bias",
    "gemm m8 n129 k2100 f16 acc:f32 +silu",
    NULL,
};

static void skinny_add(struct cuda_sweep *sweep) {
  sweep->only = "__skinny__";
  cuda_family_problems(sweep, skinny);
  sweep->only = NULL;
}

static const char *const large[] = {
    "gemm m257 n257 k4093 f16 acc:f32 w:const",
    "gemm m257 n257 k4093 bf16 acc:f32 w:const",
    "gemm m257 n257 k4093 f32 acc:f32 w:const",
    "gemm m8 n2049 k65536 f32 acc:f32 w:const",
    NULL,
};

static const struct cuda_family gemm = {
    .quick = quick,
    .more = more,
    .problems = problems,
    .large = large,
    .more_sms = unlike_sms,
    .extra = skinny_add,
};
CUDA_PICKED_FAMILY_TESTS(gemm)
