/* Conv with one or two spatial axes becomes tunefarm.Conv (its B a bias step); MaxPool, AveragePool and their global forms become
 * tunefarm.Pool.
 */
#include "rewrite.h"

#include <string.h>

static const char *const window_attrs[] = {"kernel_shape", "strides", "pads", "dilations", "auto_pad", "group", NULL};
static const char *const pool_attrs[] = {"kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode", NULL};

static bool planes(const struct node *node) {
  const struct value *x = node_in(node, 0);
  return x && value_is_float(x) && (x->type.rank == 3 || x->type.rank == 4) && node_out(node);
}

static enum farm_status rewrite_conv(struct pass_context *context, struct node *node) {
  struct value *bias = node_in(node, 2);
  struct rewrite rewrite = {.domain = "tunefarm",
                            .name = "Conv",
                            .version = 1,
                            .inputs = {node->inputs[0], node->inputs[1], bias},
                            .input_count = bias ? 3 : 2,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  if (!node->inputs[1] || node->inputs[1]->type.dtype != node->inputs[0]->type.dtype) return FARM_OK;
  rewrite_attrs_copy(&rewrite, node, window_attrs);
  if (bias) rewrite_attr(&rewrite, attr_of_text(context->model, "epilogue", "bias"));
  return rewrite_replace(context, &rewrite, node, &node, 1, NULL);
}

static enum farm_status rewrite_pool(struct pass_context *context, struct node *node, const char *mode, bool global) {
  struct rewrite rewrite = {.domain = "tunefarm",
                            .name = "Pool",
                            .version = 1,
                            .inputs = {node->inputs[0]},
                            .input_count = 1,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  if (global)
    rewrite_attr(&rewrite, attr_of_int("global", 1));
  else
    rewrite_attrs_copy(&rewrite, node, pool_attrs);
  if (!global && !strcmp(mode, "average") && attr_int(&node->attrs, "count_include_pad", 0))
    rewrite_attr(&rewrite, attr_of_int("count_include_pad", 1));
  rewrite_attr(&rewrite, attr_of_text(context->model, "mode", mode));
  return rewrite_replace(context, &rewrite, node, &node, 1, NULL);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  static const struct {
    const char *name, *mode;
    bool global;
  } pools[] = {{"MaxPool", "max", false},
               {"AveragePool", "average", false},
               {"GlobalMaxPool", "max", true},
               {"GlobalAveragePool", "average", true}};
  if (node->row->domain[0] || !planes(node)) return FARM_OK;
  if (node_is_onnx(node, "Conv")) return rewrite_conv(context, node);
  for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
    if (node_is_onnx(node, pools[i].name)) return rewrite_pool(context, node, pools[i].mode, pools[i].global);
  return FARM_OK;
}

enum farm_status pass_canonicalise_conv(struct pass_context *context) { return rewrite_each(context, rule); }
