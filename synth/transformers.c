/* Transformers: BERT-base (Devlin et al. 2018), GPT-2 small (Radford et al. 2019), ViT-B/16 (Dosovitskiy et al. 2020), each as
 * its usual implementation is exported: attention as MatMul, scale, mask, Softmax, MatMul between transposes. */
#include "net.h"

#include "../base/pmath.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 768, HEADS = 12, HEAD_DIM = 64, INNER = 3072, LAYERS = 12 };
static const double SPREAD = 0.02; // standard deviation of the weights, as these models are initialised

static const char *softmax(struct net *net, const char *x) {
  const char *y = net_op_begin(net, "Softmax", NULL, "%s", x);
  onnx_attr_int(&net->writer, "axis", -1);
  net_op_end(net);
  return y;
}

static const char *gather(struct net *net, const char *table, const char *ids) {
  const char *y = net_op_begin(net, "Gather", NULL, "%s %s", table, ids);
  onnx_attr_int(&net->writer, "axis", 0);
  net_op_end(net);
  return y;
}

static const char *cast(struct net *net, const char *x, enum dtype to) {
  const char *y = net_op_begin(net, "Cast", NULL, "%s", x);
  onnx_attr_int(&net->writer, "to", to);
  net_op_end(net);
  return y;
}

static const char *unsqueeze(struct net *net, const char *x, int64_t axis) {
  return net_op(net, "Unsqueeze", NULL, "%s %s", x, net_ints(net, &axis, 1));
}

static const int64_t split_perm[4] = {0, 2, 1, 3}, split_perm_keys[4] = {0, 2, 3, 1};

/* softmax(q k^T / sqrt(d) + mask) v; q and v are [b,h,s,d], keys [b,h,d,s]. mask NULL: none. */
static const char *attend(struct net *net, const char *q, const char *keys, const char *v, const char *mask) {
  const char *scores = net_op(net, "MatMul", NULL, "%s %s", q, keys);
  scores = net_op(net, "Div", NULL, "%s %s", scores, net_scalar(net, 8));
  if (mask) scores = net_op(net, "Add", NULL, "%s %s", scores, mask);
  return net_op(net, "MatMul", NULL, "%s %s", softmax(net, scores), v);
}

/* ---- BERT ---- */

static const char *bert_mask(struct net *net, const char *attention_mask) { // [b, s] of 0 and 1 -> [b, 1, 1, s] of 0 and -10000
  const char *mask = cast(net, unsqueeze(net, unsqueeze(net, attention_mask, 1), 2), net->options.dtype);
  return net_op(net, "Mul", NULL, "%s %s", net_op(net, "Sub", NULL, "%s %s", net_scalar(net, 1), mask), net_scalar(net, -10000));
}

static const char *bert_layer(struct net *net, int layer, const char *x, const char *mask) {
  char prefix[6][96];
  static const char *const parts[] = {"attention.self.query",   "attention.self.key", "attention.self.value",
                                      "attention.output.dense", "intermediate.dense", "output.dense"};
  for (int i = 0; i < 6; i++) snprintf(prefix[i], sizeof prefix[i], "encoder.layer.%d.%s", layer, parts[i]);
  const char *q = net_heads_split(net, net_linear(net, prefix[0], x, WIDTH, WIDTH, SPREAD), HEADS, HEAD_DIM, split_perm);
  const char *k = net_heads_split(net, net_linear(net, prefix[1], x, WIDTH, WIDTH, SPREAD), HEADS, HEAD_DIM, split_perm_keys);
  const char *v = net_heads_split(net, net_linear(net, prefix[2], x, WIDTH, WIDTH, SPREAD), HEADS, HEAD_DIM, split_perm);
  const char *context = net_heads_merge(net, attend(net, q, k, v, mask), WIDTH);
  char norm[96];
  snprintf(norm, sizeof norm, "encoder.layer.%d.attention.output.LayerNorm", layer);
  x = net_layer_norm(net, norm, net_op(net, "Add", NULL, "%s %s", net_linear(net, prefix[3], context, WIDTH, WIDTH, SPREAD), x),
                     WIDTH, true);
  const char *inner = net_gelu_erf(net, net_linear(net, prefix[4], x, WIDTH, INNER, SPREAD));
  snprintf(norm, sizeof norm, "encoder.layer.%d.output.LayerNorm", layer);
  return net_layer_norm(net, norm, net_op(net, "Add", NULL, "%s %s", net_linear(net, prefix[5], inner, INNER, WIDTH, SPREAD), x),
                        WIDTH, true);
}

