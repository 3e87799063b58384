/* See elementwise-map.h. One row per operator: its program, and where its parameters come from. */
#include "elementwise-map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct parameter {
  const char *attr; // NULL: the constant in `otherwise`
  float otherwise;
};

struct fragment {
  const char *domain, *name;
  int since, until; // row versions it is for
  int inputs;
  const char *program;
  struct parameter params[5];
};

#define ANY 1, 99
#define UNARY(name, op)                                                                                                          \
  {                                                                                                                              \
    "", name, ANY, 1, "{%1=" op " %0;out %1}", {                                                                                 \
      { 0 }                                                                                                                      \
    }                                                                                                                            \
  }
#define BINARY(name, op)                                                                                                         \
  {                                                                                                                              \
    "", name, ANY, 2, "{%2=" op " %0 %1;out %2}", {                                                                              \
      { 0 }                                                                                                                      \
    }                                                                                                                            \
  }
/* exp(x) - 1 = tanh(x / 2) (exp(x) + 1), exact also near 0; here %4 */
#define EXPM1 "{%1=mul %0 $0;%2=tanh %1;%3=exp %0;%4=add %3 $1;%5=mul %2 %4;"

static const struct fragment fragments[] = {
    BINARY("Add", "add"),
    BINARY("Sub", "sub"),
    BINARY("Mul", "mul"),
    BINARY("Div", "div"),
    BINARY("Pow", "pow"),
    BINARY("Equal", "equal"),
    BINARY("Less", "less"),
    BINARY("LessOrEqual", "less_equal"),
    BINARY("And", "and"),
    BINARY("Or", "or"),
    UNARY("Neg", "neg"),
    UNARY("Abs", "abs"),
    UNARY("Sign", "sign"),
    UNARY("Sqrt", "sqrt"),
    UNARY("Reciprocal", "reciprocal"),
    UNARY("Exp", "exp"),
    UNARY("Log", "log"),
    UNARY("Sin", "sin"),
    UNARY("Cos", "cos"),
    UNARY("Tanh", "tanh"),
    UNARY("Erf", "erf"),
    UNARY("Sigmoid", "sigmoid"),
    UNARY("Softplus", "softplus"),
    UNARY("Floor", "floor"),
    UNARY("Ceil", "ceil"),
    UNARY("Round", "round"),
    UNARY("Relu", "relu"),
    UNARY("HardSwish", "hard_swish"),
    UNARY("Not", "not"),
    {"", "Greater", ANY, 2, "{%2=less %1 %0;out %2}", {{0}}},
    {"", "GreaterOrEqual", ANY, 2, "{%2=less_equal %1 %0;out %2}", {{0}}},
    {"", "Xor", ANY, 2, "{%2=equal %0 %1;%3=not %2;out %3}", {{0}}},
    {"", "Where", ANY, 3, "{%3=where %0 %1 %2;out %3}", {{0}}},
    {"", "Cast", ANY, 1, "{out %0}", {{0}}},
    {"", "IsNaN", ANY, 1, "{%1=equal %0 %0;%2=not %1;out %2}", {{0}}},
    {"", "Clip", 1, 10, 1, "{%1=max %0 $0;%2=min %1 $1;out %2}", {{"min", -INFINITY}, {"max", INFINITY}}},
    {"", "Clip", 11, 99, 1, "{out %0}", {{0}}},
    {"", "Clip", 11, 99, 2, "{%2=max %0 %1;out %2}", {{0}}},
    {"", "Clip", 11, 99, 3, "{%3=max %0 %1;%4=min %3 %2;out %4}", {{0}}},
    {"", "LeakyRelu", ANY, 1, "{%1=less %0 $0;%2=mul %0 $1;%3=where %1 %2 %0;out %3}", {{NULL, 0}, {"alpha", 0.01f}}},
    {"", "PRelu", ANY, 2, "{%2=less %0 $0;%3=mul %0 %1;%4=where %2 %3 %0;out %4}", {{NULL, 0}}},
    {"", "ThresholdedRelu", ANY, 1, "{%1=less $0 %0;%2=where %1 %0 $1;out %2}", {{"alpha", 1}, {NULL, 0}}},
    {"",
     "HardSigmoid",
     ANY,
     1,
     "{%1=mul %0 $0;%2=add %1 $1;%3=max %2 $2;%4=min %3 $3;out %4}",
     {{"alpha", 0.2f}, {"beta", 0.5f}, {NULL, 0}, {NULL, 1}}},
    {"", "Softsign", ANY, 1, "{%1=abs %0;%2=add %1 $0;%3=div %0 %2;out %3}", {{NULL, 1}}},
    {"", "Mish", ANY, 1, "{%1=softplus %0;%2=tanh %1;%3=mul %0 %2;out %3}", {{0}}},
    {"",
     "Elu",
     ANY,
     1,
     EXPM1 "%6=mul %5 $2;%7=less %0 $3;%8=where %7 %6 %0;out %8}",
     {{NULL, 0.5f}, {NULL, 1}, {"alpha", 1}, {NULL, 0}}},
    {"",
     "Selu",
     ANY,
     1,
     EXPM1 "%6=mul %5 $2;%7=less %0 $3;%8=where %7 %6 %0;%9=mul %8 $4;out %9}",
     {{NULL, 0.5f}, {NULL, 1}, {"alpha", 1.67326319217681884765625f}, {NULL, 0}, {"gamma", 1.05070102214813232421875f}}},
    {"com.microsoft", "Gelu", ANY, 1, "{%1=gelu %0;out %1}", {{0}}},
    {"com.microsoft", "BiasGelu", ANY, 2, "{%2=add %0 %1;%3=gelu %2;out %3}", {{0}}},
    {"com.microsoft", "BiasAdd", ANY, 3, "{%3=add %0 %1;%4=add %3 %2;out %4}", {{0}}},
    {"com.microsoft", "FastGelu", ANY, 1, "{%1=gelu_tanh %0;out %1}", {{0}}},
    {"com.microsoft", "FastGelu", ANY, 2, "{%2=add %0 %1;%3=gelu_tanh %2;out %3}", {{0}}},
    {"com.microsoft", "QuickGelu", ANY, 1, "{%1=mul %0 $0;%2=sigmoid %1;%3=mul %0 %2;out %3}", {{"alpha", 1.702f}}},
};

