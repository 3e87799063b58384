/* A call of a local function becomes the nodes of its body, in place. See import-scope.h.
 *
 * The body sees its formal inputs only. Its outputs are the caller's values; one that is a formal input, or that is given
 * twice, goes through an Identity. A function that calls itself, however far around, is refused before anything is expanded.
 */
#include "import-scope.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const char *text) { return text ? text : ""; }

/* A key of a function's three names; a name may not hold the separator. */
static enum farm_status key_write(const char *domain, const char *name, const char *overload, char *out, size_t out_bytes) {
  int length = snprintf(out, out_bytes, "%s\n%s\n%s", domain_plain(domain), text_of(name), text_of(overload));
  FAIL_IF(length < 0 || (size_t)length >= out_bytes, FARM_INVALID, "the name of function \"%.100s\" is too long", text_of(name));
  return FARM_OK;
}

enum farm_status import_functions(struct import *import) {
  char key[1024];
  for (int i = 0; i < import->onnx->functions.count; i++) {
    struct onnx_function *function = &import->onnx->functions.items[i];
    TRY(key_write(function->domain, function->name, function->overload, key, sizeof key));
    FAIL_IF(map_get(&import->functions, key), FARM_INVALID, "function \"%.100s\" is defined twice", text_of(function->name));
    bool large = function->opsets.count > ONNX_MAX_OPSETS || function->attribute_defaults.count > ONNX_MAX_ATTRIBUTES ||
                 function->outputs.count > OPERATOR_MAX_OUTPUTS;
    FAIL_IF(large, FARM_UNSUPPORTED, "function \"%.100s\" has too many attributes, outputs or opsets [rule: limit]",
            text_of(function->name));
    TRY(map_set(&import->functions, key, function));
  }
  return FARM_OK;
}

const struct onnx_function *function_find(const struct import *import, const struct onnx_node *node) {
  char key[1024];
  if (!import->functions.count || key_write(node->domain, node->op_type, node->overload, key, sizeof key) != FARM_OK) return NULL;
  return map_get(&import->functions, key);
}

static enum farm_status call_begin(const struct scope *scope, const struct onnx_function *function,
                                   struct function_call *out_call) {
  int depth = scope->call ? scope->call->depth + 1 : 1;
  for (const struct function_call *outer = scope->call; outer; outer = outer->outer)
    FAIL_IF(outer->function == function, FARM_INVALID, "function \"%.100s\" calls itself", text_of(function->name));
  FAIL_IF(depth > ONNX_MAX_FUNCTION_DEPTH, FARM_UNSUPPORTED, "functions call each other more than %d deep [rule: limit]",
          ONNX_MAX_FUNCTION_DEPTH);
  *out_call = (struct function_call){.function = function, .outer = scope->call, .depth = depth};
  return FARM_OK;
}

/* The call's attributes, as the caller means them: a reference of an outer function's body is resolved here. */
static enum farm_status call_attributes(const struct scope *scope, const struct onnx_node *node, struct function_call *call) {
  struct arena *arena = &scope->import->model->arena;
  call->attributes = arena_alloc_array(arena, (size_t)node->attributes.count, sizeof *call->attributes);
  if (!call->attributes) return FARM_NO_MEMORY;
  for (int i = 0; i < node->attributes.count; i++) {
    const struct onnx_attribute *attribute = &node->attributes.items[i], *resolved = attribute_resolve(scope, attribute);
    FAIL_IF(!attribute->name, FARM_INVALID, "attribute %d has no name", i);
    if (!resolved) continue;
    struct onnx_attribute *copy = arena_copy(arena, resolved, sizeof *resolved);
    if (!copy) return FARM_NO_MEMORY;
    copy->name = attribute->name;
    call->attributes[call->attribute_count++] = copy;
  }
  return FARM_OK;
}