void synth_bert_base(struct net *net) {
  enum { VOCABULARY = 30522, POSITIONS = 512 };
  char dims[64];
  snprintf(dims, sizeof dims, "%s %s", net_batch(net), net_seq(net));
  const char *ids = net_input(net, "input_ids", DTYPE_I64, dims);
  const char *mask = net_input(net, "attention_mask", DTYPE_I64, dims);
  const char *types = net_input(net, "token_type_ids", DTYPE_I64, dims);
  const char *words = net_weight(net, "embeddings.word_embeddings.weight", NET_NORMAL, 1, 2, (int64_t[]){VOCABULARY, WIDTH});
  const char *kinds = net_weight(net, "embeddings.token_type_embeddings.weight", NET_NORMAL, 0.1, 2, (int64_t[]){2, WIDTH});
  const char *places =
      net_weight(net, "embeddings.position_embeddings.weight", NET_NORMAL, 0.1, 2, (int64_t[]){POSITIONS, WIDTH});
  int64_t every[POSITIONS];
  for (int i = 0; i < POSITIONS; i++) every[i] = i;
  onnx_initializer_put(&net->writer, "embeddings.position_ids",
                       &(struct tensor){.dtype = DTYPE_I64, .rank = 2, .dims = {1, POSITIONS}, .data = every});
  const char *zero = net_ints(net, (int64_t[]){0}, 1), *one = net_ints(net, (int64_t[]){1}, 1);
  const char *positions = net_op(net, "Slice", NULL, "embeddings.position_ids %s %s %s %s", zero, net_dim(net, ids, 1), one, one);
  const char *sum = net_op(net, "Add", NULL, "%s %s", gather(net, words, ids), gather(net, kinds, types));
  const char *x = net_layer_norm(net, "embeddings.LayerNorm",
                                 net_op(net, "Add", NULL, "%s %s", sum, gather(net, places, positions)), WIDTH, true);
  const char *bias = bert_mask(net, mask);
  for (int layer = 0; layer < LAYERS; layer++) x = bert_layer(net, layer, x, bias);
  net_op(net, "Identity", "last_hidden_state", "%s", x);
  const char *first = net_op_begin(net, "Gather", NULL, "%s %s", x, net_int(net, 0));
  onnx_attr_int(&net->writer, "axis", 1);
  net_op_end(net);
  net_op(net, "Tanh", "pooler_output", "%s", net_gemm(net, "pooler.dense", first, WIDTH, WIDTH, SPREAD, NULL));
  snprintf(dims, sizeof dims, "%s %s 768", net_batch(net), net_seq(net));
  net_output(net, "last_hidden_state", net->options.dtype, dims);
  snprintf(dims, sizeof dims, "%s 768", net_batch(net));
  net_output(net, "pooler_output", net->options.dtype, dims);
}

/* ---- GPT-2 ---- */

/* Scores outside the triangle become the type's least value: Where over a slice of a constant boolean triangle. */
static const char *causal(struct net *net, const char *scores, const char *triangle) {
  const char *zero = net_ints(net, (int64_t[]){0}, 1), *one = net_ints(net, (int64_t[]){1}, 1);
  const char *length = net_dim(net, scores, 3);
  const char *rows = net_op(net, "Slice", NULL, "%s %s %s %s %s", triangle, zero, length, net_ints(net, (int64_t[]){2}, 1), one);
  const char *both = net_op(net, "Slice", NULL, "%s %s %s %s %s", rows, zero, length, net_ints(net, (int64_t[]){3}, 1), one);
  double least = net->options.dtype == DTYPE_F16 ? -65504.0 : -3.3895313892515355e38;
  return net_op(net, "Where", NULL, "%s %s %s", both, scores, net_scalar(net, least));
}

