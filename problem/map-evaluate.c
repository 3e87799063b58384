/* The arithmetic of map programs: the reference that every kernel of a map is checked against. See map-program.h.
 *
 * NaN goes through everything but the comparisons (false), the logic (true, being unequal to zero) and sign (NaN).
 */
#include "../base/pmath.h"
#include "map-program.h"

static double minimum(double a, double b) { return a != a || a < b ? a : b; }
static double maximum(double a, double b) { return a != a || a > b ? a : b; }
static double sigmoid(double x) { return 1.0 / (1.0 + pmath_exp(-x)); }
static double softplus(double x) { return (x > 0 ? x : 0) + (x != x ? x : pmath_log1p(pmath_exp(x > 0 ? -x : x))); }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double absolute(double x) { return __builtin_fabs(x); }
static double gelu(double x) { return 0.5 * x * (1.0 + pmath_erf(x * 0.70710678118654752440)); }
static double gelu_tanh(double x) { return 0.5 * x * (1.0 + pmath_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }
static double hard_swish(double x) { return x * minimum(maximum(x / 6 + 0.5, 0), 1); }

double map_op_apply(enum map_op op, double a, double b, double c) {
  switch (op) {
  case MAP_ADD:
    return a + b;
  case MAP_SUB:
    return a - b;
  case MAP_MUL:
    return a * b;
  case MAP_DIV:
    return a / b;
  case MAP_MIN:
    return minimum(a, b);
  case MAP_MAX:
    return maximum(a, b);
  case MAP_POW:
    return pmath_pow(a, b);
  case MAP_NEG:
    return -a;
  case MAP_ABS:
    return absolute(a);
  case MAP_SIGN:
    return sign(a);
  case MAP_SQRT:
    return pmath_sqrt(a);
  case MAP_RECIPROCAL:
    return 1.0 / a;
  case MAP_EXP:
    return pmath_exp(a);
  case MAP_LOG:
    return pmath_log(a);
  case MAP_SIN:
    return pmath_sin(a);
  case MAP_COS:
    return pmath_cos(a);
  case MAP_TANH:
    return pmath_tanh(a);
  case MAP_ERF:
    return pmath_erf(a);
  case MAP_SIGMOID:
    return sigmoid(a);
  case MAP_SOFTPLUS:
    return softplus(a);
  case MAP_FLOOR:
    return pmath_floor(a);
  case MAP_CEIL:
    return pmath_ceil(a);
  case MAP_ROUND:
    return pmath_round_even(a);
  case MAP_RELU:
    return a < 0 ? 0 : a;
  case MAP_GELU:
    return gelu(a);
  case MAP_GELU_TANH:
    return gelu_tanh(a);
  case MAP_SILU:
    return a * sigmoid(a);
  case MAP_HARD_SWISH:
    return hard_swish(a);
  case MAP_EQUAL:
    return a == b;
  case MAP_LESS:
    return a < b;
  case MAP_LESS_EQUAL:
    return a <= b;
  case MAP_NOT:
    return a == 0;
  case MAP_AND:
    return a != 0 && b != 0;
  case MAP_OR:
    return a != 0 || b != 0;
  case MAP_WHERE:
    return a != 0 ? b : c;
  case MAP_OP_COUNT:
    break;
  }
  return 0;
}

static double argument_value(struct map_argument argument, const float *params, const double *registers) {
  return argument.is_param ? (double)params[argument.index] : registers[argument.index];
}

void map_program_evaluate(const struct map_program *program, const float *params, double *registers, double *out_outputs) {
  for (int i = 0; i < program->instruction_count; i++) {
    const struct map_instruction *instruction = &program->instructions[i];
    double values[3] = {0};
    for (int a = 0; a < map_op_arity(instruction->op); a++)
      values[a] = argument_value(instruction->arguments[a], params, registers);
    registers[program->operand_count + i] = (double)(float)map_op_apply(instruction->op, values[0], values[1], values[2]);
  }
  for (int i = 0; i < program->output_count; i++) out_outputs[i] = argument_value(program->outputs[i], params, registers);
}
