/* Operators that turn data into positions or pick by them: OneHot, NonZero, Compress, Unique. The shapes of the last three
 * depend on the data.
 */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

/* ---- OneHot: indices [outer][inner], depth, values {off, on} -> [outer][depth][inner] ---- */

static enum farm_status one_hot_axis(const struct attrs *attrs, int rank, int *out_axis) {
  return shape_axis(attr_int(attrs, "axis", -1), rank + 1, out_axis);
}

/* depth may be a float or a tensor of one element */
static enum farm_status one_hot_depth(const struct tensor *depth, int64_t *out_depth) {
  FAIL_IF(tensor_elems(depth) != 1, FARM_INVALID, "depth must have one element");
  *out_depth = dtype_load_i64(depth->dtype, depth->data, 0);
  FAIL_IF(*out_depth < 0, FARM_INVALID, "depth is %lld", (long long)*out_depth);
  return FARM_OK;
}

static enum farm_status one_hot_shape(struct shape_call *call) {
  const struct tensor *indices = &call->inputs[0]->type;
  const struct shape_info *depth = shape_input(call, 1);
  int64_t dims[TENSOR_MAX_RANK + 1], size = DIM_UNKNOWN;
  int axis;
  struct shape_content content;
  if (depth && depth->constant)
    TRY(one_hot_depth(depth->constant, &size));
  else if (shape_content(depth, &content) && content.count == 1 && (content.symbolic[0] || content.value[0] >= 0))
    size = content.value[0];
  if (indices->rank < 0) return shape_set(call, 0, shape_input_dtype(call, 2), -1, NULL);
  TRY(one_hot_axis(call->attrs, indices->rank, &axis));
  for (int i = 0; i <= indices->rank; i++) dims[i] = i == axis ? size : indices->dims[i < axis ? i : i - 1];
  return shape_set(call, 0, shape_input_dtype(call, 2), indices->rank + 1, dims);
}

static enum farm_status one_hot_reference(struct reference_call *call) {
  const struct tensor *indices = call->inputs[0], *values = call->inputs[2];
  int64_t depth;
  int axis;
  TRY(one_hot_axis(call->attrs, indices->rank, &axis));
  TRY(one_hot_depth(call->inputs[1], &depth));
  FAIL_IF(tensor_elems(values) != 2, FARM_INVALID, "values must have two elements");
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  FAIL_IF(out->dims[axis] != depth, FARM_INVALID, "depth is %lld, not %lld", (long long)depth, (long long)out->dims[axis]);
  int bits = dtype_bits(out->dtype);
  int64_t inner = tensor_dims_product(indices->dims + axis, indices->rank - axis), count = tensor_elems(indices);
  elements_fill(bits, out->data, 0, 1, values->data, tensor_elems(out));
  for (int64_t i = 0; i < count; i++) {
    int64_t index = dtype_load_i64(indices->dtype, indices->data, i);
    if (index < -depth || index >= depth) continue; // by definition all off
    if (index < 0) index += depth;
    elements_copy(bits, out->data, (i / inner * depth + index) * inner + i % inner, 1, values->data, 1, 1, 1);
  }
  return FARM_OK;
}

/* ---- NonZero: [rank][count] ---- */

static enum farm_status non_zero_shape(struct shape_call *call) {
  int rank = shape_input_rank(call, 0);
  const int64_t dims[2] = {rank < 0 ? DIM_UNKNOWN : rank, DIM_UNKNOWN};
  return shape_set(call, 0, DTYPE_I64, 2, dims);
}

static enum farm_status non_zero_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  struct tensor *out = call->outputs[0];
  int64_t strides[TENSOR_MAX_RANK], total = tensor_elems(in), count = 0, column = 0;
  if (!out) return FARM_OK;
  for (int64_t i = 0; i < total; i++) count += dtype_load_f64(in->dtype, in->data, i) != 0;
  *out = (struct tensor){.dtype = DTYPE_I64, .rank = 2, .dims = {in->rank, count}, .data = out->data};
  TRY(reference_output(call, 0));
  tensor_strides(in, strides);
  for (int64_t i = 0; i < total; i++) {
    if (dtype_load_f64(in->dtype, in->data, i) == 0) continue;
    for (int d = 0; d < in->rank; d++) dtype_store_i64(DTYPE_I64, out->data, d * count + column, i / strides[d] % in->dims[d]);
    column++;
  }
  return FARM_OK;
}