static const char *gpt2_layer(struct net *net, int layer, const char *x, const char *triangle) {
  char prefix[6][64];
  static const char *const parts[] = {"ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"};
  for (int i = 0; i < 6; i++) snprintf(prefix[i], sizeof prefix[i], "h.%d.%s", layer, parts[i]);
  const char *packed = net_linear(net, prefix[1], net_layer_norm(net, prefix[0], x, WIDTH, false), WIDTH, 3 * WIDTH, SPREAD);
  const char *q = arena_printf(&net->arena, "/h.%d/attn/q", layer), *k = arena_printf(&net->arena, "/h.%d/attn/k", layer),
             *v = arena_printf(&net->arena, "/h.%d/attn/v", layer);
  const char *outputs = arena_printf(&net->arena, "%s %s %s", q, k, v);
  net_op_begin(net, "Split", outputs ? outputs : "_", "%s %s", packed, net_ints(net, (int64_t[]){WIDTH, WIDTH, WIDTH}, 3));
  onnx_attr_int(&net->writer, "axis", 2);
  net_op_end(net);
  const char *scores = net_op(net, "MatMul", NULL, "%s %s", net_heads_split(net, q, HEADS, HEAD_DIM, split_perm),
                              net_heads_split(net, k, HEADS, HEAD_DIM, split_perm_keys));
  scores = causal(net, net_op(net, "Div", NULL, "%s %s", scores, net_scalar(net, 8)), triangle);
  const char *context =
      net_op(net, "MatMul", NULL, "%s %s", softmax(net, scores), net_heads_split(net, v, HEADS, HEAD_DIM, split_perm));
  double damped = SPREAD / pmath_sqrt(2.0 * LAYERS); // as GPT-2 initialises what is added to the residual
  x = net_op(net, "Add", NULL, "%s %s", net_linear(net, prefix[2], net_heads_merge(net, context, WIDTH), WIDTH, WIDTH, damped),
             x);
  const char *inner =
      net_gelu_tanh(net, net_linear(net, prefix[4], net_layer_norm(net, prefix[3], x, WIDTH, false), WIDTH, INNER, SPREAD));
  return net_op(net, "Add", NULL, "%s %s", x, net_linear(net, prefix[5], inner, INNER, WIDTH, damped));
}

static const char *triangle_put(struct net *net, int64_t size) {
  uint8_t *bits = calloc((size_t)(size * size), 1);
  if (!bits) {
    net->writer.failed = true;
    return "_";
  }
  for (int64_t row = 0; row < size; row++) memset(bits + row * size, 1, (size_t)row + 1);
  onnx_initializer_put(&net->writer, "attn.bias",
                       &(struct tensor){.dtype = DTYPE_BOOL, .rank = 4, .dims = {1, 1, size, size}, .data = bits});
  free(bits);
  return "attn.bias";
}

void synth_gpt2(struct net *net) {
  enum { VOCABULARY = 50257, POSITIONS = 1024 };
  char dims[64];
  snprintf(dims, sizeof dims, "%s %s", net_batch(net), net_seq(net));
  const char *ids = net_input(net, "input_ids", DTYPE_I64, dims);
  const char *words = net_weight(net, "wte.weight", NET_NORMAL, SPREAD, 2, (int64_t[]){VOCABULARY, WIDTH});
  const char *places = net_weight(net, "wpe.weight", NET_NORMAL, 0.01, 2, (int64_t[]){POSITIONS, WIDTH});
  const char *triangle = triangle_put(net, POSITIONS);
  const char *length = net_op_begin(net, "Gather", NULL, "%s %s", net_op(net, "Shape", NULL, "%s", ids), net_int(net, 1));
  onnx_attr_int(&net->writer, "axis", 0);
  net_op_end(net);
  const char *positions = unsqueeze(net, net_op(net, "Range", NULL, "%s %s %s", net_int(net, 0), length, net_int(net, 1)), 0);
  const char *x = net_op(net, "Add", NULL, "%s %s", gather(net, words, ids), gather(net, places, positions));
  for (int layer = 0; layer < LAYERS; layer++) x = gpt2_layer(net, layer, x, triangle);
  x = net_layer_norm(net, "ln_f", x, WIDTH, false);
  const char *head = net_weight(net, "lm_head.weight_t", NET_NORMAL, SPREAD, 2, (int64_t[]){WIDTH, VOCABULARY});
  net_op(net, "MatMul", "logits", "%s %s", x, head);
  snprintf(dims, sizeof dims, "%s %s 50257", net_batch(net), net_seq(net));
  net_output(net, "logits", net->options.dtype, dims);
}

