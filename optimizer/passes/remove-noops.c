/* Nodes whose output is their input: Identity, Dropout at inference, Cast to the same type, Reshape and its kin to the same
 * shape, Transpose in order, Expand to the same shape, Concat and Sum of one. Their users read the input instead.
 */
#include "dims.h"

static bool same_type(struct pass_context *context, const struct node *node) {
  return node->inputs[0] && values_alike(context, node->inputs[0], node->outputs[0]);
}

static bool always(struct pass_context *context, const struct node *node) {
  (void)context, (void)node;
  return true;
}

static bool single_input(struct pass_context *context, const struct node *node) {
  (void)context;
  return node->input_count == 1;
}

/* A training mode that is not given, or constant false. */
static bool at_inference(struct pass_context *context, const struct node *node) {
  (void)context;
  double training;
  const struct value *mode = node_in(node, 2);
  return node_out(node) && (!mode || (value_scalar(mode, &training) && training == 0));
}

/* Dims of one may move. */
static bool in_order(struct pass_context *context, const struct node *node) {
  int64_t perm[TENSOR_MAX_RANK];
  if (!same_type(context, node) || !transpose_perm(node, perm)) return false;
  for (int i = 0; i < node->inputs[0]->type.rank; i++)
    if (perm[i] != i) return false;
  return true;
}

static bool cast_same(struct pass_context *context, const struct node *node) {
  (void)context;
  return node->inputs[0] && node->inputs[0]->type.dtype == node->outputs[0]->type.dtype;
}

static const struct {
  const char *name;
  bool (*noop)(struct pass_context *context, const struct node *node);
} kinds[] = {{"Identity", always},    {"Dropout", at_inference}, {"Cast", cast_same},      {"CastLike", cast_same},
             {"Reshape", same_type},  {"Flatten", same_type},    {"Squeeze", same_type},   {"Unsqueeze", same_type},
             {"Transpose", in_order}, {"Expand", same_type},     {"Concat", single_input}, {"Sum", single_input},
             {"Max", single_input},   {"Min", single_input},     {"Mean", single_input}};

static enum farm_status rule(struct pass_context *context, struct node *node) {
  if (node->row->domain[0] || node->output_count < 1 || !node->outputs[0] || node->input_count < 1 || !node->inputs[0])
    return FARM_OK;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (!node_is_onnx(node, kinds[i].name) || !kinds[i].noop(context, node)) continue;
    const char *origin = node->origin;
    if (!rewrite_bypass(context, node, node->outputs[0], node->inputs[0])) return FARM_OK;
    rewrite_note(context, origin, "");
    return rewrite_done(context);
  }
  return FARM_OK;
}

enum farm_status pass_remove_noops(struct pass_context *context) { return rewrite_each(context, rule); }
