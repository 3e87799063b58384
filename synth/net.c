/* Names, weights, nodes: see net.h. */
#include "net.h"

#include "../base/pmath.h"
#include "../base/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void net_begin(struct net *net, const struct synth_options *options, int opset) {
  *net = (struct net){.options = *options};
  onnx_model_begin(&net->writer, opset >= 17 ? 8 : 7, "tunefarm synth");
  onnx_opset_put(&net->writer, "", opset);
  onnx_graph_begin(&net->writer, "main_graph");
}

enum farm_status net_end(struct net *net, const char *path) {
  onnx_graph_end(&net->writer);
  onnx_model_end(&net->writer);
  enum farm_status status = pb_write_file(&net->writer, path);
  pb_writer_free(&net->writer);
  arena_free(&net->arena);
  return status;
}

static const char *dim_text(const struct net *net, const char *symbol, int64_t value) {
  struct arena *arena = (struct arena *)(uintptr_t)&net->arena;
  return net->options.dynamic ? symbol : arena_printf(arena, "%lld", (long long)value);
}

const char *net_batch(const struct net *net) { return dim_text(net, "batch", net->options.batch); }
const char *net_seq(const struct net *net) { return dim_text(net, "seq", net->options.seq); }

const char *net_input(struct net *net, const char *name, enum dtype dtype, const char *dims) {
  onnx_value_put(&net->writer, ONNX_INPUT, name, dtype, dims);
  return name;
}

void net_output(struct net *net, const char *name, enum dtype dtype, const char *dims) {
  onnx_value_put(&net->writer, ONNX_OUTPUT, name, dtype, dims);
}

/* ---- weights ---- */

struct weight {
  uint64_t seed;
  enum net_fill fill;
  double scale;
  enum dtype dtype;
};

static double weight_value(const struct weight *weight, uint64_t i) {
  if (weight->fill == NET_POSITIVE) return 1 + weight->scale * random_uniform(weight->seed, i);
  double x = random_normal(weight->seed, i) * weight->scale;
  return weight->fill == NET_AROUND_ONE ? 1 + x : x;
}

static enum farm_status weight_fill(void *context, uint64_t offset, void *out, size_t length) {
  const struct weight *weight = context;
  uint64_t width = (uint64_t)dtype_bits(weight->dtype) / 8;
  FAIL_IF(offset % width || length % width, FARM_FAILURE, "a weight is cut inside an element");
  for (uint64_t i = 0; i < length / width; i++)
    dtype_store_f64(weight->dtype, out, (int64_t)i, weight_value(weight, offset / width + i));
  return FARM_OK;
}

static uint64_t name_seed(uint64_t seed, const char *name) {
  uint64_t hash = seed ^ 0x9ae16a3b2f90404fu;
  for (; *name; name++) hash = random_u64(hash, (unsigned char)*name);
  return hash;
}

const char *net_weight(struct net *net, const char *name, enum net_fill fill, double scale, int rank, const int64_t *dims) {
  struct weight *weight = arena_alloc(&net->arena, sizeof *weight);
  const char *kept = arena_string(&net->arena, name, strlen(name));
  if (!weight || !kept) {
    net->writer.failed = true;
    return "_";
  }
  *weight = (struct weight){name_seed(net->options.seed, name), fill, scale, net->options.dtype};
  struct tensor type = {.dtype = net->options.dtype, .rank = rank};
  memcpy(type.dims, dims, (size_t)rank * sizeof *dims);
  onnx_initializer_stream(&net->writer, kept, &type, weight_fill, weight);
  return kept;
}

static const char *constant_put(struct net *net, const struct tensor *tensor) {
  const char *name = arena_printf(&net->arena, "onnx::const_%d", net->next_weight++);
  if (!name) {
    net->writer.failed = true;
    return "_";
  }
  onnx_initializer_put(&net->writer, name, tensor);
  return name;
}

const char *net_ints(struct net *net, const int64_t *values, int count) {
  return constant_put(net, &(struct tensor){.dtype = DTYPE_I64, .rank = 1, .dims = {count}, .data = (void *)(uintptr_t)values});
}

const char *net_int(struct net *net, int64_t value) {
  return constant_put(net, &(struct tensor){.dtype = DTYPE_I64, .data = &value});
}

const char *net_typed_scalar(struct net *net, enum dtype dtype, double value) {
  uint64_t storage = 0;
  dtype_store_f64(dtype, &storage, 0, value);
  return constant_put(net, &(struct tensor){.dtype = dtype, .data = &storage});
}

const char *net_scalar(struct net *net, double value) { return net_typed_scalar(net, net->options.dtype, value); }

/* ---- nodes ---- */

