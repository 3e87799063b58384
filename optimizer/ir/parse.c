/* Text -> IR. The grammar is docs/formats/ir-text.md; print.c writes it. Types are taken as written: graph_infer finds those
 * that a text leaves out, graph_verify tells when they are wrong. */
#include "graph.h"

#include "parse.h"

#include <string.h>

enum { MOST_MEMORY = 128 << 20, MOST_ITEMS = OPERATOR_MAX_INPUTS };

struct value_list {
  struct value **items;
  int count;
};

/* ---- types and values ---- */

static enum farm_status dim_parse(struct parsing *parsing, int64_t *out_dim) {
  struct scan *scan = &parsing->scan;
  if (scan_accept(scan, "?")) {
    *out_dim = DIM_UNKNOWN;
    return FARM_OK;
  }
  if (scan_is_integer(scan)) {
    TRY(scan_int(scan, out_dim));
    return *out_dim < 0 ? scan_failed(scan, "a dimension") : FARM_OK;
  }
  const char *name;
  TRY(scan_word(scan, TEXT_SYMBOL, &name));
  int symbol = model_symbol(parsing->model, name);
  if (symbol < 0) return FARM_NO_MEMORY;
  *out_dim = DIM_FIRST_SYMBOL - symbol;
  return FARM_OK;
}

enum farm_status parse_type(struct parsing *parsing, struct tensor *out_type) {
  struct scan *scan = &parsing->scan;
  const char *name;
  TRY(scan_word(scan, "", &name));
  struct tensor type = {.dtype = dtype_from_name(name)};
  FAIL_IF(type.dtype == DTYPE_NONE && strcmp(name, "none") != 0, FARM_INVALID, "line %d: unknown element type \"%.40s\"",
          scan->line, name);
  TRY(scan_expect(scan, "["));
  if (scan_accept(scan, "*")) type.rank = -1;
  while (type.rank >= 0 && !scan_accept(scan, "]")) {
    FAIL_IF(type.rank == TENSOR_MAX_RANK, FARM_INVALID, "line %d: more than %d dimensions", scan->line, TENSOR_MAX_RANK);
    if (type.rank) TRY(scan_expect(scan, ","));
    TRY(dim_parse(parsing, &type.dims[type.rank++]));
  }
  if (type.rank < 0) TRY(scan_expect(scan, "]"));
  *out_type = type;
  return FARM_OK;
}

/* "%name: type" of a new value; the type may be left out. */
static enum farm_status value_declare(struct parsing *parsing, struct graph *graph, struct value **out_value) {
  struct scan *scan = &parsing->scan;
  const char *name;
  struct tensor type = {.rank = -1};
  TRY(scan_expect(scan, "%"));
  TRY(scan_word(scan, TEXT_NAME, &name));
  FAIL_IF(map_get(&parsing->model->names, name) || !*name, FARM_INVALID, "line %d: %%%s is defined twice", scan->line, name);
  if (scan_accept(scan, ":")) TRY(parse_type(parsing, &type));
  *out_value = graph_value_add(graph, name, &type);
  return *out_value ? FARM_OK : FARM_NO_MEMORY;
}

static enum farm_status value_find(struct parsing *parsing, const struct graph *graph, struct value **out_value) {
  struct scan *scan = &parsing->scan;
  const char *name;
  TRY(scan_expect(scan, "%"));
  TRY(scan_word(scan, TEXT_NAME, &name));
  struct value *value = map_get(&parsing->model->names, name);
  FAIL_IF(!value || !graph_encloses(value->graph, graph), FARM_INVALID, "line %d: %%%s is not defined here", scan->line, name);
  *out_value = value;
  return FARM_OK;
}

static enum farm_status list_add(struct parsing *parsing, struct value_list *list, struct value *value) {
  FAIL_IF(list->count == MOST_ITEMS, FARM_INVALID, "line %d: more than %d values", parsing->scan.line, MOST_ITEMS);
  if ((list->count & (list->count - 1)) == 0) { // full at every power of two
    struct value **items = arena_alloc_array(parsing->scan.arena, (size_t)list->count * 2 + 1, sizeof *items);
    if (!items) return FARM_NO_MEMORY;
    if (list->count) memcpy(items, list->items, (size_t)list->count * sizeof *items);
    list->items = items;
  }
  list->items[list->count++] = value;
  return FARM_OK;
}

