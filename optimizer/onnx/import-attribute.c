/* Attributes: types worked out, references of a function's body resolved, subgraphs imported; and Constant, whose attribute
 * is its value. See import-scope.h. */
#include "import-scope.h"

#include "tensor-proto.h"

#include <string.h>

enum onnx_attribute_type attribute_type(const struct onnx_attribute *attribute) {
  static const struct {
    int field;
    enum onnx_attribute_type type;
  } fields[] = {{2, ONNX_ATTR_FLOAT},    {3, ONNX_ATTR_INT},     {4, ONNX_ATTR_STRING},        {5, ONNX_ATTR_TENSOR},
                {6, ONNX_ATTR_GRAPH},    {7, ONNX_ATTR_FLOATS},  {8, ONNX_ATTR_INTS},          {9, ONNX_ATTR_STRINGS},
                {10, ONNX_ATTR_TENSORS}, {11, ONNX_ATTR_GRAPHS}, {22, ONNX_ATTR_SPARSE_TENSOR}};
  if (attribute->type > 0 && attribute->type <= ONNX_ATTR_TYPES) return (enum onnx_attribute_type)attribute->type;
  if (attribute->type != 0) return ONNX_ATTR_UNDEFINED;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (attribute->present & UINT32_C(1) << fields[i].field) return fields[i].type;
  return ONNX_ATTR_UNDEFINED;
}

const struct onnx_attribute *attribute_resolve(const struct scope *scope, const struct onnx_attribute *attribute) {
  if (!attribute->ref_name || !*attribute->ref_name) return attribute;
  const struct function_call *call = scope->call;
  if (!call) return NULL;
  for (int i = 0; i < call->attribute_count; i++)
    if (strcmp(call->attributes[i]->name, attribute->ref_name) == 0) return call->attributes[i];
  for (int i = 0; i < call->function->attribute_defaults.count; i++) {
    const struct onnx_attribute *item = &call->function->attribute_defaults.items[i];
    if (item->name && strcmp(item->name, attribute->ref_name) == 0 && !item->ref_name) return item;
  }
  return NULL;
}

static enum farm_status strings_take(struct arena *arena, const struct onnx_attribute *from, struct attr *attr) {
  const char **strings = arena_alloc_array(arena, (size_t)from->strings.count, sizeof *strings);
  if (!strings) return FARM_NO_MEMORY;
  for (int i = 0; i < from->strings.count; i++) {
    struct pb_slice slice = from->strings.items[i];
    strings[i] = arena_string(arena, (const char *)slice.data, slice.length);
    if (!strings[i]) return FARM_NO_MEMORY;
  }
  attr->strings = strings;
  attr->count = from->strings.count;
  return FARM_OK;
}

static enum farm_status array_take(struct arena *arena, const void *items, int count, size_t item_bytes, struct attr *attr) {
  attr->ints = arena_copy(arena, items, (size_t)count * item_bytes); // the union's pointer, of either element type
  attr->count = count;
  return attr->ints ? FARM_OK : FARM_NO_MEMORY;
}

static enum farm_status tensor_take(struct import *import, const struct onnx_attribute *from, struct attr *attr) {
  FAIL_IF(!from->tensor, FARM_INVALID, "the tensor is missing");
  struct tensor *tensor = arena_alloc(&import->model->arena, sizeof *tensor);
  if (!tensor) return FARM_NO_MEMORY;
  attr->tensor = tensor;
  return onnx_tensor_load(from->tensor, &import->model->arena, import->external, tensor);
}

static enum farm_status graph_take(struct scope *scope, const struct onnx_attribute *from, struct attr *attr) {
  FAIL_IF(!from->graph, FARM_INVALID, "the graph is missing");
  FAIL_IF(scope->depth + 1 >= GRAPH_MAX_DEPTH, FARM_UNSUPPORTED, "graphs are nested more than %d deep [rule: limit]",
          GRAPH_MAX_DEPTH);
  struct graph *graph = graph_create(scope->graph->model, scope->graph, from->graph->name);
  if (!graph) return FARM_NO_MEMORY;
  struct scope inner = {.import = scope->import,
                        .parent = scope,
                        .graph = graph,
                        .opsets = scope->opsets,
                        .call = scope->call,
                        .prefix = scope->prefix,
                        .depth = scope->depth + 1};
  enum farm_status status = import_graph(&inner, from->graph);
  scope_free(&inner);
  attr->graph = graph;
  return status;
}

