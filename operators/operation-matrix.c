/* Operations that are gemm, conv2d or pool2d problems. See operation-kinds.h. */
#include "convolve.h"
#include "fused.h"
#include "operation-kinds.h"

#include <string.h>

static bool is_fused(const struct operands *operands) { return !strcmp(operands->operation->row->domain, "tunefarm"); }

/* ---- gemm ---- */

struct side { // a matrix or stack of them
  int64_t rows, cols;
  int batch_rank;
  const int64_t *batch_dims;
};

static struct side side_of(const struct tensor *tensor, bool left) {
  if (tensor->rank == 1) return (struct side){left ? 1 : tensor->dims[0], left ? tensor->dims[0] : 1, 0, tensor->dims};
  return (struct side){tensor->dims[tensor->rank - 2], tensor->dims[tensor->rank - 1], tensor->rank - 2, tensor->dims};
}

static int64_t batch_dim(const struct side *side, int rank, int i) {
  int at = i - (rank - side->batch_rank);
  return at < 0 ? 1 : side->batch_dims[at];
}

/* How the batches of two sides meet. FARM_UNSUPPORTED when each broadcasts along some dim. */
static enum farm_status make_batch(const struct side *a, const struct side *w, struct problem *problem) {
  const int rank = a->batch_rank > w->batch_rank ? a->batch_rank : w->batch_rank;
  bool a_full = true, w_full = true, a_one = true, w_one = true;
  int64_t b = 1, *d = problem->dims;
  for (int i = 0; i < rank; i++) {
    int64_t x = batch_dim(a, rank, i), y = batch_dim(w, rank, i), dim = x == 1 ? y : x;
    if (x != y && x != 1 && y != 1)
      return status_set(FARM_INVALID, "batches of %lld and %lld matrices", (long long)x, (long long)y);
    a_full &= x == dim, w_full &= y == dim, a_one &= x == 1, w_one &= y == 1;
    if (__builtin_mul_overflow(b, dim, &b)) return FARM_UNSUPPORTED;
  }
  if (!(a_full && w_full) && !(a_full && w_one) && !(a_one && w_full)) return FARM_UNSUPPORTED;
  d[GEMM_B] = b;
  if (b == 1 || (a_full && w_full)) return FARM_OK;
  d[GEMM_A_SHARED] = a_one;
  d[GEMM_B_SHARED] = w_one;
  if (!w_one || d[GEMM_TA]) return FARM_OK;
  d[GEMM_B] = 1, d[GEMM_B_SHARED] = 0;
  return __builtin_mul_overflow(d[GEMM_M], b, &d[GEMM_M]) ? FARM_UNSUPPORTED : FARM_OK;
}

/* ONNX Gemm: C must be a vector along n; other shapes of C and beta are the canonicalising pass's business. */
static enum farm_status check_onnx_gemm(const struct operands *operands) {
  const struct tensor *c = operand_in(operands, 2), *b = operands->inputs[1];
  if (!c) return FARM_OK;
  const int64_t n = b->dims[attr_int(&operands->operation->attrs, "transB", 0) ? 0 : 1];
  const bool vector = c->rank >= 1 && c->dims[c->rank - 1] == n && tensor_elems(c) == n;
  return vector && attr_float(&operands->operation->attrs, "beta", 1) == 1 ? FARM_OK : FARM_UNSUPPORTED;
}

static bool gemm_flag(const struct operands *operands, const char *fused, const char *onnx) {
  return attr_int(&operands->operation->attrs, is_fused(operands) ? fused : onnx, 0) != 0;
}

enum farm_status make_gemm(const struct operands *operands, struct problem *problem) {
  const struct tensor *a = operand_in(operands, 0), *w = operand_in(operands, 1);
  int64_t *d = problem->dims;
  if (!a || !w || a->rank < 1 || w->rank < 1 || !operands_float(operands)) return FARM_UNSUPPORTED;
  const struct side left = side_of(a, true), right = side_of(w, false);
  problem->kind = PROBLEM_GEMM;
  problem->dim_count = GEMM_B_SHARED + 1;
  d[GEMM_TA] = a->rank > 1 && gemm_flag(operands, "trans_a", "transA");
  d[GEMM_TB] = w->rank > 1 && gemm_flag(operands, "trans_b", "transB");
  d[GEMM_M] = d[GEMM_TA] ? left.cols : left.rows;
  d[GEMM_K] = d[GEMM_TA] ? left.rows : left.cols;
  d[GEMM_N] = d[GEMM_TB] ? right.rows : right.cols;
  FAIL_IF(d[GEMM_K] != (d[GEMM_TB] ? right.cols : right.rows), FARM_INVALID, "a product over %lld and %lld elements",
          (long long)d[GEMM_K], (long long)(d[GEMM_TB] ? right.cols : right.rows));
  if (!is_fused(operands) && !strcmp(operands->operation->row->name, "Gemm")) TRY(check_onnx_gemm(operands));
  TRY(make_batch(&left, &right, problem));
  TRY(operation_epilogue(operands->operation, operands->input_count, &problem->epilogue));
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}

/* ---- conv2d, pool2d ---- */

/* As [n][c][h][w]: channels-last dims turned, a missing h added. */
static struct tensor as_plane(const struct tensor *tensor, bool nhwc) {
  struct tensor plane = *tensor;
  plane.rank = 4;
  plane.dims[1] = nhwc ? tensor->dims[tensor->rank - 1] : tensor->dims[1];
  plane.dims[2] = 1;
  for (int i = 0; i < tensor->rank - 2; i++) plane.dims[4 - (tensor->rank - 2) + i] = tensor->dims[nhwc ? 1 + i : 2 + i];
  return plane;
}

