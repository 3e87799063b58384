/* Where, and the elementwise operators with optional bounds or random parts: Clip, Dropout (as inference does it). */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

/* ---- Where ---- */

static enum farm_status where_shape(struct shape_call *call) {
  struct tensor type;
  TRY(shape_broadcast_inputs(call, 0, 3, &type));
  enum dtype dtype = shape_input_dtype(call, 1), other = shape_input_dtype(call, 2);
  FAIL_IF(dtype && other && dtype != other, FARM_INVALID, "%s or %s is no choice", dtype_name(dtype), dtype_name(other));
  TRY(shape_set(call, 0, dtype ? dtype : other, type.rank, type.dims));
  return shape_content_move(call, 1u << 1 | 1u << 2);
}

static enum farm_status where_reference(struct reference_call *call) {
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  const struct tensor *condition = call->inputs[0];
  struct nest nest;
  int64_t strides[TENSOR_MAX_RANK];
  nest_init(&nest, out->rank, out->dims);
  tensor_strides(out, strides);
  nest_operand(&nest, 0, strides);
  for (int k = 0; k < 3; k++) {
    broadcast_strides(call->inputs[k], out, strides);
    nest_operand(&nest, 0, strides);
  }
  for (bool more = nest_start(&nest); more; more = nest_next(&nest))
    for (int64_t i = 0; i < nest.row; i++) {
      bool first = dtype_load_i64(condition->dtype, condition->data, nest.offset[1] + i * nest.step[1]) != 0;
      int from = first ? 1 : 2;
      elements_copy(dtype_bits(out->dtype), out->data, nest.offset[0] + i * nest.step[0], 1, call->inputs[from]->data,
                    nest.offset[from + 1] + i * nest.step[from + 1], 1, 1);
    }
  return FARM_OK;
}

/* ---- Clip: min and max are attributes before opset 11, then optional scalar inputs ---- */

static double raise_f64(double x, double low, const double *p) {
  (void)p;
  return x < low ? low : x;
}
static double lower_f64(double x, double high, const double *p) {
  (void)p;
  return x > high ? high : x;
}
static int64_t raise_i64(int64_t x, int64_t low, enum dtype type) {
  return (type == DTYPE_U64 ? (uint64_t)x < (uint64_t)low : x < low) ? low : x;
}
static int64_t lower_i64(int64_t x, int64_t high, enum dtype type) {
  return (type == DTYPE_U64 ? (uint64_t)x > (uint64_t)high : x > high) ? high : x;
}

static void bound(struct tensor *out, const struct tensor *limit, zip_f64_fn floats, zip_i64_fn integers) {
  if (!limit) return;
  if (dtype_is_float(out->dtype))
    elements_zip_f64(out, limit, out, floats, NULL);
  else
    elements_zip_i64(out, limit, out, integers);
}

static enum farm_status clip_shape(struct shape_call *call) {
  shape_same_as_input(call, 0, 0);
  for (int i = 1; i <= 2; i++) {
    const struct shape_info *limit = shape_input(call, i);
    FAIL_IF(limit && limit->type.rank >= 0 && shape_dims_known(&limit->type) && tensor_elems(&limit->type) != 1, FARM_INVALID,
            "input %d must be a scalar", i);
  }
  return shape_content_compute(call);
}

static enum farm_status clip_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  struct tensor limits[2];
  float values[2] = {attr_float(call->attrs, "min", 0), attr_float(call->attrs, "max", 0)};
  const struct tensor *limit[2] = {NULL, NULL};
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  for (int i = 0; i < 2; i++) {
    const struct tensor *given = reference_input(call, i + 1);
    if (given)
      limits[i] = (struct tensor){.dtype = given->dtype, .data = given->data};
    else
      limits[i] = (struct tensor){.dtype = DTYPE_F32, .data = &values[i]};
    if (given || attr_has(call->attrs, i ? "max" : "min")) limit[i] = &limits[i];
  }
  elements_copy(dtype_bits(in->dtype), out->data, 0, 1, in->data, 0, 1, tensor_elems(out));
  bound(out, limit[0], raise_f64, raise_i64);
  bound(out, limit[1], lower_f64, lower_i64);
  return FARM_OK;
}

/* ---- Dropout: the identity, and a mask of ones ---- */

static enum farm_status dropout_shape(struct shape_call *call) {
  shape_same_as_input(call, 0, 0);
  shape_same_as_input(call, 1, 0);
  if (call->output_count > 1 && call->row->since_version >= 10) call->outputs[1].type.dtype = DTYPE_BOOL;
  return FARM_OK;
}

static bool dropout_drops(const struct reference_call *call) {
  const struct tensor *ratio = reference_input(call, 1), *training = reference_input(call, 2);
  if (!training || tensor_elems(training) != 1 || !dtype_load_i64(training->dtype, training->data, 0)) return false;
  return !ratio || tensor_elems(ratio) != 1 || dtype_load_f64(ratio->dtype, ratio->data, 0) != 0;
}

static enum farm_status dropout_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  FAIL_IF(dropout_drops(call), FARM_UNSUPPORTED, "Dropout in training mode is random");
  TRY(reference_output(call, 0));
  if (call->outputs[0])
    elements_copy(dtype_bits(in->dtype), call->outputs[0]->data, 0, 1, in->data, 0, 1, tensor_elems(call->outputs[0]));
  if (call->output_count < 2 || !call->outputs[1]) return FARM_OK;
  TRY(reference_output(call, 1));
  struct tensor *mask = call->outputs[1];
  for (int64_t i = 0, count = tensor_elems(mask); i < count; i++) dtype_store_i64(mask->dtype, mask->data, i, 1);
  return FARM_OK;
}

#define WHERE(since)                                                                                                             \
  { "", "Where", since, 3, 3, 1, 1, OPERATOR_ELEMENTWISE, 0, where_shape, where_reference }
#define CLIP(since, inputs)                                                                                                      \
  { "", "Clip", since, 1, inputs, 1, 1, OPERATOR_ELEMENTWISE, 0, clip_shape, clip_reference }
#define DROPOUT(since, inputs)                                                                                                   \
  { "", "Dropout", since, 1, inputs, 1, 2, 0, 0, dropout_shape, dropout_reference }

const struct operator_row operators_select[] = {
    WHERE(9),      WHERE(16),     CLIP(6, 1),     CLIP(11, 3),    CLIP(12, 3),    CLIP(13, 3),
    DROPOUT(6, 1), DROPOUT(7, 1), DROPOUT(10, 1), DROPOUT(12, 3), DROPOUT(13, 3), DROPOUT(22, 3),
};
OPERATOR_ROWS(select);
