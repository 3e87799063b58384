/* Tensors out of little: Constant, ConstantOfShape, Shape, Size, Range, EyeLike. */
#include "../base/pmath.h"
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

/* ---- Constant: one of several attributes holds the value ---- */

/* Describes it, and points data at the attribute's memory; false when the attribute is of a kind that has no tensor. */
static enum farm_status constant_value(const struct attrs *attrs, struct tensor *out) {
  const struct attr *attr = attrs && attrs->count ? &attrs->items[0] : NULL;
  for (int i = 0; attrs && i < attrs->count; i++)
    if (strncmp(attrs->items[i].name, "value", 5) == 0) attr = &attrs->items[i];
  FAIL_IF(!attr, FARM_INVALID, "Constant without a value");
  switch (attr->type) {
  case ATTR_TENSOR:
    *out = *attr->tensor;
    return FARM_OK;
  case ATTR_FLOAT:
    *out = (struct tensor){.dtype = DTYPE_F32, .data = (void *)&attr->f};
    return FARM_OK;
  case ATTR_INT:
    *out = (struct tensor){.dtype = DTYPE_I64, .data = (void *)&attr->i};
    return FARM_OK;
  case ATTR_FLOATS:
    *out = (struct tensor){.dtype = DTYPE_F32, .rank = 1, .dims = {attr->count}, .data = (void *)attr->floats};
    return FARM_OK;
  case ATTR_INTS:
    *out = (struct tensor){.dtype = DTYPE_I64, .rank = 1, .dims = {attr->count}, .data = (void *)attr->ints};
    return FARM_OK;
  default:
    return status_set(FARM_UNSUPPORTED, "Constant with the attribute %s", attr->name);
  }
}

static enum farm_status constant_shape(struct shape_call *call) {
  struct tensor value;
  TRY(constant_value(call->attrs, &value));
  FAIL_IF(!elements_movable(value.dtype), FARM_UNSUPPORTED, "a constant of type %s", dtype_name(value.dtype));
  TRY(shape_set(call, 0, value.dtype, value.rank, value.dims));
  return shape_content_compute(call);
}

static enum farm_status constant_reference(struct reference_call *call) {
  struct tensor value;
  TRY(constant_value(call->attrs, &value));
  TRY(reference_output(call, 0));
  if (call->outputs[0])
    elements_copy(dtype_bits(value.dtype), call->outputs[0]->data, 0, 1, value.data, 0, 1, tensor_elems(&value));
  return FARM_OK;
}

/* ---- ConstantOfShape ---- */

static enum farm_status constant_of_shape_shape(struct shape_call *call) {
  const struct tensor *value = attr_tensor(call->attrs, "value");
  FAIL_IF(value && tensor_elems(value) != 1, FARM_INVALID, "the value of ConstantOfShape must have one element");
  int64_t dims[SHAPE_MAX_KNOWN];
  int rank = -1;
  TRY(shape_refuse_negative(call, 0));
  enum dtype type = value ? value->dtype : DTYPE_F32;
  if (!shape_content_dims(shape_input(call, 0), dims, SHAPE_MAX_KNOWN, &rank)) rank = -1;
  TRY(shape_set(call, 0, type, rank, dims));
  return shape_content_compute(call);
}

static enum farm_status constant_of_shape_reference(struct reference_call *call) {
  static const float zero = 0;
  const struct tensor *value = attr_tensor(call->attrs, "value");
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (out) elements_fill(dtype_bits(out->dtype), out->data, 0, 1, value ? value->data : &zero, tensor_elems(out));
  return FARM_OK;
}

/* ---- Shape and Size ---- */

/* start and end, clamped to the rank; the whole shape before opset 15 */
static void shape_range(const struct attrs *attrs, int rank, int *out_start, int *out_end) {
  int64_t start = attr_int(attrs, "start", 0), end = attr_int(attrs, "end", rank);
  if (start < 0) start += rank;
  if (end < 0) end += rank;
  *out_start = (int)(start < 0 ? 0 : start > rank ? rank : start);
  *out_end = (int)(end < *out_start ? *out_start : end > rank ? rank : end);
}

