/* What is done to each result of a gemm or conv while it is still in registers: a short list, applied in order.
 *
 * As an operator attribute (string "epilogue"): `bias,add,clip(0,6)`. In a problem's text only the names appear (`+bias +add +clip`):
 * scalar parameters do not change the code. An op marked OPERAND takes the next extra operand of the operation:
 *   bias   a vector over the output channels (n of a gemm, k of a conv)       add, mul   a tensor of the output's shape
 */
#ifndef PROBLEM_EPILOGUE_H
#define PROBLEM_EPILOGUE_H

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>

/*      name     text      operand params  meaning, x = the value so far */
#define EPILOGUE_LIST(X)                                                                                     \
  X(BIAS, "bias", 1, 0)           /* x + b[channel] */                                                       \
  X(ADD, "add", 1, 0)             /* x + t */                                                                \
  X(MUL, "mul", 1, 0)             /* x * t */                                                                \
  X(SCALE, "scale", 0, 1)         /* x * p0 */                                                               \
  X(RELU, "relu", 0, 0)           /* max(x, 0) */                                                            \
  X(CLIP, "clip", 0, 2)           /* min(max(x, p0), p1) */                                                  \
  X(LEAKY_RELU, "leaky_relu", 0, 1) /* x >= 0 ? x : p0 x */                                                  \
  X(SIGMOID, "sigmoid", 0, 0)     /* 1 / (1 + exp(-x)) */                                                    \
  X(TANH, "tanh", 0, 0)                                                                                      \
  X(SILU, "silu", 0, 0)           /* x sigmoid(x) */                                                         \
  X(GELU, "gelu", 0, 0)           /* x/2 (1 + erf(x / sqrt 2)) */                                            \
  X(GELU_TANH, "gelu_tanh", 0, 0) /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */                        \
  X(HARD_SWISH, "hard_swish", 0, 0) /* x min(max(x/6 + 1/2, 0), 1) */                                        \
  X(HARD_SIGMOID, "hard_sigmoid", 0, 2) /* min(max(p0 x + p1, 0), 1) */

enum epilogue_op {
#define X(name, text, operand, params) EPILOGUE_##name,
  EPILOGUE_LIST(X)
#undef X
  EPILOGUE_COUNT
};

enum { EPILOGUE_MAX = 6 };

struct epilogue {
  int count;
  struct epilogue_step {
    enum epilogue_op op;
    float p[2];
  } steps[EPILOGUE_MAX];
};

const char *epilogue_op_name(enum epilogue_op op);
bool epilogue_op_takes_operand(enum epilogue_op op);
int epilogue_op_params(enum epilogue_op op);
enum farm_status epilogue_op_parse(const char *text, size_t length, enum epilogue_op *out); // the bare name
/* Parameters of a problem that came as text, which has none: scale 0.5, clip 0 6, leaky_relu 0.01, hard_sigmoid 0.2 0.5. */
void epilogue_default_params(struct epilogue_step *step);
int epilogue_operands(const struct epilogue *epilogue); // how many extra operands it takes
/* "" and NULL are the empty epilogue. Parameters are printed so that they parse to the same float. */
enum farm_status epilogue_parse(const char *text, struct epilogue *out);
void epilogue_print(const struct epilogue *epilogue, char *out, size_t out_bytes);
/* The reference of one step on one value, in double; `operand` is the extra operand's element (ignored without one). */
double epilogue_apply(const struct epilogue_step *step, double x, double operand);

#endif
