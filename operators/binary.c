/* Elementwise arithmetic of two or more inputs, broadcast. Floats are computed in double and rounded once per operation,
 * integers in 64 bits and wrapped to their type. Nothing traps: division by zero gives 0 for integers, shifts by the width
 * or more give 0.
 */
#include "../base/pmath.h"
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

struct binary {
  zip_f64_fn floats;   // NULL: integers only
  zip_i64_fn integers; // NULL: integers go through double
};

static enum farm_status binary_apply(const struct binary *binary, const struct tensor *a, const struct tensor *b,
                                     struct tensor *out) {
  bool floats = dtype_is_float(a->dtype) || !binary->integers;
  FAIL_IF(floats && !binary->floats, FARM_INVALID, "an integer type is needed, not %s", dtype_name(a->dtype));
  if (floats)
    elements_zip_f64(a, b, out, binary->floats, NULL);
  else
    elements_zip_i64(a, b, out, binary->integers);
  return FARM_OK;
}

static enum farm_status binary_run(struct reference_call *call, const struct binary *binary) {
  TRY(reference_output(call, 0));
  return call->outputs[0] ? binary_apply(binary, call->inputs[0], call->inputs[1], call->outputs[0]) : FARM_OK;
}

#define FLOATS(id, expression)                                                                                                   \
  static double id##_f64(double a, double b, const double *p) {                                                                  \
    (void)p;                                                                                                                     \
    return expression;                                                                                                           \
  }
#define INTEGERS(id, expression)                                                                                                 \
  static int64_t id##_i64(int64_t a, int64_t b, enum dtype type) {                                                               \
    (void)type;                                                                                                                  \
    return (int64_t)(expression);                                                                                                \
  }
