/* Slice (since opset 10: with inputs) and Expand as strided views copied into a dense output. */
#include "move.h"

#include <string.h>

static bool slice_applicable(const struct problem *problem) {
  return move_applies(problem, "Slice-10") || move_applies(problem, "Slice-11") || move_applies(problem, "Slice-13");
}
static bool expand_applicable(const struct problem *problem) { return move_applies(problem, "Expand-"); }

static void dense_strides(const struct tensor *tensor, int64_t *out) {
  int64_t stride = 1;
  for (int d = tensor->rank - 1; d >= 0; d--) {
    out[d] = stride;
    stride *= tensor->dims[d];
  }
}

struct ints {
  int count; // -1: omitted
  int64_t values[TENSOR_MAX_RANK];
};

static enum farm_status ints_read(const struct kernel_call *call, int input, struct ints *out) {
  const struct tensor *tensor = input < call->input_count ? call->inputs[input] : NULL;
  *out = (struct ints){.count = -1};
  if (!tensor) return FARM_OK;
  const int64_t count = tensor_elems(tensor);
  FAIL_IF(count < 0 || count > TENSOR_MAX_RANK || (count && !tensor->data), FARM_INVALID, "Slice: input %d has %lld elements",
          input, (long long)count);
  for (int i = 0; i < (int)count; i++) out->values[i] = dtype_load_i64(tensor->dtype, tensor->data, i);
  out->count = (int)count;
  return FARM_OK;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* Where a slice of `dim` elements begins, by numpy's rules. */
static int64_t slice_start(int64_t start, int64_t step, int64_t dim) {
  if (start < 0) start = start < -dim ? -1 : start + dim;
  return step > 0 ? clamp(start, 0, dim) : clamp(start, -1, dim - 1);
}

static enum farm_status slice_axis(const struct ints *starts, const struct ints *axes, const struct ints *steps, int i,
                                   const struct tensor *in, struct move_view *view) {
  int64_t axis = axes->count >= 0 ? axes->values[i] : i;
  const int64_t step = steps->count >= 0 ? steps->values[i] : 1;
  if (axis < 0) axis += in->rank;
  FAIL_IF(axis < 0 || axis >= in->rank || step == 0, FARM_INVALID, "Slice: axis %lld, step %lld", (long long)axis,
          (long long)step);
  const int64_t dim = in->dims[axis], count = view->dims[axis], start = slice_start(starts->values[i], step, dim);
  if (count == 0) return FARM_OK;
  int64_t reach, last, jump = 0; // one element may come with a step as large as int64: it is never taken
  FAIL_IF(count > 1 && (__builtin_mul_overflow(step, count - 1, &reach) || __builtin_add_overflow(start, reach, &last) ||
                        last < 0 || last >= dim),
          FARM_INVALID, "Slice: axis %lld: %lld elements do not fit", (long long)axis, (long long)count);
  FAIL_IF(start < 0 || start >= dim, FARM_INVALID, "Slice: axis %lld begins outside", (long long)axis);
  if (count > 1) jump = step;
  view->first += start * view->strides[axis];
  view->strides[axis] *= jump;
  return FARM_OK;
}

static enum farm_status slice_run(const struct kernel_call *call) {
  const struct tensor *in = call->inputs[0];
  struct tensor *out;
  struct ints starts, axes, steps;
  bool sliced[TENSOR_MAX_RANK] = {0};
  TRY(move_output(call, 0, &out));
  FAIL_IF(!out || out->rank != in->rank || out->dtype != in->dtype, FARM_INVALID, "Slice: the output is not like the input");
  TRY(ints_read(call, 1, &starts));
  TRY(ints_read(call, 3, &axes));
  TRY(ints_read(call, 4, &steps));
  FAIL_IF(starts.count < 0 || starts.count > in->rank || (axes.count >= 0 && axes.count != starts.count) ||
              (steps.count >= 0 && steps.count != starts.count),
          FARM_INVALID, "Slice: %d starts, %d axes, %d steps", starts.count, axes.count, steps.count);
  struct move_view view = {.rank = in->rank, .element = dtype_bits(in->dtype) / 8};
  memcpy(view.dims, out->dims, sizeof view.dims);
  dense_strides(in, view.strides);
  for (int i = 0; i < starts.count; i++) {
    const int64_t axis = axes.count < 0 ? i : axes.values[i] < 0 ? axes.values[i] + in->rank : axes.values[i];
    FAIL_IF(axis < 0 || axis >= in->rank || sliced[axis], FARM_INVALID, "Slice: axis %lld twice or not there", (long long)axis);
    sliced[axis] = true;
    TRY(slice_axis(&starts, &axes, &steps, i, in, &view));
  }
  for (int d = 0; d < in->rank; d++)
    FAIL_IF(!sliced[d] && out->dims[d] != in->dims[d], FARM_INVALID, "Slice: axis %d has another extent", d);
  move_strided(call->pool, &view, in->data, out->data);
  return FARM_OK;
}

static enum farm_status expand_run(const struct kernel_call *call) {
  const struct tensor *in = call->inputs[0];
  struct tensor *out;
  int64_t strides[TENSOR_MAX_RANK];
  TRY(move_output(call, 0, &out));
  FAIL_IF(!out || out->rank < in->rank || out->dtype != in->dtype, FARM_INVALID, "Expand: the output is not like the input");
  struct move_view view = {.rank = out->rank, .element = dtype_bits(in->dtype) / 8};
  dense_strides(in, strides);
  for (int d = 0; d < out->rank; d++) {
    const int own = d - (out->rank - in->rank);
    const int64_t extent = own < 0 ? 1 : in->dims[own];
    FAIL_IF(extent != 1 && extent != out->dims[d], FARM_INVALID, "Expand: axis %d has %lld elements", d, (long long)extent);
    view.dims[d] = out->dims[d];
    view.strides[d] = extent == 1 ? 0 : strides[own];
  }
  move_strided(call->pool, &view, in->data, out->data);
  return FARM_OK;
}

MOVE_TACTIC(op_slice__copy__any, slice_applicable, slice_run);
MOVE_TACTIC(op_expand__copy__any, expand_applicable, expand_run);
