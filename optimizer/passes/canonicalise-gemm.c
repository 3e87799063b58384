/* MatMul, Gemm and FusedMatMul become tunefarm.Gemm: alpha is a scale step, C a bias or an addition. A C that broadcasts in
 * another way, or a beta on a C that is no constant, leaves the Gemm as it is.
 */
#include "dims.h"

#include "../../problem/number-text.h"

#include <stdio.h>
#include <string.h>

static bool matrices(const struct node *node) {
  for (int i = 0; i < 2; i++)
    if (!node->inputs[i] || !value_is_float(node->inputs[i]) || node->inputs[i]->type.rank < 2) return false;
  return node_out(node) && node->inputs[0]->type.dtype == node->inputs[1]->type.dtype;
}

/* beta C with the dims [n]; NULL when C is something else. */
static struct value *bias_of(struct node *node, struct value *c, double beta, int64_t n) {
  struct tensor bias = {.dtype = c->type.dtype, .rank = 1, .dims = {n}};
  const int64_t elems = tensor_elems(&c->type);
  if (n < 1 || elems < 0 || (elems != n && elems != 1)) return NULL;
  if (elems == n && c->type.rank > 0 && c->type.dims[c->type.rank - 1] != n) return NULL; // a column
  if (c->type.rank == 1 && elems == n && beta == 1) return c;
  if (!c->constant || tensor_alloc(&bias) != FARM_OK) return NULL;
  for (int64_t i = 0; i < n; i++)
    dtype_store_f64(bias.dtype, bias.data, i, beta * dtype_load_f64(c->constant->dtype, c->constant->data, elems == 1 ? 0 : i));
  struct value *value = graph_constant_add(node->graph, c->name, &bias);
  tensor_free(&bias);
  return value;
}

static void add_step(char *epilogue, size_t size, const char *step) {
  size_t at = strlen(epilogue);
  snprintf(epilogue + at, size - at, "%s%s", at ? "," : "", step);
}

/* Adds C to the rewrite. False: this Gemm stays. */
static bool take_c(struct pass_context *context, struct node *node, struct rewrite *rewrite, char *epilogue, size_t size) {
  struct value *c = node_in(node, 2);
  const double beta = (double)attr_float(&node->attrs, "beta", 1);
  if (!c || beta == 0) return true;
  if (!value_is_float(c) || c->type.dtype != node->inputs[0]->type.dtype || c->type.rank < 0) return false;
  struct value *bias = bias_of(node, c, beta, node->outputs[0]->type.dims[1]);
  const bool full = values_alike(context, c, node->outputs[0]) && beta == 1;
  if (!bias && !full) return false;
  rewrite->inputs[rewrite->input_count++] = bias ? bias : c;
  add_step(epilogue, size, bias ? "bias" : "add");
  return true;
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  const bool gemm = node_is_onnx(node, "Gemm"), fused = node_is(node, "com.microsoft", "FusedMatMul");
  char epilogue[96] = "";
  if ((!gemm && !fused && !node_is_onnx(node, "MatMul")) || !matrices(node)) return FARM_OK;
  if (fused && (attr_int(&node->attrs, "transBatchA", 0) || attr_int(&node->attrs, "transBatchB", 0))) return FARM_OK;
  struct rewrite rewrite = {.domain = "tunefarm",
                            .name = "Gemm",
                            .version = 1,
                            .inputs = {node->inputs[0], node->inputs[1]},
                            .input_count = 2,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  const float alpha = gemm || fused ? attr_float(&node->attrs, "alpha", 1) : 1;
  char number[NUMBER_TEXT_MAX];
  number_print_float(alpha, number);
  if (alpha != 1) snprintf(epilogue, sizeof epilogue, "scale(%s)", number);
  if (gemm && !take_c(context, node, &rewrite, epilogue, sizeof epilogue)) return FARM_OK;
  if (attr_int(&node->attrs, "transA", 0)) rewrite_attr(&rewrite, attr_of_int("trans_a", 1));
  if (attr_int(&node->attrs, "transB", 0)) rewrite_attr(&rewrite, attr_of_int("trans_b", 1));
  if (epilogue[0]) rewrite_attr(&rewrite, attr_of_text(context->model, "epilogue", epilogue));
  return rewrite_replace(context, &rewrite, node, &node, 1, NULL);
}

enum farm_status pass_canonicalise_gemm(struct pass_context *context) { return rewrite_each(context, rule); }