static enum farm_status contents_take(struct scope *scope, const struct onnx_attribute *from, struct attr *attr) {
  struct arena *arena = &scope->import->model->arena;
  switch (attribute_type(from)) {
  case ONNX_ATTR_FLOAT:
    *attr = (struct attr){.type = ATTR_FLOAT, .count = 1, .f = from->f};
    return FARM_OK;
  case ONNX_ATTR_INT:
    *attr = (struct attr){.type = ATTR_INT, .count = 1, .i = from->i};
    return FARM_OK;
  case ONNX_ATTR_STRING:
    *attr = (struct attr){.type = ATTR_STRING, .count = 1, .length = from->s.length};
    attr->s = arena_string(arena, (const char *)from->s.data, from->s.length);
    return attr->s ? FARM_OK : FARM_NO_MEMORY;
  case ONNX_ATTR_FLOATS:
    attr->type = ATTR_FLOATS;
    return array_take(arena, from->floats.items, from->floats.count, sizeof(float), attr);
  case ONNX_ATTR_INTS:
    attr->type = ATTR_INTS;
    return array_take(arena, from->ints.items, from->ints.count, sizeof(int64_t), attr);
  case ONNX_ATTR_STRINGS:
    attr->type = ATTR_STRINGS;
    return strings_take(arena, from, attr);
  case ONNX_ATTR_TENSOR:
    *attr = (struct attr){.type = ATTR_TENSOR, .count = 1};
    return tensor_take(scope->import, from, attr);
  case ONNX_ATTR_GRAPH:
    *attr = (struct attr){.type = ATTR_GRAPH, .count = 1};
    return graph_take(scope, from, attr);
  case ONNX_ATTR_UNDEFINED:
    return status_set(FARM_INVALID, "the type is %lld and no value tells it", (long long)from->type);
  default:
    return status_set(FARM_UNSUPPORTED, "type %d is not supported [rule: attribute]", (int)attribute_type(from));
  }
}

static enum farm_status attribute_take(struct scope *scope, const struct onnx_attribute *attribute,
                                       const struct onnx_attribute *resolved, struct attr *attr) {
  FAIL_IF(resolved != attribute && attribute_type(resolved) == ONNX_ATTR_GRAPH, FARM_UNSUPPORTED,
          "a graph is handed to a function [rule: attribute]");
  TRY(contents_take(scope, resolved, attr));
  attr->name = arena_string(&scope->import->model->arena, attribute->name, strlen(attribute->name));
  return attr->name ? FARM_OK : FARM_NO_MEMORY;
}

enum farm_status import_attributes(struct scope *scope, const struct onnx_node *node, struct attr **out_attrs, int *out_count) {
  struct attr *attrs = arena_alloc_array(&scope->import->model->arena, (size_t)node->attributes.count, sizeof *attrs);
  if (!attrs) return FARM_NO_MEMORY;
  int count = 0;
  for (int i = 0; i < node->attributes.count; i++) {
    const struct onnx_attribute *attribute = &node->attributes.items[i];
    FAIL_IF(!attribute->name || !*attribute->name, FARM_INVALID, "attribute %d has no name", i);
    FAIL_IF(attr_find(&(struct attrs){attrs, count}, attribute->name), FARM_INVALID, "attribute \"%.100s\" is given twice",
            attribute->name);
    const struct onnx_attribute *resolved = attribute_resolve(scope, attribute);
    if (!resolved) continue;
    enum farm_status status = attribute_take(scope, attribute, resolved, &attrs[count]);
    if (status != FARM_OK) return status_prefix(status, "attribute \"%.100s\"", attribute->name);
    count++;
  }
  *out_attrs = attrs;
  *out_count = count;
  return FARM_OK;
}

