/* See epilogue.h. One table says how each step is written. */
#include "epilogue.h"

#include <stdio.h>

static const struct {
  const char *text; // with %s: the operand
  int operations;
} steps[EPILOGUE_COUNT] = {
    [EPILOGUE_BIAS] = {"x + %s", 4},
    [EPILOGUE_ADD] = {"x + %s", 4},
    [EPILOGUE_MUL] = {"x * %s", 4},
    [EPILOGUE_SCALE] = {"x * p0", 1},
    [EPILOGUE_RELU] = {"at_least(x, 0.0f)", 1},
    [EPILOGUE_CLIP] = {"at_most(at_least(x, p0), p1)", 2},
    [EPILOGUE_LEAKY_RELU] = {"x < 0.0f ? p0 * x : x", 2},
    [EPILOGUE_SIGMOID] = {"end_sigmoid(x)", 20},
    [EPILOGUE_TANH] = {"tanhf(x)", 25},
    [EPILOGUE_SILU] = {"end_silu(x)", 20},
    [EPILOGUE_GELU] = {"end_gelu(x)", 30},
    [EPILOGUE_GELU_TANH] = {"end_gelu_tanh(x)", 30},
    [EPILOGUE_HARD_SWISH] = {"end_hard_swish(x)", 4},
    [EPILOGUE_HARD_SIGMOID] = {"end_hard_sigmoid(x, p0, p1)", 3},
};

static void step_source(const struct problem *problem, int step, int operand, struct strbuf *out) {
  const enum epilogue_op op = problem->epilogue.steps[step].op;
  char element[96] = "";
  if (epilogue_op_takes_operand(op))
    snprintf(element, sizeof element, "end_operand<%s>(end.extra[%d], %s)",
             cuda_type_name(problem->operands[2 + operand].dtype), operand, op == EPILOGUE_BIAS ? "channel" : "index");
  strbuf_printf(out, "  { const float p0 = end.p[%d], p1 = end.p[%d]; (void)p0, (void)p1; x = ", 2 * step, 2 * step + 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
  strbuf_printf(out, steps[op].text, element);
#pragma GCC diagnostic pop
  strbuf_add(out, "; }\n");
}

enum farm_status epilogue_source(const struct problem *problem, struct strbuf *out) {
  TRY(cuda_source_file(out, "epilogue.cu"));
  strbuf_add(out, "#line 1 \"end_value\"\n"
                  "FARM_DEVICE float end_value(float x, const epilogue_args &end, i64 index, int channel) {\n"
                  "  (void)end, (void)index, (void)channel;\n");
  for (int i = 0, operand = 0; i < problem->epilogue.count; i++) {
    step_source(problem, i, operand, out);
    operand += epilogue_op_takes_operand(problem->epilogue.steps[i].op);
  }
  strbuf_add(out, "  return x;\n}\n");
  return FARM_OK;
}

void epilogue_args_fill(const struct cuda_call *call, struct epilogue_args *out) {
  *out = (struct epilogue_args){0};
  for (int i = 0; i < EPILOGUE_MAX && 2 + i < call->problem->input_count; i++) out->extra[i] = call->inputs[2 + i];
  for (int i = 0; i < call->scalars->epilogue.count; i++)
    for (int p = 0; p < 2; p++) out->p[2 * i + p] = call->scalars->epilogue.steps[i].p[p];
}

double epilogue_operations(const struct epilogue *epilogue) {
  double sum = 4; // the store
  for (int i = 0; i < epilogue->count; i++) sum += steps[epilogue->steps[i].op].operations;
  return sum;
}
