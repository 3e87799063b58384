/* Making and changing graphs. See graph.h. */
#include "graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum farm_status model_create(const char *path, struct model **out_model) {
  struct model *model = calloc(1, sizeof *model);
  FAIL_IF(!model, FARM_NO_MEMORY, "out of memory");
  model->path = path ? arena_string(&model->arena, path, strlen(path)) : "";
  model->graph = graph_create(model, NULL, "main");
  if (!model->path || !model->graph) {
    model_free(&model);
    return FARM_NO_MEMORY;
  }
  *out_model = model;
  return FARM_OK;
}

void model_free(struct model **model) {
  if (!*model) return;
  if ((*model)->files_close) (*model)->files_close((*model)->files);
  map_free(&(*model)->names);
  map_free(&(*model)->next_names);
  arena_free(&(*model)->arena);
  free(*model);
  *model = NULL;
}

struct graph *graph_create(struct model *model, struct graph *parent, const char *name) {
  struct graph *graph = arena_alloc(&model->arena, sizeof *graph);
  if (!graph) return NULL;
  graph->model = model;
  graph->parent = parent;
  graph->name = arena_string(&model->arena, name ? name : "", name ? strlen(name) : 0);
  return graph->name ? graph : NULL;
}

static enum farm_status symbols_grow(struct model *model) {
  if (model->symbol_count < model->symbol_capacity) return FARM_OK;
  FAIL_IF(model->symbol_count == MODEL_MAX_SYMBOLS, FARM_UNSUPPORTED, "more than %d symbolic dimensions [rule: limit]",
          MODEL_MAX_SYMBOLS);
  int capacity = model->symbol_capacity ? model->symbol_capacity * 2 : 8;
  struct symbol *symbols = arena_alloc_array(&model->arena, (size_t)capacity, sizeof *symbols);
  if (!symbols) return FARM_NO_MEMORY;
  if (model->symbol_count) memcpy(symbols, model->symbols, (size_t)model->symbol_count * sizeof *symbols);
  model->symbols = symbols;
  model->symbol_capacity = capacity;
  return FARM_OK;
}

int model_symbol(struct model *model, const char *name) {
  for (int i = 0; i < model->symbol_count; i++)
    if (strcmp(model->symbols[i].name, name) == 0) return i;
  char *copy = arena_string(&model->arena, name, strlen(name));
  if (!copy || symbols_grow(model) != FARM_OK) return -1;
  model->symbols[model->symbol_count].name = copy;
  return model->symbol_count++;
}

/* A name that is taken gets the first free "~n"; the count per base name keeps that from being quadratic. */
const char *model_unique_name(struct model *model, const char *wanted) {
  const char *base = wanted && *wanted ? wanted : "v";
  if (wanted && *wanted && !map_get(&model->names, wanted)) return arena_string(&model->arena, wanted, strlen(wanted));
  char *key = arena_printf(&model->arena, "%s~", base); // where the next number is kept; no value is ever named so
  if (!key) return NULL;
  uintptr_t next = (uintptr_t)map_get(&model->next_names, key);
  char *name;
  do {
    next++;
    name = arena_printf(&model->arena, "%s~%zu", base, (size_t)next + 1);
  } while (name && map_get(&model->names, name));
  if (!name || map_set(&model->next_names, key, (void *)next) != FARM_OK) return NULL;
  return name;
}

struct value *graph_value_add(struct graph *graph, const char *name, const struct tensor *type) {
  struct model *model = graph->model;
  struct value *value = arena_alloc(&model->arena, sizeof *value);
  if (!value) return NULL;
  value->name = model_unique_name(model, name);
  if (!value->name || map_set(&model->names, value->name, value) != FARM_OK) return NULL;
  value->id = model->next_value_id++;
  value->graph = graph;
  if (type)
    value->type = *type;
  else
    value->type.rank = -1;
  value->type.data = NULL;
  return value;
}

