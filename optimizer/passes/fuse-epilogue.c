/* What follows a fused gemm or convolution element by element goes into its epilogue: bias, residual, activation, scale, in any
 * order. The result must be used by that step alone and keep its shape and type; the step's other operand is a vector over the
 * channels or a tensor of the result's shape.
 */
#include "dims.h"

#include "../../operators/elementwise-map.h"
#include "../../operators/fused.h"
#include "../../problem/number-text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct step {
  char text[80];
  struct value *operand; // NULL: none
};

static const struct {
  enum map_op map;
  enum epilogue_op epilogue;
} activations[] = {{MAP_RELU, EPILOGUE_RELU},
                   {MAP_SIGMOID, EPILOGUE_SIGMOID},
                   {MAP_TANH, EPILOGUE_TANH},
                   {MAP_SILU, EPILOGUE_SILU},
                   {MAP_GELU, EPILOGUE_GELU},
                   {MAP_GELU_TANH, EPILOGUE_GELU_TANH},
                   {MAP_HARD_SWISH, EPILOGUE_HARD_SWISH}};

static void step_of(struct step *step, enum epilogue_op op, double p0, double p1) {
  struct epilogue epilogue = {.count = 1, .steps = {{op, {(float)p0, (float)p1}}}};
  epilogue_print(&epilogue, step->text, sizeof step->text);
}

/* The one instruction of a unary elementwise node or map. */
static bool single_instruction(const struct node *node, enum map_op *out) {
  struct elementwise_map map;
  const struct operation operation = {node->row, node->attrs, node->opset};
  if (node_is_fused(node, "Map")) {
    if (fused_map_program(&node->attrs, &map.program, map.params) != FARM_OK) return false;
  } else if (elementwise_map_of(&operation, node->input_count, &map) != FARM_OK) {
    return false;
  }
  *out = map.program.instructions[0].op;
  return map.program.instruction_count == 1 && map.program.operand_count == 1 && map.program.param_count == 0 &&
         map.program.output_count == 1 && map.program.reduce == MAP_REDUCE_NONE && map_op_arity(*out) == 1;
}

static bool unary_step(const struct node *node, struct step *step) {
  enum map_op op;
  double low, high;
  if (node_is_onnx(node, "LeakyRelu"))
    return step_of(step, EPILOGUE_LEAKY_RELU, (double)attr_float(&node->attrs, "alpha", 0.01f), 0), true;
  if (node_is_onnx(node, "HardSigmoid"))
    return step_of(step, EPILOGUE_HARD_SIGMOID, (double)attr_float(&node->attrs, "alpha", 0.2f),
                   (double)attr_float(&node->attrs, "beta", 0.5f)),
           true;
  if (node_is_onnx(node, "Clip")) {
    if (!clip_bounds(node, &low, &high) || isnan(low) || isnan(high)) return false;
    return step_of(step, EPILOGUE_CLIP, low, high), true;
  }
  if (node->input_count != 1 || !single_instruction(node, &op)) return false;
  for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
    if (activations[i].map == op) return step_of(step, activations[i].epilogue, 0, 0), true;
  return false;
}

/* Where the channels are in the result's dims. */
static int channel_axis(const struct node *producer) {
  const int rank = producer->outputs[0]->type.rank;
  return node_is_fused(producer, "Gemm") || fused_is_nhwc(&producer->attrs) ? rank - 1 : 1;
}

/* Does it vary along the channels alone (aligned at the right)? */
static bool along_channels(const struct tensor *type, const struct tensor *out, int axis) {
  for (int i = 0; i < type->rank; i++) {
    int at = out->rank - type->rank + i;
    if (at < 0 || type->dims[i] != (at == axis ? out->dims[axis] : 1)) return false;
  }
  return type->rank >= out->rank - axis; // the channel dim is there
}