#define PAIR(id, float_expression, integer_expression)                                                                           \
  FLOATS(id, float_expression)                                                                                                   \
  INTEGERS(id, integer_expression)                                                                                               \
  static const struct binary id = {id##_f64, id##_i64};
#define BINARY(id, float_expression, integer_expression)                                                                         \
  PAIR(id, float_expression, integer_expression)                                                                                 \
  static enum farm_status id##_reference(struct reference_call *call) { return binary_run(call, &id); }

#define INTEGER_BINARY(id, expression)                                                                                           \
  INTEGERS(id, expression)                                                                                                       \
  static enum farm_status id##_reference(struct reference_call *call) {                                                          \
    static const struct binary id = {NULL, id##_i64};                                                                            \
    return binary_run(call, &id);                                                                                                \
  }

static bool below(int64_t a, int64_t b, enum dtype type) { return type == DTYPE_U64 ? (uint64_t)a < (uint64_t)b : a < b; }

static int64_t quotient(int64_t a, int64_t b, enum dtype type) {
  if (b == 0) return 0;
  if (type == DTYPE_U64) return (int64_t)((uint64_t)a / (uint64_t)b);
  return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder_c(int64_t a, int64_t b, enum dtype type) {
  if (b == 0 || (b == -1 && type != DTYPE_U64)) return 0;
  return type == DTYPE_U64 ? (int64_t)((uint64_t)a % (uint64_t)b) : a % b;
}

static int64_t remainder_floor(int64_t a, int64_t b, enum dtype type) { // the sign of b
  int64_t rest = remainder_c(a, b, type);
  return type != DTYPE_U64 && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static double remainder_floor_f64(double a, double b) {
  double rest = pmath_fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static int64_t shifted(int64_t a, int64_t by, enum dtype type, bool left) {
  if (by < 0 || by >= dtype_bits(type)) return 0;
  return (int64_t)(left ? (uint64_t)a << by : (uint64_t)a >> by);
}

static int64_t power(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
  uint64_t result = 1, square = (uint64_t)base;
  for (; exponent; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return (int64_t)result;
}

BINARY(add, a + b, (uint64_t)a + (uint64_t)b)
BINARY(sub, a - b, (uint64_t)a - (uint64_t)b)
BINARY(mul, a *b, (uint64_t)a *(uint64_t)b)
BINARY(div, a / b, quotient(a, b, type))
PAIR(min, a != a ? a : b != b || b < a ? b : a, below(b, a, type) ? b : a)
PAIR(max, a != a ? a : b != b || b > a ? b : a, below(a, b, type) ? b : a)
BINARY(and, a != 0 && b != 0, a != 0 && b != 0)
BINARY(or, a != 0 || b != 0, a != 0 || b != 0)
BINARY(xor, (a != 0) != (b != 0), (a != 0) != (b != 0))
BINARY(equal, a == b, a == b)
BINARY(less, a < b, below(a, b, type))
BINARY(less_or_equal, a <= b, !below(b, a, type))
BINARY(greater, a > b, below(b, a, type))
BINARY(greater_or_equal, a >= b, !below(a, b, type))
INTEGER_BINARY(bitwise_and, (uint64_t)a &(uint64_t)b)
INTEGER_BINARY(bitwise_or, (uint64_t)a | (uint64_t)b)
INTEGER_BINARY(bitwise_xor, (uint64_t)a ^ (uint64_t)b)
BINARY(prelu, a < 0 ? a * b : a, a < 0 && type != DTYPE_U64 ? (uint64_t)a * (uint64_t)b : (uint64_t)a)

FLOATS(mod_floor, remainder_floor_f64(a, b))
INTEGERS(mod_floor, remainder_floor(a, b, type))
FLOATS(mod_c, pmath_fmod(a, b))
INTEGERS(mod_c, remainder_c(a, b, type))
INTEGERS(shift_left, shifted(a, b, type, true))
INTEGERS(shift_right, shifted(a, b, type, false))
FLOATS(pow, pmath_pow(a, b))
INTEGERS(pow, power(a, b))

static enum farm_status mod_reference(struct reference_call *call) {
  static const struct binary floor = {mod_floor_f64, mod_floor_i64}, c = {mod_c_f64, mod_c_i64};
  return binary_run(call, attr_int(call->attrs, "fmod", 0) ? &c : &floor);
}

static enum farm_status bit_shift_reference(struct reference_call *call) {
  static const struct binary left = {NULL, shift_left_i64}, right = {NULL, shift_right_i64};
  return binary_run(call, strcmp(attr_string(call->attrs, "direction", ""), "LEFT") == 0 ? &left : &right);
}

/* The types of base and exponent differ freely; the result has the base's. */
static enum farm_status pow_reference(struct reference_call *call) {
  static const struct binary real = {pow_f64, NULL}, integer = {pow_f64, pow_i64};
  return binary_run(call, dtype_is_float(call->inputs[1]->dtype) ? &real : &integer);
}

/* ---- any number of inputs ---- */

/* out = in, broadcast; the first step of a chain out = f(out, next) */
static void broadcast_copy(const struct tensor *in, struct tensor *out) {
  struct nest nest;
  int64_t strides[TENSOR_MAX_RANK];
  nest_init(&nest, out->rank, out->dims);
  tensor_strides(out, strides);
  nest_operand(&nest, 0, strides);
  broadcast_strides(in, out, strides);
  nest_operand(&nest, 0, strides);
  elements_move(dtype_bits(out->dtype), &nest, out->data, in->data);
}

static enum farm_status variadic_shape(struct shape_call *call) {
  for (int i = 0; i < call->input_count; i++) FAIL_IF(!call->inputs[i], FARM_INVALID, "input %d is missing", i);
  return shape_broadcast_all(call);
}

static enum farm_status variadic_run(struct reference_call *call, const struct binary *binary) {
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  broadcast_copy(call->inputs[0], out);
  for (int i = 1; i < call->input_count; i++) TRY(binary_apply(binary, out, call->inputs[i], out));
  return FARM_OK;
}

static enum farm_status min_all_reference(struct reference_call *call) { return variadic_run(call, &min); }
static enum farm_status max_all_reference(struct reference_call *call) { return variadic_run(call, &max); }
static enum farm_status sum_reference(struct reference_call *call) { return variadic_run(call, &add); }

static double divide_by(double x, const double *p) { return x / p[0]; }

static enum farm_status mean_reference(struct reference_call *call) {
  const double count = call->input_count;
  TRY(variadic_run(call, &add));
  if (call->outputs[0]) elements_map_f64(call->outputs[0], call->outputs[0], divide_by, &count);
  return FARM_OK;
}

/* The second input is broadcast to the first, never the other way round. */
static enum farm_status prelu_shape(struct shape_call *call) {
  struct tensor type;
  TRY(shape_broadcast_inputs(call, 0, 2, &type));
  const struct tensor *x = &call->inputs[0]->type;
  FAIL_IF(x->rank >= 0 && type.rank > x->rank, FARM_INVALID, "the slope has more dimensions than the input");
  for (int i = 0; i < x->rank && type.rank == x->rank; i++)
    FAIL_IF(x->dims[i] >= 0 && type.dims[i] != x->dims[i], FARM_INVALID, "the slope is larger than the input on axis %d", i);
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

#define ROW(name, since, id)                                                                                                     \
  { "", name, since, 2, 2, 1, 1, OPERATOR_ELEMENTWISE, 0, shape_broadcast_all, id##_reference }
#define COMPARE(name, since, id)                                                                                                 \
  { "", name, since, 2, 2, 1, 1, OPERATOR_ELEMENTWISE, 0, shape_broadcast_bool, id##_reference }
#define MANY(name, since, id)                                                                                                    \
  { "", name, since, 1, -1, 1, 1, OPERATOR_ELEMENTWISE | OPERATOR_VARIADIC, 0, variadic_shape, id##_reference }
#define PRELU(since)                                                                                                             \
  { "", "PRelu", since, 2, 2, 1, 1, OPERATOR_ELEMENTWISE, 0, prelu_shape, prelu_reference }
#define ARITHMETIC(name, id) ROW(name, 7, id), ROW(name, 13, id), ROW(name, 14, id)

const struct operator_row operators_binary[] = {
    ARITHMETIC("Add", add),
    ARITHMETIC("Sub", sub),
    ARITHMETIC("Mul", mul),
    ARITHMETIC("Div", div),
    ROW("Mod", 10, mod),
    ROW("Mod", 13, mod),
    ROW("Pow", 7, pow),
    ROW("Pow", 12, pow),
    ROW("Pow", 13, pow),
    ROW("Pow", 15, pow),
    MANY("Min", 6, min_all),
    MANY("Min", 8, min_all),
    MANY("Min", 12, min_all),
    MANY("Min", 13, min_all),
    MANY("Max", 6, max_all),
    MANY("Max", 8, max_all),
    MANY("Max", 12, max_all),
    MANY("Max", 13, max_all),
    MANY("Sum", 6, sum),
    MANY("Sum", 8, sum),
    MANY("Sum", 13, sum),
    MANY("Mean", 6, mean),
    MANY("Mean", 8, mean),
    MANY("Mean", 13, mean),
    COMPARE("And", 7, and),
    COMPARE("Or", 7, or),
    COMPARE("Xor", 7, xor),
    COMPARE("Equal", 7, equal),
    COMPARE("Equal", 11, equal),
    COMPARE("Equal", 13, equal),
    COMPARE("Equal", 19, equal),
    COMPARE("Less", 7, less),
    COMPARE("Less", 9, less),
    COMPARE("Less", 13, less),
    COMPARE("LessOrEqual", 12, less_or_equal),
    COMPARE("LessOrEqual", 16, less_or_equal),
    COMPARE("Greater", 7, greater),
    COMPARE("Greater", 9, greater),
    COMPARE("Greater", 13, greater),
    COMPARE("GreaterOrEqual", 12, greater_or_equal),
    COMPARE("GreaterOrEqual", 16, greater_or_equal),
    ROW("BitShift", 11, bit_shift),
    ROW("BitwiseAnd", 18, bitwise_and),
    ROW("BitwiseOr", 18, bitwise_or),
    ROW("BitwiseXor", 18, bitwise_xor),
    PRELU(7),
    PRELU(9),
    PRELU(16),
};
OPERATOR_ROWS(binary);
