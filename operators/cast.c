/* Changing the element type: Cast, CastLike, BitCast.
 *
 * From floats through double, from integers through int64: each conversion rounds once. Integers wrap, floats truncate and
 * saturate (but wrap to 4-bit and 2-bit integers, as ONNX's own test data have it); fp8 saturates unless `saturate` is 0; to e8m0
 * `round_mode` decides.
 */
#include "../base/pmath.h"
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

static enum farm_status target_type(int64_t number, enum dtype *out_type) {
  FAIL_IF(number < 0 || number > DTYPE_COUNT || !dtype_known((int)number), FARM_INVALID, "type number %lld is not known",
          (long long)number);
  *out_type = (enum dtype)number;
  FAIL_IF(dtype_class(*out_type) == DTYPE_CLASS_OTHER, FARM_UNSUPPORTED, "casts to %s are not supported", dtype_name(*out_type));
  return FARM_OK;
}

static enum farm_status converted_shape(struct shape_call *call, enum dtype type) {
  enum dtype from = shape_input_dtype(call, 0);
  FAIL_IF(from && dtype_class(from) == DTYPE_CLASS_OTHER, FARM_UNSUPPORTED, "casts from %s are not supported", dtype_name(from));
  shape_same_as_input(call, 0, 0);
  if (call->output_count) call->outputs[0].type.dtype = type;
  return dtype_is_integer(type) ? shape_content_move(call, 1) : FARM_OK;
}

static enum farm_status cast_shape(struct shape_call *call) {
  enum dtype type;
  TRY(target_type(attr_int(call->attrs, "to", -1), &type));
  return converted_shape(call, type);
}

static enum farm_status cast_like_shape(struct shape_call *call) { return converted_shape(call, shape_input_dtype(call, 1)); }

/* The power of two that `round_mode` picks: e8m0 holds nothing else, so storing it is then exact. */
static double e8m0_rounded(double x, const double *mode) {
  int exponent;
  if (!(x > 0) || x - x != 0) return x;
  double fraction = pmath_frexp(x, &exponent); // x = fraction 2^exponent, fraction within [0.5, 1)
  if (fraction == 0.5) return x;
  bool up = mode[0] > 0 || (mode[0] == 0 && fraction >= 0.75);
  return pmath_ldexp(1, up ? exponent : exponent - 1);
}

static void to_e8m0(const struct reference_call *call, const struct tensor *in, struct tensor *out) {
  const char *name = attr_string(call->attrs, "round_mode", "up");
  const double mode = strcmp(name, "up") == 0 ? 1 : strcmp(name, "down") == 0 ? -1 : 0;
  elements_map_f64(in, out, e8m0_rounded, &mode);
}

static void to_overflowing(const struct tensor *in, struct tensor *out) {
  for (int64_t i = 0, count = tensor_elems(out); i < count; i++)
    dtype_store_f64_overflowing(out->dtype, out->data, i, dtype_load_f64(in->dtype, in->data, i));
}

static double same_f64(double x, const double *p) {
  (void)p;
  return x;
}
static int64_t same_i64(int64_t x, const double *p) {
  (void)p;
  return x;
}

static enum farm_status cast_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  bool through_double = dtype_is_float(in->dtype) || (in->dtype == DTYPE_U64 && dtype_is_float(out->dtype));
  bool narrow = dtype_is_integer(out->dtype) && dtype_bits(out->dtype) < 8;
  if (out->dtype == DTYPE_E8M0)
    to_e8m0(call, in, out);
  else if (!attr_int(call->attrs, "saturate", 1))
    to_overflowing(in, out);
  else if (through_double && !narrow)
    elements_map_f64(in, out, same_f64, NULL);
  else
    elements_map_i64(in, out, same_i64, NULL);
  return FARM_OK;
}

/* BitCast: the same bits read as another type of the same width. */
static enum farm_status bit_cast_shape(struct shape_call *call) {
  enum dtype type, from = shape_input_dtype(call, 0);
  TRY(target_type(attr_int(call->attrs, "to", -1), &type));
  FAIL_IF(from && dtype_bits(from) != dtype_bits(type), FARM_INVALID, "%s and %s differ in width", dtype_name(from),
          dtype_name(type));
  shape_same_as_input(call, 0, 0);
  if (call->output_count) call->outputs[0].type.dtype = type;
  return FARM_OK;
}

static enum farm_status bit_cast_reference(struct reference_call *call) {
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (out) elements_copy(dtype_bits(out->dtype), out->data, 0, 1, call->inputs[0]->data, 0, 1, tensor_elems(out));
  return FARM_OK;
}

#define CAST(since)                                                                                                              \
  { "", "Cast", since, 1, 1, 1, 1, OPERATOR_ELEMENTWISE, 0, cast_shape, cast_reference }
#define CAST_LIKE(since)                                                                                                         \
  { "", "CastLike", since, 2, 2, 1, 1, 0, 0, cast_like_shape, cast_reference }

const struct operator_row operators_cast[] = {
    CAST(6),       CAST(9),       CAST(13),
    CAST(19),      CAST(21),      CAST(23),
    CAST(24),      CAST(25),      CAST_LIKE(15),
    CAST_LIKE(19), CAST_LIKE(21), CAST_LIKE(23),
    CAST_LIKE(24), CAST_LIKE(25), {"", "BitCast", 26, 1, 1, 1, 1, OPERATOR_VIEW, 0, bit_cast_shape, bit_cast_reference},
};
OPERATOR_ROWS(cast);
