/* A graph: its inputs, initializers, nodes and outputs, and the types that the file declares. See import-scope.h. */
#include "import-scope.h"

#include "tensor-proto.h"

#include <string.h>

static const char *text_of(const char *text) { return text ? text : ""; }

/* ---- declared types ---- */

static enum farm_status type_kind_check(const struct onnx_type *type) {
  static const struct {
    int field;
    const char *name;
  } kinds[] = {{4, "sequence"}, {5, "map"}, {8, "sparse tensor"}, {9, "optional"}};
  for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++)
    FAIL_IF(type->present & UINT32_C(1) << kinds[i].field, FARM_UNSUPPORTED, "a %s is not supported as a value [rule: type]",
            kinds[i].name);
  return FARM_OK;
}

static enum farm_status dtype_read(int64_t elem_type, enum dtype *out_dtype) {
  FAIL_IF(elem_type < 0 || elem_type >= DTYPE_COUNT || (elem_type && !dtype_known((int)elem_type)), FARM_INVALID,
          "unknown element type %lld", (long long)elem_type);
  FAIL_IF(elem_type == DTYPE_STRING, FARM_UNSUPPORTED, "element type string is not supported [rule: element-type]");
  *out_dtype = (enum dtype)elem_type;
  return FARM_OK;
}

/* A dim as a code: a number, a symbol of the model by that name, or unknown. */
static int64_t dim_read(const struct model *model, const struct onnx_dim *dim) {
  if (dim->present & ONNX_DIM_VALUE && dim->value >= 0) return dim->value;
  for (int i = 0; dim->param && *dim->param && i < model->symbol_count; i++)
    if (strcmp(model->symbols[i].name, dim->param) == 0) return DIM_FIRST_SYMBOL - i;
  return DIM_UNKNOWN;
}

static enum farm_status type_read(const struct model *model, const struct onnx_type *type, struct tensor *out_type) {
  struct tensor read = {.rank = -1};
  TRY(type_kind_check(type));
  if (type && type->tensor) {
    TRY(dtype_read(type->tensor->elem_type, &read.dtype));
    const struct onnx_shape *shape = type->tensor->shape;
    FAIL_IF(shape && shape->dims.count > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "rank %d is not supported (at most %d) [rule: rank]",
            shape->dims.count, TENSOR_MAX_RANK);
    read.rank = shape ? shape->dims.count : -1;
    for (int i = 0; i < read.rank; i++) read.dims[i] = dim_read(model, &shape->dims.items[i]);
  }
  *out_type = read;
  return FARM_OK;
}

static enum farm_status hint_set(struct scope *scope, const struct onnx_value_info *info) {
  struct value *value = info->name ? scope_own(scope, info->name) : NULL;
  if (!value || value->constant || value == &scope_omitted) return FARM_OK;
  struct tensor hint = {0};
  enum farm_status status = type_read(scope->graph->model, info->type, &hint);
  if (status != FARM_OK) return status_prefix(status, "value \"%.200s\"", info->name);
  value->hint = arena_copy(&scope->import->model->arena, &hint, sizeof hint);
  return value->hint ? FARM_OK : FARM_NO_MEMORY;
}

/* ---- inputs ---- */

/* Every dim of a main input that is no number becomes a symbol; an unnamed one is called after its input and axis. */
static enum farm_status symbols_make(struct model *model, const struct onnx_value_info *info) {
  const struct onnx_shape *shape = info->type && info->type->tensor ? info->type->tensor->shape : NULL;
  for (int i = 0; shape && i < shape->dims.count; i++) {
    const struct onnx_dim *dim = &shape->dims.items[i];
    bool number = dim->present & ONNX_DIM_VALUE && dim->value >= 0;
    if (!number && dim->param && *dim->param && model_symbol(model, dim->param) < 0)
      return model->symbol_count == MODEL_MAX_SYMBOLS ? FARM_UNSUPPORTED : FARM_NO_MEMORY;
  }
  return FARM_OK;
}

static enum farm_status unnamed_name(struct model *model, struct tensor *type, const char *input) {
  for (int i = 0; i < type->rank; i++) {
    if (type->dims[i] != DIM_UNKNOWN) continue;
    const char *name = arena_printf(&model->arena, "%s:%d", input, i);
    int index = name ? model_symbol(model, name) : -1;
    if (index < 0) return model->symbol_count == MODEL_MAX_SYMBOLS ? FARM_UNSUPPORTED : FARM_NO_MEMORY;
    type->dims[i] = DIM_FIRST_SYMBOL - index;
  }
  return FARM_OK;
}

static enum farm_status main_input_type(struct model *model, const struct onnx_value_info *info, struct tensor *out_type) {
  TRY(symbols_make(model, info));
  TRY(type_read(model, info->type, out_type));
  FAIL_IF(out_type->dtype == DTYPE_NONE, FARM_INVALID, "no element type is declared");
  return unnamed_name(model, out_type, info->name);
}

static bool has_initializer(const struct onnx_graph *onnx, const char *name, const struct map *initializers) {
  return onnx->initializers.count + onnx->sparse_initializers.count && map_get(initializers, name);
}