/* ---- nodes ---- */

static enum farm_status operator_parse(struct scan *scan, const struct operator_row **out_row, int *out_opset) {
  const char *domain = "", *name;
  int64_t version = 0, opset = 0;
  TRY(scan_word(scan, "_.", &name));
  if (scan_accept(scan, "::")) {
    domain = name;
    TRY(scan_word(scan, "_.", &name));
  }
  const char *dot = strrchr(name, '.'); // the version came with the word
  if (!dot || !dot[1] || strspn(dot + 1, "0123456789") != strlen(dot + 1) || strlen(dot) > 6)
    return scan_failed(scan, "Operator.version before");
  for (const char *at = dot + 1; *at; at++) version = version * 10 + (*at - '0');
  const char *plain = arena_string(scan->arena, name, (size_t)(dot - name));
  if (!plain) return FARM_NO_MEMORY;
  opset = version;
  if (scan_accept(scan, "@")) TRY(scan_int(scan, &opset));
  FAIL_IF(opset < version || opset > INT16_MAX, FARM_INVALID, "line %d: opset %lld of %s.%lld", scan->line, (long long)opset,
          plain, (long long)version);
  const struct operator_row *row = operator_exact(domain, plain, (int)version);
  FAIL_IF(!row, FARM_UNSUPPORTED, "line %d: operator %s%s%s.%lld is not supported [rule: operator]", scan->line, domain,
          *domain ? "::" : "", plain, (long long)version);
  *out_row = row;
  *out_opset = (int)opset;
  return FARM_OK;
}

static enum farm_status outputs_parse(struct parsing *parsing, struct graph *graph, struct value_list *outputs) {
  while (!scan_accept(&parsing->scan, "=")) {
    struct value *value = NULL;
    if (outputs->count) TRY(scan_expect(&parsing->scan, ","));
    if (!scan_accept(&parsing->scan, "_")) TRY(value_declare(parsing, graph, &value));
    TRY(list_add(parsing, outputs, value));
  }
  return FARM_OK;
}

static enum farm_status inputs_parse(struct parsing *parsing, const struct graph *graph, struct value_list *inputs) {
  TRY(scan_expect(&parsing->scan, "("));
  while (!scan_accept(&parsing->scan, ")")) {
    struct value *value = NULL;
    if (inputs->count) TRY(scan_expect(&parsing->scan, ","));
    if (!scan_accept(&parsing->scan, "_")) TRY(value_find(parsing, graph, &value));
    TRY(list_add(parsing, inputs, value));
  }
  return FARM_OK;
}

static enum farm_status label_parse(struct scan *scan, const char *keyword, const char **out_text) {
  size_t length = 0;
  if (!scan_accept(scan, keyword)) return FARM_OK;
  TRY(scan_quoted(scan, out_text, &length));
  FAIL_IF(strlen(*out_text) != length, FARM_INVALID, "line %d: a zero byte in a name", scan->line);
  return FARM_OK;
}

static enum farm_status node_parse(struct parsing *parsing, struct graph *graph) {
  struct scan *scan = &parsing->scan;
  struct value_list outputs = {0}, inputs = {0};
  const struct operator_row *row = NULL;
  const char *name = NULL, *origin = NULL;
  int opset = 0, attr_count = 0;
  struct attr attrs[PARSE_MOST_ATTRS];
  TRY(outputs_parse(parsing, graph, &outputs));
  TRY(operator_parse(scan, &row, &opset));
  TRY(inputs_parse(parsing, graph, &inputs));
  for (int i = 0; i < inputs.count; i++)
    for (int j = 0; j < outputs.count; j++)
      FAIL_IF(inputs.items[i] && inputs.items[i] == outputs.items[j], FARM_INVALID, "line %d: a node uses its own output",
              scan->line);
  TRY(parse_attrs(parsing, graph, attrs, &attr_count));
  TRY(label_parse(scan, "name", &name));
  TRY(label_parse(scan, "from", &origin));
  enum farm_status status = node_arity_check(row, inputs.items, inputs.count, outputs.count);
  if (status != FARM_OK) return status_prefix(status, "line %d: %s", scan->line, row->name);
  struct node *node =
      graph_node_add(graph, NULL, row, name, inputs.items, inputs.count, outputs.items, outputs.count, attrs, attr_count);
  if (!node) return FARM_NO_MEMORY;
  node->opset = opset;
  if (name) node->name = node->origin = name; // also when it is ""
  if (origin) node->origin = origin;
  return FARM_OK;
}

