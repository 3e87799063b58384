/* Elementwise functions of one input: float mathematics, activations, tests for NaN and infinity, and the few that integers
 * have too. Each is one expression; its attributes (with ONNX's defaults) are listed beside it and arrive as p[0], p[1].
 */
#include "../base/pmath.h"
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

enum { MOST_PARAMS = 2 };

struct unary {
  map_f64_fn floats;
  map_i64_fn integers; // NULL: integers go through double
  struct {
    const char *name; // NULL: none
    float otherwise;
  } params[MOST_PARAMS];
};

static enum farm_status unary_run(struct reference_call *call, const struct unary *unary) {
  double params[MOST_PARAMS] = {0};
  for (int i = 0; i < MOST_PARAMS && unary->params[i].name; i++)
    params[i] = (double)attr_float(call->attrs, unary->params[i].name, unary->params[i].otherwise);
  const struct tensor *in = call->inputs[0];
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  if (unary->integers && !dtype_is_float(in->dtype))
    elements_map_i64(in, call->outputs[0], unary->integers, params);
  else
    elements_map_f64(in, call->outputs[0], unary->floats, params);
  return FARM_OK;
}

#define FLOATS(id, expression)                                                                                                   \
  static double id##_f64(double x, const double *p) {                                                                            \
    (void)p;                                                                                                                     \
    return expression;                                                                                                           \
  }
#define INTEGERS(id, expression)                                                                                                 \
  static int64_t id##_i64(int64_t x, const double *p) {                                                                          \
    (void)p;                                                                                                                     \
    return expression;                                                                                                           \
  }
#define REFERENCE(id, ...)                                                                                                       \
  static enum farm_status id##_reference(struct reference_call *call) {                                                          \
    static const struct unary unary = {__VA_ARGS__};                                                                             \
    return unary_run(call, &unary);                                                                                              \
  }