/* ---- ViT ---- */

static const char *vit_layer(struct net *net, int layer, const char *x) {
  char prefix[8][96];
  static const char *const parts[] = {
      "ln_1", "self_attention.query", "self_attention.key", "self_attention.value", "self_attention.out_proj", "ln_2", "mlp.0",
      "mlp.3"};
  for (int i = 0; i < 8; i++) snprintf(prefix[i], sizeof prefix[i], "encoder.layers.%d.%s", layer, parts[i]);
  const char *normal = net_layer_norm(net, prefix[0], x, WIDTH, false);
  const char *q = net_heads_split(net, net_linear(net, prefix[1], normal, WIDTH, WIDTH, SPREAD), HEADS, HEAD_DIM, split_perm);
  const char *k =
      net_heads_split(net, net_linear(net, prefix[2], normal, WIDTH, WIDTH, SPREAD), HEADS, HEAD_DIM, split_perm_keys);
  const char *v = net_heads_split(net, net_linear(net, prefix[3], normal, WIDTH, WIDTH, SPREAD), HEADS, HEAD_DIM, split_perm);
  const char *context = net_heads_merge(net, attend(net, q, k, v, NULL), WIDTH);
  x = net_op(net, "Add", NULL, "%s %s", net_linear(net, prefix[4], context, WIDTH, WIDTH, SPREAD), x);
  const char *inner =
      net_gelu_erf(net, net_linear(net, prefix[6], net_layer_norm(net, prefix[5], x, WIDTH, false), WIDTH, INNER, SPREAD));
  return net_op(net, "Add", NULL, "%s %s", x, net_linear(net, prefix[7], inner, INNER, WIDTH, SPREAD));
}

void synth_vit_b16(struct net *net) {
  enum { PATCHES = 196 };
  char dims[64];
  snprintf(dims, sizeof dims, "%s 3 224 224", net_batch(net));
  const char *image = net_input(net, "pixel_values", net->options.dtype, dims);
  const char *patches = net_conv(net, "conv_proj", image, &(struct net_conv){3, WIDTH, 16, 16, 0, 1}, true);
  const char *tail = net_ints(net, (int64_t[]){WIDTH, PATCHES}, 2);
  const char *target = net_op_begin(net, "Concat", NULL, "%s %s", net_dim(net, patches, 0), tail);
  onnx_attr_int(&net->writer, "axis", 0);
  net_op_end(net);
  const char *tokens = net_transpose(net, net_op(net, "Reshape", NULL, "%s %s", patches, target), (int64_t[]){0, 2, 1}, 3);
  const char *class_token = net_weight(net, "class_token", NET_NORMAL, SPREAD, 3, (int64_t[]){1, 1, WIDTH});
  const char *each = net_op_begin(net, "Concat", NULL, "%s %s", net_dim(net, image, 0), net_ints(net, (int64_t[]){1, WIDTH}, 2));
  onnx_attr_int(&net->writer, "axis", 0);
  net_op_end(net);
  const char *x = net_op_begin(net, "Concat", NULL, "%s %s", net_op(net, "Expand", NULL, "%s %s", class_token, each), tokens);
  onnx_attr_int(&net->writer, "axis", 1);
  net_op_end(net);
  x = net_op(net, "Add", NULL, "%s %s", x,
             net_weight(net, "encoder.pos_embedding", NET_NORMAL, SPREAD, 3, (int64_t[]){1, PATCHES + 1, WIDTH}));
  for (int layer = 0; layer < LAYERS; layer++) x = vit_layer(net, layer, x);
  x = net_layer_norm(net, "encoder.ln", x, WIDTH, false);
  const char *first = net_op_begin(net, "Gather", NULL, "%s %s", x, net_int(net, 0));
  onnx_attr_int(&net->writer, "axis", 1);
  net_op_end(net);
  net_gemm(net, "heads.head", first, WIDTH, 1000, SPREAD, "logits");
  snprintf(dims, sizeof dims, "%s 1000", net_batch(net));
  net_output(net, "logits", net->options.dtype, dims);
}
