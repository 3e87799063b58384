/* The nchw convolution tactics over register tiles. */
#include "conv.h"

static const int16_t np_values[] = {1, 4, 16};

#define IM2COL_TACTIC(shape, set, set_value)                                                                                     \
  const struct tactic conv2d_f32_nchw__im2col_##shape##__##set = {                                                               \
      .id = "conv2d_f32_nchw__im2col_" #shape "__" #set,                                                                         \
      .kind = PROBLEM_CONV2D,                                                                                                    \
      .device = DEVICE_CPU,                                                                                                      \
      .isa = set_value,                                                                                                          \
      .layout = LAYOUT_NCHW,                                                                                                     \
      .source = "conv",                                                                                                          \
      .packing_revision = 1,                                                                                                     \
      .packed_operand = 1,                                                                                                       \
      .detail = &tile_##shape##__##set,                                                                                          \
      .params = {{"np", np_values, 3}},                                                                                          \
      .applicable = im2col_applicable,                                                                                           \
      .legal = im2col_legal,                                                                                                     \
      .workspace = im2col_workspace,                                                                                             \
      .cost = im2col_cost,                                                                                                       \
      .packed_bytes = im2col_packed_bytes,                                                                                       \
      .pack = im2col_pack,                                                                                                       \
      .run = im2col_run,                                                                                                         \
  };

IM2COL_TACTIC(8x48, avx512, ISA_AVX512)
IM2COL_TACTIC(12x32, avx512, ISA_AVX512)
IM2COL_TACTIC(1x128, avx512, ISA_AVX512)
IM2COL_TACTIC(6x16, avx2, ISA_AVX2)
IM2COL_TACTIC(4x24, avx2, ISA_AVX2)
IM2COL_TACTIC(1x64, avx2, ISA_AVX2)
IM2COL_TACTIC(6x8, baseline, ISA_BASELINE)
IM2COL_TACTIC(1x24, baseline, ISA_BASELINE)
