/* The fused operators that the optimizer makes, domain "tunefarm", version 1: what their files share.
 *
 *   Gemm       A, B, extras…     trans_a, trans_b, epilogue                       numpy matmul of [..,m,k] and [..,k,n], ranks 2 and up
 *   Conv       X, W, extras…     attributes of Conv, epilogue, layout             1-D and 2-D; W stays [k][c/group][r][s]
 *   Pool       X                 mode, attributes of MaxPool and AveragePool, global, layout
 *   Map        operands…         program, params, out_types, axes, keepdims       map-program.h over broadcast operands
 *   Attention  q, k, v (or qkv), mask?   heads, kv_heads, order, mask, causal, scale
 *
 * epilogue: text of problem/epilogue.h; its operands ("extras") follow the other inputs. layout "nhwc": X, Y and extras of the
 * output's shape are physically and by their dims [n][h][w][c]; default "nchw". Every reference computes the whole formula in
 * double and rounds once at the end (Map: each instruction to float).
 */
#ifndef OPERATORS_FUSED_H
#define OPERATORS_FUSED_H

#include "../problem/epilogue.h"
#include "nn-util.h"

/* The epilogue attribute, and whether the inputs from `first` on fit to it in number. */
enum farm_status fused_epilogue(const struct attrs *attrs, int first, int input_count, struct epilogue *out);
/* Shapes of the extras: vectors of `channels`, or tensors like output 0, which is described already. */
enum farm_status fused_epilogue_shape(const struct shape_call *call, int first, int64_t channels);
bool fused_is_nhwc(const struct attrs *attrs);
enum farm_status fused_layout_check(const struct attrs *attrs);

/* An epilogue at work on doubles. */
struct fused_end {
  struct epilogue epilogue;
  const double *extras[EPILOGUE_MAX]; // by step; NULL for steps without
};
enum farm_status fused_end_load(const struct reference_call *call, struct arena *scratch, int first, struct fused_end *out);
/* The value at element `at` of the output, in channel `channel`, after all steps. */
double fused_end_apply(const struct fused_end *end, double value, int64_t at, int64_t channel);

/* The attributes of Attention, with defaults: order 0, kv_heads = heads. FARM_INVALID when they do not fit together. */
struct fused_attention {
  int64_t heads, kv_heads;
  int order, mask;
  bool causal;
  float scale; // 0: 1 / sqrt(d)
};
enum farm_status fused_attention_read(const struct attrs *attrs, struct fused_attention *out);
/* Sizes from the operands' types; unknown dims stay negative. out_dims: b, heads, kv_heads, seq, kv, d, dv as in enum attention_dim. */
enum farm_status fused_attention_sizes(const struct fused_attention *attention, const struct tensor *const *inputs, int input_count,
                                       int64_t out_sizes[7]);

/* A Map's attributes. */
struct map_program;
enum { FUSED_MAP_MAX_PARAMS = 32 };
enum farm_status fused_map_program(const struct attrs *attrs, struct map_program *out_program, float out_params[FUSED_MAP_MAX_PARAMS]);

#endif
