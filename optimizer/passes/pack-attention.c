/* Attention on the three parts of a Split along the last dim reads them in place: order 2, one packed operand [b][seq][3 heads
 * d]. The result is [b][seq][heads d] and a Reshape gives it its four dims, which meets the model's own.
 */
#include "attention-parts.h"

/* One Split into exactly q, k and v. */
static struct node *split_of(const struct attention_parts *parts) {
  struct node *split = parts->parts[0]->producer;
  if (!node_is_onnx(split, "Split") || split->output_count != 3 || split->inputs[0]->type.rank != 3) return NULL;
  const int64_t axis = attr_int(&split->attrs, "axis", 0);
  if (axis != -1 && axis != 2) return NULL;
  for (int i = 0; i < 3; i++)
    if (split->outputs[i] != parts->parts[i]) return NULL;
  return split;
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  static const char *const kept[] = {"heads", "mask", "causal", "scale", NULL};
  struct attention_parts parts;
  if (!attention_parts_find(context, node, &parts)) return FARM_OK;
  struct node *split = split_of(&parts);
  if (!split || split->graph != node->graph || split->inputs[0]->type.dims[2] != 3 * parts.heads * parts.depth) return FARM_OK;
  const int64_t shape[4] = {0, 0, parts.heads, parts.depth};
  struct value *folded = value_new(node->graph, NULL, &parts.parts[0]->type), *dims = constant_ints(node->graph, NULL, shape, 4);
  FAIL_IF(!folded || !dims, FARM_NO_MEMORY, "out of memory for a value");
  struct rewrite attention = {.domain = "tunefarm",
                              .name = "Attention",
                              .version = 1,
                              .inputs = {split->inputs[0], node_in(node, 3)},
                              .input_count = node->input_count - 2,
                              .outputs = {folded},
                              .output_count = 1};
  rewrite_attrs_copy(&attention, node, kept);
  rewrite_attr(&attention, attr_of_int("order", 2));
  struct rewrite unfold = {.domain = "",
                           .name = "Reshape",
                           .version = 14,
                           .inputs = {folded, dims},
                           .input_count = 2,
                           .outputs = {node->outputs[0]},
                           .output_count = 1};
  struct node *reshape;
  TRY(rewrite_add(context, &unfold, node, node->origin, &reshape));
  struct node *old[] = {split, parts.reshapes[0], parts.reshapes[1], parts.reshapes[2], node};
  return rewrite_replace(context, &attention, reshape, old, 5, NULL);
}

enum farm_status pass_pack_attention(struct pass_context *context) { return rewrite_each(context, rule); }
