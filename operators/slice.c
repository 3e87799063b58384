/* Slice, in both forms: starts, ends, axes as attributes (opset 1) or inputs with steps (opset 10). */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

struct slice {
  int64_t start, end, step;
};

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* Numpy's rules for one axis of `dim` elements: where to start and how many. */
static enum farm_status slice_axis(struct slice slice, int64_t dim, int64_t *out_start, int64_t *out_count) {
  FAIL_IF(slice.step == 0 || slice.step == INT64_MIN, FARM_INVALID, "step %lld", (long long)slice.step);
  int64_t low = slice.step > 0 ? 0 : -1, high = slice.step > 0 ? dim : dim - 1;
  int64_t start = clamp(slice.start < 0 ? slice.start + dim : slice.start, low, high);
  int64_t end = clamp(slice.end < 0 ? slice.end + dim : slice.end, low, high);
  int64_t distance = slice.step > 0 ? end - start : start - end, step = slice.step > 0 ? slice.step : -slice.step;
  *out_start = start;
  *out_count = distance <= 0 ? 0 : (distance - 1) / step + 1;
  return FARM_OK;
}

/* The output dim of a slice along a dim that may be a symbol. */
static enum farm_status slice_dim(struct slice slice, int64_t dim, int64_t *out_dim) {
  int64_t start;
  if (dim >= 0) return slice_axis(slice, dim, &start, out_dim);
  *out_dim = DIM_UNKNOWN;
  if (slice.step == 1 && slice.start == 0 && slice.end >= INT32_MAX) *out_dim = dim; // all of it
  if (slice.step == -1 && slice.start == -1 && slice.end <= -INT32_MAX) *out_dim = dim;
  return FARM_OK;
}

struct slice_lists {
  int count, axis_count, step_count;
  int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
};

/* One slice per dim, from the lists. */
static enum farm_status slices_expand(const struct slice_lists *lists, int rank, struct slice *out) {
  uint32_t seen = 0;
  FAIL_IF(lists->axis_count >= 0 && lists->axis_count != lists->count, FARM_INVALID, "starts and axes differ in length");
  FAIL_IF(lists->step_count >= 0 && lists->step_count != lists->count, FARM_INVALID, "starts and steps differ in length");
  FAIL_IF(lists->count > rank, FARM_INVALID, "%d slices for rank %d", lists->count, rank);
  for (int i = 0; i < rank; i++) out[i] = (struct slice){0, INT64_MAX, 1};
  for (int i = 0; i < lists->count; i++) {
    int axis;
    TRY(shape_axis(lists->axis_count >= 0 ? lists->axes[i] : i, rank, &axis));
    FAIL_IF(seen >> axis & 1, FARM_INVALID, "axis %d is sliced twice", axis);
    seen |= 1u << axis;
    out[axis] = (struct slice){lists->starts[i], lists->ends[i], lists->step_count >= 0 ? lists->steps[i] : 1};
  }
  return FARM_OK;
}

/* A list's contents as far as they are known; all unknown when only its length is. False when not even that is. */
static bool slice_list(const struct shape_call *call, const char *name, int input, struct shape_content *out) {
  int64_t ints[TENSOR_MAX_RANK];
  out->count = attr_ints(call->attrs, name, ints, TENSOR_MAX_RANK);
  for (int i = 0; i < out->count && i < TENSOR_MAX_RANK; i++) {
    out->value[i] = ints[i];
    out->symbolic[i] = false;
  }
  const struct shape_info *info = shape_input(call, input);
  if (out->count >= 0 || !info || shape_content(info, out)) return true;
  int64_t elems = tensor_elems(&info->type);
  if (elems < 0 || elems > TENSOR_MAX_RANK) return false;
  for (out->count = 0; out->count < elems; out->count++) {
    out->value[out->count] = DIM_UNKNOWN;
    out->symbolic[out->count] = true;
  }
  return true;
}

enum { STARTS, ENDS, AXES, STEPS, LISTS };

/* The four lists; false when what is known of them does not even tell which axes are sliced. */
static bool slice_contents(const struct shape_call *call, struct shape_content *lists) {
  static const char *const names[] = {"starts", "ends", "axes", "steps"};
  bool known = true;
  for (int i = 0; i < LISTS; i++) {
    lists[i].count = -1;
    known &= slice_list(call, names[i], i + 1, &lists[i]);
  }
  return known && shape_content_numbers(&lists[AXES]);
}