/* ---- Compress: the slices of an axis (or elements of the flattened input) where the condition holds ---- */

static enum farm_status compress_shape(struct shape_call *call) {
  struct tensor type = call->inputs[0]->type;
  int axis;
  if (!attr_has(call->attrs, "axis")) return shape_set(call, 0, type.dtype, 1, NULL);
  if (type.rank < 0) return shape_set(call, 0, type.dtype, -1, NULL);
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), type.rank, &axis));
  type.dims[axis] = DIM_UNKNOWN;
  return shape_set(call, 0, type.dtype, type.rank, type.dims);
}

static enum farm_status compress_reference(struct reference_call *call) {
  const struct tensor *condition = call->inputs[1];
  struct tensor in = *call->inputs[0], *out = call->outputs[0];
  int axis = 0;
  int64_t length = tensor_elems(condition), count = 0, to = 0;
  if (!out) return FARM_OK;
  if (!attr_has(call->attrs, "axis"))
    in.dims[0] = tensor_elems(&in), in.rank = 1;
  else
    TRY(shape_axis(attr_int(call->attrs, "axis", 0), in.rank, &axis));
  int64_t outer = tensor_dims_product(in.dims, axis), dim = in.dims[axis];
  int64_t inner = tensor_dims_product(in.dims + axis + 1, in.rank - axis - 1);
  if (length > dim) length = dim;
  for (int64_t i = 0; i < length; i++) count += dtype_load_i64(condition->dtype, condition->data, i) != 0;
  void *data = out->data;
  *out = in;
  out->dims[axis] = count;
  out->data = data;
  TRY(reference_output(call, 0));
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < length; i++)
      if (dtype_load_i64(condition->dtype, condition->data, i))
        elements_copy(dtype_bits(in.dtype), out->data, to++ * inner, 1, in.data, (o * dim + i) * inner, 1, inner);
  return FARM_OK;
}

/* ---- Unique: of elements, or of the slices along an axis. A slice is [outer][inner] values with the axis fixed. ---- */

struct slices {
  const struct tensor *in;
  int64_t outer, count, inner;
};

static int value_compare(const struct tensor *t, int64_t a, int64_t b) {
  if (dtype_is_float(t->dtype)) {
    double x = dtype_load_f64(t->dtype, t->data, a), y = dtype_load_f64(t->dtype, t->data, b);
    if (x != x || y != y) return (x != x) - (y != y);
    return (x > y) - (x < y);
  }
  int64_t x = dtype_load_i64(t->dtype, t->data, a), y = dtype_load_i64(t->dtype, t->data, b);
  if (t->dtype == DTYPE_U64) return ((uint64_t)x > (uint64_t)y) - ((uint64_t)x < (uint64_t)y);
  return (x > y) - (x < y);
}

static int slice_compare(const struct slices *s, int64_t a, int64_t b) {
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->inner; i++) {
      int order = value_compare(s->in, (o * s->count + a) * s->inner + i, (o * s->count + b) * s->inner + i);
      if (order) return order;
    }
  return 0;
}

static int slice_order(const void *a, const void *b, void *context) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  int order = slice_compare(context, x, y);
  return order ? order : (x > y) - (x < y);
}

