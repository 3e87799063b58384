/* Sections for GPUs in which elements only move: joined, cut, repeated, padded on the device, by numbers that the host finds when
 * shapes are prepared; and what stays the host's, since only the data tell. */
#include "gpu-net-test.h"

#define GPU "sm=90,product=fake,mem=512m"

static void int_node(struct net *net, const char *op, const char *inputs, const char *outputs, const char *attr, int64_t value) {
  onnx_node_begin(&net->writer, op, "", outputs, inputs, outputs);
  onnx_attr_int(&net->writer, attr, value);
  onnx_node_end(&net->writer);
}

static void permute(struct net *net, const char *x, const char *y, const int64_t *perm, int rank) {
  onnx_node_begin(&net->writer, "Transpose", "", y, x, y);
  onnx_attr_ints(&net->writer, "perm", perm, rank);
  onnx_node_end(&net->writer);
}

/* ---- a vision transformer of two small layers, as it is exported: patches by a convolution, a class token in front ---- */

enum { WIDTH = 24, HEADS = 3, HEAD_DIM = WIDTH / HEADS, INNER = 40, TOKENS = 9 };

static const char *named(char *out, const char *name, int layer) {
  snprintf(out, 64, "%s%d", name, layer);
  return out;
}

static void linear(struct net *net, const char *x, const char *y, int64_t from, int64_t to) {
  char weight[64], bias[64], product[64], text[192];
  snprintf(weight, sizeof weight, "%.40s_weight", y);
  snprintf(bias, sizeof bias, "%.40s_bias", y);
  snprintf(product, sizeof product, "%.40s_product", y);
  NET_WEIGHT(net, weight, from, to);
  NET_WEIGHT(net, bias, to);
  snprintf(text, sizeof text, "%s %s", x, weight);
  net_node(net, "MatMul", text, product);
  snprintf(text, sizeof text, "%s %s", product, bias);
  net_node(net, "Add", text, y);
}

static void layer_norm(struct net *net, const char *x, const char *y) {
  char scale[64], bias[64], text[192];
  snprintf(scale, sizeof scale, "%.40s_scale", y);
  snprintf(bias, sizeof bias, "%.40s_shift", y);
  NET_WEIGHT(net, scale, WIDTH);
  NET_WEIGHT(net, bias, WIDTH);
  snprintf(text, sizeof text, "%s %s %s", x, scale, bias);
  int_node(net, "LayerNormalization", text, y, "axis", -1);
}

static void heads(struct net *net, const char *x, const char *y, const int64_t perm[4]) {
  char split[64], text[192];
  snprintf(split, sizeof split, "%.40s_split", y);
  snprintf(text, sizeof text, "%s heads_dims", x);
  net_node(net, "Reshape", text, split);
  permute(net, split, y, perm, 4);
}

static void vit_layer(struct net *net, int layer, const char *x, const char *y) {
  static const int64_t rows[] = {0, 2, 1, 3}, columns[] = {0, 2, 3, 1};
  static const char *const names[] = {"normal", "q",      "k",      "v",   "qh",    "kh",     "vh",    "scores", "scaled", "soft",
                                      "mixed",  "turned", "merged", "out", "first", "second", "inner", "act",    "last"};
  enum { NORMAL, Q, K, V, QH, KH, VH, SCORES, SCALED, SOFT, MIXED, TURNED, MERGED, OUT, FIRST, SECOND, WIDE, ACT, LAST, NAMES };
  char n[NAMES][64], text[192];
  for (int i = 0; i < NAMES; i++) named(n[i], names[i], layer);
  layer_norm(net, x, n[NORMAL]);
  for (int i = Q; i <= V; i++) linear(net, n[NORMAL], n[i], WIDTH, WIDTH);
  for (int i = Q; i <= V; i++) heads(net, n[i], n[i - Q + QH], i == K ? columns : rows);
  snprintf(text, sizeof text, "%s %s", n[QH], n[KH]);
  net_node(net, "MatMul", text, n[SCORES]);
  snprintf(text, sizeof text, "%s root", n[SCORES]);
  net_node(net, "Div", text, n[SCALED]);
  int_node(net, "Softmax", n[SCALED], n[SOFT], "axis", -1);
  snprintf(text, sizeof text, "%s %s", n[SOFT], n[VH]);
  net_node(net, "MatMul", text, n[MIXED]);
  permute(net, n[MIXED], n[TURNED], rows, 4);
  snprintf(text, sizeof text, "%s merged_dims", n[TURNED]);
  net_node(net, "Reshape", text, n[MERGED]);
  linear(net, n[MERGED], n[OUT], WIDTH, WIDTH);
  snprintf(text, sizeof text, "%s %s", n[OUT], x);
  net_node(net, "Add", text, n[FIRST]);
  layer_norm(net, n[FIRST], n[SECOND]);
  linear(net, n[SECOND], n[WIDE], WIDTH, INNER);
  net_node(net, "Tanh", n[WIDE], n[ACT]);
  linear(net, n[ACT], n[LAST], INNER, WIDTH);
  snprintf(text, sizeof text, "%s %s", n[FIRST], n[LAST]);
  net_node(net, "Add", text, y);
}