static enum farm_status slice_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  struct shape_content lists[LISTS];
  bool vague[TENSOR_MAX_RANK] = {0};
  if (!slice_contents(call, lists) || in->rank < 0) return shape_set(call, 0, in->dtype, in->rank, NULL);
  struct slice_lists numbers = {lists[STARTS].count, lists[AXES].count, lists[STEPS].count, {0}, {0}, {0}, {0}};
  FAIL_IF(numbers.count < 0 || numbers.count != lists[ENDS].count || numbers.count > in->rank, FARM_INVALID,
          "%d starts and %d ends for rank %d", numbers.count, lists[ENDS].count, in->rank);
  for (int i = 0; i < numbers.count; i++) {
    numbers.starts[i] = lists[STARTS].value[i], numbers.ends[i] = lists[ENDS].value[i];
    if (i < numbers.axis_count) numbers.axes[i] = lists[AXES].value[i];
    if (i < numbers.step_count) numbers.steps[i] = lists[STEPS].value[i];
  }
  struct slice slices[TENSOR_MAX_RANK];
  int64_t dims[TENSOR_MAX_RANK];
  TRY(slices_expand(&numbers, in->rank, slices));
  for (int i = 0; i < numbers.count; i++) {
    int axis;
    TRY(shape_axis(numbers.axis_count >= 0 ? numbers.axes[i] : i, in->rank, &axis));
    vague[axis] = lists[STARTS].symbolic[i] || lists[ENDS].symbolic[i] || (i < numbers.step_count && lists[STEPS].symbolic[i]);
  }
  for (int i = 0; i < in->rank; i++) {
    dims[i] = DIM_UNKNOWN;
    if (!vague[i]) TRY(slice_dim(slices[i], in->dims[i], &dims[i]));
  }
  TRY(shape_set(call, 0, in->dtype, in->rank, dims));
  return shape_content_move(call, 1);
}

static enum farm_status slice_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  struct slice_lists lists;
  struct slice slices[TENSOR_MAX_RANK];
  struct nest nest;
  int end_count;
  int64_t strides[TENSOR_MAX_RANK], out_strides[TENSOR_MAX_RANK], first = 0, start, count;
  TRY(reference_list(call, "starts", 1, lists.starts, TENSOR_MAX_RANK, &lists.count));
  TRY(reference_list(call, "ends", 2, lists.ends, TENSOR_MAX_RANK, &end_count));
  TRY(reference_list(call, "axes", 3, lists.axes, TENSOR_MAX_RANK, &lists.axis_count));
  TRY(reference_list(call, "steps", 4, lists.steps, TENSOR_MAX_RANK, &lists.step_count));
  FAIL_IF(lists.count < 0 || lists.count != end_count, FARM_INVALID, "starts and ends differ in length");
  TRY(slices_expand(&lists, in->rank, slices));
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  tensor_strides(in, strides);
  tensor_strides(out, out_strides);
  for (int i = 0; i < in->rank; i++) {
    TRY(slice_axis(slices[i], in->dims[i], &start, &count));
    FAIL_IF(count != out->dims[i], FARM_INVALID, "axis %d of the slice has %lld elements, not %lld", i, (long long)count,
            (long long)out->dims[i]);
    first += count ? start * strides[i] : 0;
    strides[i] *= count > 1 ? slices[i].step : 0;
  }
  nest_init(&nest, out->rank, out->dims);
  nest_operand(&nest, 0, out_strides);
  nest_operand(&nest, first, strides);
  elements_move(dtype_bits(in->dtype), &nest, out->data, in->data);
  return FARM_OK;
}

#define SLICE(since)                                                                                                             \
  { "", "Slice", since, 3, 5, 1, 1, 0, 30, slice_shape, slice_reference }

const struct operator_row operators_slice[] = {
    {"", "Slice", 1, 1, 1, 1, 1, 0, 0, slice_shape, slice_reference},
    SLICE(10),
    SLICE(11),
    SLICE(13),
};
OPERATOR_ROWS(slice);
