/* What the architectures are written with: a thin layer over the ONNX writer that makes names, weights and common patterns.
 * Every function returns the name of the value it made; names live as long as the net. Failure is sticky in the writer. */
#ifndef SYNTH_NET_H
#define SYNTH_NET_H

#include "synth.h"

#include "../base/arena.h"
#include "../optimizer/onnx/onnx-writer.h"

struct net {
  struct pb_writer writer;
  struct arena arena;
  struct synth_options options;
  int next_node, next_weight;
};

enum net_fill { NET_NORMAL, NET_AROUND_ONE, NET_POSITIVE }; // normal * scale; 1 + normal * scale; 1 + uniform * scale

void net_begin(struct net *net, const struct synth_options *options, int opset);
enum farm_status net_end(struct net *net, const char *path); // writes and frees
const char *net_batch(const struct net *net);                // "batch" or the number, for net_input's dims
const char *net_seq(const struct net *net);

const char *net_input(struct net *net, const char *name, enum dtype dtype, const char *dims);
void net_output(struct net *net, const char *name, enum dtype dtype, const char *dims);
/* A seeded weight of the net's type. */
const char *net_weight(struct net *net, const char *name, enum net_fill fill, double scale, int rank, const int64_t *dims);
const char *net_ints(struct net *net, const int64_t *values, int count); // 1-d int64 initializer
const char *net_int(struct net *net, int64_t value);                     // scalar int64
const char *net_scalar(struct net *net, double value);                   // scalar of the net's type
const char *net_typed_scalar(struct net *net, enum dtype dtype, double value);

/* One node with one output, named after the operator unless `output` is given. `inputs` are separated by spaces. */
const char *net_op(struct net *net, const char *op, const char *output, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same in two steps, with attributes put in between. */
const char *net_op_begin(struct net *net, const char *op, const char *output, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void net_op_end(struct net *net);

/* Patterns. Names of weights begin with `prefix`, as PyTorch's modules name them. */
struct net_conv {
  int64_t in, out, kernel, stride, pad, groups;
};
const char *net_conv(struct net *net, const char *prefix, const char *x, const struct net_conv *conv, bool bias);
const char *net_batch_norm(struct net *net, const char *prefix, const char *x, int64_t channels, double gamma_scale);
const char *net_linear(struct net *net, const char *prefix, const char *x, int64_t in, int64_t out,
                       double scale); // MatMul + Add, as for 3-d inputs
const char *net_gemm(struct net *net, const char *prefix, const char *x, int64_t in, int64_t out, double scale,
                     const char *output); // Gemm transB=1
const char *net_layer_norm(struct net *net, const char *prefix, const char *x, int64_t width, bool taken_apart);
const char *net_gelu_erf(struct net *net, const char *x);
const char *net_gelu_tanh(struct net *net, const char *x);
const char *net_dim(struct net *net, const char *x, int64_t axis); // Shape -> Gather -> Unsqueeze: a 1-d tensor of one element
const char *net_transpose(struct net *net, const char *x, const int64_t *perm, int rank);
/* [b, s, heads * d] -> [b, heads, s, d], through Shape arithmetic, and back. */
const char *net_heads_split(struct net *net, const char *x, int64_t heads, int64_t head_dim, const int64_t *perm);
const char *net_heads_merge(struct net *net, const char *x, int64_t width);

/* One architecture each. */
void synth_resnet50(struct net *net);
void synth_mobilenetv2(struct net *net);
void synth_vgg16(struct net *net);
void synth_bert_base(struct net *net);
void synth_gpt2(struct net *net);
void synth_vit_b16(struct net *net);
void synth_mlp(struct net *net);

#endif