static const char *op_begin(struct net *net, const char *op, const char *output, const char *format, va_list args) {
  char inputs[2048];
  vsnprintf(inputs, sizeof inputs, format, args);
  int number = net->next_node++;
  const char *name = arena_printf(&net->arena, "/%s_%d", op, number);
  const char *result = output ? output : arena_printf(&net->arena, "/%s_%d_output_0", op, number);
  if (!name || !result) {
    net->writer.failed = true;
    return "_";
  }
  onnx_node_begin(&net->writer, op, "", name, inputs, result);
  return result;
}

const char *net_op_begin(struct net *net, const char *op, const char *output, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *result = op_begin(net, op, output, format, args);
  va_end(args);
  return result;
}

void net_op_end(struct net *net) { onnx_node_end(&net->writer); }

const char *net_op(struct net *net, const char *op, const char *output, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *result = op_begin(net, op, output, format, args);
  va_end(args);
  onnx_node_end(&net->writer);
  return result;
}

/* ---- patterns ---- */

static const char *named(struct net *net, const char *prefix, const char *suffix) {
  const char *name = arena_printf(&net->arena, "%s.%s", prefix, suffix);
  if (!name) net->writer.failed = true;
  return name ? name : "_";
}

const char *net_conv(struct net *net, const char *prefix, const char *x, const struct net_conv *c, bool bias) {
  int64_t fan_in = c->in / c->groups * c->kernel * c->kernel;
  const char *w = net_weight(net, named(net, prefix, "weight"), NET_NORMAL, pmath_sqrt(2.0 / (double)fan_in), 4,
                             (int64_t[]){c->out, c->in / c->groups, c->kernel, c->kernel});
  const char *b = bias ? net_weight(net, named(net, prefix, "bias"), NET_NORMAL, 0.1, 1, (int64_t[]){c->out}) : "";
  const char *y = net_op_begin(net, "Conv", NULL, "%s %s %s", x, w, b);
  onnx_attr_ints(&net->writer, "dilations", (int64_t[]){1, 1}, 2);
  onnx_attr_int(&net->writer, "group", c->groups);
  onnx_attr_ints(&net->writer, "kernel_shape", (int64_t[]){c->kernel, c->kernel}, 2);
  onnx_attr_ints(&net->writer, "pads", (int64_t[]){c->pad, c->pad, c->pad, c->pad}, 4);
  onnx_attr_ints(&net->writer, "strides", (int64_t[]){c->stride, c->stride}, 2);
  net_op_end(net);
  return y;
}

const char *net_batch_norm(struct net *net, const char *prefix, const char *x, int64_t channels, double gamma_scale) {
  const int64_t dims[] = {channels};
  const char *gamma = gamma_scale == 1 ? net_weight(net, named(net, prefix, "weight"), NET_AROUND_ONE, 0.1, 1, dims)
                                       : net_weight(net, named(net, prefix, "weight"), NET_NORMAL, gamma_scale, 1, dims);
  const char *beta = net_weight(net, named(net, prefix, "bias"), NET_NORMAL, 0.1, 1, dims);
  const char *mean = net_weight(net, named(net, prefix, "running_mean"), NET_NORMAL, 0.1, 1, dims);
  const char *var = net_weight(net, named(net, prefix, "running_var"), NET_POSITIVE, 0.5, 1, dims);
  const char *y = net_op_begin(net, "BatchNormalization", NULL, "%s %s %s %s %s", x, gamma, beta, mean, var);
  onnx_attr_float(&net->writer, "epsilon", 1e-5f);
  onnx_attr_float(&net->writer, "momentum", 0.9f);
  net_op_end(net);
  return y;
}

const char *net_linear(struct net *net, const char *prefix, const char *x, int64_t in, int64_t out, double scale) {
  const char *w = net_weight(net, named(net, prefix, "weight_t"), NET_NORMAL, scale, 2, (int64_t[]){in, out});
  const char *b = net_weight(net, named(net, prefix, "bias"), NET_NORMAL, 0.02, 1, (int64_t[]){out});
  const char *product = net_op(net, "MatMul", NULL, "%s %s", x, w);
  return net_op(net, "Add", NULL, "%s %s", b, product);
}

const char *net_gemm(struct net *net, const char *prefix, const char *x, int64_t in, int64_t out, double scale,
                     const char *output) {
  const char *w = net_weight(net, named(net, prefix, "weight"), NET_NORMAL, scale, 2, (int64_t[]){out, in});
  const char *b = net_weight(net, named(net, prefix, "bias"), NET_NORMAL, 0.02, 1, (int64_t[]){out});
  const char *y = net_op_begin(net, "Gemm", output, "%s %s %s", x, w, b);
  onnx_attr_float(&net->writer, "alpha", 1.0f);
  onnx_attr_float(&net->writer, "beta", 1.0f);
  onnx_attr_int(&net->writer, "transB", 1);
  net_op_end(net);
  return y;
}

static const char *mean_of(struct net *net, const char *x) { // ReduceMean with axes as an attribute: opset 13 to 17
  const char *y = net_op_begin(net, "ReduceMean", NULL, "%s", x);
  onnx_attr_ints(&net->writer, "axes", (int64_t[]){-1}, 1);
  net_op_end(net);
  return y;
}

