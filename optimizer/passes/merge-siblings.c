/* The products that make query, key and value of one input, with constant weights, become one with the weights side by side, and
 * a Split of its result, which pack-attention then takes away. Elsewhere a Split of the last dim would cost a copy, so other
 * siblings stay apart.
 */
#include "attention-parts.h"

#include <string.h>

static bool alike(const struct node *a, const struct node *b) {
  static const char *const flags[] = {"trans_a", "trans_b"};
  if (!node_is_fused(a, "Gemm") || a->inputs[0] != b->inputs[0] || a->input_count != b->input_count || a->graph != b->graph)
    return false;
  for (int i = 0; i < 2; i++)
    if (attr_int(&a->attrs, flags[i], 0) != attr_int(&b->attrs, flags[i], 0)) return false;
  return !strcmp(attr_string(&a->attrs, "epilogue", ""), attr_string(&b->attrs, "epilogue", "")) &&
         types_equal(&a->inputs[1]->type, &b->inputs[1]->type);
}

/* A constant matrix, and nothing but a constant bias behind it. */
static bool mergeable(const struct node *gemm) {
  const char *epilogue = attr_string(&gemm->attrs, "epilogue", "");
  if (!node_is_fused(gemm, "Gemm") || attr_int(&gemm->attrs, "trans_a", 0) || !gemm->inputs[1]->constant ||
      gemm->inputs[1]->type.rank != 2)
    return false;
  if (dtype_bits(gemm->inputs[1]->type.dtype) < 8) return false;
  return !*epilogue || (!strcmp(epilogue, "bias") && gemm->inputs[2]->constant);
}

/* Joined along `axis`: rows, or the columns of [k][n]. */
static struct value *joined(struct node *const gemms[3], int input, int axis) {
  const struct tensor *one = gemms[0]->inputs[input]->constant;
  struct tensor all = *one;
  if (__builtin_mul_overflow(one->dims[axis], 3, &all.dims[axis]) || tensor_alloc(&all) != FARM_OK) return NULL;
  const size_t rows = axis ? (size_t)one->dims[0] : 1, bytes = tensor_bytes(one) / rows;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < 3; i++)
      memcpy((char *)all.data + (r * 3 + i) * bytes, (const char *)gemms[i]->inputs[input]->constant->data + r * bytes, bytes);
  struct value *value = graph_constant_add(gemms[0]->graph, gemms[0]->inputs[input]->name, &all);
  tensor_free(&all);
  return value;
}

/* The first of the three in graph order: what it reads is there for all. */
static struct node *earliest(struct node *const gemms[3]) {
  for (struct node *node = gemms[0]->graph->first; node; node = node->next)
    for (int i = 0; i < 3; i++)
      if (node == gemms[i]) return node;
  return NULL;
}

static enum farm_status merge(struct pass_context *context, struct node *const gemms[3]) {
  const bool trans_b = attr_int(&gemms[0]->attrs, "trans_b", 0) != 0, bias = gemms[0]->input_count == 3;
  struct node *first = earliest(gemms);
  struct tensor type = gemms[0]->outputs[0]->type;
  const int64_t n = type.dims[2], sizes[3] = {n, n, n};
  type.dims[2] = 3 * n;
  struct value *weights = joined(gemms, 1, trans_b ? 0 : 1), *biases = bias ? joined(gemms, 2, 0) : NULL;
  struct value *product = value_new(first->graph, NULL, &type), *split_sizes = constant_ints(first->graph, NULL, sizes, 3);
  FAIL_IF(!weights || (bias && !biases) || !product || !split_sizes, FARM_NO_MEMORY, "out of memory for merged weights");
  struct rewrite gemm = {.domain = "tunefarm",
                         .name = "Gemm",
                         .version = 1,
                         .inputs = {first->inputs[0], weights, biases},
                         .input_count = bias ? 3 : 2,
                         .outputs = {product},
                         .output_count = 1};
  if (trans_b) rewrite_attr(&gemm, attr_of_int("trans_b", 1));
  if (bias) rewrite_attr(&gemm, attr_of_text(context->model, "epilogue", "bias"));
  struct rewrite split = {.domain = "",
                          .name = "Split",
                          .version = 13,
                          .inputs = {product, split_sizes},
                          .input_count = 2,
                          .outputs = {gemms[0]->outputs[0], gemms[1]->outputs[0], gemms[2]->outputs[0]},
                          .output_count = 3};
  rewrite_attr(&split, attr_of_int("axis", -1));
  struct node *splitter;
  TRY(rewrite_add(context, &split, first, first->origin, &splitter));
  return rewrite_replace(context, &gemm, splitter, gemms, 3, NULL);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  struct attention_parts parts;
  struct node *gemms[3];
  if (!attention_parts_find(context, node, &parts)) return FARM_OK;
  for (int i = 0; i < 3; i++) {
    gemms[i] = parts.parts[i]->producer;
    if (!gemms[i] || !mergeable(gemms[i]) || !alike(gemms[i], gemms[0])) return FARM_OK;
  }
  if (gemms[0] == gemms[1] || gemms[1] == gemms[2] || gemms[0] == gemms[2]) return FARM_OK;
  return merge(context, gemms);
}

enum farm_status pass_merge_siblings(struct pass_context *context) { return rewrite_each(context, rule); }