#define FLOAT_ONLY(id, expression) FLOATS(id, expression) REFERENCE(id, id##_f64, NULL, {{NULL, 0}})
#define FLOAT_WITH(id, a, a_otherwise, b, b_otherwise, expression)                                                               \
  FLOATS(id, expression) REFERENCE(id, id##_f64, NULL, {{a, a_otherwise}, {b, b_otherwise}})
#define FLOAT_OR_INTEGER(id, float_expression, integer_expression)                                                               \
  FLOATS(id, float_expression) INTEGERS(id, integer_expression) REFERENCE(id, id##_f64, id##_i64, {{NULL, 0}})

static double larger(double a, double b) { return a != a ? a : b != b ? b : a > b ? a : b; }
static double smaller(double a, double b) { return a != a ? a : b != b ? b : a < b ? a : b; }
static int64_t negated(int64_t x) { return (int64_t)(0 - (uint64_t)x); }
static double sigmoid(double x) { return 1 / (1 + pmath_exp(-x)); }
static double softplus(double x) { return larger(x, 0) + pmath_log1p(pmath_exp(-(x < 0 ? -x : x))); }

FLOAT_OR_INTEGER(abs, x < 0 || x == 0 ? 0 - x : x, x < 0 ? negated(x) : x)
FLOAT_OR_INTEGER(neg, -x, negated(x))
FLOAT_OR_INTEGER(sign, x > 0 ? 1 : x < 0 ? -1 : x, (x > 0) - (x < 0))
FLOAT_OR_INTEGER(relu, larger(x, 0), x > 0 ? x : 0)
FLOAT_OR_INTEGER(not, x == 0, x == 0)
FLOAT_OR_INTEGER(bitwise_not, x, ~x)
FLOAT_OR_INTEGER(ceil, pmath_ceil(x), x)
FLOAT_OR_INTEGER(floor, pmath_floor(x), x)
FLOAT_OR_INTEGER(round, pmath_round_even(x), x)
FLOAT_ONLY(sqrt, pmath_sqrt(x))
FLOAT_ONLY(exp, pmath_exp(x))
FLOAT_ONLY(log, pmath_log(x))
FLOAT_ONLY(reciprocal, 1 / x)
FLOAT_ONLY(erf, pmath_erf(x))
FLOAT_ONLY(sin, pmath_sin(x))
FLOAT_ONLY(cos, pmath_cos(x))
FLOAT_ONLY(tan, pmath_tan(x))
FLOAT_ONLY(asin, pmath_asin(x))
FLOAT_ONLY(acos, pmath_acos(x))
FLOAT_ONLY(atan, pmath_atan(x))
FLOAT_ONLY(sinh, pmath_sinh(x))
FLOAT_ONLY(cosh, pmath_cosh(x))
FLOAT_ONLY(tanh, pmath_tanh(x))
FLOAT_ONLY(asinh, pmath_asinh(x))
FLOAT_ONLY(acosh, pmath_acosh(x))
FLOAT_ONLY(atanh, pmath_atanh(x))
FLOAT_ONLY(sigmoid, sigmoid(x))
FLOAT_ONLY(softplus, softplus(x))
FLOAT_ONLY(softsign, x / (1 + (x < 0 ? -x : x)))
FLOAT_ONLY(mish, x *pmath_tanh(softplus(x)))
FLOAT_ONLY(hard_swish, x *larger(0, smaller(1, x / 6 + 0.5)))
FLOAT_ONLY(gelu_erf, 0.5 * x * (1 + pmath_erf(x * 0.70710678118654752440)))
FLOAT_ONLY(gelu_tanh, 0.5 * x * (1 + pmath_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))
FLOAT_ONLY(is_nan, x != x)
FLOAT_WITH(leaky_relu, "alpha", 0.01f, NULL, 0, x < 0 ? p[0] * x : x)
FLOAT_WITH(elu, "alpha", 1.0f, NULL, 0, x < 0 ? p[0] * pmath_expm1(x) : x)
FLOAT_WITH(celu, "alpha", 1.0f, NULL, 0, larger(x, 0) + smaller(0, p[0] * pmath_expm1(x / p[0])))
FLOAT_WITH(selu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f,
           p[1] * (x > 0 ? x : p[0] * pmath_expm1(x)))
FLOAT_WITH(hard_sigmoid, "alpha", 0.2f, "beta", 0.5f, larger(0, smaller(1, p[0] * x + p[1])))
FLOAT_WITH(thresholded_relu, "alpha", 1.0f, NULL, 0, x > p[0] ? x : 0)
FLOAT_WITH(shrink, "lambd", 0.5f, "bias", 0.0f, x<-p[0] ? x + p[1] : x> p[0] ? x - p[1] : 0)
FLOAT_WITH(swish, "alpha", 1.0f, NULL, 0, x *sigmoid(p[0] * x))

static enum farm_status gelu_reference(struct reference_call *call) {
  bool tanh = strcmp(attr_string(call->attrs, "approximate", "none"), "tanh") == 0;
  return tanh ? gelu_tanh_reference(call) : gelu_erf_reference(call);
}

static double is_inf_f64(double x, const double *p) { return (x - x != 0 && x == x) && p[x < 0] != 0; }

static enum farm_status is_inf_reference(struct reference_call *call) {
  double wanted[2] = {(double)attr_int(call->attrs, "detect_positive", 1), (double)attr_int(call->attrs, "detect_negative", 1)};
  TRY(reference_output(call, 0));
  if (call->outputs[0]) elements_map_f64(call->inputs[0], call->outputs[0], is_inf_f64, wanted);
  return FARM_OK;
}

#define ROW(name, since, id)                                                                                                     \
  { "", name, since, 1, 1, 1, 1, OPERATOR_ELEMENTWISE, 0, shape_unary, id##_reference }
#define ROW_BOOL(name, since, id)                                                                                                \
  { "", name, since, 1, 1, 1, 1, OPERATOR_ELEMENTWISE, 0, shape_broadcast_bool, id##_reference }
#define ROWS_6_13(name, id) ROW(name, 6, id), ROW(name, 13, id)
#define ROWS_9_13(name, id) ROW(name, 9, id), ROW(name, 13, id)
#define ROWS_7_22(name, id) ROW(name, 7, id), ROW(name, 22, id)
#define ROWS_9_22(name, id) ROW(name, 9, id), ROW(name, 22, id)
#define ROWS_6_22(name, id) ROW(name, 6, id), ROW(name, 22, id)

const struct operator_row operators_unary[] = {
    ROWS_6_13("Abs", abs),
    ROWS_6_13("Neg", neg),
    ROWS_9_13("Sign", sign),
    ROWS_6_13("Ceil", ceil),
    ROWS_6_13("Floor", floor),
    ROW("Round", 11, round),
    ROW("Round", 22, round),
    ROWS_6_13("Sqrt", sqrt),
    ROWS_6_13("Exp", exp),
    ROWS_6_13("Log", log),
    ROWS_6_13("Reciprocal", reciprocal),
    ROWS_9_13("Erf", erf),
    ROWS_7_22("Sin", sin),
    ROWS_7_22("Cos", cos),
    ROWS_7_22("Tan", tan),
    ROWS_7_22("Asin", asin),
    ROWS_7_22("Acos", acos),
    ROWS_7_22("Atan", atan),
    ROWS_9_22("Sinh", sinh),
    ROWS_9_22("Cosh", cosh),
    ROWS_9_22("Asinh", asinh),
    ROWS_9_22("Acosh", acosh),
    ROWS_9_22("Atanh", atanh),
    ROWS_6_13("Tanh", tanh),
    ROWS_6_13("Sigmoid", sigmoid),
    ROWS_6_13("Relu", relu),
    ROW("Relu", 14, relu),
    ROW("LeakyRelu", 6, leaky_relu),
    ROW("LeakyRelu", 16, leaky_relu),
    ROWS_6_22("Elu", elu),
    ROWS_6_22("Selu", selu),
    ROW("Celu", 12, celu),
    ROWS_6_22("HardSigmoid", hard_sigmoid),
    ROW("HardSwish", 14, hard_swish),
    ROW("HardSwish", 22, hard_swish),
    ROW("Softplus", 1, softplus),
    ROW("Softplus", 22, softplus),
    ROW("Softsign", 1, softsign),
    ROW("Softsign", 22, softsign),
    ROW("ThresholdedRelu", 10, thresholded_relu),
    ROW("ThresholdedRelu", 22, thresholded_relu),
    ROW("Shrink", 9, shrink),
    ROW("Mish", 18, mish),
    ROW("Mish", 22, mish),
    ROW("Gelu", 20, gelu),
    ROW("Swish", 24, swish),
    ROW("Not", 1, not ),
    ROW("BitwiseNot", 18, bitwise_not),
    ROW_BOOL("IsNaN", 9, is_nan),
    ROW_BOOL("IsNaN", 13, is_nan),
    ROW_BOOL("IsNaN", 20, is_nan),
    ROW_BOOL("IsInf", 10, is_inf),
    ROW_BOOL("IsInf", 20, is_inf),
};
OPERATOR_ROWS(unary);
