/* QuantizeLinear, DequantizeLinear (per tensor, per axis, blocked) and DynamicQuantizeLinear.
 *
 *   y = saturate(round_even(x / scale) + zero_point)          x = (y - zero_point) * scale
 *
 * The division is made in float, as every runtime does: a tie that doubles would resolve otherwise stays a tie.
 */
#include "nn-util.h"
#include "tables.h"

#include <string.h>

enum {
  QUANT_VALUES = NN_BYTES | NN_TYPE(I16) | NN_TYPE(U16) | NN_TYPE(I32) | NN_TYPE(U4) | NN_TYPE(I4) | NN_TYPE(U2) | NN_TYPE(I2) |
                 NN_FLOAT8S | NN_TYPE(E2M1),
  QUANT_SCALES = NN_FLOATS | NN_TYPE(E8M0) | NN_TYPE(I32)
};

/* Where element i of x finds its scale: outer, axis and inner of x, and how many neighbours along the axis share one. */
struct granularity {
  int64_t axis_dim, inner, block, scales; // scales: along the axis; 0 = one scale for all
};

static bool per_axis_allowed(const struct operator_row *row) { return row->since_version >= 13 || row->domain[0] != 0; }

static enum farm_status granularity_read(const struct operator_row *row, const struct attrs *attrs, const struct tensor *x,
                                         const struct tensor *scale, struct granularity *out) {
  int64_t block = attr_int(attrs, "block_size", 0);
  int axis;
  *out = (struct granularity){.block = 1, .inner = 1, .axis_dim = 1};
  FAIL_IF(block < 0, FARM_INVALID, "block_size is %lld", (long long)block);
  if (scale->rank < 0 || x->rank < 0) return FARM_OK;
  if (block == 0 && (scale->rank == 0 || tensor_elems(scale) == 1)) return FARM_OK;
  FAIL_IF(!per_axis_allowed(row), FARM_INVALID, "the scale must be a scalar");
  TRY(shape_axis(attr_int(attrs, "axis", 1), x->rank, &axis));
  FAIL_IF(scale->rank != (block ? x->rank : 1), FARM_INVALID, "the scale has rank %d", scale->rank);
  int64_t dim = x->dims[axis], count = scale->dims[block ? axis : 0];
  out->block = block ? block : 1;
  for (int i = 0; block && i < x->rank; i++)
    FAIL_IF(i != axis && x->dims[i] >= 0 && scale->dims[i] >= 0 && x->dims[i] != scale->dims[i], FARM_INVALID,
            "scale and input differ along axis %d", i);
  FAIL_IF(dim >= 0 && count >= 0 && count != (dim == 0 ? 0 : (dim - 1) / out->block + 1), FARM_INVALID,
          "%lld scales for %lld elements along axis %d", (long long)count, (long long)dim, axis);
  out->axis_dim = dim, out->scales = count;
  out->inner = tensor_dims_product(x->dims + axis + 1, x->rank - axis - 1);
  return FARM_OK;
}

static int64_t scale_at(const struct granularity *g, int64_t i, bool blocked) {
  if (g->scales == 0) return 0;
  int64_t inner = i % g->inner, along = i / g->inner % g->axis_dim, outer = i / g->inner / g->axis_dim;
  return blocked ? (outer * g->scales + along / g->block) * g->inner + inner : along;
}

static enum farm_status quant_check(const struct shape_call *call) {
  struct granularity granularity;
  const struct tensor *x = nn_type(call, 0), *scale = nn_type(call, 1), *zero = nn_type(call, 2);
  FAIL_IF(!x || !scale, FARM_INVALID, "input and scale are required");
  TRY(nn_check_type(call, 1, QUANT_SCALES));
  TRY(nn_check_type(call, 2, QUANT_VALUES));
  TRY(granularity_read(call->row, call->attrs, x, scale, &granularity));
  if (!zero || zero->rank < 0 || scale->rank < 0) return FARM_OK;
  int64_t zeros = tensor_elems(zero), scales = tensor_elems(scale);
  FAIL_IF(zeros >= 0 && scales >= 0 && zeros != scales, FARM_INVALID, "%lld zero points for %lld scales", (long long)zeros,
          (long long)scales);
  return FARM_OK;
}

static enum farm_status quantize_shape(struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_FLOATS | NN_TYPE(I32)));
  TRY(quant_check(call));
  int64_t asked = attr_int(call->attrs, "output_dtype", 0);
  bool fits = asked >= 0 && asked < DTYPE_COUNT && (asked == 0 || (unsigned)QUANT_VALUES >> asked & 1);
  FAIL_IF(!fits, FARM_INVALID, "output_dtype is %lld", (long long)asked);
  enum dtype dtype = nn_given(call, 2) ? nn_dtype(call, 2) : asked ? (enum dtype)asked : DTYPE_U8;
  FAIL_IF(asked && nn_given(call, 2) && dtype != DTYPE_NONE && dtype != (enum dtype)asked, FARM_INVALID,
          "output_dtype and the zero point's type differ");
  shape_same_as_input(call, 0, 0);
  if (call->output_count > 0) call->outputs[0].type.dtype = dtype;
  return FARM_OK;
}

/* What fp8 does beyond its range with saturate=0: from `limit` on (or just after it) the value becomes these bits. */
static const struct overflow {
  enum dtype type;
  double limit;
  bool at_limit;
  uint8_t positive, negative;
} overflows[] = {
    {DTYPE_E4M3, 464, false, 0x7f, 0xff},
    {DTYPE_E5M2, 61440, true, 0x7c, 0xfc},
    {DTYPE_E4M3Z, 248, true, 0x80, 0x80},
    {DTYPE_E5M2Z, 61440, true, 0x80, 0x80},
};