static int number_order(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

struct unique {
  int64_t count;
  int64_t *order;   // [slices] slice numbers, sorted by contents
  int64_t *first;   // [count] the first slice of each class, in output order
  int64_t *classes; // [slices] the class of each slice
  int64_t *sizes;   // [count]
};

/* Classes from the sorted order: first by contents, then, unless `sorted`, renumbered by first appearance. */
static void unique_classify(const struct slices *s, bool sorted, struct unique *u) {
  u->count = 0;
  for (int64_t i = 0; i < s->count; i++) {
    bool same = i > 0 && slice_compare(s, u->order[i], u->order[i - 1]) == 0;
    if (!same) u->first[u->count++] = u->order[i];
    u->classes[u->order[i]] = u->first[u->count - 1];
  }
  if (!sorted) qsort(u->first, (size_t)u->count, sizeof *u->first, number_order);
  for (int64_t c = 0; c < u->count; c++) u->order[u->first[c]] = c; // from first slice to class number
  for (int64_t c = 0; c < u->count; c++) u->sizes[c] = 0;
  for (int64_t i = 0; i < s->count; i++) u->sizes[u->classes[i] = u->order[u->classes[i]]]++;
}

static enum farm_status unique_numbers(struct reference_call *call, int output, const int64_t *values, int64_t count) {
  if (output >= call->output_count || !call->outputs[output]) return FARM_OK;
  struct tensor *out = call->outputs[output];
  *out = (struct tensor){.dtype = DTYPE_I64, .rank = 1, .dims = {count}, .data = out->data};
  TRY(reference_output(call, output));
  elements_from_i64(out, values);
  return FARM_OK;
}

static enum farm_status unique_write(struct reference_call *call, const struct tensor *in, int axis, const struct slices *s,
                                     const struct unique *u) {
  struct tensor *out = call->outputs[0];
  if (out) {
    void *data = out->data;
    *out = *in;
    out->dims[axis] = u->count;
    out->data = data;
    TRY(reference_output(call, 0));
    for (int64_t o = 0; o < s->outer; o++)
      for (int64_t c = 0; c < u->count; c++)
        elements_copy(dtype_bits(in->dtype), out->data, (o * u->count + c) * s->inner, 1, in->data,
                      (o * s->count + u->first[c]) * s->inner, 1, s->inner);
  }
  TRY(unique_numbers(call, 1, u->first, u->count));
  TRY(unique_numbers(call, 2, u->classes, s->count));
  return unique_numbers(call, 3, u->sizes, u->count);
}

static enum farm_status unique_reference(struct reference_call *call) {
  enum farm_status status;
  struct tensor in = *call->inputs[0];
  struct unique u = {0};
  int axis = 0;
  if (!attr_has(call->attrs, "axis"))
    in.dims[0] = tensor_elems(&in), in.rank = 1;
  else
    TRY(shape_axis(attr_int(call->attrs, "axis", 0), in.rank, &axis));
  struct slices s = {&in, tensor_dims_product(in.dims, axis), in.dims[axis],
                     tensor_dims_product(in.dims + axis + 1, in.rank - axis - 1)};
  TRY(elements_alloc(s.count, 4 * sizeof *u.order, &u.order));
  u.first = u.order + s.count, u.classes = u.first + s.count, u.sizes = u.classes + s.count;
  for (int64_t i = 0; i < s.count; i++) u.order[i] = i;
  qsort_r(u.order, (size_t)s.count, sizeof *u.order, slice_order, &s);
  unique_classify(&s, attr_int(call->attrs, "sorted", 1) != 0, &u);
  status = unique_write(call, &in, axis, &s, &u);
  free(u.order);
  return status;
}

static enum farm_status unique_shape(struct shape_call *call) {
  struct tensor type = call->inputs[0]->type;
  int axis;
  FAIL_IF(type.dtype && dtype_class(type.dtype) == DTYPE_CLASS_OTHER, FARM_UNSUPPORTED, "Unique of %s", dtype_name(type.dtype));
  if (!attr_has(call->attrs, "axis"))
    type.rank = 1, type.dims[0] = DIM_UNKNOWN;
  else if (type.rank >= 0) {
    TRY(shape_axis(attr_int(call->attrs, "axis", 0), type.rank, &axis));
    type.dims[axis] = DIM_UNKNOWN;
  }
  TRY(shape_set(call, 0, type.dtype, type.rank, type.dims));
  for (int i = 1; i < 4; i++) TRY(shape_set(call, i, DTYPE_I64, 1, NULL));
  return FARM_OK;
}

#define ONE_HOT(since)                                                                                                           \
  { "", "OneHot", since, 3, 3, 1, 1, 0, 2, one_hot_shape, one_hot_reference }
#define NON_ZERO(since)                                                                                                          \
  { "", "NonZero", since, 1, 1, 1, 1, OPERATOR_DATA_SHAPE, 0, non_zero_shape, non_zero_reference }
#define COMPRESS(since)                                                                                                          \
  { "", "Compress", since, 2, 2, 1, 1, OPERATOR_DATA_SHAPE, 0, compress_shape, compress_reference }

const struct operator_row operators_pick[] = {
    ONE_HOT(9),
    ONE_HOT(11),
    NON_ZERO(9),
    NON_ZERO(13),
    COMPRESS(9),
    COMPRESS(11),
    {"", "Unique", 11, 1, 1, 1, 4, OPERATOR_DATA_SHAPE, 0, unique_shape, unique_reference},
};
OPERATOR_ROWS(pick);