static enum farm_status shape_shape(struct shape_call *call) {
  const struct shape_info *in = shape_input(call, 0);
  int start, end, rank = shape_input_rank(call, 0);
  if (rank < 0) return shape_set(call, 0, DTYPE_I64, 1, NULL);
  shape_range(call->attrs, rank, &start, &end);
  struct shape_content content = {.count = end - start};
  TRY(shape_set(call, 0, DTYPE_I64, 1, (const int64_t[]){content.count}));
  for (int i = 0; i < content.count; i++) {
    content.value[i] = in->type.dims[start + i];
    content.symbolic[i] = content.value[i] < 0;
  }
  return shape_set_content(call, 0, &content);
}

static enum farm_status shape_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  int start, end;
  TRY(reference_output(call, 0));
  shape_range(call->attrs, in->rank, &start, &end);
  if (call->outputs[0] && end > start) dtype_store_i64_row(DTYPE_I64, call->outputs[0]->data, 0, end - start, in->dims + start);
  return FARM_OK;
}

static enum farm_status size_shape(struct shape_call *call) {
  const struct shape_info *in = shape_input(call, 0);
  TRY(shape_set(call, 0, DTYPE_I64, 0, NULL));
  if (!in || in->type.rank < 0) return FARM_OK;
  int64_t size = 1;
  for (int i = 0; i < in->type.rank; i++) size = dim_mul(size, in->type.dims[i]);
  struct shape_content content = {.count = 1, .value = {size}, .symbolic = {size < 0}};
  return shape_set_content(call, 0, &content);
}

static enum farm_status size_reference(struct reference_call *call) {
  TRY(reference_output(call, 0));
  if (call->outputs[0]) dtype_store_i64(DTYPE_I64, call->outputs[0]->data, 0, tensor_elems(call->inputs[0]));
  return FARM_OK;
}

/* ---- Range ---- */

/* How many numbers from start up to limit; both given as doubles (floats) or as integers, the others are ignored. */
static enum farm_status range_count(const struct tensor *const *inputs, int64_t *out_count) {
  enum dtype type = inputs[0]->dtype;
  for (int i = 0; i < 3; i++) FAIL_IF(tensor_elems(inputs[i]) != 1, FARM_INVALID, "input %d of Range must be a scalar", i);
  if (dtype_is_float(type)) {
    double v[3];
    for (int i = 0; i < 3; i++) v[i] = dtype_load_f64(inputs[i]->dtype, inputs[i]->data, 0);
    double count = pmath_ceil((v[1] - v[0]) / v[2]);
    FAIL_IF(!(count < 4503599627370496.0), FARM_INVALID, "Range of %g elements", count);
    *out_count = count > 0 ? (int64_t)count : 0;
    return FARM_OK;
  }
  int64_t v[3], distance;
  for (int i = 0; i < 3; i++) v[i] = dtype_load_i64(inputs[i]->dtype, inputs[i]->data, 0);
  FAIL_IF(v[2] == 0 || __builtin_sub_overflow(v[1], v[0], &distance) || v[2] == INT64_MIN || distance == INT64_MIN, FARM_INVALID,
          "Range from %lld to %lld by %lld", (long long)v[0], (long long)v[1], (long long)v[2]);
  int64_t count = distance / v[2] + (distance % v[2] != 0 && (distance < 0) == (v[2] < 0));
  *out_count = count > 0 ? count : 0;
  return FARM_OK;
}

/* The inputs as tensors when all are constants or known: values[i] backs those that are only known. */
static bool range_inputs(struct shape_call *call, struct tensor *tensors, const struct tensor **pointers, int64_t *values) {
  for (int i = 0; i < 3; i++) {
    const struct shape_info *info = shape_input(call, i);
    if (!info) return false;
    pointers[i] = info->constant;
    if (info->constant) continue;
    if (!shape_known_int(info, &values[i])) return false;
    tensors[i] = (struct tensor){.dtype = DTYPE_I64, .data = &values[i]};
    pointers[i] = &tensors[i];
  }
  return true;
}

static enum farm_status range_shape(struct shape_call *call) {
  struct tensor tensors[3];
  const struct tensor *pointers[3];
  int64_t values[3], count = DIM_UNKNOWN, start, step;
  struct shape_content limit;
  if (range_inputs(call, tensors, pointers, values))
    TRY(range_count(pointers, &count));
  else if (shape_known_int(shape_input(call, 0), &start) && start == 0 && shape_known_int(shape_input(call, 2), &step) &&
           step == 1 && shape_content(shape_input(call, 1), &limit) && limit.count == 1)
    count = limit.value[0]; // 0, 1 … up to a symbol
  TRY(shape_set(call, 0, shape_input_dtype(call, 0), 1, &count));
  return shape_content_compute(call);
}