static struct net vit(const char *name, const char *batch) {
  static const int64_t head_dims[] = {0, TOKENS + 1, HEADS, HEAD_DIM}, merged[] = {0, TOKENS + 1, WIDTH}, zero = 0,
                       patches[] = {0, WIDTH, TOKENS}, token[] = {1, WIDTH}, turn[] = {0, 2, 1};
  char dims[64];
  struct net net = net_begin(name);
  snprintf(dims, sizeof dims, "%s 3 12 12", batch);
  net_input(&net, "image", dims);
  NET_WEIGHT(&net, "patch_weight", WIDTH, 3, 4, 4);
  NET_WEIGHT(&net, "patch_bias", WIDTH);
  NET_WEIGHT(&net, "class_token", 1, 1, WIDTH);
  NET_WEIGHT(&net, "positions", 1, TOKENS + 1, WIDTH);
  NET_WEIGHT(&net, "root", 1);
  net_ints(&net, "heads_dims", 4, head_dims);
  net_ints(&net, "merged_dims", 3, merged);
  net_ints(&net, "patch_dims", 3, patches);
  net_ints(&net, "token_dims", 2, token);
  net_ints(&net, "zero", -1, &zero);
  net_ints(&net, "zeros", 1, &zero);
  onnx_node_begin(&net.writer, "Conv", "", "patches", "image patch_weight patch_bias", "patches");
  onnx_attr_ints(&net.writer, "strides", (int64_t[]){4, 4}, 2);
  onnx_node_end(&net.writer);
  net_node(&net, "Reshape", "patches patch_dims", "columns");
  permute(&net, "columns", "tokens", turn, 3);
  net_node(&net, "Shape", "image", "image_dims");
  net_node(&net, "Gather", "image_dims zeros", "batch");
  int_node(&net, "Concat", "batch token_dims", "each_dims", "axis", 0);
  net_node(&net, "Expand", "class_token each_dims", "each_token");
  int_node(&net, "Concat", "each_token tokens", "sequence", "axis", 1);
  net_node(&net, "Add", "sequence positions", "x0");
  vit_layer(&net, 0, "x0", "x1");
  vit_layer(&net, 1, "x1", "x2");
  layer_norm(&net, "x2", "final");
  int_node(&net, "Gather", "final zero", "first_token", "axis", 1);
  linear(&net, "first_token", "logits", WIDTH, 10);
  snprintf(dims, sizeof dims, "%s 10", batch);
  net_output(&net, "logits", dims);
  return net;
}

TEST(gpu_runs_a_vision_transformer_without_the_host, "timeout:240") {
  net_gpu(GPU);
  struct net net = vit("vit", "2");
  CHECK(net_build(&net) == 0);
  net_check(&net, 0);
}

/* The batch is known when shapes are prepared: so is what the token is repeated to. */
TEST(gpu_runs_a_vision_transformer_of_any_batch, "slow timeout:600") {
  static const struct build_shape shape = {"image", 4, {1, 3, 12, 12}, {2, 3, 12, 12}, {4, 3, 12, 12}};
  net_gpu(GPU);
  struct net net = vit("batches", "batch");
  net.shapes = &shape;
  net.shape_count = 1;
  CHECK(net_build(&net) == 0);
  net_check(&net, 2, 1, 4, 3);
}

/* ---- numbers that the host finds ---- */

/* From x [batch][6][8]: its last image with its columns reversed, of which a part is padded and the other repeated, both as often
 * as there are images. */
static struct net moved(void) {
  static const struct build_shape shape = {"x", 3, {1, 6, 8}, {2, 6, 8}, {5, 6, 8}};
  static const int64_t one = 1, zero = 0, minus_one = -1, least = INT64_MIN, last = -1, ends[] = {3, 5},
                       border[] = {0, 1, 1, 0, 0}, twice[] = {2, 1};
  struct net net = net_begin("moved");
  net.shapes = &shape;
  net.shape_count = 1;
  net_input(&net, "x", "batch 6 8");
  net_ints(&net, "one", 1, &one);
  net_ints(&net, "zero", 1, &zero);
  net_ints(&net, "minus_one", 1, &minus_one);
  net_ints(&net, "least", 1, &least);
  net_ints(&net, "last", 1, &last);
  net_ints(&net, "parts", 2, ends);
  net_ints(&net, "border", 5, border);
  net_ints(&net, "twice", 2, twice);
  NET_WEIGHT(&net, "filler", 1);
  net_node(&net, "Relu", "x", "r");
  net_node(&net, "Shape", "x", "dims");
  net_node(&net, "Gather", "dims zero", "batch");
  net_node(&net, "Sub", "batch one", "before");
  net_node(&net, "Slice", "r before batch zero", "image"); // [1][6][8]
  net_node(&net, "Slice", "image last least minus_one minus_one", "reversed");
  int_node(&net, "Split", "reversed parts", "left right", "axis", 2);
  int_node(&net, "Concat", "border batch", "pads", "axis", 0);
  net_node(&net, "Reshape", "filler one", "constant");
  net_node(&net, "Pad", "left pads constant", "wide");
  int_node(&net, "Concat", "twice batch", "times", "axis", 0);
  net_node(&net, "Tile", "right times", "many");
  net_node(&net, "Sigmoid", "wide", "y");
  net_node(&net, "Tanh", "many", "z");
  net_output(&net, "y", "1 7 columns");
  net_output(&net, "z", "2 6 more");
  return net;
}

