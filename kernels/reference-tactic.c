/* The reference as a tactic, last of its kind in the catalogue: no problem has none.
 *
 * A step of an engine brings its operation; a problem that came as text (a worker's, `tunefarm bench`) brings none: here is the
 * operation that has that problem. The operator's own reference does the work, in double, on one thread.
 */
#include "reference-tactic.h"

#include "../operators/operator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEWEST_OPSET = 23 };

/* ---- building an operation ---- */
static struct attr *attr_add(struct problem_operation *made, const char *name, enum attr_type type, int count) {
  struct attr *attr = &made->attrs[made->operation.attrs.count++];
  *attr = (struct attr){.name = name, .type = type, .count = count};
  return attr;
}

static void add_int(struct problem_operation *made, const char *name, int64_t value) {
  attr_add(made, name, ATTR_INT, 1)->i = value;
}
static void add_float(struct problem_operation *made, const char *name, float value) {
  attr_add(made, name, ATTR_FLOAT, 1)->f = value;
}

static void add_text(struct problem_operation *made, const char *name, const char *text) {
  struct attr *attr = attr_add(made, name, ATTR_STRING, 1);
  attr->s = text;
  attr->length = strlen(text);
}

/* `slot`: which of made->ints holds them. */
static void add_ints(struct problem_operation *made, const char *name, int slot, const int64_t *values, int count) {
  memcpy(made->ints[slot], values, (size_t)count * sizeof *values);
  attr_add(made, name, ATTR_INTS, count)->ints = made->ints[slot];
}

static void add_layout(struct problem_operation *made, enum tactic_layout layout) {
  add_text(made, "layout", layout == LAYOUT_NHWC ? "nhwc" : "nchw");
}

static enum farm_status set_row(struct problem_operation *made, const char *domain, const char *name, int opset) {
  made->operation.row = operator_find(domain, name, opset);
  made->operation.opset = opset;
  FAIL_IF(!made->operation.row, FARM_UNSUPPORTED, "this build has no operator %s.%s", domain, name);
  return FARM_OK;
}

struct request {
  const struct problem *problem;
  enum tactic_layout layout;
  const struct operation_scalars *scalars;
};

static void add_epilogue(struct problem_operation *made, const struct request *request) {
  epilogue_print(&request->scalars->epilogue, made->epilogue, sizeof made->epilogue);
  add_text(made, "epilogue", made->epilogue);
}

static enum farm_status gemm_operation(const struct request *request, struct problem_operation *made) {
  add_int(made, "trans_a", request->problem->dims[GEMM_TA]);
  add_int(made, "trans_b", request->problem->dims[GEMM_TB]);
  add_epilogue(made, request);
  return set_row(made, "tunefarm", "Gemm", 1);
}

/* strides, pads, dilations lie in this order from `d` on in both kinds' dims. */
static void add_window(struct problem_operation *made, const int64_t *d) {
  add_ints(made, "strides", 0, d, 2);
  add_ints(made, "pads", 1, d + 2, 4); // top, left, bottom, right: ONNX's order
  add_ints(made, "dilations", 2, d + 6, 2);
}

static enum farm_status conv_operation(const struct request *request, struct problem_operation *made) {
  add_window(made, request->problem->dims + CONV_STRIDE_H);
  add_int(made, "group", request->problem->dims[CONV_G]);
  add_layout(made, request->layout);
  add_epilogue(made, request);
  return set_row(made, "tunefarm", "Conv", 1);
}

static enum farm_status pool_operation(const struct request *request, struct problem_operation *made) {
  const int64_t *d = request->problem->dims;
  add_text(made, "mode", d[POOL_MODE] == POOL_MAX ? "max" : "average");
  add_window(made, d + POOL_STRIDE_H);
  memcpy(&made->ints[0][2], d + POOL_R, 2 * sizeof *d); // behind the strides
  attr_add(made, "kernel_shape", ATTR_INTS, 2)->ints = &made->ints[0][2];
  add_int(made, "ceil_mode", d[POOL_CEIL]);
  add_int(made, "count_include_pad", d[POOL_COUNT_PAD]);
  add_layout(made, request->layout);
  return set_row(made, "tunefarm", "Pool", 1);
}

static enum farm_status softmax_operation(const struct request *request, struct problem_operation *made) {
  add_int(made, "axis", 1);
  return set_row(made, "", request->problem->dims[SOFTMAX_LOG] ? "LogSoftmax" : "Softmax", NEWEST_OPSET);
}

static enum farm_status norm_operation(const struct request *request, struct problem_operation *made) {
  add_int(made, "axis", -1);
  add_float(made, "epsilon", request->scalars->epsilon);
  return set_row(made, "", request->problem->dims[NORM_MODE] == NORM_RMS ? "RMSNormalization" : "LayerNormalization",
                 NEWEST_OPSET);
}

