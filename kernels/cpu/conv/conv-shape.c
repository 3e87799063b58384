/* The dims of a conv2d problem and what follows from them. */
#include "conv.h"

struct conv_shape conv_shape_of(const struct problem *problem) {
  const int64_t *d = problem->dims;
  struct conv_shape shape = {.n = d[CONV_N], .c = d[CONV_C], .h = d[CONV_H], .w = d[CONV_W], .k = d[CONV_K]};
  shape.r = d[CONV_R], shape.s = d[CONV_S];
  shape.stride_h = d[CONV_STRIDE_H], shape.stride_w = d[CONV_STRIDE_W];
  shape.pad_t = d[CONV_PAD_T], shape.pad_l = d[CONV_PAD_L], shape.pad_b = d[CONV_PAD_B], shape.pad_r = d[CONV_PAD_R];
  shape.dil_h = d[CONV_DIL_H], shape.dil_w = d[CONV_DIL_W];
  shape.groups = d[CONV_G];
  problem_output_hw(problem, &shape.out_h, &shape.out_w);
  shape.pixels = shape.n * shape.out_h * shape.out_w;
  shape.group_c = shape.c / shape.groups;
  shape.group_k = shape.k / shape.groups;
  shape.constant_w = problem->operands[1].constant;
  return shape;
}

bool conv_is_f32(const struct problem *problem) {
  if (problem->kind != PROBLEM_CONV2D || problem->accumulate != DTYPE_F32) return false;
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (problem->operands[i].dtype != DTYPE_F32) return false;
  return problem->dims[CONV_C] > 0 && problem->dims[CONV_R] > 0 && problem->dims[CONV_S] > 0;
}

bool conv_is_depthwise(const struct conv_shape *shape) {
  return shape->groups == shape->c && shape->k == shape->c && shape->c > 1;
}

bool conv_is_padded(const struct conv_shape *shape) { return shape->pad_t || shape->pad_l || shape->pad_b || shape->pad_r; }

void conv_extras(const struct kernel_call *call, const float *out_extras[EPILOGUE_MAX]) {
  for (int i = 2; i < call->input_count && i - 2 < EPILOGUE_MAX; i++) out_extras[i - 2] = call->inputs[i]->data;
}