/* Steps are named by what they make. */
static void profiled(const struct net *net, int64_t batch, const char *on_host, int least) {
  struct net_run gpu;
  int seen = 0;
  bool found = !on_host;
  REQUIRE_OK(net_open(net, "cuda", true, &gpu));
  REQUIRE_OK(net_feed(&gpu, 1, batch));
  REQUIRE_OK(farm_context_run(gpu.context));
  for (int i = 0; i < farm_context_step_count(gpu.context); i++) {
    farm_step_profile_t p = {.size = sizeof p};
    REQUIRE_OK(farm_context_profile(gpu.context, i, &p));
    if (!on_host)
      CHECK_MESSAGE(p.calls == p.device_calls, "%s: %d of %d on the device", p.name, (int)p.device_calls, (int)p.calls);
    if (on_host && strcmp(p.name, on_host) == 0) found = p.calls == 1 && p.device_calls == 0;
    seen += p.device_calls > 0;
  }
  CHECK(found);
  CHECK_MESSAGE(seen >= least, "%d steps on the device", seen);
  net_close(&gpu);
}

TEST(gpu_moves_by_numbers_of_the_host, "timeout:240") {
  net_gpu(GPU);
  struct net net = moved();
  CHECK(net_build(&net) == 0);
  net_check(&net, 2, 1, 5, 3);
  profiled(&net, 4, NULL, 8);
}

/* Where a slice begins is the largest element of another input: the host's, and only that. */
TEST(gpu_leaves_to_the_host_what_data_tell, "timeout:120") {
  static const int64_t one = 1, zero = 0;
  net_gpu(GPU);
  struct net net = net_begin("told");
  net_input(&net, "x", "5 8");
  net_input(&net, "s", "3");
  net_ints(&net, "one", 1, &one);
  net_ints(&net, "zero", 1, &zero);
  net_node(&net, "Relu", "x", "r");
  int_node(&net, "ReduceMax", "s", "most", "keepdims", 1);
  int_node(&net, "Cast", "most", "start", "to", DTYPE_I64);
  net_node(&net, "Mul", "start zero", "begin"); // always 0, but who knows
  net_node(&net, "Add", "begin one", "end");
  net_node(&net, "Slice", "r begin end zero", "row");
  net_node(&net, "Tanh", "row", "y");
  net_output(&net, "y", "rows 8");
  net_output(&net, "r", "5 8");
  CHECK(net_build(&net) > 0);
  net_check(&net, 0);
  profiled(&net, 0, "row", 2);
}

/* Numbers of the host as data, not as parameters: a kernel has no place to read them from. */
TEST(gpu_reads_no_data_from_the_host, "timeout:120") {
  net_gpu(GPU);
  struct net net = net_begin("data");
  static const struct build_shape shape = {"x", 2, {1, 2}, {3, 2}, {4, 2}};
  net.shapes = &shape;
  net.shape_count = 1;
  net_input(&net, "x", "batch 2");
  net_node(&net, "Shape", "x", "dims");
  int_node(&net, "Cast", "dims", "numbers", "to", DTYPE_F32);
  net_node(&net, "Relu", "x", "r");
  net_node(&net, "Mul", "r numbers", "y");
  net_output(&net, "y", "batch 2");
  int host_steps = net_build(&net);
  CHECK_MESSAGE(host_steps == 1, "%d host steps, not the cast alone", host_steps);
  net_check(&net, 3, 1, 4);
}

/* A part without elements has no place either, and needs none. */
TEST(gpu_joins_a_part_of_nothing, "timeout:120") {
  net_gpu(GPU);
  struct net net = net_begin("nothing");
  net_input(&net, "x", "2 3");
  NET_WEIGHT(&net, "none", 2, 0);
  NET_WEIGHT(&net, "c", 2, 1);
  net_node(&net, "Relu", "x", "r");
  int_node(&net, "Concat", "r none c", "joined", "axis", 1);
  net_node(&net, "Tanh", "joined", "y");
  net_output(&net, "y", "2 4");
  CHECK(net_build(&net) == 0);
  net_check(&net, 0);
  profiled(&net, 0, NULL, 3);
}