static enum farm_status attention_operation(const struct request *request, struct problem_operation *made) {
  const int64_t *d = request->problem->dims;
  add_int(made, "heads", d[ATTENTION_HEADS]);
  add_int(made, "kv_heads", d[ATTENTION_KV_HEADS]);
  add_int(made, "order", d[ATTENTION_ORDER]);
  add_int(made, "mask", d[ATTENTION_MASK]);
  add_int(made, "causal", d[ATTENTION_CAUSAL]);
  add_float(made, "scale", request->scalars->scale);
  return set_row(made, "tunefarm", "Attention", 1);
}

static enum farm_status transpose_operation(const struct request *request, struct problem_operation *made) {
  for (int i = 0; i < request->problem->dim_count; i++) made->ints[0][i] = request->problem->perm[i];
  attr_add(made, "perm", ATTR_INTS, request->problem->dim_count)->ints = made->ints[0];
  return set_row(made, "", "Transpose", NEWEST_OPSET);
}

static enum farm_status map_operation(const struct request *request, struct problem_operation *made) {
  const struct problem *problem = request->problem;
  const struct map_program *program = problem->program;
  TRY(map_program_print(program, made->program, sizeof made->program));
  add_text(made, "program", made->program);
  if (program->param_count > 0) attr_add(made, "params", ATTR_FLOATS, program->param_count)->floats = request->scalars->params;
  for (int i = 0; i < problem->output_count; i++) made->ints[0][i] = problem->operands[problem->input_count + i].dtype;
  attr_add(made, "out_types", ATTR_INTS, problem->output_count)->ints = made->ints[0];
  int axes = 0;
  for (int i = 0; i < problem->dim_count; i++)
    if (problem->reduced >> i & 1) made->ints[1][axes++] = i;
  if (axes > 0) attr_add(made, "axes", ATTR_INTS, axes)->ints = made->ints[1];
  add_int(made, "keepdims", 0);
  return set_row(made, "tunefarm", "Map", 1);
}

static enum farm_status no_operation(const struct request *request, struct problem_operation *made) {
  (void)made;
  return status_set(FARM_UNSUPPORTED, "a problem '%s' has no operation of its own", problem_kind_name(request->problem->kind));
}

enum farm_status operation_of_problem(const struct problem *problem, enum tactic_layout layout,
                                      const struct operation_scalars *scalars, struct problem_operation *out_operation) {
  static enum farm_status (*const makers[PROBLEM_KIND_COUNT])(const struct request *, struct problem_operation *) = {
      gemm_operation,      conv_operation,      pool_operation, softmax_operation, norm_operation,
      attention_operation, transpose_operation, map_operation,  no_operation};
  memset(out_operation, 0, sizeof *out_operation);
  out_operation->operation.attrs.items = out_operation->attrs;
  return makers[problem->kind](&(struct request){problem, layout, scalars}, out_operation);
}

/* ---- running it ---- */
static enum farm_status operation_run(const struct operation *operation, const struct tensor *const *inputs, int input_count,
                                      struct tensor *const *outputs, int output_count, const struct kernel_call *of) {
  struct tensor *list[PROBLEM_MAX_OPERANDS];
  FAIL_IF(!operation->row->reference, FARM_UNSUPPORTED, "%s has no reference", operation->row->name);
  struct reference_call call = {.row = operation->row, .attrs = &operation->attrs, .opset = operation->opset};
  call.input_count = input_count;
  call.inputs = inputs;
  call.output_count = output_count;
  call.outputs = output_count <= PROBLEM_MAX_OPERANDS ? list : NULL;
  if (of) call.allocate = of->allocate, call.context = of->context;
  FAIL_IF(!call.outputs, FARM_UNSUPPORTED, "%s has %d outputs", operation->row->name, output_count);
  memcpy(list, outputs, (size_t)output_count * sizeof *list);
  return operation->row->reference(&call);
}

/* Map operands of a problem leave out the dims they do not use; numpy's rules want them as ones. */
static void map_inputs(const struct problem *problem, const struct tensor *const *inputs, struct tensor *made) {
  for (int i = 0; i < problem->input_count; i++) {
    made[i] = *inputs[i];
    made[i].rank = problem->dim_count;
    for (int d = 0; d < problem->dim_count; d++) made[i].dims[d] = problem->operands[i].uses >> d & 1 ? problem->dims[d] : 1;
  }
}

static enum farm_status map_run(const struct operation *operation, const struct problem *problem,
                                const struct tensor *const *inputs, struct tensor *const *outputs) {
  struct tensor shaped[PROBLEM_MAX_OPERANDS];
  const struct tensor *list[PROBLEM_MAX_OPERANDS];
  map_inputs(problem, inputs, shaped);
  for (int i = 0; i < problem->input_count; i++) list[i] = &shaped[i];
  return operation_run(operation, list, problem->input_count, outputs, problem->output_count, NULL);
}

