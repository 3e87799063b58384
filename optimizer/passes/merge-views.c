/* A chain of Reshape, Squeeze, Unsqueeze and Flatten becomes one Reshape of the chain's source with a constant shape; so does a
 * Reshape whose shape was computed, when inference knows what comes out. Transpose after Transpose becomes one. Reduced to
 * nothing they are remove-noops' business.
 */
#include "dims.h"

#include <string.h>

static bool is_view(const struct node *node) {
  return node &&
         (node_is_onnx(node, "Reshape") || node_is_onnx(node, "Squeeze") || node_is_onnx(node, "Unsqueeze") ||
          node_is_onnx(node, "Flatten")) &&
         node->inputs[0] && node_out(node);
}

/* The shape input that makes `out` of `in`: numbers, 0 for a symbol that stays in its place, -1 for one other. */
static bool shape_of(struct pass_context *context, const struct value *from, const struct value *to, int64_t *shape) {
  const struct tensor *in = &from->type, *out = &to->type;
  bool open = false;
  if (in->rank < 0 || out->rank < 0) return false;
  for (int i = 0; i < out->rank; i++) {
    shape[i] = out->dims[i];
    if (out->dims[i] > 0) continue;
    if (out->dims[i] == 0) return false; // means "copy" here
    if (i < in->rank && dim_code(context, from, i) == dim_code(context, to, i))
      shape[i] = 0;
    else if (open)
      return false;
    else
      open = true, shape[i] = -1;
  }
  return true;
}

static enum farm_status merge_views(struct pass_context *context, struct node *node) {
  struct value *source = node->inputs[0];
  int64_t shape[TENSOR_MAX_RANK];
  while (source->producer && source->producer->graph == node->graph && is_view(source->producer))
    source = source->producer->inputs[0];
  const struct value *own = node_in(node, 1);
  const bool computed = node_is_onnx(node, "Reshape") && own && !own->constant;
  if ((source == node->inputs[0] && !computed) || !shape_of(context, source, node->outputs[0], shape)) return FARM_OK;
  struct value *constant = constant_ints(node->graph, NULL, shape, node->outputs[0]->type.rank);
  FAIL_IF(!constant, FARM_NO_MEMORY, "out of memory for a shape");
  struct rewrite rewrite = {.domain = "",
                            .name = "Reshape",
                            .version = 14,
                            .inputs = {source, constant},
                            .input_count = 2,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  return rewrite_replace(context, &rewrite, node, &node, 1, NULL);
}

static enum farm_status merge_transposes(struct pass_context *context, struct node *node) {
  int64_t outer[TENSOR_MAX_RANK], inner[TENSOR_MAX_RANK], both[TENSOR_MAX_RANK];
  struct node *before = node->inputs[0]->producer;
  if (!node_is_onnx(before, "Transpose") || before->graph != node->graph || !transpose_perm(node, outer) ||
      !transpose_perm(before, inner))
    return FARM_OK;
  const int rank = node->inputs[0]->type.rank;
  for (int i = 0; i < rank; i++) both[i] = inner[outer[i]];
  struct rewrite rewrite = {.domain = "",
                            .name = "Transpose",
                            .version = 13,
                            .inputs = {before->inputs[0]},
                            .input_count = 1,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  rewrite_attr(&rewrite, attr_of_ints(context->model, "perm", both, rank));
  return rewrite_replace(context, &rewrite, node, &node, 1, NULL);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  if (node_is_onnx(node, "Transpose")) return merge_transposes(context, node);
  return is_view(node) ? merge_views(context, node) : FARM_OK;
}

enum farm_status pass_merge_views(struct pass_context *context) { return rewrite_each(context, rule); }
