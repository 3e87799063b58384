/* Softmax(q k^T scale + mask) v, as exporters write it, becomes tunefarm.Attention. From the product with v backwards:
 *
 *   MatMul ◄ Softmax ◄ [Add mask] ◄ [Where causal] ◄ [Add mask] ◄ [scale] ◄ MatMul ◄ q, k^T, each [scale]
 *
 * A scale is a Mul or Div by a constant; it may stand at any of these places, or several. When q, k and v come from transposes of
 * [b][seq][heads][d] those go, too, and the result is turned back by a Transpose that meets the model's own. A mask that is a
 * constant causal triangle is a flag.
 */
#include "dims.h"

#include "../../problem/problem.h"

#include <math.h>
#include <string.h>

struct found {
  struct value *q, *k, *v, *mask; // k as [b][heads][d][kv]
  int mask_kind;
  double scale;
  bool causal;
  struct node *nodes[16]; // what goes, the root first
  int node_count;
};

enum { VERY_NEGATIVE = -1000 }; // exp of it is nothing

static bool take(struct pass_context *context, struct found *found, struct node *node) {
  if (found->node_count == 16 || !node_out(node) || !value_is_private(context, node->outputs[0])) return false;
  found->nodes[found->node_count++] = node;
  return true;
}

/* The product node behind a value, in the same graph. */
static struct node *matmul_of(const struct value *value, const struct graph *graph) {
  struct node *node = value->producer;
  return node_is_onnx(node, "MatMul") && node->graph == graph ? node : NULL;
}

/* value = x * constant or x / constant: takes it and moves on to x. */
static void peel_scale(struct pass_context *context, struct found *found, struct value **value) {
  for (struct node *node = (*value)->producer; node_is_onnx(node, "Mul") || node_is_onnx(node, "Div");
       node = (*value)->producer) {
    const bool div = node_is_onnx(node, "Div");
    double number;
    const int at = !div && value_scalar(node->inputs[0], &number) ? 0 : value_scalar(node->inputs[1], &number) ? 1 : -1;
    if (at < 0 || number == 0 || !isfinite(number) || !values_alike(context, node->inputs[1 - at], node->outputs[0]) ||
        !take(context, found, node))
      return;
    found->scale *= div ? 1 / number : number;
    *value = node->inputs[1 - at];
  }
}

/* A constant [1]…[1][seq][kv]: visible(i, j) for j <= kv - seq + i and not beyond. */
static bool is_triangle(const struct tensor *constant, const struct tensor *scores, bool (*visible)(double),
                        bool (*hidden)(double)) {
  const int rank = constant->rank;
  if (rank < 2 || rank > scores->rank) return false;
  const int64_t seq = constant->dims[rank - 2], kv = constant->dims[rank - 1];
  if (seq != scores->dims[scores->rank - 2] || kv != scores->dims[scores->rank - 1] || tensor_elems(constant) != seq * kv ||
      kv < seq || seq < 2)
    return false;
  for (int64_t i = 0; i < seq; i++)
    for (int64_t j = 0; j < kv; j++) {
      double value = dtype_load_f64(constant->dtype, constant->data, i * kv + j);
      if (j <= kv - seq + i ? !visible(value) : !hidden(value)) return false;
    }
  return true;
}

static bool is_zero(double x) { return x == 0; }
static bool is_set(double x) { return x != 0; }
static bool is_very_negative(double x) { return x <= VERY_NEGATIVE; }

/* Kind of a mask as in enum attention_dim's comment; 0 when it fits none. */
static int mask_kind(struct pass_context *context, const struct value *mask, const struct value *scores) {
  const int rank = mask->type.rank;
  bool same[4], one[4];
  if (mask->type.dtype != scores->type.dtype || rank < 1 || rank > 4 || scores->type.rank != 4) return 0;
  for (int i = 0; i < 4; i++) {
    const int at = i - (4 - rank);
    one[i] = at < 0 || mask->type.dims[at] == 1;
    same[i] = (at < 0 ? 1 : dim_code(context, mask, at)) == dim_code(context, scores, i);
  }
  if (!same[3]) return 0;
  if (one[0] && one[1] && one[2]) return 1;
  if (same[0] && one[1] && one[2]) return 2;
  if (one[0] && one[1] && same[2]) return 3;
  if (same[0] && same[1] && same[2]) return 4;
  return same[0] && one[1] && same[2] ? 5 : 0;
}

/* Add(scores, mask): the mask is the operand that is no larger than the scores and does not come from them. */
static bool peel_mask(struct pass_context *context, struct found *found, struct value **scores) {
  struct node *node = (*scores)->producer;
  if (!node_is_onnx(node, "Add") || found->mask) return false;
  for (int i = 0; i < 2; i++) {
    struct value *mask = node->inputs[i], *rest = node->inputs[1 - i];
    if (!values_alike(context, rest, node->outputs[0]) || !mask_kind(context, mask, rest)) continue;
    if (values_alike(context, mask, rest) && mask->producer && i == 0) continue; // equal shapes: the first is the scores
    if (!take(context, found, node)) return false;
    const bool triangle = mask->constant && is_triangle(mask->constant, &rest->type, is_zero, is_very_negative);
    if (triangle)
      found->causal = true;
    else
      found->mask = mask, found->mask_kind = mask_kind(context, mask, rest);
    *scores = rest;
    return true;
  }
  return false;
}

