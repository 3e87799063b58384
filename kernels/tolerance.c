/* How far a tactic's result may lie from the reference's, computed from types and lengths: one function for tests and workers.
 *
 * A sum of k products in any order, with or without fused multiply-add, errs by at most
 *
 *     (exp(l sqrt(k) u + k u^2 / (1 - u)) - 1) * sum |a_i b_i|,   about  l sqrt(k) u * magnitude,
 *
 * with probability 1 - 2k exp(-l^2 (1 - u)^2 / 2) (Higham and Mary, "A new approach to probabilistic rounding error analysis",
 * SIAM J. Sci. Comput. 41(5), 2019, theorem 2.4). With l = 6 a million sums pass without one false alarm. To that comes one
 * rounding per step of an epilogue or instruction of a map, a few for what is computed by polynomials (accurate to
 * POLYNOMIAL_ULPS), and the rounding of the stored type. Everything is relative to `magnitude`, which bounds the sum and all that
 * is added to it.
 */
#include "tactic.h"

#include "../base/pmath.h"

enum { LAMBDA = 6, POLYNOMIAL_ULPS = 8 };

/* Half the distance from 1 to the next number: 2^-(stored mantissa bits + 1). Integers are exact. */
static double unit_roundoff(enum dtype type) {
  static const struct {
    enum dtype type;
    int bits;
  } mantissas[] = {{DTYPE_F64, 53},  {DTYPE_F32, 24}, {DTYPE_F16, 11},  {DTYPE_BF16, 8}, {DTYPE_E4M3, 4},
                   {DTYPE_E4M3Z, 4}, {DTYPE_E5M2, 3}, {DTYPE_E5M2Z, 3}, {DTYPE_E2M1, 2}};
  for (size_t i = 0; i < sizeof mantissas / sizeof *mantissas; i++)
    if (mantissas[i].type == type) return pmath_ldexp(1, -mantissas[i].bits);
  return 0;
}

/* How many values each output element sums. */
static double accumulation_length(const struct problem *problem) {
  const int64_t *d = problem->dims;
  double length = 1;
  switch (problem->kind) {
  case PROBLEM_GEMM:
    return (double)d[GEMM_K];
  case PROBLEM_CONV2D:
    return (double)(d[CONV_C] / d[CONV_G]) * (double)d[CONV_R] * (double)d[CONV_S];
  case PROBLEM_POOL2D:
    return (double)d[POOL_R] * (double)d[POOL_S];
  case PROBLEM_SOFTMAX:
    return (double)d[SOFTMAX_LEN];
  case PROBLEM_NORM:
    return (double)d[NORM_LEN];
  case PROBLEM_ATTENTION:
    return (double)d[ATTENTION_D] + (double)d[ATTENTION_KV];
  case PROBLEM_MAP:
    for (int i = 0; i < problem->dim_count; i++)
      if (problem->reduced >> i & 1) length *= (double)d[i];
    return length;
  default:
    return length;
  }
}

/* Roundings that follow the sum. */
static double rounding_steps(const struct problem *problem) {
  double steps = 1;
  for (int i = 0; i < problem->epilogue.count; i++)
    steps += problem->epilogue.steps[i].op >= EPILOGUE_SIGMOID && problem->epilogue.steps[i].op <= EPILOGUE_GELU_TANH
                 ? POLYNOMIAL_ULPS
                 : 1;
  if (problem->kind == PROBLEM_MAP && problem->program) steps += (double)POLYNOMIAL_ULPS * problem->program->instruction_count;
  if (problem->kind == PROBLEM_SOFTMAX || problem->kind == PROBLEM_ATTENTION || problem->kind == PROBLEM_NORM)
    steps += 4 * POLYNOMIAL_ULPS;
  return steps;
}

static bool moves_only(const struct problem *problem) {
  return problem->kind == PROBLEM_TRANSPOSE || (problem->kind == PROBLEM_POOL2D && problem->dims[POOL_MODE] == POOL_MAX);
}

double problem_tolerance(const struct problem *problem, double magnitude) {
  if (moves_only(problem)) return 0;
  double u = unit_roundoff(problem->accumulate == DTYPE_NONE ? DTYPE_F32 : problem->accumulate);
  double length = accumulation_length(problem);
  double sum = pmath_expm1(LAMBDA * pmath_sqrt(length) * u + length * u * u / (1 - u));
  double stored = 0;
  for (int i = 0; i < problem->output_count; i++) {
    double output = unit_roundoff(problem->operands[problem->input_count + i].dtype);
    if (output > stored) stored = output;
  }
  return magnitude * (sum + rounding_steps(problem) * u + stored);
}

/* The epilogue's own operands are at most 1 in size; every activation has |f(x)| <= |x| + 1 and a slope of at most 1.13. */
static double through_epilogue(const struct epilogue *epilogue, double magnitude) {
  for (int i = 0; i < epilogue->count; i++) {
    const struct epilogue_step *step = &epilogue->steps[i];
    double size = step->p[0] < 0 ? -step->p[0] : step->p[0];
    switch (step->op) {
    case EPILOGUE_BIAS:
    case EPILOGUE_ADD:
      magnitude += 1;
      break;
    case EPILOGUE_SCALE:
    case EPILOGUE_HARD_SIGMOID:
      magnitude *= size > 1 ? size : 1;
      break;
    case EPILOGUE_LEAKY_RELU:
      magnitude *= size > 1 ? size : 1;
      break;
    case EPILOGUE_GELU:
    case EPILOGUE_GELU_TANH:
    case EPILOGUE_SILU:
      magnitude *= 1.13;
      break;
    case EPILOGUE_HARD_SWISH:
      magnitude *= 1.5;
      break;
    default:
      break;
    }
  }
  return magnitude;
}

double problem_magnitude(const struct problem *problem) {
  switch (problem->kind) {
  case PROBLEM_GEMM:
  case PROBLEM_CONV2D:
    /* products of two uniform numbers of [-1, 1]: the mean of |ab| is 1/4; 1/2 leaves room for short sums */
    return through_epilogue(&problem->epilogue, 1 + accumulation_length(problem) / 2);
  case PROBLEM_SOFTMAX:
    return problem->dims[SOFTMAX_LOG] ? 2 + pmath_log(accumulation_length(problem)) : 1;
  case PROBLEM_NORM:
    return 4;
  case PROBLEM_MAP:
    return 4 * accumulation_length(problem);
  default:
    return 1;
  }
}
