/* The list of epilogue steps: names, text form, reference of one step. See epilogue.h. */
#include "epilogue.h"

#include "../base/pmath.h"
#include "number-text.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  bool operand;
  int params;
} ops[EPILOGUE_COUNT] = {
#define X(name, text, operand, params) {text, operand, params},
    EPILOGUE_LIST(X)
#undef X
};

const char *epilogue_op_name(enum epilogue_op op) { return (unsigned)op < EPILOGUE_COUNT ? ops[op].name : "?"; }
bool epilogue_op_takes_operand(enum epilogue_op op) { return (unsigned)op < EPILOGUE_COUNT && ops[op].operand; }
int epilogue_op_params(enum epilogue_op op) { return (unsigned)op < EPILOGUE_COUNT ? ops[op].params : 0; }

enum farm_status epilogue_op_parse(const char *text, size_t length, enum epilogue_op *out) {
  for (int op = 0; op < EPILOGUE_COUNT; op++)
    if (strlen(ops[op].name) == length && !memcmp(ops[op].name, text, length)) return *out = (enum epilogue_op)op, FARM_OK;
  return status_set(FARM_USAGE, "epilogue: unknown step `%.*s`", (int)(length > 40 ? 40 : length), text);
}

int epilogue_operands(const struct epilogue *epilogue) {
  int count = 0;
  for (int i = 0; i < epilogue->count; i++) count += epilogue_op_takes_operand(epilogue->steps[i].op);
  return count;
}

void epilogue_default_params(struct epilogue_step *step) {
  static const float defaults[EPILOGUE_COUNT][2] = {[EPILOGUE_SCALE] = {0.5f, 0},
                                                    [EPILOGUE_CLIP] = {0, 6},
                                                    [EPILOGUE_LEAKY_RELU] = {0.01f, 0},
                                                    [EPILOGUE_HARD_SIGMOID] = {0.2f, 0.5f}};
  memcpy(step->p, defaults[step->op], sizeof step->p);
}

/* "(0,6)" at *text: exactly `count` numbers; moves past it. */
static enum farm_status parse_params(const char **text, struct epilogue_step *step) {
  int count = epilogue_op_params(step->op);
  for (int i = 0; i < count; i++) {
    FAIL_IF(**text != (i ? ',' : '('), FARM_USAGE, "epilogue: %s takes %d parameters", epilogue_op_name(step->op), count);
    const char *number = ++*text;
    *text += strcspn(*text, ",)");
    FAIL_IF(!number_parse_float(number, (size_t)(*text - number), &step->p[i]), FARM_USAGE, "epilogue: %s: not a number: %.20s",
            epilogue_op_name(step->op), number);
  }
  FAIL_IF(count && *(*text)++ != ')', FARM_USAGE, "epilogue: %s takes %d parameters", epilogue_op_name(step->op), count);
  return FARM_OK;
}

enum farm_status epilogue_parse(const char *text, struct epilogue *out) {
  struct epilogue result = {0};
  while (text && *text) {
    FAIL_IF(result.count == EPILOGUE_MAX, FARM_USAGE, "epilogue: more than %d steps", EPILOGUE_MAX);
    struct epilogue_step *step = &result.steps[result.count++];
    size_t length = strcspn(text, ",(");
    TRY(epilogue_op_parse(text, length, &step->op));
    text += length;
    TRY(parse_params(&text, step));
    FAIL_IF(*text && (*text != ',' || !text[1]), FARM_USAGE, "epilogue: expected ',' before %.20s", text);
    text += *text == ',';
  }
  *out = result;
  return FARM_OK;
}

void epilogue_print(const struct epilogue *epilogue, char *out, size_t out_bytes) {
  size_t at = 0;
  if (out_bytes) out[0] = 0;
  for (int i = 0; i < epilogue->count && at < out_bytes; i++) {
    const struct epilogue_step *step = &epilogue->steps[i];
    char numbers[2][NUMBER_TEXT_MAX];
    for (int p = 0; p < 2; p++) number_print_float(step->p[p], numbers[p]);
    static const char *const formats[] = {"%s%s", "%s%s(%s)", "%s%s(%s,%s)"};
    const char *format = formats[epilogue_op_params(step->op)];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    at += (size_t)snprintf(out + at, out_bytes - at, format, i ? "," : "", epilogue_op_name(step->op), numbers[0], numbers[1]);
#pragma GCC diagnostic pop
  }
}

/* max and min that keep a NaN of x. */
static double at_least(double x, double low) { return x < low ? low : x; }
static double at_most(double x, double high) { return x > high ? high : x; }
static double sigmoid(double x) { return 1.0 / (1.0 + pmath_exp(-x)); }
static double gelu(double x) { return 0.5 * x * (1.0 + pmath_erf(x * 0.70710678118654752440)); }
static double gelu_tanh(double x) { return 0.5 * x * (1.0 + pmath_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }

double epilogue_apply(const struct epilogue_step *step, double x, double operand) {
  const double p0 = (double)step->p[0], p1 = (double)step->p[1];
  switch (step->op) {
  case EPILOGUE_BIAS:
  case EPILOGUE_ADD:
    return x + operand;
  case EPILOGUE_MUL:
    return x * operand;
  case EPILOGUE_SCALE:
    return x * p0;
  case EPILOGUE_RELU:
    return at_least(x, 0);
  case EPILOGUE_CLIP:
    return at_most(at_least(x, p0), p1);
  case EPILOGUE_LEAKY_RELU:
    return x < 0 ? p0 * x : x;
  case EPILOGUE_SIGMOID:
    return sigmoid(x);
  case EPILOGUE_TANH:
    return pmath_tanh(x);
  case EPILOGUE_SILU:
    return x * sigmoid(x);
  case EPILOGUE_GELU:
    return gelu(x);
  case EPILOGUE_GELU_TANH:
    return gelu_tanh(x);
  case EPILOGUE_HARD_SWISH:
    return x * at_most(at_least(x / 6 + 0.5, 0), 1);
  case EPILOGUE_HARD_SIGMOID:
    return at_most(at_least(p0 * x + p1, 0), 1);
  case EPILOGUE_COUNT:
    break;
  }
  return x;
}
