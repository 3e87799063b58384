/* See activation.h. */
#include "activation.h"

#include "../base/pmath.h"

#include <strings.h>

double activation_sigmoid(double x) {
  if (x >= 0) return 1 / (1 + pmath_exp(-x));
  double e = pmath_exp(x);
  return e / (1 + e);
}

double activation_gelu(double x) { return x * 0.5 * (1 + pmath_erf(x * 0.70710678118654752440)); }

#define FUNCTION(name, expression)                                                                                               \
  static double name(double x, double alpha, double beta) {                                                                      \
    (void)alpha, (void)beta;                                                                                                     \
    return expression;                                                                                                           \
  }

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

FUNCTION(identity, x)
FUNCTION(relu, x < 0 ? 0 : x)
FUNCTION(tanh_of, pmath_tanh(x))
FUNCTION(sigmoid, activation_sigmoid(x))
FUNCTION(affine, alpha *x + beta)
FUNCTION(leaky, x < 0 ? alpha * x : x)
FUNCTION(thresholded, x > alpha ? x : 0)
FUNCTION(scaled_tanh, alpha *pmath_tanh(beta *x))
FUNCTION(hard_sigmoid, clamp(alpha *x + beta, 0, 1))
FUNCTION(elu, x < 0 ? alpha * pmath_expm1(x) : x)
FUNCTION(softsign, x / (1 + (x < 0 ? -x : x)))
FUNCTION(softplus, x > 0 ? x + pmath_log1p(pmath_exp(-x)) : pmath_log1p(pmath_exp(x)))
FUNCTION(clip, clamp(x, alpha, beta))

static const struct {
  const char *name;
  struct activation activation;
  int parameters;
} table[] = {
    {"", {identity, 0, 0}, 0},
    {"Identity", {identity, 0, 0}, 0},
    {"Relu", {relu, 0, 0}, 0},
    {"Tanh", {tanh_of, 0, 0}, 0},
    {"Sigmoid", {sigmoid, 0, 0}, 0},
    {"Affine", {affine, 1, 0}, 2},
    {"LeakyRelu", {leaky, 0.01, 0}, 1},
    {"ThresholdedRelu", {thresholded, 1, 0}, 1},
    {"ScaledTanh", {scaled_tanh, 1, 1}, 2},
    {"HardSigmoid", {hard_sigmoid, 0.2, 0.5}, 2},
    {"Elu", {elu, 1, 0}, 1},
    {"Softsign", {softsign, 0, 0}, 0},
    {"Softplus", {softplus, 0, 0}, 0},
    {"Clip", {clip, -3.4028234663852886e38, 3.4028234663852886e38}, 2},
};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

enum farm_status activation_find(const char *name, struct activation *out) {
  for (int i = 0; i < TABLE_COUNT; i++)
    if (strcasecmp(table[i].name, name) == 0) return *out = table[i].activation, FARM_OK;
  return status_set(FARM_INVALID, "there is no activation \"%s\"", name);
}

int activation_parameters(const struct activation *activation) {
  for (int i = 0; i < TABLE_COUNT; i++)
    if (table[i].activation.apply == activation->apply) return table[i].parameters;
  return 0;
}
