/* Nodes: looked up in the model's functions and the operator table, their names resolved. See import-scope.h. */
#include "import-scope.h"

#include <string.h>

static const char *text_of(const char *text) { return text ? text : ""; }

/* What a message calls a node: its name, or the first thing it makes. */
static const char *node_shown(const struct onnx_node *node) {
  if (node->name && *node->name) return node->name;
  for (int i = 0; i < node->outputs.count; i++)
    if (*node->outputs.items[i]) return node->outputs.items[i];
  return "";
}

static enum farm_status node_failed(enum farm_status status, const struct onnx_node *node) {
  return status_prefix(status, "node \"%.200s\" (%.60s)", node_shown(node), text_of(node->op_type));
}

static enum farm_status row_find(const struct scope *scope, const struct onnx_node *node, const struct operator_row **out_row,
                                 int *out_opset) {
  const char *domain = domain_plain(node->domain), *name = node->op_type;
  int opset = scope_opset(scope, domain);
  FAIL_IF(!opset, FARM_INVALID, "no opset is imported for domain %s", domain_shown(domain));
  const struct operator_row *row = operator_find(domain, name, opset);
  FAIL_IF(!row && operator_name_known(domain, name), FARM_UNSUPPORTED,
          "operator %s of domain %s is not supported at opset %d, only later [rule: operator]", name, domain_shown(domain),
          opset);
  FAIL_IF(!row, FARM_UNSUPPORTED, "operator %s of domain %s, opset %d, is not supported [rule: operator]", name,
          domain_shown(domain), opset);
  *out_row = row;
  *out_opset = opset;
  return FARM_OK;
}

/* Entries without the empty ones at the end, which say nothing. */
static int used_count(const char *const *names, int count) {
  while (count && !*names[count - 1]) count--;
  return count;
}

static enum farm_status inputs_find(const struct scope *scope, const struct onnx_node *node, int count,
                                    struct value **out_values) {
  for (int i = 0; i < count; i++) {
    const char *name = node->inputs.items[i];
    struct value *value = NULL;
    if (*name) TRY(scope_find(scope, name, &value));
    out_values[i] = value == &scope_omitted ? NULL : value;
  }
  return FARM_OK;
}

static enum farm_status operator_add(struct scope *scope, const struct onnx_node *node) {
  const struct operator_row *row = NULL;
  int opset = 0;
  TRY(row_find(scope, node, &row, &opset));
  int input_count = used_count(node->inputs.items, node->inputs.count);
  int output_count = used_count(node->outputs.items, node->outputs.count);
  struct arena *arena = &scope->import->model->arena;
  struct value **inputs = arena_alloc_array(arena, (size_t)(input_count + output_count), sizeof *inputs);
  if (!inputs) return FARM_NO_MEMORY;
  struct value **outputs = inputs + input_count;
  TRY(inputs_find(scope, node, input_count, inputs));
  while (input_count > row->min_inputs && !inputs[input_count - 1]) input_count--; // omitted by a function's caller
  TRY(node_arity_check(row, inputs, input_count, output_count));
  for (int i = 0; i < output_count; i++) outputs[i] = *node->outputs.items[i] ? scope_own(scope, node->outputs.items[i]) : NULL;
  struct attr *attrs = NULL;
  int attr_count = 0;
  TRY(import_attributes(scope, node, &attrs, &attr_count));
  const char *name = scope_name(scope, node_shown(node));
  struct node *added =
      name ? graph_node_add(scope->graph, NULL, row, name, inputs, input_count, outputs, output_count, attrs, attr_count) : NULL;
  if (!added) return FARM_NO_MEMORY;
  added->opset = opset;
  return FARM_OK;
}

static bool is_constant(const struct onnx_node *node) {
  return strcmp(node->op_type, "Constant") == 0 && !*domain_plain(node->domain);
}

static enum farm_status constant_add(struct scope *scope, const struct onnx_node *node) {
  FAIL_IF(node->inputs.count || node->outputs.count != 1 || !*node->outputs.items[0], FARM_INVALID,
          "a Constant has no input and one output");
  return import_constant(scope, node, scope_own(scope, node->outputs.items[0]));
}

static enum farm_status node_import(struct scope *scope, const struct onnx_node *node) {
  FAIL_IF(scope->import->nodes_left-- <= 0, FARM_UNSUPPORTED,
          "too many nodes, or too many for what the file holds [rule: limit]");
  FAIL_IF(!node->op_type || !*node->op_type, FARM_INVALID, "no operator is named");
  FAIL_IF(node->attributes.count > ONNX_MAX_ATTRIBUTES, FARM_UNSUPPORTED, "more than %d attributes [rule: limit]",
          ONNX_MAX_ATTRIBUTES);
  const struct onnx_function *function = function_find(scope->import, node);
  if (function)
    TRY(import_call(scope, function, node));
  else if (is_constant(node))
    TRY(constant_add(scope, node));
  else
    TRY(operator_add(scope, node));
  for (int i = 0; i < node->outputs.count; i++)
    if (*node->outputs.items[i]) TRY(scope_ready(scope, scope_own(scope, node->outputs.items[i])));
  return FARM_OK;
}

enum farm_status import_nodes(struct scope *scope, const struct onnx_node *nodes, int count) {
  for (int i = 0; i < count; i++)
    for (int j = 0; j < nodes[i].outputs.count; j++) {
      struct value *value;
      if (!*nodes[i].outputs.items[j]) continue;
      enum farm_status status = scope_declare(scope, nodes[i].outputs.items[j], &value);
      if (status != FARM_OK) return node_failed(status, &nodes[i]);
    }
  for (int i = 0; i < count; i++) {
    enum farm_status status = node_import(scope, &nodes[i]);
    if (status != FARM_OK) return node_failed(status, &nodes[i]);
  }
  return FARM_OK;
}