/* Small integers are known, so that shape arithmetic sees through constants. */
static enum farm_status known_set(struct value *value, const struct tensor *constant) {
  int64_t elems = tensor_elems(constant);
  bool small = elems <= SHAPE_MAX_KNOWN && (dtype_is_integer(constant->dtype) || constant->dtype == DTYPE_BOOL);
  if (!small || constant->rank > 1) return FARM_OK;
  int64_t *known = arena_alloc_array(&value->graph->model->arena, (size_t)elems, sizeof *known);
  bool *symbolic = arena_alloc_array(&value->graph->model->arena, (size_t)elems, sizeof *symbolic);
  if (!known || !symbolic) return FARM_NO_MEMORY;
  for (int64_t i = 0; i < elems; i++) known[i] = dtype_load_i64(constant->dtype, constant->data, i);
  value->known = known;
  value->symbolic = symbolic;
  return FARM_OK;
}

enum farm_status value_constant_set(struct value *value, const struct tensor *constant) {
  struct tensor *kept = arena_copy(&value->graph->model->arena, constant, sizeof *constant);
  if (!kept) return FARM_NO_MEMORY;
  TRY(known_set(value, kept));
  value->type = *constant;
  value->type.data = NULL;
  value->constant = kept;
  return FARM_OK;
}

struct value *graph_constant_share(struct graph *graph, const char *name, const struct tensor *constant) {
  struct value *value = graph_value_add(graph, name, constant);
  return value && value_constant_set(value, constant) == FARM_OK ? value : NULL;
}

struct value *graph_constant_add(struct graph *graph, const char *name, const struct tensor *constant) {
  struct tensor copy = *constant;
  size_t bytes = tensor_bytes(constant);
  if (bytes == SIZE_MAX) {
    status_set(FARM_INVALID, "a constant of no definite size");
    return NULL;
  }
  copy.data = bytes ? arena_copy(&graph->model->arena, constant->data, bytes) : NULL;
  return bytes && !copy.data ? NULL : graph_constant_share(graph, name, &copy);
}

static const char *node_name(struct graph *graph, const char *name, struct value *const *outputs, int output_count) {
  struct arena *arena = &graph->model->arena;
  if (name && *name) return arena_string(arena, name, strlen(name));
  for (int i = 0; i < output_count; i++)
    if (outputs[i]) return arena_string(arena, outputs[i]->name, strlen(outputs[i]->name));
  return arena_string(arena, "", 0);
}

static void subgraphs_adopt(struct node *node) {
  struct graph *sub;
  for (int at = 0; (sub = node_subgraph(node, &at));) sub->holder = node;
}

static void link_before(struct graph *graph, struct node *node, struct node *before) {
  node->graph = graph;
  node->next = before;
  node->previous = before ? before->previous : graph->last;
  if (node->previous)
    node->previous->next = node;
  else
    graph->first = node;
  if (before)
    before->previous = node;
  else
    graph->last = node;
}

struct node *graph_node_add(struct graph *graph, struct node *before, const struct operator_row *row, const char *name,
                            struct value *const *inputs, int input_count, struct value *const *outputs, int output_count,
                            const struct attr *attrs, int attr_count) {
  struct arena *arena = &graph->model->arena;
  struct node *node = arena_alloc(arena, sizeof *node);
  if (!node) return NULL;
  node->row = row;
  node->opset = row->since_version;
  node->name = node_name(graph, name, outputs, output_count);
  node->origin = node->name;
  node->inputs = arena_copy(arena, inputs, (size_t)input_count * sizeof *inputs);
  node->outputs = arena_copy(arena, outputs, (size_t)output_count * sizeof *outputs);
  node->attrs.items = arena_copy(arena, attrs, (size_t)attr_count * sizeof *attrs);
  if (!node->name || !node->inputs || !node->outputs || !node->attrs.items) return NULL;
  node->input_count = input_count;
  node->output_count = output_count;
  node->attrs.count = attr_count;
  for (int i = 0; i < output_count; i++)
    if (outputs[i]) outputs[i]->producer = node;
  subgraphs_adopt(node);
  link_before(graph, node, before);
  return node;
}

void graph_node_remove(struct node *node) {
  struct graph *graph = node->graph;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->producer == node) node->outputs[i]->producer = NULL;
  if (node->previous)
    node->previous->next = node->next;
  else
    graph->first = node->next;
  if (node->next)
    node->next->previous = node->previous;
  else
    graph->last = node->previous;
  node->previous = node->next = NULL;
}

/* ---- attributes ---- */