static enum farm_status range_reference(struct reference_call *call) {
  int64_t count;
  TRY(range_count(call->inputs, &count));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  FAIL_IF(out->data && (out->rank != 1 || out->dims[0] != count), FARM_INVALID, "Range has %lld elements", (long long)count);
  out->dims[0] = count;
  TRY(reference_output(call, 0));
  const struct tensor *start = call->inputs[0], *step = call->inputs[2];
  bool floats = dtype_is_float(start->dtype);
  double first = dtype_load_f64(start->dtype, start->data, 0), by = dtype_load_f64(step->dtype, step->data, 0);
  uint64_t i_first = (uint64_t)dtype_load_i64(start->dtype, start->data, 0),
           i_by = (uint64_t)dtype_load_i64(step->dtype, step->data, 0);
  for (int64_t i = 0; i < count; i++) {
    if (floats)
      dtype_store_f64(out->dtype, out->data, i, first + (double)i * by);
    else
      dtype_store_i64(out->dtype, out->data, i, (int64_t)(i_first + (uint64_t)i * i_by));
  }
  return FARM_OK;
}

/* ---- EyeLike ---- */

static enum farm_status eye_like_shape(struct shape_call *call) {
  TRY(shape_require_rank(call, 0, 2, 2));
  int64_t to = attr_int(call->attrs, "dtype", shape_input_dtype(call, 0));
  FAIL_IF(to < 0 || to > DTYPE_COUNT || (to && dtype_class((enum dtype)to) == DTYPE_CLASS_OTHER), FARM_INVALID,
          "type number %lld", (long long)to);
  shape_same_as_input(call, 0, 0);
  if (call->output_count) call->outputs[0].type.dtype = (enum dtype)to;
  return FARM_OK;
}

static enum farm_status eye_like_reference(struct reference_call *call) {
  int64_t k = attr_int(call->attrs, "k", 0);
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0]; // [rows][columns]
  if (!out) return FARM_OK;
  for (int64_t r = 0; r < out->dims[0]; r++)
    for (int64_t c = 0; c < out->dims[1]; c++) dtype_store_i64(out->dtype, out->data, r * out->dims[1] + c, c - r == k);
  return FARM_OK;
}

#define CONSTANT(since)                                                                                                          \
  { "", "Constant", since, 0, 0, 1, 1, 0, 0, constant_shape, constant_reference }
#define OF_SHAPE(since)                                                                                                          \
  { "", "ConstantOfShape", since, 1, 1, 1, 1, 0, 1, constant_of_shape_shape, constant_of_shape_reference }
#define SHAPE(since)                                                                                                             \
  { "", "Shape", since, 1, 1, 1, 1, 0, 0, shape_shape, shape_reference }
#define SIZE(since)                                                                                                              \
  { "", "Size", since, 1, 1, 1, 1, 0, 0, size_shape, size_reference }
#define RANGE(since)                                                                                                             \
  { "", "Range", since, 3, 3, 1, 1, 0, 7, range_shape, range_reference }
#define EYE_LIKE(since)                                                                                                          \
  { "", "EyeLike", since, 1, 1, 1, 1, 0, 0, eye_like_shape, eye_like_reference }

const struct operator_row operators_constant[] = {
    CONSTANT(1),  CONSTANT(9), CONSTANT(11), CONSTANT(12), CONSTANT(13), CONSTANT(19), CONSTANT(21), CONSTANT(23), CONSTANT(24),
    CONSTANT(25), OF_SHAPE(9), OF_SHAPE(20), OF_SHAPE(21), OF_SHAPE(23), OF_SHAPE(24), OF_SHAPE(25), SHAPE(1),     SHAPE(13),
    SHAPE(15),    SHAPE(19),   SHAPE(21),    SHAPE(23),    SHAPE(24),    SHAPE(25),    SIZE(1),      SIZE(13),     SIZE(19),
    SIZE(21),     SIZE(23),    SIZE(24),     SIZE(25),     RANGE(11),    RANGE(27),    EYE_LIKE(9),  EYE_LIKE(22),
};
OPERATOR_ROWS(constant);
