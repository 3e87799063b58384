/* Concat and Split. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

/* ---- Concat ---- */

static enum farm_status concat_axis(const struct attrs *attrs, int rank, int *out_axis) {
  return shape_axis(attr_int(attrs, "axis", 1), rank, out_axis); // 1 was the default before opset 4
}

static enum farm_status concat_shape(struct shape_call *call) {
  struct tensor out = {.rank = -1};
  int axis = -1;
  int64_t total = 0;
  for (int i = 0; i < call->input_count; i++) {
    FAIL_IF(!call->inputs[i], FARM_INVALID, "input %d is missing", i);
    struct tensor in = call->inputs[i]->type;
    if (!out.dtype) out.dtype = in.dtype;
    if (in.rank < 0) {
      total = DIM_UNKNOWN;
      continue;
    }
    TRY(concat_axis(call->attrs, in.rank, &axis));
    total = i && total == DIM_UNKNOWN ? DIM_UNKNOWN : dim_add(total, in.dims[axis]);
    in.dims[axis] = DIM_UNKNOWN;
    enum farm_status status = shape_merge(&out, &in, &out);
    if (status != FARM_OK) return status_prefix(status, "input %d", i);
  }
  if (out.rank >= 0) out.dims[axis] = total;
  TRY(shape_set(call, 0, out.dtype, out.rank, out.dims));
  return shape_content_move(call, UINT32_MAX);
}

static enum farm_status concat_reference(struct reference_call *call) {
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  int axis;
  TRY(concat_axis(call->attrs, out->rank, &axis));
  int64_t outer = tensor_dims_product(out->dims, axis), inner = tensor_dims_product(out->dims + axis + 1, out->rank - axis - 1);
  int64_t at = 0, out_step = out->dims[axis] * inner;
  for (int i = 0; i < call->input_count; i++) {
    int64_t part = call->inputs[i]->dims[axis] * inner;
    for (int64_t o = 0; o < outer; o++)
      elements_copy(dtype_bits(out->dtype), out->data, o * out_step + at, 1, call->inputs[i]->data, o * part, 1, part);
    at += part;
  }
  return FARM_OK;
}

/* ---- Split: sizes from an attribute or input, else equal parts, the last one smaller (opset 18: num_outputs) ---- */

/* `given` are the sizes when there is a list (count >= 0). `dim` is negative when unknown; sizes may then be unknown too. */
static enum farm_status split_sizes(const int64_t *given, int count, int parts, int64_t dim, int64_t *out_sizes) {
  int64_t sum = 0, each = dim / parts + (dim % parts != 0), left = dim;
  FAIL_IF(count >= 0 && count != parts, FARM_INVALID, "split has %d elements for %d outputs", count, parts);
  for (int i = 0; i < parts; i++) {
    if (count >= 0)
      out_sizes[i] = given[i];
    else if (dim < 0)
      out_sizes[i] = parts == 1 ? dim : DIM_UNKNOWN;
    else
      left -= out_sizes[i] = left < each ? left : each;
    FAIL_IF(count >= 0 && (given[i] < 0 || __builtin_add_overflow(sum, given[i], &sum)), FARM_INVALID, "split element %d is %lld",
            i, (long long)given[i]);
  }
  FAIL_IF(count >= 0 && dim >= 0 && sum != dim, FARM_INVALID, "split adds up to %lld, the axis has %lld", (long long)sum,
          (long long)dim);
  return FARM_OK;
}

static int split_parts(const struct attrs *attrs, int outputs) {
  int64_t parts = attr_int(attrs, "num_outputs", outputs);
  return parts < 1 || parts > OPERATOR_MAX_OUTPUTS ? outputs : (int)parts;
}

static enum farm_status split_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t given[OPERATOR_MAX_OUTPUTS], sizes[OPERATOR_MAX_OUTPUTS];
  int count, axis, parts = split_parts(call->attrs, call->output_count);
  enum shape_list state;
  FAIL_IF(parts < call->output_count || parts > OPERATOR_MAX_OUTPUTS, FARM_INVALID, "%d outputs of %d parts", call->output_count,
          parts);
  TRY(shape_ints(call, "split", 1, given, OPERATOR_MAX_OUTPUTS, &count, &state));
  struct tensor type = *in;
  if (in->rank >= 0) TRY(shape_axis(attr_int(call->attrs, "axis", 0), in->rank, &axis));
  if (in->rank >= 0 && state != SHAPE_LIST_UNKNOWN)
    TRY(split_sizes(given, state == SHAPE_LIST_KNOWN ? count : -1, parts, in->dims[axis], sizes));
  for (int i = 0; i < call->output_count; i++) {
    if (in->rank >= 0) type.dims[axis] = state == SHAPE_LIST_UNKNOWN ? DIM_UNKNOWN : sizes[i];
    TRY(shape_set(call, i, type.dtype, type.rank, type.dims));
  }
  return shape_content_move(call, 1);
}

static enum farm_status split_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  int64_t given[OPERATOR_MAX_OUTPUTS], sizes[OPERATOR_MAX_OUTPUTS], at = 0;
  int count, axis, parts = split_parts(call->attrs, call->output_count);
  FAIL_IF(parts < call->output_count || parts > OPERATOR_MAX_OUTPUTS, FARM_INVALID, "%d outputs of %d parts", call->output_count,
          parts);
  TRY(reference_list(call, "split", 1, given, OPERATOR_MAX_OUTPUTS, &count));
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), in->rank, &axis));
  TRY(split_sizes(given, count, parts, in->dims[axis], sizes));
  int64_t outer = tensor_dims_product(in->dims, axis), inner = tensor_dims_product(in->dims + axis + 1, in->rank - axis - 1);
  for (int i = 0; i < call->output_count; i++) {
    TRY(reference_output(call, i));
    int64_t part = sizes[i] * inner, step = in->dims[axis] * inner;
    for (int64_t o = 0; call->outputs[i] && o < outer; o++)
      elements_copy(dtype_bits(in->dtype), call->outputs[i]->data, o * part, 1, in->data, o * step + at, 1, part);
    at += part;
  }
  return FARM_OK;
}

#define CONCAT(since)                                                                                                            \
  { "", "Concat", since, 1, -1, 1, 1, OPERATOR_VARIADIC, 0, concat_shape, concat_reference }
#define SPLIT(since, inputs, host)                                                                                               \
  { "", "Split", since, 1, inputs, 1, -1, 0, host, split_shape, split_reference }

const struct operator_row operators_concat[] = {
    CONCAT(4), CONCAT(11), CONCAT(13), SPLIT(2, 1, 0), SPLIT(11, 1, 0), SPLIT(13, 2, 2), SPLIT(18, 2, 2),
};
OPERATOR_ROWS(concat);