static const struct fragment gelus[] = {{"", "Gelu", ANY, 1, "{%1=gelu %0;out %1}", {{0}}},
                                        {"", "Gelu", ANY, 1, "{%1=gelu_tanh %0;out %1}", {{0}}}};

bool elementwise_type(enum dtype dtype) {
  return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16 || dtype == DTYPE_BOOL;
}

static const struct fragment *fragment_find(const struct operation *operation, int input_count) {
  const struct operator_row *row = operation->row;
  if (!strcmp(row->domain, "") && !strcmp(row->name, "Gelu"))
    return &gelus[!strcmp(attr_string(&operation->attrs, "approximate", "none"), "tanh")];
  for (size_t i = 0; i < sizeof fragments / sizeof *fragments; i++) {
    const struct fragment *f = &fragments[i];
    if (strcmp(f->name, row->name) || strcmp(f->domain, row->domain) || f->inputs != input_count) continue;
    if (row->since_version >= f->since && row->since_version <= f->until) return f;
  }
  return NULL;
}

/* Max, Min, Sum of any number of inputs: a chain. */
static bool variadic_program(const struct operator_row *row, int inputs, struct map_program *out) {
  static const struct {
    const char *name;
    enum map_op op;
  } chains[] = {{"Max", MAP_MAX}, {"Min", MAP_MIN}, {"Sum", MAP_ADD}};
  if (row->domain[0] || inputs < 1 || inputs > MAP_MAX_OPERANDS) return false;
  for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
    if (strcmp(chains[i].name, row->name)) continue;
    *out = (struct map_program){.operand_count = inputs, .instruction_count = inputs - 1, .output_count = 1};
    for (int k = 0; k < inputs - 1; k++)
      out->instructions[k] =
          (struct map_instruction){chains[i].op, {{false, (int16_t)(k ? inputs + k - 1 : 0)}, {false, (int16_t)(k + 1)}}};
    out->outputs[0].index = (int16_t)(inputs > 1 ? inputs + inputs - 2 : 0);
    return true;
  }
  return false;
}

enum farm_status elementwise_map_of(const struct operation *operation, int input_count, struct elementwise_map *out) {
  struct elementwise_map map = {0};
  float params[MAP_MAX_PARAMS] = {0};
  int order[MAP_MAX_PARAMS] = {0};
  const struct fragment *fragment = fragment_find(operation, input_count);
  if (fragment) {
    TRY(map_program_parse(fragment->program, &map.program));
    if (map.program.operand_count != input_count) return FARM_UNSUPPORTED;
    for (int i = 0; i < map.program.param_count; i++) {
      const struct parameter *p = &fragment->params[i];
      params[i] = p->attr ? attr_float(&operation->attrs, p->attr, p->otherwise) : p->otherwise;
    }
  } else if (!variadic_program(operation->row, input_count, &map.program)) {
    return FARM_UNSUPPORTED;
  }
  map_program_canonicalise(&map.program, map.inputs, order);
  for (int i = 0; i < map.program.param_count; i++) map.params[i] = params[order[i]];
  *out = map;
  return FARM_OK;
}

enum farm_status elementwise_map_typed(const struct operation *operation, const struct tensor *const *inputs, int input_count,
                                       const struct tensor *output, struct elementwise_map *out) {
  for (int i = 0; i < input_count; i++)
    if (!inputs[i] || !elementwise_type(inputs[i]->dtype)) return FARM_UNSUPPORTED;
  if (!output || !elementwise_type(output->dtype)) return FARM_UNSUPPORTED;
  return elementwise_map_of(operation, input_count, out);
}
