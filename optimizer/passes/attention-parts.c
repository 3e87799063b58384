/* See attention-parts.h. */
#include "attention-parts.h"

#include "dims.h"

static bool part_of(struct pass_context *context, const struct value *operand, int64_t heads, struct node **out_reshape,
                    struct value **out_part) {
  struct node *reshape = operand->producer;
  if (!node_is_onnx(reshape, "Reshape") || !value_is_private(context, operand) || operand->type.rank != 4) return false;
  struct value *part = reshape->inputs[0];
  const struct tensor *in = &part->type, *out = &operand->type;
  if (in->rank != 3 || !value_is_private(context, part) || out->dims[2] != heads || out->dims[3] < 1 ||
      in->dims[2] != heads * out->dims[3])
    return false;
  for (int i = 0; i < 2; i++)
    if (dim_code(context, part, i) != dim_code(context, operand, i)) return false;
  *out_reshape = reshape, *out_part = part;
  return true;
}

bool attention_parts_find(struct pass_context *context, const struct node *attention, struct attention_parts *out) {
  struct attention_parts parts = {.heads = attr_int(&attention->attrs, "heads", 0)};
  if (!node_is_fused(attention, "Attention") || attr_int(&attention->attrs, "order", 0) != 1) return false;
  if (attr_int(&attention->attrs, "kv_heads", parts.heads) != parts.heads || attention->inputs[0]->type.rank != 4) return false;
  parts.depth = attention->inputs[0]->type.dims[3];
  for (int i = 0; i < 3; i++) {
    if (!part_of(context, attention->inputs[i], parts.heads, &parts.reshapes[i], &parts.parts[i])) return false;
    if (!values_alike(context, parts.parts[i], parts.parts[0]) || parts.reshapes[i]->graph != attention->graph) return false;
  }
  *out = parts;
  return true;
}