static enum farm_status input_add(struct scope *scope, const struct onnx_value_info *info, struct value **out_value) {
  struct tensor type = {.rank = -1};
  enum farm_status status = scope->parent ? FARM_OK : main_input_type(scope->graph->model, info, &type);
  if (status == FARM_OK) status = scope_declare(scope, info->name, out_value);
  if (status == FARM_OK) status = scope_ready(scope, *out_value);
  if (status == FARM_OK) (*out_value)->type = type;
  if (status == FARM_OK && scope->parent) status = hint_set(scope, info);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "input \"%.200s\"", info->name);
}

static enum farm_status inputs_import(struct scope *scope, const struct onnx_graph *onnx, const struct map *initializers) {
  struct value **inputs = arena_alloc_array(&scope->import->model->arena, (size_t)onnx->inputs.count, sizeof *inputs);
  if (!inputs) return FARM_NO_MEMORY;
  int count = 0;
  for (int i = 0; i < onnx->inputs.count; i++) {
    const struct onnx_value_info *info = &onnx->inputs.items[i];
    FAIL_IF(!info->name || !*info->name, FARM_INVALID, "input %d has no name", i);
    if (!has_initializer(onnx, info->name, initializers)) TRY(input_add(scope, info, &inputs[count++]));
  }
  return graph_inputs_set(scope->graph, inputs, count);
}

/* ---- initializers ---- */

static const char *sparse_name(const struct onnx_sparse_tensor *sparse) {
  return sparse->values ? text_of(sparse->values->name) : "";
}

static enum farm_status initializer_names(const struct onnx_graph *onnx, struct map *names) {
  for (int i = 0; i < onnx->initializers.count; i++)
    TRY(map_set(names, text_of(onnx->initializers.items[i].name), &onnx->initializers.items[i]));
  for (int i = 0; i < onnx->sparse_initializers.count; i++)
    TRY(map_set(names, sparse_name(&onnx->sparse_initializers.items[i]), &onnx->sparse_initializers.items[i]));
  return FARM_OK;
}

static enum farm_status constant_bind(struct scope *scope, const char *name, const struct tensor *tensor) {
  struct value *value = NULL;
  FAIL_IF(!*name, FARM_INVALID, "an initializer has no name");
  TRY(scope_declare(scope, name, &value));
  TRY(value_constant_set(value, tensor));
  return scope_ready(scope, value);
}

static enum farm_status initializers_import(struct scope *scope, const struct onnx_graph *onnx) {
  struct import *import = scope->import;
  struct tensor tensor = {0};
  for (int i = 0; i < onnx->initializers.count; i++) {
    const struct onnx_tensor *proto = &onnx->initializers.items[i];
    TRY(onnx_tensor_load(proto, &import->model->arena, import->external, &tensor));
    TRY(constant_bind(scope, text_of(proto->name), &tensor));
  }
  for (int i = 0; i < onnx->sparse_initializers.count; i++) {
    const struct onnx_sparse_tensor *proto = &onnx->sparse_initializers.items[i];
    TRY(onnx_sparse_load(proto, &import->model->arena, import->external, &tensor));
    TRY(constant_bind(scope, sparse_name(proto), &tensor));
  }
  return FARM_OK;
}

/* ---- outputs ---- */

static enum farm_status outputs_import(struct scope *scope, const struct onnx_graph *onnx) {
  struct value **outputs = arena_alloc_array(&scope->import->model->arena, (size_t)onnx->outputs.count, sizeof *outputs);
  if (!outputs) return FARM_NO_MEMORY;
  for (int i = 0; i < onnx->outputs.count; i++) {
    const struct onnx_value_info *info = &onnx->outputs.items[i];
    FAIL_IF(!info->name || !*info->name, FARM_INVALID, "output %d has no name", i);
    enum farm_status status = scope_find(scope, info->name, &outputs[i]);
    if (status != FARM_OK) return status_prefix(status, "output %d", i);
  }
  return graph_outputs_set(scope->graph, outputs, onnx->outputs.count);
}

/* Declared before the nodes are imported, so that a hint is there whatever the order of a file's fields. */
static enum farm_status hints_set(struct scope *scope, const struct onnx_graph *onnx) {
  for (int i = 0; i < onnx->value_infos.count; i++) TRY(hint_set(scope, &onnx->value_infos.items[i]));
  for (int i = 0; i < onnx->outputs.count; i++) TRY(hint_set(scope, &onnx->outputs.items[i]));
  return FARM_OK;
}

enum farm_status import_graph(struct scope *scope, const struct onnx_graph *onnx) {
  struct map initializers = {0};
  enum farm_status status;
  TRY_OR(initializer_names(onnx, &initializers), free_names);
  TRY_OR(inputs_import(scope, onnx, &initializers), free_names);
  TRY_OR(initializers_import(scope, onnx), free_names);
  TRY_OR(import_nodes(scope, onnx->nodes.items, onnx->nodes.count), free_names);
  TRY_OR(hints_set(scope, onnx), free_names);
  TRY_OR(outputs_import(scope, onnx), free_names);
free_names:
  map_free(&initializers);
  return status;
}
