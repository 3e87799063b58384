/* Random image networks through the engine, against the references: convolutions, pools, normalisations, elementwise operators,
 * concats, splits, shuffles and transposes in any order, so that layouts, views, storage in place and epilogues meet in ways that
 * no real model has. A failing network is named by its seed: TUNEFARM_NETWORK=seed runs it alone and TUNEFARM_KEEP keeps its
 * files. */
#include "model-case-test.h"

#include "../optimizer/onnx/onnx-writer.h"
#include "../optimizer/passes/pass.h"

enum { MOST_IMAGES = 64, NETWORKS = 150, MANY_NETWORKS = 1500 };

struct image {
  char name[16];
  int64_t c, h, w;
};

struct network {
  struct pb_writer w;
  uint64_t seed, drawn;
  int counter, image_count;
  enum dtype dtype;
  struct image images[MOST_IMAGES];
};

static int64_t draw(struct network *net, int64_t below) {
  return (int64_t)(random_u64(net->seed, net->drawn++) % (uint64_t)below);
}

static const struct image *any(struct network *net) { return &net->images[draw(net, net->image_count)]; }

/* The newest half of the time, so that chains grow. */
static const struct image *some(struct network *net) { return draw(net, 2) ? &net->images[net->image_count - 1] : any(net); }

static struct image *fresh(struct network *net, int64_t c, int64_t h, int64_t w) {
  struct image *image = &net->images[net->image_count++];
  *image = (struct image){.c = c, .h = h, .w = w};
  snprintf(image->name, sizeof image->name, "v%d", net->counter++);
  return image;
}

static const char *weights(struct network *net, int rank, const int64_t *dims, double mean, double spread) {
  static char names[8][16];
  static int turn;
  char *name = names[turn++ % 8];
  struct tensor tensor = {.dtype = net->dtype, .rank = rank};
  memcpy(tensor.dims, dims, (size_t)rank * sizeof *dims);
  REQUIRE_OK(tensor_alloc(&tensor));
  snprintf(name, 16, "w%d", net->counter++);
  for (int64_t i = 0; i < tensor_elems(&tensor); i++)
    dtype_store_f64(tensor.dtype, tensor.data, i,
                    mean + spread * random_normal(net->seed + 99 + (uint64_t)net->counter, (uint64_t)i));
  onnx_initializer_put(&net->w, name, &tensor);
  tensor_free(&tensor);
  return name;
}

static const char *integers(struct network *net, const int64_t *values, int64_t count) {
  static char names[4][16];
  static int turn;
  char *name = names[turn++ % 4];
  snprintf(name, 16, "s%d", net->counter++);
  onnx_initializer_put(&net->w, name,
                       &(struct tensor){.dtype = DTYPE_I64, .rank = 1, .dims = {count}, .data = (void *)(uintptr_t)values});
  return name;
}

static const char *node_name(struct network *net) {
  static char name[16];
  snprintf(name, sizeof name, "n%d", net->counter++);
  return name;
}

static void begin(struct network *net, const char *op, const char *inputs, const char *outputs) {
  onnx_node_begin(&net->w, op, "", node_name(net), inputs, outputs);
}

static void plain(struct network *net, const char *op, const char *inputs, const char *outputs) {
  begin(net, op, inputs, outputs);
  onnx_node_end(&net->w);
}

/* ---- what a network is made of ---- */