/* Window attributes into dims that start at r and are laid out alike in both kinds. */
static void take_window(const struct window *window, int64_t *r) {
  const int first = 2 - window->axes; // a single axis is w
  for (int i = 0; i < 2; i++) {
    const bool there = i >= first;
    const int at = i - first;
    r[i] = there ? window->kernel[at] : 1;
    r[2 + i] = there ? window->stride[at] : 1;
    r[4 + i] = there ? window->before[at] : 0;
    r[6 + i] = there ? window->after[at] : 0;
    r[8 + i] = there ? window->dilation[at] : 1;
  }
}

/* Stride without effect (one output) and the like stay as they are: the text says what the model says. */
static enum farm_status check_plane_output(const struct problem *problem, const struct tensor *out) {
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  return out->dims[2] == h && out->dims[3] == w ? FARM_OK : FARM_UNSUPPORTED;
}

enum farm_status make_conv(const struct operands *operands, struct problem *problem) {
  const struct tensor *x = operand_in(operands, 0), *w = operand_in(operands, 1);
  const struct attrs *attrs = &operands->operation->attrs;
  struct convolution convolution;
  if (!x || !w || x->rank < 3 || x->rank > 4 || w->rank != x->rank || !operands_float(operands)) return FARM_UNSUPPORTED;
  if (operands->output_count < 1 || !operands->outputs[0]) return FARM_UNSUPPORTED;
  const bool nhwc = is_fused(operands) && fused_is_nhwc(attrs);
  const struct tensor plane = as_plane(x, nhwc), out = as_plane(operands->outputs[0], nhwc);
  struct tensor own_rank = plane; // what the attributes are about
  own_rank.rank = x->rank;
  if (x->rank == 3) own_rank.dims[2] = plane.dims[3];
  TRY(convolution_read(attrs, &own_rank, w, false, &convolution));
  problem->kind = PROBLEM_CONV2D;
  problem->dim_count = CONV_G + 1;
  for (int i = 0; i < 4; i++) problem->dims[CONV_N + i] = plane.dims[i];
  problem->dims[CONV_K] = w->dims[0];
  problem->dims[CONV_G] = convolution.groups;
  take_window(&convolution.window, problem->dims + CONV_R);
  TRY(check_plane_output(problem, &out));
  TRY(operation_epilogue(operands->operation, operands->input_count, &problem->epilogue));
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}

static bool pool_is_global(const struct operands *operands) {
  return !strncmp(operands->operation->row->name, "Global", 6) ||
         (is_fused(operands) && attr_int(&operands->operation->attrs, "global", 0));
}

static enum farm_status pool_window(const struct operands *operands, const struct tensor *plane, int axes, struct window *out) {
  const struct attrs *attrs = &operands->operation->attrs;
  const int64_t *in = plane->dims + 4 - axes;
  *out = (struct window){.axes = axes};
  if (!pool_is_global(operands)) {
    TRY(window_read(attrs, axes, NULL, out));
    for (int i = 0; i < axes; i++)
      if (out->kernel[i] < 1) return FARM_UNSUPPORTED;
    return window_slide(out, in, attr_int(attrs, "ceil_mode", 0) != 0);
  }
  for (int i = 0; i < axes; i++) out->kernel[i] = in[i], out->stride[i] = out->dilation[i] = 1;
  return FARM_OK;
}

static bool pool_averages(const struct operands *operands) {
  if (is_fused(operands)) return !strcmp(attr_string(&operands->operation->attrs, "mode", ""), "average");
  return strstr(operands->operation->row->name, "Average") != NULL;
}

enum farm_status make_pool(const struct operands *operands, struct problem *problem) {
  const struct tensor *x = operand_in(operands, 0);
  const struct attrs *attrs = &operands->operation->attrs;
  const bool wants_indices = operands->output_count > 1 && operands->outputs[1];
  struct window window;
  if (!x || x->rank < 3 || x->rank > 4 || wants_indices || !operands_float(operands)) return FARM_UNSUPPORTED;
  if (operands->output_count < 1 || !operands->outputs[0]) return FARM_UNSUPPORTED;
  const bool nhwc = is_fused(operands) && fused_is_nhwc(attrs);
  const struct tensor plane = as_plane(x, nhwc), out = as_plane(operands->outputs[0], nhwc);
  TRY(pool_window(operands, &plane, x->rank - 2, &window));
  problem->kind = PROBLEM_POOL2D;
  problem->dim_count = POOL_CEIL + 1;
  problem->dims[POOL_MODE] = pool_averages(operands) ? POOL_AVERAGE : POOL_MAX;
  for (int i = 0; i < 4; i++) problem->dims[POOL_N + i] = plane.dims[i];
  take_window(&window, problem->dims + POOL_R);
  const bool padded = window.before[0] || window.before[1] || window.after[0] || window.after[1];
  problem->dims[POOL_COUNT_PAD] =
      pool_averages(operands) && padded && !pool_is_global(operands) && attr_int(attrs, "count_include_pad", 0);
  problem->dims[POOL_CEIL] = !pool_is_global(operands) && attr_int(attrs, "ceil_mode", 0) && window.padding == WINDOW_EXPLICIT;
  TRY(check_plane_output(problem, &out));
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}