/* A vector [channels] of a constant; or of a value that is one already. NULL when it is none. */
static struct value *channel_vector(struct node *producer, struct value *value) {
  const struct tensor *out = &producer->outputs[0]->type;
  const int axis = channel_axis(producer);
  const int64_t channels = out->dims[axis];
  struct tensor vector = {.dtype = value->type.dtype, .rank = 1, .dims = {channels}};
  double number;
  if (channels < 1 || value->type.rank > out->rank || value->type.rank < 0) return NULL;
  const bool along = along_channels(&value->type, out, axis);
  if (along && value->type.rank == 1) return value;
  if (along && value->constant) {
    vector.data = value->constant->data;
    return graph_constant_share(producer->graph, value->name, &vector);
  }
  if (!value_scalar(value, &number) || tensor_alloc(&vector) != FARM_OK) return NULL;
  for (int64_t i = 0; i < channels; i++) dtype_store_f64(vector.dtype, vector.data, i, number);
  struct value *filled = graph_constant_add(producer->graph, value->name, &vector);
  tensor_free(&vector);
  return filled;
}

/* Add, Mul, Div, Sub with another operand. */
static bool binary_step(struct pass_context *context, const struct node *node, int input, struct node *producer,
                        struct step *step) {
  const bool add = node_is_onnx(node, "Add"), mul = node_is_onnx(node, "Mul"), div = node_is_onnx(node, "Div");
  double number;
  if ((!add && !mul && !(div && input == 0)) || node->input_count != 2) return false;
  struct value *other = node->inputs[1 - input];
  if (!other || other->type.dtype != producer->outputs[0]->type.dtype) return false;
  if ((mul || div) && value_scalar(other, &number)) {
    if (!isfinite(number) || number == 0) return false;
    return step_of(step, EPILOGUE_SCALE, mul ? number : 1 / number, 0), true;
  }
  if (div) return false;
  const bool full = values_alike(context, other, node->outputs[0]) && other != node->inputs[input];
  step->operand = add ? channel_vector(producer, other) : NULL;
  if (step->operand) return step_of(step, EPILOGUE_BIAS, 0, 0), true;
  step->operand = full ? other : NULL;
  return full && (step_of(step, add ? EPILOGUE_ADD : EPILOGUE_MUL, 0, 0), true);
}

/* The gemm or convolution behind this input, when it may take one more step. */
static struct node *producer_behind(struct pass_context *context, const struct node *node, int input) {
  const struct value *value = node->inputs[input];
  struct node *producer = value ? value->producer : NULL;
  struct epilogue epilogue;
  if (!producer || (!node_is_fused(producer, "Gemm") && !node_is_fused(producer, "Conv")) || !value_is_private(context, value))
    return NULL;
  if (!values_alike(context, value, node->outputs[0])) return NULL;
  if (epilogue_parse(attr_string(&producer->attrs, "epilogue", ""), &epilogue) != FARM_OK || epilogue.count == EPILOGUE_MAX)
    return NULL;
  return producer;
}

static enum farm_status fuse(struct pass_context *context, struct node *node, struct node *producer, const struct step *step) {
  static const char *const kept[] = {"trans_a",   "trans_b",  "kernel_shape", "strides", "pads",
                                     "dilations", "auto_pad", "group",        "layout",  NULL};
  char epilogue[512];
  const char *before = attr_string(&producer->attrs, "epilogue", "");
  struct rewrite rewrite = {
      .domain = "tunefarm", .name = producer->row->name, .version = 1, .outputs = {node->outputs[0]}, .output_count = 1};
  if (snprintf(epilogue, sizeof epilogue, "%s%s%s", before, *before ? "," : "", step->text) >= (int)sizeof epilogue)
    return FARM_OK;
  for (int i = 0; i < producer->input_count; i++) rewrite.inputs[rewrite.input_count++] = producer->inputs[i];
  if (step->operand) rewrite.inputs[rewrite.input_count++] = step->operand;
  rewrite_attrs_copy(&rewrite, producer, kept);
  rewrite_attr(&rewrite, attr_of_text(context->model, "epilogue", epilogue));
  return rewrite_replace(context, &rewrite, node, (struct node *[]){producer, node}, 2, NULL);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  if (!node_out(node) || node->input_count < 1 || node->input_count > 3) return FARM_OK;
  for (int i = 0; i < 2 && i < node->input_count; i++) {
    struct step step = {.operand = NULL};
    struct node *producer = producer_behind(context, node, i);
    if (!producer) continue;
    if ((i == 0 && unary_step(node, &step)) || binary_step(context, node, i, producer, &step))
      return fuse(context, node, producer, &step);
  }
  return FARM_OK;
}

enum farm_status pass_fuse_epilogue(struct pass_context *context) { return rewrite_each(context, rule); }