static enum farm_status strings_copy(struct arena *arena, struct attr *attr) {
  const char **strings = arena_alloc_array(arena, (size_t)attr->count, sizeof *strings);
  if (!strings) return FARM_NO_MEMORY;
  for (int i = 0; i < attr->count; i++)
    if (!(strings[i] = arena_string(arena, attr->strings[i], strlen(attr->strings[i])))) return FARM_NO_MEMORY;
  attr->strings = strings;
  return FARM_OK;
}

static enum farm_status tensor_copy(struct arena *arena, struct attr *attr) {
  struct tensor *copy = arena_copy(arena, attr->tensor, sizeof *copy);
  size_t bytes = tensor_bytes(attr->tensor);
  if (copy && copy->data && bytes != SIZE_MAX) copy->data = arena_copy(arena, attr->tensor->data, bytes);
  attr->tensor = copy;
  return copy && (copy->data || !bytes) ? FARM_OK : FARM_NO_MEMORY;
}

static enum farm_status attr_copy(struct arena *arena, const struct attr *from, struct attr *out_attr) {
  struct attr attr = *from;
  attr.name = arena_string(arena, from->name, strlen(from->name));
  if (attr.type == ATTR_STRING) attr.s = arena_string(arena, from->s, from->length);
  if (attr.type == ATTR_FLOATS) attr.floats = arena_copy(arena, from->floats, (size_t)from->count * sizeof *from->floats);
  if (attr.type == ATTR_INTS) attr.ints = arena_copy(arena, from->ints, (size_t)from->count * sizeof *from->ints);
  bool pointer = attr.type == ATTR_STRING || attr.type == ATTR_FLOATS || attr.type == ATTR_INTS;
  if (!attr.name || (pointer && !attr.s)) return FARM_NO_MEMORY;
  if (attr.type == ATTR_STRINGS) TRY(strings_copy(arena, &attr));
  if (attr.type == ATTR_TENSOR) TRY(tensor_copy(arena, &attr));
  *out_attr = attr;
  return FARM_OK;
}

enum farm_status node_attr_set(struct node *node, const struct attr *attr) {
  struct arena *arena = &node->graph->model->arena;
  struct attr copy = {0};
  TRY(attr_copy(arena, attr, &copy));
  struct attr *items = arena_alloc_array(arena, (size_t)node->attrs.count + 1, sizeof *items);
  if (!items) return FARM_NO_MEMORY;
  int count = node->attrs.count, at = 0;
  for (int i = 0; i < count; i++) items[i] = node->attrs.items[i];
  while (at < count && strcmp(items[at].name, attr->name) != 0) at++;
  items[at] = copy;
  node->attrs = (struct attrs){items, at == count ? count + 1 : count};
  subgraphs_adopt(node);
  return FARM_OK;
}

/* ---- a graph's ends and a node's subgraphs ---- */

static enum farm_status values_set(struct graph *graph, struct value *const *values, int count, struct value ***out,
                                   int *out_count) {
  struct value **copy = arena_copy(&graph->model->arena, values, (size_t)count * sizeof *values);
  if (!copy) return FARM_NO_MEMORY;
  *out = copy;
  *out_count = count;
  return FARM_OK;
}

enum farm_status graph_outputs_set(struct graph *graph, struct value *const *outputs, int count) {
  return values_set(graph, outputs, count, &graph->outputs, &graph->output_count);
}

enum farm_status graph_inputs_set(struct graph *graph, struct value *const *inputs, int count) {
  return values_set(graph, inputs, count, &graph->inputs, &graph->input_count);
}

struct graph *node_subgraph(const struct node *node, int *at) {
  while (*at < node->attrs.count) {
    const struct attr *attr = &node->attrs.items[(*at)++];
    if (attr->type == ATTR_GRAPH) return attr->graph;
  }
  return NULL;
}

struct graph *node_graph(const struct node *node, const char *attribute) {
  const struct attr *attr = attr_find(&node->attrs, attribute);
  return attr && attr->type == ATTR_GRAPH ? attr->graph : NULL;
}

bool graph_encloses(const struct graph *outer, const struct graph *inner) {
  while (inner && inner != outer) inner = inner->parent;
  return inner != NULL;
}