static void add_conv(struct network *net) {
  const struct image x = *some(net);
  int64_t k = draw(net, 2) ? 3 : 1, stride = x.h > 4 && draw(net, 3) == 0 ? 2 : 1, pad = k / 2,
          depthwise = k == 3 && draw(net, 2);
  int64_t out = depthwise ? x.c : 4 * (1 + draw(net, 6)), in = depthwise ? 1 : x.c;
  char inputs[64];
  const char *w = weights(net, 4, (int64_t[]){out, in, k, k}, 0, 1 / (double)(k * (in > 4 ? 3 : 2)));
  if (draw(net, 2))
    snprintf(inputs, sizeof inputs, "%s %s", x.name, w);
  else
    snprintf(inputs, sizeof inputs, "%s %s %s", x.name, w, weights(net, 1, &out, 0, 0.3));
  struct image *y = fresh(net, out, (x.h + 2 * pad - k) / stride + 1, (x.w + 2 * pad - k) / stride + 1);
  begin(net, "Conv", inputs, y->name);
  onnx_attr_ints(&net->w, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
  onnx_attr_ints(&net->w, "strides", (int64_t[]){stride, stride}, 2);
  onnx_attr_int(&net->w, "group", depthwise ? x.c : 1);
  onnx_node_end(&net->w);
}

static void add_norm(struct network *net) {
  const struct image x = *some(net);
  char inputs[96];
  const char *gamma = weights(net, 1, &x.c, 1, 0.2), *beta = weights(net, 1, &x.c, 0, 0.2), *mean = weights(net, 1, &x.c, 0, 0.2);
  snprintf(inputs, sizeof inputs, "%s %s %s %s %s", x.name, gamma, beta, mean, weights(net, 1, &x.c, 2, 0.1));
  plain(net, "BatchNormalization", inputs, fresh(net, x.c, x.h, x.w)->name);
}

static void add_unary(struct network *net) {
  static const char *const ops[] = {"Relu", "Sigmoid", "HardSwish", "LeakyRelu", "Tanh", "Abs", "Neg", "Identity"};
  const struct image x = *some(net);
  plain(net, ops[draw(net, 8)], x.name, fresh(net, x.c, x.h, x.w)->name);
}

static void add_binary(struct network *net) {
  static const char *const ops[] = {"Add", "Mul", "Sub", "Max"};
  const struct image x = *some(net);
  const char *op = ops[draw(net, 4)];
  char inputs[64];
  const struct image *other = NULL;
  for (int tries = 0; tries < 6 && !other; tries++) {
    const struct image *y = any(net);
    if (y->c == x.c && y->h == x.h && y->w == x.w) other = y;
  }
  const char *second = other && draw(net, 4) ? other->name : weights(net, 3, (int64_t[]){draw(net, 2) ? x.c : 1, 1, 1}, 0.5, 0.2);
  snprintf(inputs, sizeof inputs, draw(net, 2) ? "%s %s" : "%2$s %1$s", x.name, second);
  plain(net, op, inputs, fresh(net, x.c, x.h, x.w)->name);
}

static void add_concat(struct network *net) {
  const struct image x = *some(net);
  char inputs[64];
  for (int tries = 0; tries < 8; tries++) {
    const struct image y = *any(net);
    if (y.h != x.h || y.w != x.w || x.c + y.c > 64) continue;
    snprintf(inputs, sizeof inputs, "%s %s", x.name, y.name);
    begin(net, "Concat", inputs, fresh(net, x.c + y.c, x.h, x.w)->name);
    onnx_attr_int(&net->w, "axis", 1);
    onnx_node_end(&net->w);
    return;
  }
}

static void add_split(struct network *net) {
  const struct image x = *some(net);
  char outputs[64];
  if (x.c % 2) return;
  const char *first = fresh(net, x.c / 2, x.h, x.w)->name;
  snprintf(outputs, sizeof outputs, "%s %s", first, fresh(net, x.c / 2, x.h, x.w)->name);
  begin(net, "Split", x.name, outputs);
  onnx_attr_int(&net->w, "axis", 1);
  onnx_node_end(&net->w);
}

static void add_pool(struct network *net) {
  const struct image x = *some(net);
  int64_t halve = x.h > 4 && x.w > 4 && draw(net, 2), k = halve ? 2 : 3, pad = halve ? 0 : 1, stride = halve ? 2 : 1;
  struct image *y = fresh(net, x.c, (x.h + 2 * pad - k) / stride + 1, (x.w + 2 * pad - k) / stride + 1);
  begin(net, draw(net, 2) ? "MaxPool" : "AveragePool", x.name, y->name);
  onnx_attr_ints(&net->w, "kernel_shape", (int64_t[]){k, k}, 2);
  onnx_attr_ints(&net->w, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
  onnx_attr_ints(&net->w, "strides", (int64_t[]){stride, stride}, 2);
  onnx_node_end(&net->w);
}

/* Squeeze and excite: a gate per channel. */
static void add_gate(struct network *net) {
  const struct image x = *some(net);
  char pooled[16], gate[16], inputs[64];
  snprintf(pooled, sizeof pooled, "g%d", net->counter++);
  snprintf(gate, sizeof gate, "g%d", net->counter++);
  plain(net, "GlobalAveragePool", x.name, pooled);
  plain(net, "Sigmoid", pooled, gate);
  snprintf(inputs, sizeof inputs, "%s %s", x.name, gate);
  plain(net, "Mul", inputs, fresh(net, x.c, x.h, x.w)->name);
}

static void transpose(struct network *net, const char *from, const char *to, const int64_t *perm, int rank) {
  begin(net, "Transpose", from, to);
  onnx_attr_ints(&net->w, "perm", perm, rank);
  onnx_node_end(&net->w);
}

static void add_shuffle(struct network *net) {
  const struct image x = *some(net);
  char wide[16], turned[16], inputs[64];
  int64_t groups = x.c % 4 ? 1 : 2 + 2 * draw(net, 2);
  snprintf(wide, sizeof wide, "r%d", net->counter++);
  snprintf(turned, sizeof turned, "r%d", net->counter++);
  snprintf(inputs, sizeof inputs, "%s %s", x.name, integers(net, (int64_t[]){-1, groups, x.c / groups, x.h, x.w}, 5));
  plain(net, "Reshape", inputs, wide);
  transpose(net, wide, turned, (int64_t[]){0, 2, 1, 3, 4}, 5);
  snprintf(inputs, sizeof inputs, "%s %s", turned, integers(net, (int64_t[]){-1, x.c, x.h, x.w}, 4));
  plain(net, "Reshape", inputs, fresh(net, x.c, x.h, x.w)->name);
}

static void add_turn(struct network *net) {
  const struct image x = *some(net);
  char last[16], active[16];
  snprintf(last, sizeof last, "t%d", net->counter++);
  snprintf(active, sizeof active, "t%d", net->counter++);
  transpose(net, x.name, last, (int64_t[]){0, 2, 3, 1}, 4);
  plain(net, "Relu", last, active);
  transpose(net, active, fresh(net, x.c, x.h, x.w)->name, (int64_t[]){0, 3, 1, 2}, 4);
}

static const char *network_write(struct network *net, const char *batch, const char *path) {
  static void (*const adders[])(struct network *) = {add_conv,  add_conv,  add_conv,    add_norm,   add_norm,   add_unary,
                                                     add_unary, add_unary, add_binary,  add_binary, add_concat, add_split,
                                                     add_pool,  add_gate,  add_shuffle, add_turn};
  char dims[64];
  onnx_model_begin(&net->w, 8, "test");
  onnx_opset_put(&net->w, "", 17);
  onnx_graph_begin(&net->w, "main");
  const struct image *x = fresh(net, 3 + draw(net, 10), 5 + draw(net, 12), 5 + draw(net, 12));
  snprintf(dims, sizeof dims, "%s %d %d %d", batch, (int)x->c, (int)x->h, (int)x->w);
  onnx_value_put(&net->w, ONNX_INPUT, x->name, net->dtype, dims);
  for (int64_t steps = 4 + draw(net, 14); steps > 0 && net->image_count < MOST_IMAGES - 2; steps--) adders[draw(net, 16)](net);
  if (net->image_count < 2) add_unary(net);
  const struct image *outputs[2] = {&net->images[net->image_count - 1], &net->images[1 + draw(net, net->image_count - 1)]};
  for (int i = 0; i < (outputs[0] == outputs[1] ? 1 : 2); i++)
    onnx_value_put(&net->w, ONNX_OUTPUT, outputs[i]->name, net->dtype, NULL);
  onnx_graph_end(&net->w);
  onnx_model_end(&net->w);
  REQUIRE_OK(pb_write_file(&net->w, path));
  pb_writer_free(&net->w);
  return net->images[0].name;
}

static void network_try(uint64_t seed) {
  char path[PATH_MAX], shape[96], what[32];
  struct network net = {.seed = seed, .dtype = seed % 5 == 4 ? DTYPE_F16 : DTYPE_F32};
  struct model_options options = {.threads = 1 + (int)(seed % 2)};
  const struct compare_rule rules[2] = {{1e-3, 3e-5, true}, {3e-2, 3e-2, true}};
  bool dynamic = seed % 3 == 0;
  struct model_case c;
  snprintf(path, sizeof path, "%s/%llu.onnx", test_folder(), (unsigned long long)seed);
  snprintf(what, sizeof what, "network %llu", (unsigned long long)seed);
  network_write(&net, dynamic ? "batch" : "1", path);
  const struct image *x = &net.images[0];
  snprintf(shape, sizeof shape, "v0=1x%dx%dx%d:2x%dx%dx%d:3x%dx%dx%d", (int)x->c, (int)x->h, (int)x->w, (int)x->c, (int)x->h,
           (int)x->w, (int)x->c, (int)x->h, (int)x->w);
  if (dynamic) options.shapes[0] = shape;
  int pass_count;
  const struct pass *passes = pass_table(&pass_count);
  if (seed % 4 == 1) options.without[0] = passes[seed / 4 % (uint64_t)pass_count].name;
  model_open(path, &options, &c);
  for (int64_t batch = 3; batch > 0; batch--) {
    inputs_make(&c, dynamic ? &batch : NULL, 1, seed);
    model_check(&c, &rules[net.dtype == DTYPE_F16], what);
    if (!dynamic) break;
  }
  model_close(&c);
  remove(path);
}

static void networks_try(uint64_t first, int count) {
  const char *alone = getenv("TUNEFARM_NETWORK");
  if (alone) network_try(strtoull(alone, NULL, 10));
  for (uint64_t seed = first; !alone && seed < first + (uint64_t)count; seed++) network_try(seed);
}

TEST(random_networks_agree, "timeout:120") { networks_try(0, NETWORKS); }
TEST(many_random_networks_agree, "slow parallel timeout:1500") { networks_try(1000, MANY_NETWORKS); }
