/* conv2d of f32: what its tactics share. Four ways to compute one:
 *
 *   igemm     nhwc: register tiles over pixels by channels; row pointers stand in for the matrix of windows (igemm.c)
 *   im2col    nchw: the windows of nr pixels are copied into a panel, weights are the rows (im2col.c)
 *   dw        one filter per channel: vectors along the channels in nhwc (dw.inc), along the row in nchw (dw-nchw.inc)
 */
#ifndef KERNELS_CPU_CONV_CONV_H
#define KERNELS_CPU_CONV_CONV_H

#include "../gemm/gemm.h"

/* The dims, with what follows from them. */
struct conv_shape {
  int64_t n, c, h, w, k, r, s, stride_h, stride_w, pad_t, pad_l, pad_b, pad_r, dil_h, dil_w, groups;
  int64_t out_h, out_w, pixels; // pixels: of all images
  int64_t group_c, group_k;
  bool constant_w;
};
struct conv_shape conv_shape_of(const struct problem *problem);
bool conv_is_f32(const struct problem *problem);
bool conv_is_depthwise(const struct conv_shape *shape); // one filter per channel
bool conv_is_padded(const struct conv_shape *shape);
/* Data of the epilogue's operands: inputs from 2 on. */
void conv_extras(const struct kernel_call *call, const float *out_extras[EPILOGUE_MAX]);

/* ---- igemm ---- */
enum igemm_param {
  IGEMM_PARAM_KC, // depth of a chunk, in whole window taps; 0: all
  IGEMM_PARAM_MC, // pixels that stay near while the panels of weights pass
  IGEMM_PARAM_PD, // 1: a window row is one run of s * c floats, of a padded copy of x where there is padding
  IGEMM_PARAM_PF, // 1: weights are fetched ahead
  IGEMM_PARAMS
};
/* ---- the other parts of the rows ---- */
bool igemm_applicable(const struct problem *problem);
bool igemm_legal(const struct problem *problem, const struct variant *variant);
size_t igemm_workspace(const struct problem *problem, const struct variant *variant, int threads);
size_t igemm_packed_bytes(const struct problem *problem, const struct variant *variant); // [g][k/g/nr][r][s][c/g][nr]
void igemm_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed);
enum farm_status igemm_run(const struct kernel_call *call);
double igemm_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                  int threads);

bool im2col_applicable(const struct problem *problem);
bool im2col_legal(const struct problem *problem, const struct variant *variant);
size_t im2col_workspace(const struct problem *problem, const struct variant *variant, int threads);
size_t im2col_packed_bytes(const struct problem *problem, const struct variant *variant); // [g][k/g/mr][c/g][r][s][mr]
void im2col_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed);
enum farm_status im2col_run(const struct kernel_call *call);
double im2col_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                   int threads);

#endif