/* ONNX's norms always have a scale, and an RMS norm never a bias: ones stand in for the one, the other is added here. */
static enum farm_status norm_run(const struct operation *operation, const struct problem *problem,
                                 const struct tensor *const *inputs, struct tensor *const *outputs) {
  const int64_t *d = problem->dims;
  struct tensor ones = {.dtype = inputs[0]->dtype, .rank = 1, .dims = {d[NORM_LEN]}};
  const struct tensor *list[3] = {inputs[0]}, *bias = d[NORM_BIAS] ? inputs[1 + (d[NORM_SCALE] != 0)] : NULL;
  TRY(tensor_alloc(&ones));
  for (int64_t i = 0; i < d[NORM_LEN]; i++) dtype_store_f64(ones.dtype, ones.data, i, 1);
  list[1] = d[NORM_SCALE] ? inputs[1] : &ones;
  bool rms = d[NORM_MODE] == NORM_RMS;
  list[2] = bias;
  enum farm_status status = operation_run(operation, list, bias && !rms ? 3 : 2, outputs, 1, NULL);
  for (int64_t i = 0; status == FARM_OK && rms && bias && i < d[NORM_ROWS] * d[NORM_LEN]; i++) {
    double sum =
        dtype_load_f64(outputs[0]->dtype, outputs[0]->data, i) + dtype_load_f64(bias->dtype, bias->data, i % d[NORM_LEN]);
    dtype_store_f64(outputs[0]->dtype, outputs[0]->data, i, sum);
  }
  tensor_free(&ones);
  return status;
}

enum farm_status reference_problem_run(const struct problem *problem, enum tactic_layout layout,
                                       const struct operation_scalars *scalars, const struct tensor *const *inputs,
                                       struct tensor *const *outputs) {
  struct problem_operation made;
  TRY(operation_of_problem(problem, layout, scalars, &made));
  if (problem->kind == PROBLEM_MAP) return map_run(&made.operation, problem, inputs, outputs);
  if (problem->kind == PROBLEM_NORM) return norm_run(&made.operation, problem, inputs, outputs);
  return operation_run(&made.operation, inputs, problem->input_count, outputs, problem->output_count, NULL);
}

static enum farm_status reference_run(const struct kernel_call *call) {
  if (call->operation)
    return operation_run(call->operation, call->inputs, call->input_count, call->outputs, call->output_count, call);
  return reference_problem_run(call->problem, call->variant->tactic->layout, call->scalars, call->inputs, call->outputs);
}

/* ---- the tactics ---- */
static bool always(const struct problem *problem) {
  (void)problem;
  return true;
}

/* Far beyond any kernel made for the purpose: chosen only where there is none. */
static double reference_cost(const struct problem *problem, const struct variant *variant,
                             const struct device_class *device_class, int threads) {
  (void)variant, (void)device_class, (void)threads;
  return 1e5 + 20 * problem_macs(problem) + 20 * problem_bytes(problem);
}

#define REFERENCE(symbol, text, problem_kind, operand_layout)                                                                    \
  const struct tactic symbol = {.id = text,                                                                                      \
                                .kind = problem_kind,                                                                            \
                                .device = DEVICE_CPU,                                                                            \
                                .isa = ISA_BASELINE,                                                                             \
                                .layout = operand_layout,                                                                        \
                                .source = "reference",                                                                           \
                                .packed_operand = -1,                                                                            \
                                .applicable = always,                                                                            \
                                .cost = reference_cost,                                                                          \
                                .run = reference_run};
REFERENCE(gemm__reference__any, "gemm__reference__any", PROBLEM_GEMM, LAYOUT_ANY)
REFERENCE(conv2d_nchw__reference__any, "conv2d_nchw__reference__any", PROBLEM_CONV2D, LAYOUT_NCHW)
REFERENCE(conv2d_nhwc__reference__any, "conv2d_nhwc__reference__any", PROBLEM_CONV2D, LAYOUT_NHWC)
REFERENCE(pool2d_nchw__reference__any, "pool2d_nchw__reference__any", PROBLEM_POOL2D, LAYOUT_NCHW)
REFERENCE(pool2d_nhwc__reference__any, "pool2d_nhwc__reference__any", PROBLEM_POOL2D, LAYOUT_NHWC)
REFERENCE(softmax__reference__any, "softmax__reference__any", PROBLEM_SOFTMAX, LAYOUT_ANY)
REFERENCE(norm__reference__any, "norm__reference__any", PROBLEM_NORM, LAYOUT_ANY)
REFERENCE(attention__reference__any, "attention__reference__any", PROBLEM_ATTENTION, LAYOUT_ANY)
REFERENCE(transpose__reference__any, "transpose__reference__any", PROBLEM_TRANSPOSE, LAYOUT_ANY)
REFERENCE(map__reference__any, "map__reference__any", PROBLEM_MAP, LAYOUT_ANY)
REFERENCE(op__reference__any, "op__reference__any", PROBLEM_OP, LAYOUT_ANY)