/* ---- Constant ---- */

static const struct {
  const char *name;
  enum onnx_attribute_type type;
  enum dtype dtype;
  int rank;
} constant_forms[] = {
    {"value", ONNX_ATTR_TENSOR, DTYPE_NONE, 0},          {"sparse_value", ONNX_ATTR_SPARSE_TENSOR, DTYPE_NONE, 0},
    {"value_float", ONNX_ATTR_FLOAT, DTYPE_F32, 0},      {"value_floats", ONNX_ATTR_FLOATS, DTYPE_F32, 1},
    {"value_int", ONNX_ATTR_INT, DTYPE_I64, 0},          {"value_ints", ONNX_ATTR_INTS, DTYPE_I64, 1},
    {"value_string", ONNX_ATTR_STRING, DTYPE_STRING, 0}, {"value_strings", ONNX_ATTR_STRINGS, DTYPE_STRING, 1},
};

static enum farm_status constant_numbers(struct import *import, const struct onnx_attribute *from, enum dtype dtype, int rank,
                                         struct tensor *out_tensor) {
  FAIL_IF(dtype == DTYPE_STRING, FARM_UNSUPPORTED, "element type string is not supported [rule: element-type]");
  int64_t count = rank == 0 ? 1 : dtype == DTYPE_F32 ? from->floats.count : from->ints.count;
  const void *data = dtype == DTYPE_F32 ? (rank ? (const void *)from->floats.items : &from->f)
                                        : (rank ? (const void *)from->ints.items : &from->i);
  struct tensor tensor = {.dtype = dtype, .rank = rank, .dims = {count}};
  if (count) {
    tensor.data = arena_copy(&import->model->arena, data, tensor_bytes(&tensor));
    if (!tensor.data) return FARM_NO_MEMORY;
  }
  *out_tensor = tensor;
  return FARM_OK;
}

static enum farm_status constant_load(struct scope *scope, const char *name, const struct onnx_attribute *from,
                                      struct tensor *out_tensor) {
  struct import *import = scope->import;
  for (size_t i = 0; i < sizeof constant_forms / sizeof *constant_forms; i++) {
    if (strcmp(constant_forms[i].name, name) != 0) continue;
    FAIL_IF(attribute_type(from) != constant_forms[i].type, FARM_INVALID, "attribute \"%s\" has type %d", name,
            (int)attribute_type(from));
    if (constant_forms[i].dtype != DTYPE_NONE)
      return constant_numbers(import, from, constant_forms[i].dtype, constant_forms[i].rank, out_tensor);
    bool dense = constant_forms[i].type == ONNX_ATTR_TENSOR;
    FAIL_IF(dense ? !from->tensor : !from->sparse, FARM_INVALID, "attribute \"%s\" is empty", name);
    return dense ? onnx_tensor_load(from->tensor, &import->model->arena, import->external, out_tensor)
                 : onnx_sparse_load(from->sparse, &import->model->arena, import->external, out_tensor);
  }
  return status_set(FARM_INVALID, "unknown attribute \"%.100s\"", name);
}

enum farm_status import_constant(struct scope *scope, const struct onnx_node *node, struct value *value) {
  const struct onnx_attribute *found = NULL;
  const char *name = NULL;
  for (int i = 0; i < node->attributes.count; i++) {
    const struct onnx_attribute *attribute = &node->attributes.items[i], *resolved = attribute_resolve(scope, attribute);
    FAIL_IF(!attribute->name, FARM_INVALID, "attribute %d has no name", i);
    if (!resolved) continue;
    FAIL_IF(found, FARM_INVALID, "two values");
    found = resolved;
    name = attribute->name;
  }
  FAIL_IF(!found, FARM_INVALID, "no value");
  struct tensor tensor = {0};
  TRY(constant_load(scope, name, found, &tensor));
  return value_constant_set(value, &tensor);
}