/* ---- graphs ---- */

static enum farm_status constant_parse(struct parsing *parsing, struct graph *graph) {
  struct value *value = NULL;
  struct tensor tensor = {0};
  TRY(value_declare(parsing, graph, &value));
  TRY(scan_expect(&parsing->scan, "="));
  TRY(scan_contents(&parsing->scan, &value->type, &tensor, &value->stand_in));
  return value_constant_set(value, &tensor);
}

static enum farm_status graph_inputs_parse(struct parsing *parsing, struct graph *graph) {
  struct value_list inputs = {0};
  TRY(scan_expect(&parsing->scan, "("));
  while (!scan_accept(&parsing->scan, ")")) {
    struct value *value = NULL;
    if (inputs.count) TRY(scan_expect(&parsing->scan, ","));
    TRY(value_declare(parsing, graph, &value));
    TRY(list_add(parsing, &inputs, value));
  }
  return graph_inputs_set(graph, inputs.items, inputs.count);
}

static enum farm_status graph_outputs_parse(struct parsing *parsing, struct graph *graph) {
  struct value_list outputs = {0};
  while (!scan_accept(&parsing->scan, "}")) {
    struct value *value = NULL;
    if (outputs.count) TRY(scan_expect(&parsing->scan, ","));
    TRY(value_find(parsing, graph, &value));
    TRY(list_add(parsing, &outputs, value));
  }
  return graph_outputs_set(graph, outputs.items, outputs.count);
}

enum farm_status parse_graph(struct parsing *parsing, struct graph *graph) {
  TRY(graph_inputs_parse(parsing, graph));
  TRY(scan_expect(&parsing->scan, "{"));
  while (!scan_accept(&parsing->scan, "return")) {
    if (scan_accept(&parsing->scan, "const"))
      TRY(constant_parse(parsing, graph));
    else
      TRY(node_parse(parsing, graph));
  }
  return graph_outputs_parse(parsing, graph);
}

static enum farm_status symbol_parse(struct parsing *parsing) {
  struct scan *scan = &parsing->scan;
  const char *name;
  TRY(scan_word(scan, TEXT_SYMBOL, &name));
  int index = model_symbol(parsing->model, name);
  if (index < 0) return FARM_NO_MEMORY;
  struct symbol *symbol = &parsing->model->symbols[index];
  if (!scan_is_integer(scan)) return FARM_OK;
  TRY(scan_int(scan, &symbol->min));
  TRY(scan_int(scan, &symbol->opt));
  return scan_int(scan, &symbol->max);
}

static enum farm_status model_parse(struct parsing *parsing) {
  struct scan *scan = &parsing->scan;
  int64_t ir_version = 0;
  TRY(scan_expect(scan, "model"));
  TRY(scan_expect(scan, "ir"));
  TRY(scan_int(scan, &ir_version));
  FAIL_IF(ir_version < 0 || ir_version > INT16_MAX, FARM_INVALID, "IR version %lld", (long long)ir_version);
  parsing->model->ir_version = (int)ir_version;
  while (scan_accept(scan, "symbol")) TRY(symbol_parse(parsing));
  TRY(scan_expect(scan, "graph"));
  TRY(scan_word(scan, "_", &parsing->model->graph->name));
  TRY(parse_graph(parsing, parsing->model->graph));
  scan_space(scan);
  return *scan->at ? scan_failed(scan, "the end") : FARM_OK;
}

enum farm_status graph_parse(const char *text, struct model **out_model) {
  struct model *model = NULL;
  TRY(model_create("", &model));
  model->arena.limit_bytes = MOST_MEMORY;
  struct parsing parsing = {.scan = {text, 1, &model->arena}, .model = model};
  enum farm_status status = model_parse(&parsing);
  model->arena.limit_bytes = 0;
  if (status == FARM_OK)
    *out_model = model;
  else
    model_free(&model);
  return status;
}
