/* See conv.h. */
#include "conv.h"

#include <string.h>

static bool is_nhwc(const struct variant *variant) { return variant->tactic->layout == LAYOUT_NHWC; }
static int64_t taps_of(const struct problem *problem) { return problem->dims[CONV_R] * problem->dims[CONV_S]; }
static int64_t group_c(const struct problem *problem) { return problem->dims[CONV_C] / problem->dims[CONV_G]; }
static int64_t group_k(const struct problem *problem) { return problem->dims[CONV_K] / problem->dims[CONV_G]; }
static size_t element_bytes(const struct problem *problem, int operand) { return dtype_bytes(problem->operands[operand].dtype, 1); }
static int64_t run_of(const struct problem *problem, int operand) { return (int64_t)(16 / element_bytes(problem, operand)); }
static int64_t depth_of(const struct problem *problem) { return group_c(problem) * taps_of(problem); }

bool conv_cuda_fits(const struct problem *problem) {
  const int64_t *d = problem->dims;
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  const double most = 1 << 30, image = (double)d[CONV_C] * (double)d[CONV_H] * (double)d[CONV_W];
  const double results = (double)d[CONV_K] * (double)h * (double)w, filters = (double)d[CONV_K] * (double)depth_of(problem);
  return cuda_sums_in_f32(problem) && image < most && results < most && filters < most &&
         (double)d[CONV_N] * (double)h * (double)w < most && taps_of(problem) <= 1 << 16 && d[CONV_H] < 1 << 20 && d[CONV_W] < 1 << 20 &&
         (double)d[CONV_R] * (double)d[CONV_DIL_H] < 1 << 20 && (double)d[CONV_S] * (double)d[CONV_DIL_W] < 1 << 20 &&
         (double)h * (double)d[CONV_STRIDE_H] < most / 2 && (double)w * (double)d[CONV_STRIDE_W] < most / 2;
}

struct product_shape conv_product_shape(const struct problem *problem, const struct variant *variant) {
  const int64_t *d = problem->dims;
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  struct product_shape shape = {d[CONV_N] * h * w, group_k(problem), depth_of(problem), d[CONV_G]};
  if (!is_nhwc(variant)) shape.rows = group_k(problem), shape.columns = d[CONV_N] * h * w;
  return shape;
}

/* ---- packing ---- */
static bool is_direct(const struct variant *variant) { return strstr(variant->tactic->id, "__direct__") != NULL; }
static bool taps_first(const struct problem *problem, const struct variant *variant) {
  return is_nhwc(variant) && problem->operands[1].constant;
}
static int64_t line_of(const struct problem *problem) { // packed
  const int64_t run = run_of(problem, 1);
  return (depth_of(problem) + run - 1) / run * run;
}
static bool is_packed(const struct problem *problem, const struct variant *variant) {
  if (!problem->operands[1].constant) return false;
  const bool turned = taps_first(problem, variant) && taps_of(problem) > 1;
  return is_direct(variant) ? turned : turned || line_of(problem) != depth_of(problem);
}

size_t conv_cuda_packed_bytes(const struct problem *problem, const struct variant *variant) {
  if (!is_packed(problem, variant)) return 0;
  return (size_t)problem->dims[CONV_K] * (size_t)(is_direct(variant) ? taps_of(problem) : line_of(problem)) * element_bytes(problem, 1);
}

void conv_cuda_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed) {
  const size_t bytes = element_bytes(problem, 1);
  const int64_t filters = problem->dims[CONV_K], taps = taps_of(problem), channels = group_c(problem);
  const int64_t line = is_direct(variant) ? 1 : line_of(problem), tap_step = is_direct(variant) ? filters : channels;
  const bool turned = taps_first(problem, variant);
  const char *from = weights; // [k][c/g][r s]
  memset(out_packed, 0, conv_cuda_packed_bytes(problem, variant));
  for (int64_t k = 0; k < filters; k++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t tap = 0; tap < taps; tap++, from += bytes)
        memcpy((char *)out_packed + (size_t)(k * line + (turned ? tap * tap_step + c : c * taps + tap)) * bytes, from, bytes);
}

