/* Fused elementwise chains, in SSA form: the program of a `map`.
 *
 *   {%2=add %0 %1;%3=gelu %2;%4=mul %3 $0;out %4}
 *
 * %0..%n-1 are the operands, $i scalar parameters (outside the problem's key, in the attribute "params"), each further %k one
 * instruction. All arithmetic is f32; loads convert from and stores to the operands' types (bool is 0 or 1). At most one output per
 * `out`, several outs allowed. A reduction may end it: `out sum %4` reduces over the problem's `r` dims (sum, mean, max, min, prod,
 * sumsq, and for norms none here: they are problems of their own).
 *
 * Canonical form: unused instructions gone, operands and parameters numbered by first use, arguments of commutative instructions
 * sorted, equal instructions merged, ties in graph order (docs/formats/problem-text.md has the procedure); two chains that compute
 * the same thing the same way have one text.
 */
#ifndef PROBLEM_MAP_PROGRAM_H
#define PROBLEM_MAP_PROGRAM_H

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*      name  text arity commutative */
#define MAP_OP_LIST(X)                                                                                       \
  X(ADD, "add", 2, 1) X(SUB, "sub", 2, 0) X(MUL, "mul", 2, 1) X(DIV, "div", 2, 0)                            \
  X(MIN, "min", 2, 1) X(MAX, "max", 2, 1) X(POW, "pow", 2, 0)                                                \
  X(NEG, "neg", 1, 0) X(ABS, "abs", 1, 0) X(SIGN, "sign", 1, 0) X(SQRT, "sqrt", 1, 0)                        \
  X(RECIPROCAL, "reciprocal", 1, 0) X(EXP, "exp", 1, 0) X(LOG, "log", 1, 0) X(SIN, "sin", 1, 0)              \
  X(COS, "cos", 1, 0) X(TANH, "tanh", 1, 0) X(ERF, "erf", 1, 0) X(SIGMOID, "sigmoid", 1, 0)                  \
  X(SOFTPLUS, "softplus", 1, 0) X(FLOOR, "floor", 1, 0) X(CEIL, "ceil", 1, 0) X(ROUND, "round", 1, 0)        \
  X(RELU, "relu", 1, 0) X(GELU, "gelu", 1, 0) X(GELU_TANH, "gelu_tanh", 1, 0) X(SILU, "silu", 1, 0)          \
  X(HARD_SWISH, "hard_swish", 1, 0)                                                                          \
  X(EQUAL, "equal", 2, 1) X(LESS, "less", 2, 0) X(LESS_EQUAL, "less_equal", 2, 0) /* give 0 or 1 */          \
  X(NOT, "not", 1, 0) X(AND, "and", 2, 1) X(OR, "or", 2, 1)                                                  \
  X(WHERE, "where", 3, 0) /* first != 0 ? second : third */

enum map_op {
#define X(name, text, arity, commutative) MAP_##name,
  MAP_OP_LIST(X)
#undef X
  MAP_OP_COUNT
};

enum map_reduce { MAP_REDUCE_NONE, MAP_REDUCE_SUM, MAP_REDUCE_MEAN, MAP_REDUCE_MAX, MAP_REDUCE_MIN, MAP_REDUCE_PROD, MAP_REDUCE_SUMSQ };

enum { MAP_MAX_OPERANDS = 12, MAP_MAX_OUTPUTS = 4, MAP_MAX_INSTRUCTIONS = 64, MAP_MAX_PARAMS = 32 };

/* An argument: an operand or earlier instruction (register), or a parameter. */
struct map_argument {
  bool is_param;
  int16_t index; // register: operands first, then instructions; or parameter
};

struct map_instruction {
  enum map_op op;
  struct map_argument arguments[3];
};

struct map_program {
  int operand_count, param_count, instruction_count, output_count;
  struct map_instruction instructions[MAP_MAX_INSTRUCTIONS];
  struct map_argument outputs[MAP_MAX_OUTPUTS];
  enum map_reduce reduce; // of all outputs; NONE for a pure map
};

int map_op_arity(enum map_op op);
const char *map_op_name(enum map_op op);
bool map_op_commutative(enum map_op op);
enum farm_status map_program_parse(const char *text, struct map_program *out); // checks every index; hostile text is refused
enum farm_status map_program_print(const struct map_program *program, char *out, size_t out_bytes); // FARM_NO_MEMORY when it does not fit
/* Canonical form. out_operand_order[i] = old operand index of new operand i; the same for params. */
void map_program_canonicalise(struct map_program *program, int *out_operand_order, int *out_param_order);
/* One element, in double with every instruction's result rounded to float (the reference). registers must have room for
 * operand_count + instruction_count doubles, operands filled in. Outputs before reduction. */
void map_program_evaluate(const struct map_program *program, const float *params, double *registers, double *out_outputs);
/* One instruction: the double result, not yet rounded. */
double map_op_apply(enum map_op op, double a, double b, double c);
bool map_program_equal(const struct map_program *a, const struct map_program *b);
const char *map_reduce_name(enum map_reduce reduce); // "" for none

#endif