const char *net_layer_norm(struct net *net, const char *prefix, const char *x, int64_t width, bool taken_apart) {
  const char *gamma = net_weight(net, named(net, prefix, "weight"), NET_AROUND_ONE, 0.1, 1, &width);
  const char *beta = net_weight(net, named(net, prefix, "bias"), NET_NORMAL, 0.02, 1, &width);
  if (!taken_apart) {
    const char *y = net_op_begin(net, "LayerNormalization", NULL, "%s %s %s", x, gamma, beta);
    onnx_attr_int(&net->writer, "axis", -1);
    onnx_attr_float(&net->writer, "epsilon", 1e-5f);
    net_op_end(net);
    return y;
  }
  const char *centred = net_op(net, "Sub", NULL, "%s %s", x, mean_of(net, x));
  const char *squared = net_op(net, "Pow", NULL, "%s %s", centred, net_scalar(net, 2));
  const char *variance = net_op(net, "Add", NULL, "%s %s", mean_of(net, squared), net_scalar(net, 1e-5));
  const char *deviation = net_op(net, "Sqrt", NULL, "%s", variance);
  const char *normal = net_op(net, "Div", NULL, "%s %s", centred, deviation);
  const char *scaled = net_op(net, "Mul", NULL, "%s %s", normal, gamma);
  return net_op(net, "Add", NULL, "%s %s", scaled, beta);
}

const char *net_gelu_erf(struct net *net, const char *x) {
  const char *erf = net_op(net, "Erf", NULL, "%s", net_op(net, "Div", NULL, "%s %s", x, net_scalar(net, 1.4142135381698608)));
  const char *sum = net_op(net, "Add", NULL, "%s %s", erf, net_scalar(net, 1));
  const char *product = net_op(net, "Mul", NULL, "%s %s", x, sum);
  return net_op(net, "Mul", NULL, "%s %s", product, net_scalar(net, 0.5));
}

const char *net_gelu_tanh(struct net *net, const char *x) {
  const char *half = net_op(net, "Mul", NULL, "%s %s", x, net_scalar(net, 0.5));
  const char *cube = net_op(net, "Pow", NULL, "%s %s", x, net_scalar(net, 3));
  const char *inner =
      net_op(net, "Add", NULL, "%s %s", x, net_op(net, "Mul", NULL, "%s %s", cube, net_scalar(net, 0.044714998453855515)));
  const char *tanh =
      net_op(net, "Tanh", NULL, "%s", net_op(net, "Mul", NULL, "%s %s", inner, net_scalar(net, 0.7978845834732056)));
  return net_op(net, "Mul", NULL, "%s %s", half, net_op(net, "Add", NULL, "%s %s", tanh, net_scalar(net, 1)));
}

const char *net_dim(struct net *net, const char *x, int64_t axis) {
  const char *shape = net_op(net, "Shape", NULL, "%s", x);
  const char *dim = net_op_begin(net, "Gather", NULL, "%s %s", shape, net_int(net, axis));
  onnx_attr_int(&net->writer, "axis", 0);
  net_op_end(net);
  return net_op(net, "Unsqueeze", NULL, "%s %s", dim, net_ints(net, (int64_t[]){0}, 1));
}

const char *net_transpose(struct net *net, const char *x, const int64_t *perm, int rank) {
  const char *y = net_op_begin(net, "Transpose", NULL, "%s", x);
  onnx_attr_ints(&net->writer, "perm", perm, (size_t)rank);
  net_op_end(net);
  return y;
}

static const char *concat_ints(struct net *net, const char *parts) {
  const char *y = net_op_begin(net, "Concat", NULL, "%s", parts);
  onnx_attr_int(&net->writer, "axis", 0);
  net_op_end(net);
  return y;
}

const char *net_heads_split(struct net *net, const char *x, int64_t heads, int64_t head_dim, const int64_t *perm) {
  const char *parts = arena_printf(&net->arena, "%s %s %s %s", net_dim(net, x, 0), net_dim(net, x, 1), net_ints(net, &heads, 1),
                                   net_ints(net, &head_dim, 1));
  const char *split = net_op(net, "Reshape", NULL, "%s %s", x, concat_ints(net, parts ? parts : "_"));
  return net_transpose(net, split, perm, 4);
}

const char *net_heads_merge(struct net *net, const char *x, int64_t width) {
  const char *back = net_transpose(net, x, (int64_t[]){0, 2, 1, 3}, 4);
  const char *parts =
      arena_printf(&net->arena, "%s %s %s", net_dim(net, back, 0), net_dim(net, back, 1), net_ints(net, &width, 1));
  return net_op(net, "Reshape", NULL, "%s %s", back, concat_ints(net, parts ? parts : "_"));
}