static enum farm_status inputs_bind(struct scope *scope, struct scope *body, const struct onnx_function *function,
                                    const struct onnx_node *node) {
  FAIL_IF(node->inputs.count > function->inputs.count, FARM_INVALID, "%d inputs for a function of %d", node->inputs.count,
          function->inputs.count);
  for (int i = 0; i < function->inputs.count; i++) {
    struct value *value = &scope_omitted;
    if (i < node->inputs.count && *node->inputs.items[i]) TRY(scope_find(scope, node->inputs.items[i], &value));
    TRY(scope_bind(body, function->inputs.items[i], value));
  }
  return FARM_OK;
}

static bool made_elsewhere(const struct scope *body, const struct onnx_function *function, int output) {
  const char *name = function->outputs.items[output];
  for (int i = 0; i < output; i++)
    if (strcmp(function->outputs.items[i], name) == 0) return true;
  return scope_own(body, name) != NULL; // a formal input
}

static enum farm_status outputs_preset(const struct scope *scope, struct scope *body, const struct onnx_function *function,
                                       const struct onnx_node *node) {
  FAIL_IF(node->outputs.count > function->outputs.count, FARM_INVALID, "%d outputs of a function of %d", node->outputs.count,
          function->outputs.count);
  for (int i = 0; i < node->outputs.count; i++)
    if (*node->outputs.items[i] && !made_elsewhere(body, function, i))
      TRY(map_set(&body->presets, function->outputs.items[i], scope_own(scope, node->outputs.items[i])));
  return FARM_OK;
}

static enum farm_status identity_add(struct graph *graph, struct value *from, struct value *to) {
  const struct operator_row *row = operator_find("", "Identity", ONNX_MOST_OPSET);
  FAIL_IF(!row, FARM_UNSUPPORTED, "operator Identity is not supported [rule: operator]");
  return graph_node_add(graph, NULL, row, NULL, &from, 1, &to, 1, NULL, 0) ? FARM_OK : FARM_NO_MEMORY;
}

/* Each of the caller's outputs must be there now, under its own value or through an Identity. */
static enum farm_status outputs_finish(struct scope *scope, struct scope *body, const struct onnx_function *function,
                                       const struct onnx_node *node) {
  for (int i = 0; i < node->outputs.count; i++) {
    if (!*node->outputs.items[i]) continue;
    struct value *made = NULL, *wanted = scope_own(scope, node->outputs.items[i]);
    TRY(scope_find(body, function->outputs.items[i], &made));
    FAIL_IF(made == &scope_omitted, FARM_INVALID, "output \"%.100s\" is an input that the call leaves out",
            function->outputs.items[i]);
    if (made != wanted) TRY(identity_add(scope->graph, made, wanted));
  }
  return FARM_OK;
}

static enum farm_status body_import(struct scope *scope, struct scope *body, const struct onnx_function *function,
                                    const struct onnx_node *node) {
  for (int i = 0; i < function->opsets.count; i++)
    TRY(opset_check(function->opsets.items[i].domain, function->opsets.items[i].version));
  TRY(inputs_bind(scope, body, function, node));
  TRY(outputs_preset(scope, body, function, node));
  TRY(import_nodes(body, function->nodes.items, function->nodes.count));
  return outputs_finish(scope, body, function, node);
}

enum farm_status import_call(struct scope *scope, const struct onnx_function *function, const struct onnx_node *node) {
  struct function_call call;
  TRY(call_begin(scope, function, &call));
  TRY(call_attributes(scope, node, &call));
  const char *name = node->name && *node->name ? node->name : text_of(function->name);
  struct scope body = {.import = scope->import,
                       .graph = scope->graph,
                       .opsets = &function->opsets,
                       .call = &call,
                       .prefix = scope_name(scope, name),
                       .depth = scope->depth};
  if (!body.prefix) return FARM_NO_MEMORY;
  enum farm_status status = body_import(scope, &body, function, node);
  scope_free(&body);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "function \"%.100s\"", text_of(function->name));
}
