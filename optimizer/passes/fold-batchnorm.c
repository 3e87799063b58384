/* Batch normalisation after a convolution with constant weights: y = (conv(x, w) + b - mean) s + beta with s = scale / sqrt(var +
 * eps) is a convolution with w s and (b - mean) s + beta. Double arithmetic, rounded once. Elsewhere it becomes a multiplication
 * and an addition per channel.
 */
#include "rewrite.h"

#include "../../base/pmath.h"

#include <stdlib.h>

struct norm { // per channel
  int64_t channels;
  double *scale, *shift; // y = x scale + shift
};

static void norm_free(struct norm *norm) {
  free(norm->scale);
  free(norm->shift);
}

static double element(const struct value *value, int64_t i) {
  return dtype_load_f64(value->constant->dtype, value->constant->data, i);
}

static enum farm_status norm_read(const struct node *node, struct norm *out) {
  const double epsilon = (double)attr_float(&node->attrs, "epsilon", 1e-5f);
  const int64_t channels = tensor_elems(node->inputs[1]->constant);
  struct norm norm = {channels, calloc((size_t)channels + 1, sizeof(double)), calloc((size_t)channels + 1, sizeof(double))};
  if (!norm.scale || !norm.shift) {
    norm_free(&norm);
    return status_set(FARM_NO_MEMORY, "out of memory for %lld channels", (long long)channels);
  }
  for (int64_t c = 0; c < channels; c++) {
    norm.scale[c] = element(node->inputs[1], c) / pmath_sqrt(element(node->inputs[4], c) + epsilon);
    norm.shift[c] = element(node->inputs[2], c) - element(node->inputs[3], c) * norm.scale[c];
  }
  *out = norm;
  return FARM_OK;
}

/* Inference form: one output, constant statistics of one length. */
static bool is_inference_norm(const struct node *node) {
  if (!node_is_onnx(node, "BatchNormalization") || !node_out(node) || attr_int(&node->attrs, "training_mode", 0)) return false;
  if (!node->inputs[0] || !value_is_float(node->inputs[0]) || attr_int(&node->attrs, "spatial", 1) != 1) return false;
  for (int i = 1; i < 5; i++) {
    const struct value *value = node_in(node, i);
    if (!value || !value->constant || !value_is_float(value) ||
        tensor_elems(value->constant) != tensor_elems(node->inputs[1]->constant))
      return false;
  }
  return tensor_elems(node->inputs[1]->constant) > 0;
}

/* The convolution whose only user this is, with weights that may be changed: [k][...]. */
static struct node *convolution_before(const struct pass_context *context, const struct node *node, int64_t channels) {
  struct node *conv = node->inputs[0]->producer;
  if (!node_is_onnx(conv, "Conv") || !value_is_private(context, node->inputs[0]) || !conv->inputs[1]->constant) return NULL;
  const struct value *bias = node_in(conv, 2);
  if (bias && (!bias->constant || tensor_elems(bias->constant) != channels)) return NULL;
  return conv->inputs[1]->constant->dims[0] == channels && value_is_float(conv->inputs[1]) ? conv : NULL;
}

static struct value *scaled_weights(struct node *conv, const struct norm *norm) {
  struct tensor weights = *conv->inputs[1]->constant;
  const int64_t elems = tensor_elems(&weights), each = elems / norm->channels;
  if (tensor_alloc(&weights) != FARM_OK) return NULL;
  for (int64_t i = 0; i < elems; i++)
    dtype_store_f64(weights.dtype, weights.data, i, element(conv->inputs[1], i) * norm->scale[i / each]);
  struct value *value = graph_constant_add(conv->graph, conv->inputs[1]->name, &weights);
  tensor_free(&weights);
  return value;
}

static struct value *channel_constant(struct node *node, const char *name, const double *values, const struct tensor *like,
                                      int trailing, int64_t channels) {
  struct tensor tensor = {.dtype = like->dtype, .rank = 1 + trailing, .dims = {channels, 1, 1, 1, 1, 1, 1, 1}};
  if (tensor_alloc(&tensor) != FARM_OK) return NULL;
  for (int64_t c = 0; c < channels; c++) dtype_store_f64(tensor.dtype, tensor.data, c, values[c]);
  struct value *value = graph_constant_add(node->graph, name, &tensor);
  tensor_free(&tensor);
  return value;
}

static enum farm_status into_convolution(struct pass_context *context, struct node *node, struct node *conv, struct norm *norm) {
  static const char *const kept[] = {"kernel_shape", "strides", "pads", "dilations", "group", "auto_pad", NULL};
  const struct value *bias = node_in(conv, 2);
  for (int64_t c = 0; bias && c < norm->channels; c++) norm->shift[c] += element(bias, c) * norm->scale[c];
  struct value *weights = scaled_weights(conv, norm);
  struct value *shift =
      channel_constant(conv, bias ? bias->name : node->inputs[2]->name, norm->shift, &conv->inputs[1]->type, 0, norm->channels);
  FAIL_IF(!weights || !shift, FARM_NO_MEMORY, "out of memory for folded weights");
  struct rewrite rewrite = {.domain = "",
                            .name = "Conv",
                            .version = conv->row->since_version,
                            .inputs = {conv->inputs[0], weights, shift},
                            .input_count = 3,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  rewrite_attrs_copy(&rewrite, conv, kept);
  return rewrite_replace(context, &rewrite, node, (struct node *[]){conv, node}, 2, NULL);
}

/* x s + t with constants [c][1]…: two elementwise nodes that later passes fuse. */
static enum farm_status into_elementwise(struct pass_context *context, struct node *node, const struct norm *norm) {
  const struct tensor *x = &node->inputs[0]->type;
  if (x->rank < 2) return FARM_OK;
  struct value *scale = channel_constant(node, node->inputs[1]->name, norm->scale, x, x->rank - 2, norm->channels);
  struct value *shift = channel_constant(node, node->inputs[2]->name, norm->shift, x, x->rank - 2, norm->channels);
  struct value *product = value_new(node->graph, NULL, x);
  FAIL_IF(!scale || !shift || !product, FARM_NO_MEMORY, "out of memory for a normalisation");
  struct rewrite multiply = {.domain = "",
                             .name = "Mul",
                             .version = 14,
                             .inputs = {node->inputs[0], scale},
                             .input_count = 2,
                             .outputs = {product},
                             .output_count = 1};
  struct rewrite add = {.domain = "",
                        .name = "Add",
                        .version = 14,
                        .inputs = {product, shift},
                        .input_count = 2,
                        .outputs = {node->outputs[0]},
                        .output_count = 1};
  TRY(rewrite_add(context, &multiply, node, node->origin, NULL));
  return rewrite_replace(context, &add, node, &node, 1, NULL);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  struct norm norm = {0};
  if (!is_inference_norm(node)) return FARM_OK;
  TRY(norm_read(node, &norm));
  struct node *conv = convolution_before(context, node, norm.channels);
  enum farm_status status = conv ? into_convolution(context, node, conv, &norm) : into_elementwise(context, node, &norm);
  norm_free(&norm);
  return status;
}

enum farm_status pass_fold_batchnorm(struct pass_context *context) { return rewrite_each(context, rule); }