/* ---- source and arguments ---- */

/* Channels last: runs of channels of one tap. Channels first: runs of pixels, where a filter of one tap reads them as they lie. */
static bool x_aligned(const struct problem *problem, const struct variant *variant) {
  const int64_t *d = problem->dims, run = run_of(problem, 0);
  if (is_nhwc(variant)) return group_c(problem) % run == 0 && (taps_first(problem, variant) || taps_of(problem) == 1);
  return taps_of(problem) == 1 && d[CONV_STRIDE_H] == 1 && d[CONV_STRIDE_W] == 1 && !d[CONV_PAD_T] && !d[CONV_PAD_L] && !d[CONV_PAD_B] &&
         !d[CONV_PAD_R] && d[CONV_H] * d[CONV_W] % run == 0;
}

static void operand_defines(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  const int64_t *d = problem->dims;
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  const bool nhwc = is_nhwc(variant), w_aligned = problem->operands[1].constant || line_of(problem) == depth_of(problem);
  const bool even = nhwc ? group_k(problem) % 2 == 0 : h * w % 2 == 0;
  strbuf_printf(out, "#define X_TYPE %s\n#define W_TYPE %s\n#define OUT_TYPE %s\n", cuda_type_name(problem->operands[0].dtype),
                cuda_type_name(problem->operands[1].dtype), cuda_type_name(problem->operands[problem->input_count].dtype));
  strbuf_printf(out, "#define NHWC %d\n#define X_ALIGNED %d\n#define W_ALIGNED %d\n#define OUT_EVEN %d\n#define W_TAPS_FIRST %d\n", nhwc,
                x_aligned(problem, variant), w_aligned, even, taps_first(problem, variant));
  strbuf_printf(out, "#define CONV_R %lld\n#define CONV_S %lld\n#define CONV_C %lld\n", (long long)d[CONV_R], (long long)d[CONV_S],
                taps_first(problem, variant) ? (long long)group_c(problem) : 0);
}

enum farm_status conv_source(const struct problem *problem, const struct variant *variant, const char *defines,
                             const char *const *files, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_add(out, defines);
  operand_defines(problem, variant, out);
  TRY(cuda_source_file(out, "epilogue-args.h"));
  TRY(cuda_source_file(out, "product-args.h"));
  TRY(cuda_source_file(out, "conv-args.h"));
  TRY(epilogue_source(problem, out));
  TRY(cuda_source_file(out, "matrix-operand.cu"));
  TRY(cuda_source_file(out, "conv-operands.cu"));
  for (; *files; files++) TRY(cuda_source_file(out, *files));
  return FARM_OK;
}

void conv_args_fill(const struct cuda_call *call, struct conv_args *out) {
  const struct problem *problem = call->problem;
  const int64_t *d = problem->dims;
  const bool packed = is_packed(problem, call->variant);
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  *out = (struct conv_args){.x = call->inputs[0], .w = packed ? call->packed : call->inputs[1], .out = call->outputs[0]};
  epilogue_args_fill(call, &out->end);
  out->image = d[CONV_C] * d[CONV_H] * d[CONV_W];
  out->c = (int)d[CONV_C], out->h = (int)d[CONV_H], out->w_extent = (int)d[CONV_W], out->k = (int)d[CONV_K];
  out->group_c = (int)group_c(problem), out->group_k = (int)group_k(problem);
  out->out_w = (int)w, out->out_hw = (int)(h * w), out->pixels = (int)(d[CONV_N] * h * w);
  out->stride_h = (int)d[CONV_STRIDE_H], out->stride_w = (int)d[CONV_STRIDE_W];
  out->pad_t = (int)d[CONV_PAD_T], out->pad_l = (int)d[CONV_PAD_L];
  out->dil_h = (int)d[CONV_DIL_H], out->dil_w = (int)d[CONV_DIL_W];
  out->w_line = (int)(packed ? line_of(problem) : depth_of(problem));
  out->w_group = group_k(problem) * out->w_line;
}
