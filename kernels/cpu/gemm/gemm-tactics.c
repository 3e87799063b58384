/* The gemm tactics: one per register tile and instruction set, all with the same search space. */
#include "gemm.h"

static const int16_t kc_values[] = {0, 256, 512};
static const int16_t mc_values[] = {96, 384};
static const int16_t flag_values[] = {0, 1};

#define GEMM_TACTIC(shape, set, set_value)                                                                                       \
  const struct tactic gemm_f32__mk_##shape##__##set = {                                                                          \
      .id = "gemm_f32__mk_" #shape "__" #set,                                                                                    \
      .kind = PROBLEM_GEMM,                                                                                                      \
      .device = DEVICE_CPU,                                                                                                      \
      .isa = set_value,                                                                                                          \
      .source = "gemm",                                                                                                          \
      .packing_revision = 1,                                                                                                     \
      .packed_operand = 1,                                                                                                       \
      .detail = &tile_##shape##__##set,                                                                                          \
      .params =                                                                                                                  \
          {{"kc", kc_values, 3}, {"mc", mc_values, 2}, {"pa", flag_values, 2}, {"pb", flag_values, 2}, {"pf", flag_values, 2}},  \
      .applicable = gemm_applicable,                                                                                             \
      .legal = gemm_legal,                                                                                                       \
      .workspace = gemm_workspace,                                                                                               \
      .cost = gemm_cost,                                                                                                         \
      .packed_bytes = gemm_packed_bytes,                                                                                         \
      .pack = gemm_pack,                                                                                                         \
      .run = gemm_run,                                                                                                           \
  };

#define X(mr, nr) GEMM_TACTIC(mr##x##nr, avx2, ISA_AVX2)
TILE_LIST_AVX2(X)
#undef X
#define X(mr, nr) GEMM_TACTIC(mr##x##nr, avx512, ISA_AVX512)
TILE_LIST_AVX512(X)
#undef X
#define X(mr, nr) GEMM_TACTIC(mr##x##nr, baseline, ISA_BASELINE)
TILE_LIST_BASELINE(X)
#undef X