/* Where(triangle, scores, very negative). */
static void peel_where(struct pass_context *context, struct found *found, struct value **scores) {
  struct node *node = (*scores)->producer;
  double otherwise;
  if (!node_is_onnx(node, "Where") || !node->inputs[0]->constant || !value_scalar(node->inputs[2], &otherwise) ||
      otherwise > VERY_NEGATIVE)
    return;
  if (!values_alike(context, node->inputs[1], node->outputs[0])) return;
  if (!is_triangle(node->inputs[0]->constant, &node->inputs[1]->type, is_set, is_zero) || !take(context, found, node)) return;
  found->causal = true;
  *scores = node->inputs[1];
}

static bool find(struct pass_context *context, struct node *root, struct found *found) {
  if (!node_is_onnx(root, "MatMul") || !node_out(root) || root->outputs[0]->type.rank != 4 || !value_is_float(root->outputs[0]))
    return false;
  *found = (struct found){.v = root->inputs[1], .scale = 1, .nodes = {root}, .node_count = 1};
  struct node *softmax = root->inputs[0]->producer;
  if (!node_is_onnx(softmax, "Softmax") || softmax->graph != root->graph || !take(context, found, softmax)) return false;
  const int64_t axis = attr_int(&softmax->attrs, "axis", softmax->row->since_version < 13 ? 1 : -1);
  if (axis != -1 && axis != 3) return false;
  struct value *scores = softmax->inputs[0];
  peel_mask(context, found, &scores);
  peel_where(context, found, &scores);
  peel_mask(context, found, &scores);
  peel_scale(context, found, &scores);
  struct node *product = matmul_of(scores, root->graph);
  if (!product || !take(context, found, product)) return false;
  found->q = product->inputs[0], found->k = product->inputs[1];
  peel_scale(context, found, &found->q);
  peel_scale(context, found, &found->k);
  return true;
}

static const int64_t swap_heads[4] = {0, 2, 1, 3}, swap_last[4] = {0, 1, 3, 2}, key_perm[4] = {0, 2, 3, 1};

/* Heads and batch must not broadcast. kv_heads = heads. */
static bool sizes_fit(struct pass_context *context, const struct found *found, const struct node *root) {
  const struct value *q = found->q, *k = found->k, *v = found->v;
  if (q->type.rank != 4 || k->type.rank != 4 || v->type.rank != 4 || root->outputs[0]->type.rank != 4) return false;
  if (q->type.dims[1] < 1 || q->type.dims[3] < 1 || v->type.dims[3] < 1 || k->type.dims[2] != q->type.dims[3]) return false;
  for (int i = 0; i < 2; i++)
    if (dim_code(context, q, i) != dim_code(context, k, i) || dim_code(context, q, i) != dim_code(context, v, i)) return false;
  return dim_code(context, k, 3) == dim_code(context, v, 2);
}

static struct value *transposed(const struct value *value, const int64_t *perm) {
  struct node *node = value->producer;
  return node && perm_is(node, 4, perm) ? node->inputs[0] : NULL;
}

static int choose_order(struct found *found) {
  struct value *q = transposed(found->q, swap_heads), *k = transposed(found->k, key_perm), *v = transposed(found->v, swap_heads);
  struct value *inner = transposed(found->k, swap_last); // Transpose(Transpose(k, heads first), last two)
  if (!k && inner) k = transposed(inner, swap_heads);
  if (q && k && v) {
    found->q = q, found->k = k, found->v = v;
    return 1;
  }
  if (inner) found->k = inner;
  return inner ? 0 : 4;
}

static enum farm_status replace(struct pass_context *context, struct node *root, struct found *found) {
  struct value *result = root->outputs[0], *out = result;
  const int mask = found->mask_kind;
  const int64_t heads = found->q->type.dims[1];
  const int order = choose_order(found);
  if (order == 1) {
    const int64_t *d = result->type.dims;
    out =
        value_new(root->graph, NULL, &(struct tensor){.dtype = result->type.dtype, .rank = 4, .dims = {d[0], d[2], d[1], d[3]}});
    FAIL_IF(!out, FARM_NO_MEMORY, "out of memory for a value");
  }
  struct rewrite attention = {.domain = "tunefarm",
                              .name = "Attention",
                              .version = 1,
                              .inputs = {found->q, found->k, found->v, found->mask},
                              .input_count = found->mask ? 4 : 3,
                              .outputs = {out},
                              .output_count = 1};
  rewrite_attr(&attention, attr_of_int("heads", heads));
  if (order) rewrite_attr(&attention, attr_of_int("order", order));
  if (mask) rewrite_attr(&attention, attr_of_int("mask", mask));
  if (found->causal) rewrite_attr(&attention, attr_of_int("causal", 1));
  rewrite_attr(&attention, attr_of_float("scale", (float)found->scale));
  if (order == 1) {
    struct rewrite back = {.domain = "",
                           .name = "Transpose",
                           .version = 13,
                           .inputs = {out},
                           .input_count = 1,
                           .outputs = {result},
                           .output_count = 1};
    struct node *turn;
    rewrite_attr(&back, attr_of_ints(context->model, "perm", swap_heads, 4));
    TRY(rewrite_add(context, &back, root, root->origin, &turn));
    return rewrite_replace(context, &attention, turn, found->nodes, found->node_count, NULL);
  }
  return rewrite_replace(context, &attention, root, found->nodes, found->node_count, NULL);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  struct found found;
  if (!find(context, node, &found) || !sizes_fit(context, &found, node)) return FARM_OK;
  return replace(context, node, &found);
}

enum farm_status pass_fuse_attention(struct pass_context *context) { return rewrite_each(context, rule); }
