/* What is quantised and at once dequantised with the same numbers stays a float: x / scale, 0 for NaN, rounded, held within the
 * type's range less the zero point, times scale. The same bits, in elementwise operators, which fuse with their neighbours and
 * have fast kernels. One scale for all, integers of up to 16 bits: every step but the division and the product is exact in f32,
 * and quantising has these two, too.
 */
#include "rewrite.h"

enum { STEPS = 5 };

static bool quantises(const struct node *node, const char *name) {
  return node_is_onnx(node, name) || node_is(node, "com.microsoft", name);
}

/* Scale and zero point of the node, when they are constants, one each. */
static bool parameters(const struct node *node, double *out_scale, double *out_zero) {
  struct value *scale = node_in(node, 1), *zero = node_in(node, 2);
  *out_zero = 0;
  return scale && scale->type.dtype == DTYPE_F32 && value_scalar(scale, out_scale) && (!zero || value_scalar(zero, out_zero));
}

/* The pair's QuantizeLinear, or NULL. */
static struct node *pair_of(const struct node *node, double *out_scale, double *out_zero) {
  double scale, zero;
  if (!quantises(node, "DequantizeLinear") || !node_in(node, 0) || !node_out(node)) return NULL;
  struct node *before = node->inputs[0]->producer;
  if (!before || before->graph != node->graph || !quantises(before, "QuantizeLinear")) return NULL;
  if (!parameters(before, out_scale, out_zero) || !parameters(node, &scale, &zero)) return NULL;
  const enum dtype quantised = node->inputs[0]->type.dtype;
  const bool f32 = before->inputs[0]->type.dtype == DTYPE_F32 && node->outputs[0]->type.dtype == DTYPE_F32;
  const bool plain = f32 && dtype_is_integer(quantised) && dtype_bits(quantised) <= 16;
  return plain && scale == *out_scale && zero == *out_zero && scale > 0 ? before : NULL;
}

static struct value *number(struct graph *graph, float value) {
  return graph_constant_add(graph, "quantum", &(struct tensor){.dtype = DTYPE_F32, .data = &value});
}

static void range_of(enum dtype type, double *out_low, double *out_high) {
  const int bits = dtype_bits(type);
  const bool is_signed = dtype_class(type) == DTYPE_CLASS_INT;
  *out_low = is_signed ? -(double)(1 << (bits - 1)) : 0;
  *out_high = *out_low + (double)((1 << bits) - 1);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  double scale, zero, low, high;
  struct node *first = pair_of(node, &scale, &zero);
  if (!first) return FARM_OK;
  struct graph *graph = node->graph;
  range_of(node->inputs[0]->type.dtype, &low, &high);
  struct tensor truth = node->outputs[0]->type;
  truth.dtype = DTYPE_BOOL;
  struct value *quantum = number(graph, (float)scale), *none = number(graph, 0), *values[STEPS] = {NULL};
  struct value *least = number(graph, (float)(low - zero)), *most = number(graph, (float)(high - zero));
  FAIL_IF(!quantum || !none || !least || !most, FARM_NO_MEMORY, "out of memory for a pass");
  for (int i = 0; i < STEPS; i++) {
    values[i] = value_new(graph, "quantum", i == 1 ? &truth : &node->outputs[0]->type);
    FAIL_IF(!values[i], FARM_NO_MEMORY, "out of memory for a pass");
  }
  const struct rewrite steps[STEPS] = {
      {.domain = "", .name = "Div", .version = 14, .inputs = {first->inputs[0], quantum}, .input_count = 2},
      {.domain = "", .name = "IsNaN", .version = 13, .inputs = {values[0]}, .input_count = 1},
      {.domain = "", .name = "Where", .version = 16, .inputs = {values[1], none, values[0]}, .input_count = 3},
      {.domain = "", .name = "Round", .version = 11, .inputs = {values[2]}, .input_count = 1},
      {.domain = "", .name = "Clip", .version = 13, .inputs = {values[3], least, most}, .input_count = 3},
  };
  for (int i = 0; i < STEPS; i++) {
    struct rewrite step = steps[i];
    step.outputs[0] = values[i], step.output_count = 1;
    TRY(rewrite_add(context, &step, node, node->origin, NULL));
  }
  struct rewrite last = {.domain = "", .name = "Mul", .version = 14, .inputs = {values[STEPS - 1], quantum}, .input_count = 2};
  last.outputs[0] = node->outputs[0], last.output_count = 1;
  return rewrite_replace(context, &last, node, &node, 1, NULL);
}

enum farm_status pass_canonicalise_quantisation(struct pass_context *context) { return rewrite_each(context, rule); }
