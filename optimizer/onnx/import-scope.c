/* Names and opsets during import. See import-scope.h. */
#include "import-scope.h"

#include "../../base/array.h"

#include <string.h>

struct value scope_omitted;

void scope_free(struct scope *scope) {
  map_free(&scope->names);
  map_free(&scope->presets);
}

enum farm_status scope_bind(struct scope *scope, const char *name, struct value *value) {
  FAIL_IF(map_get(&scope->names, name), FARM_INVALID, "the name \"%.200s\" is defined twice", name);
  return map_set(&scope->names, name, value);
}

const char *scope_name(struct scope *scope, const char *name) {
  return *scope->prefix ? arena_printf(&scope->import->model->arena, "%s/%s", scope->prefix, name) : name;
}

enum farm_status scope_declare(struct scope *scope, const char *name, struct value **out_value) {
  struct value *value = map_get(&scope->presets, name);
  if (!value) {
    const char *shown = scope_name(scope, name);
    value = shown ? graph_value_add(scope->graph, shown, NULL) : NULL;
    if (!value) return FARM_NO_MEMORY;
  }
  TRY(scope_bind(scope, name, value));
  *out_value = value;
  return FARM_OK;
}

enum farm_status scope_ready(struct scope *scope, const struct value *value) {
  struct import *import = scope->import;
  size_t need = (size_t)value->id + 1, had = import->ready_capacity;
  TRY(array_reserve(&import->ready, &import->ready_capacity, need));
  if (import->ready_capacity > had) memset(import->ready + had, 0, (import->ready_capacity - had) * sizeof *import->ready);
  import->ready[value->id] = true;
  return FARM_OK;
}

struct value *scope_own(const struct scope *scope, const char *name) {
  return map_get(&scope->names, name);
}

enum farm_status scope_find(const struct scope *scope, const char *name, struct value **out_value) {
  const struct import *import = scope->import;
  struct value *value = NULL;
  for (; scope && !value; scope = scope->parent) value = map_get(&scope->names, name);
  FAIL_IF(!value, FARM_INVALID, "the name \"%.200s\" is not defined", name);
  bool ready = value == &scope_omitted || ((size_t)value->id < import->ready_capacity && import->ready[value->id]);
  FAIL_IF(!ready, FARM_INVALID, "the name \"%.200s\" is used before it is defined (the nodes are not in order)", name);
  *out_value = value;
  return FARM_OK;
}

const char *domain_plain(const char *domain) { return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain; }
const char *domain_shown(const char *domain) { return *domain_plain(domain) ? domain : "ai.onnx"; }

static int64_t version_of(const onnx_opset_list *opsets, const char *domain) {
  for (int i = 0; i < opsets->count; i++)
    if (strcmp(domain_plain(opsets->items[i].domain), domain) == 0) return opsets->items[i].version;
  return 0;
}

int scope_opset(const struct scope *scope, const char *domain) {
  int64_t version = version_of(scope->opsets, domain);
  if (!version) version = version_of(&scope->import->onnx->opsets, domain);
  return version < 1 ? 0 : version > INT16_MAX ? INT16_MAX : (int)version;
}

enum farm_status opset_check(const char *domain, int64_t version) {
  if (*domain_plain(domain)) return FARM_OK;
  FAIL_IF(version < 1, FARM_INVALID, "opset version %lld of ai.onnx", (long long)version);
  FAIL_IF(version < ONNX_LEAST_OPSET || version > ONNX_MOST_OPSET, FARM_UNSUPPORTED,
          "opset %lld of ai.onnx is not supported: %d to %d are [rule: opset]", (long long)version, ONNX_LEAST_OPSET,
          ONNX_MOST_OPSET);
  return FARM_OK;
}
