/* The nhwc convolution tactics over register tiles: one per tile and instruction set. */
#include "conv.h"

static const int16_t kc_values[] = {0, 512};
static const int16_t mc_values[] = {48, 96, 384};
static const int16_t flag_values[] = {0, 1};

#define IGEMM_TACTIC(shape, set, set_value)                                                                                      \
  const struct tactic conv2d_f32_nhwc__igemm_##shape##__##set = {                                                                \
      .id = "conv2d_f32_nhwc__igemm_" #shape "__" #set,                                                                          \
      .kind = PROBLEM_CONV2D,                                                                                                    \
      .device = DEVICE_CPU,                                                                                                      \
      .isa = set_value,                                                                                                          \
      .layout = LAYOUT_NHWC,                                                                                                     \
      .source = "conv",                                                                                                          \
      .packing_revision = 1,                                                                                                     \
      .packed_operand = 1,                                                                                                       \
      .detail = &tile_##shape##__##set,                                                                                          \
      .params = {{"kc", kc_values, 2}, {"mc", mc_values, 3}, {"pd", flag_values, 2}, {"pf", flag_values, 2}},                    \
      .applicable = igemm_applicable,                                                                                            \
      .legal = igemm_legal,                                                                                                      \
      .workspace = igemm_workspace,                                                                                              \
      .cost = igemm_cost,                                                                                                        \
      .packed_bytes = igemm_packed_bytes,                                                                                        \
      .pack = igemm_pack,                                                                                                        \
      .run = igemm_run,                                                                                                          \
  };

IGEMM_TACTIC(8x48, avx512, ISA_AVX512)
IGEMM_TACTIC(6x64, avx512, ISA_AVX512)
IGEMM_TACTIC(12x32, avx512, ISA_AVX512)
IGEMM_TACTIC(14x32, avx512, ISA_AVX512)
IGEMM_TACTIC(6x16, avx2, ISA_AVX2)
IGEMM_TACTIC(4x24, avx2, ISA_AVX2)
IGEMM_TACTIC(3x32, avx2, ISA_AVX2)
IGEMM_TACTIC(6x8, baseline, ISA_BASELINE)