static bool store_overflow(struct tensor *y, int64_t i, double value) {
  double size = value < 0 ? -value : value;
  for (size_t k = 0; k < sizeof overflows / sizeof overflows[0]; k++) {
    const struct overflow *o = &overflows[k];
    if (o->type != y->dtype || size < o->limit || (size == o->limit && !o->at_limit)) continue;
    ((uint8_t *)y->data)[i] = value < 0 ? o->negative : o->positive;
    return true;
  }
  return false;
}

static void quantize_store(struct tensor *y, int64_t i, float x, float scale, double zero, bool saturate) {
  if (dtype_is_integer(y->dtype)) {
    dtype_store_f64(y->dtype, y->data, i, nn_quantize_value(x, scale, zero, y->dtype));
    return;
  }
  double value = (double)(x / scale) + zero;
  if (saturate || !store_overflow(y, i, value)) dtype_store_f64(y->dtype, y->data, i, value);
}

static enum farm_status quantize_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  struct granularity granularity;
  double *scale = NULL, *zero = NULL;
  bool blocked = attr_int(call->attrs, "block_size", 0) > 0, saturate = attr_int(call->attrs, "saturate", 1) != 0;
  TRY(granularity_read(call->row, call->attrs, x, call->inputs[1], &granularity));
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, call->inputs[1], &scale));
  TRY(nn_load(scratch, nn_in(call, 2), &zero));
  int64_t elems = tensor_elems(x);
  for (int64_t i = 0; i < elems; i++) {
    int64_t at = scale_at(&granularity, i, blocked);
    float value = (float)dtype_load_f64(x->dtype, x->data, i);
    quantize_store(call->outputs[0], i, value, (float)scale[at], zero ? zero[at] : 0, saturate);
  }
  return FARM_OK;
}
NN_REFERENCE(quantize_reference)

static enum farm_status dequantize_shape(struct shape_call *call) {
  TRY(nn_check_type(call, 0, QUANT_VALUES));
  TRY(nn_check_same_type(call, 0, 2));
  TRY(quant_check(call));
  int64_t asked = attr_int(call->attrs, "output_dtype", 0);
  FAIL_IF(asked != 0 && (asked < 0 || asked >= DTYPE_COUNT || !((unsigned)NN_FLOATS >> asked & 1)), FARM_INVALID,
          "output_dtype is %lld", (long long)asked);
  enum dtype scale = nn_dtype(call, 1);
  shape_same_as_input(call, 0, 0);
  if (call->output_count > 0) call->outputs[0].type.dtype = asked ? (enum dtype)asked : scale == DTYPE_E8M0 ? DTYPE_F32 : scale;
  return FARM_OK;
}

static enum farm_status dequantize_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  struct granularity granularity;
  double *values = NULL, *scale = NULL, *zero = NULL;
  bool blocked = attr_int(call->attrs, "block_size", 0) > 0;
  TRY(granularity_read(call->row, call->attrs, x, call->inputs[1], &granularity));
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, call->inputs[1], &scale));
  TRY(nn_load(scratch, nn_in(call, 2), &zero));
  int64_t elems = tensor_elems(x);
  for (int64_t i = 0; i < elems; i++) {
    int64_t at = scale_at(&granularity, i, blocked);
    values[i] = (values[i] - (zero ? zero[at] : 0)) * scale[at];
  }
  nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(dequantize_reference)

static enum farm_status dynamic_shape(struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_TYPE(F32)));
  shape_same_as_input(call, 0, 0);
  if (call->output_count > 0) call->outputs[0].type.dtype = DTYPE_U8;
  nn_output(call, 1, DTYPE_F32, 0, NULL);
  nn_output(call, 2, DTYPE_U8, 0, NULL);
  return FARM_OK;
}

static enum farm_status dynamic_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL;
  float scale, zero;
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(nn_load(scratch, x, &values));
  int64_t elems = tensor_elems(x);
  nn_dynamic_range(values, elems, &scale, &zero);
  for (int64_t i = 0; i < elems; i++) values[i] = nn_quantize_value((float)values[i], scale, (double)zero, DTYPE_U8);
  if (nn_out(call, 0)) nn_store(call->outputs[0], values);
  if (nn_out(call, 1)) nn_store(call->outputs[1], &(double){(double)scale});
  if (nn_out(call, 2)) nn_store(call->outputs[2], &(double){(double)zero});
  return FARM_OK;
}
NN_REFERENCE(dynamic_reference)

#define ROWS(domain, version)                                                                                                    \
  {domain, "QuantizeLinear", version, 2, 3, 1, 1, 0, 0, quantize_shape, quantize_reference},                                     \
      {domain, "DequantizeLinear", version, 2, 3, 1, 1, 0, 0, dequantize_shape, dequantize_reference},
const struct operator_row operators_quant[] = {
    ROWS("", 10) ROWS("", 13) ROWS("", 19) ROWS("", 21) ROWS("", 23) ROWS("", 24) ROWS("", 25)
        ROWS("com.microsoft", 1){"", "DynamicQuantizeLinear", 11, 1, 1, 3, 3, 0, 0, dynamic_shape, dynamic_reference},
};
OPERATOR_ROWS(quant);
