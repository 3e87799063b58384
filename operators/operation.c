/* Operations to problems: which kind an operator's operations are of, and what the kinds share. See operation.h. */
#include "fused.h"
#include "elementwise-map.h"
#include "operation-kinds.h"

#include <string.h>

static const struct {
  const char *domain, *name;
  problem_maker_fn make;
} makers[] = {
    {"", "MatMul", make_gemm},
    {"", "Gemm", make_gemm},
    {"tunefarm", "Gemm", make_gemm},
    {"", "Conv", make_conv},
    {"tunefarm", "Conv", make_conv},
    {"", "MaxPool", make_pool},
    {"", "AveragePool", make_pool},
    {"", "GlobalAveragePool", make_pool},
    {"", "GlobalMaxPool", make_pool},
    {"tunefarm", "Pool", make_pool},
    {"", "Softmax", make_softmax},
    {"", "LogSoftmax", make_softmax},
    {"", "LayerNormalization", make_norm},
    {"", "RMSNormalization", make_norm},
    {"", "SimplifiedLayerNormalization", make_norm},
    {"tunefarm", "Attention", make_attention},
    {"", "Transpose", make_transpose},
    {"tunefarm", "Map", make_map},
};

static problem_maker_fn maker_of(const struct operator_row *row) {
  for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
    if (!strcmp(makers[i].name, row->name) && !strcmp(makers[i].domain, row->domain)) return makers[i].make;
  return make_elementwise;
}

const struct tensor *operand_in(const struct operands *operands, int input) {
  return input < operands->input_count ? operands->inputs[input] : NULL;
}

bool operands_float(const struct operands *operands) {
  for (int i = 0; i < operands->input_count + operands->output_count; i++) {
    const struct tensor *t = i < operands->input_count ? operands->inputs[i] : operands->outputs[i - operands->input_count];
    if (t && t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16 && t->dtype != DTYPE_F64) return false;
  }
  return true;
}

enum farm_status operands_take(const struct operands *operands, struct problem *problem) {
  const bool marks[2] = {problem->kind == PROBLEM_GEMM, problem->kind == PROBLEM_GEMM || problem->kind == PROBLEM_CONV2D};
  for (int i = 0; i < problem->input_count; i++) {
    const struct tensor *in = operand_in(operands, i);
    if (!in) return FARM_UNSUPPORTED;
    problem->operands[i].dtype = in->dtype;
    problem->operands[i].constant = i < 2 && marks[i] && operands->constants >> i & 1;
  }
  for (int i = 0; i < problem->output_count; i++) {
    if (i >= operands->output_count || !operands->outputs[i]) return FARM_UNSUPPORTED;
    problem->operands[problem->input_count + i].dtype = operands->outputs[i]->dtype;
  }
  return FARM_OK;
}

static enum dtype accumulation(const struct problem *problem) {
  if (problem->kind == PROBLEM_TRANSPOSE || problem->kind == PROBLEM_OP) return DTYPE_NONE;
  return problem->operands[0].dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

enum farm_status operation_problem(const struct operation *operation, const struct tensor *const *inputs, int input_count,
                                   uint64_t constants, const struct tensor *const *outputs, int output_count, struct arena *arena,
                                   struct problem *out_problem) {
  const struct operands operands = {operation, inputs, input_count, constants, outputs, output_count, arena};
  struct problem problem = {0};
  enum farm_status status = maker_of(operation->row)(&operands, &problem);
  if (status == FARM_OK) {
    problem.accumulate = accumulation(&problem);
    problem_coalesce(&problem);
    if (problem_check(&problem) != FARM_OK) status = FARM_UNSUPPORTED; // empty, or larger than a kind takes
  }
  if (status == FARM_UNSUPPORTED) {
    problem = (struct problem){0};
    status = make_op(&operands, &problem);
  }
  if (status != FARM_OK) return status;
  *out_problem = problem;
  return FARM_OK;
}

/* ---- scalars ---- */

enum farm_status operation_epilogue(const struct operation *operation, int input_count, struct epilogue *out) {
  const struct attrs *attrs = &operation->attrs;
  struct epilogue epilogue = {0};
  if (!strcmp(operation->row->domain, "tunefarm")) {
    enum farm_status status = epilogue_parse(attr_string(attrs, "epilogue", ""), out);
    return status == FARM_USAGE ? FARM_INVALID : status;
  }
  const float alpha = !strcmp(operation->row->name, "Gemm") ? attr_float(attrs, "alpha", 1) : 1;
  if (alpha != 1) epilogue.steps[epilogue.count++] = (struct epilogue_step){EPILOGUE_SCALE, {alpha, 0}};
  if (input_count > 2) epilogue.steps[epilogue.count++].op = EPILOGUE_BIAS;
  *out = epilogue;
  return FARM_OK;
}

static bool takes_epilogue(const struct operator_row *row) { return maker_of(row) == make_gemm || maker_of(row) == make_conv; }

enum farm_status operation_scalars(const struct operation *operation, int input_count, struct operation_scalars *out) {
  const struct operator_row *row = operation->row;
  struct operation_scalars scalars = {.epsilon = attr_float(&operation->attrs, "epsilon", 1e-5f)};
  struct map_program program;
  struct elementwise_map map;
  if (takes_epilogue(row)) TRY(operation_epilogue(operation, input_count, &scalars.epilogue));
  if (!strcmp(row->domain, "tunefarm") && !strcmp(row->name, "Attention"))
    scalars.scale = attr_float(&operation->attrs, "scale", 0);
  if (!strcmp(row->domain, "tunefarm") && !strcmp(row->name, "Map"))
    TRY(fused_map_program(&operation->attrs, &program, scalars.params));
  if (maker_of(row) == make_elementwise && elementwise_map_of(operation, input_count, &map) == FARM_OK)
    memcpy(scalars.params, map.params, sizeof scalars.params);
  *out = scalars;
  return FARM_OK;
}

void operation_scalars_default(const struct problem *problem, struct operation_scalars *out) {
  *out = (struct operation_scalars){.epilogue = problem->epilogue, .epsilon = 1e-5f};
  for (int i = 0; i < out->epilogue.count; i++) epilogue_default_params(&out->epilogue.steps[i]);
  for (int i = 0; i < OPERATION_MAX_SCALARS; i++) out->params[i] = 0.25f + 0.125f * (float)i;
}
