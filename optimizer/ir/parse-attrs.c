/* Attributes in the IR's text form: scalars, lists, tensors and whole graphs. See parse.h. */
#include "parse.h"

#include <string.h>

static enum farm_status tensor_attr_parse(struct parsing *parsing, struct attr *attr) {
  struct tensor type = {0}, *tensor = arena_alloc(parsing->scan.arena, sizeof *tensor);
  const char *stand_in;
  if (!tensor) return FARM_NO_MEMORY;
  TRY(parse_type(parsing, &type));
  TRY(scan_contents(&parsing->scan, &type, tensor, &stand_in));
  *attr = (struct attr){.type = ATTR_TENSOR, .count = 1, .tensor = tensor};
  return FARM_OK;
}

static enum farm_status graph_attr_parse(struct parsing *parsing, struct graph *graph, struct attr *attr) {
  const char *name;
  TRY(scan_word(&parsing->scan, "_", &name));
  FAIL_IF(++parsing->depth >= GRAPH_MAX_DEPTH, FARM_INVALID, "line %d: graphs are nested too deeply", parsing->scan.line);
  struct graph *sub = graph_create(parsing->model, graph, name);
  if (!sub) return FARM_NO_MEMORY;
  TRY(parse_graph(parsing, sub));
  parsing->depth--;
  *attr = (struct attr){.type = ATTR_GRAPH, .count = 1, .graph = sub};
  return FARM_OK;
}

static enum farm_status scalar_attr_parse(struct scan *scan, struct attr *attr) {
  *attr = (struct attr){.type = ATTR_INT, .count = 1};
  scan_space(scan);
  if (*scan->at == '"') {
    attr->type = ATTR_STRING;
    return scan_quoted(scan, &attr->s, &attr->length);
  }
  if (scan_is_integer(scan)) return scan_int(scan, &attr->i);
  double value = 0;
  TRY(scan_number(scan, &value));
  attr->type = ATTR_FLOAT;
  attr->f = (float)value;
  return FARM_OK;
}

/* An element's bytes in the array that the attribute will hold. */
static size_t element_bytes(enum attr_type scalar) {
  return scalar == ATTR_FLOAT ? sizeof(float) : scalar == ATTR_INT ? sizeof(int64_t) : sizeof(char *);
}

static enum farm_status element_add(struct parsing *parsing, const struct attr *element, enum attr_type scalar, int count,
                                    char **items) {
  size_t bytes = element_bytes(scalar);
  if ((count & (count - 1)) == 0) {
    char *wider = arena_alloc_array(parsing->scan.arena, (size_t)count * 2 + 1, bytes);
    if (!wider) return FARM_NO_MEMORY;
    if (count) memcpy(wider, *items, (size_t)count * bytes);
    *items = wider;
  }
  const void *from = scalar == ATTR_FLOAT ? (const void *)&element->f
                     : scalar == ATTR_INT ? (const void *)&element->i
                                          : (const void *)&element->s;
  memcpy(*items + (size_t)count * bytes, from, bytes);
  return FARM_OK;
}

static enum attr_type list_type(enum attr_type scalar) {
  return scalar == ATTR_FLOAT ? ATTR_FLOATS : scalar == ATTR_INT ? ATTR_INTS : ATTR_STRINGS;
}

/* After the opening bracket; `scalar` is the type of an empty list. */
static enum farm_status list_attr_parse(struct parsing *parsing, enum attr_type scalar, struct attr *attr) {
  struct scan *scan = &parsing->scan;
  char *items = arena_alloc(scan->arena, 1);
  int count = 0;
  if (!items) return FARM_NO_MEMORY;
  for (; !scan_accept(scan, "]"); count++) {
    struct attr element;
    if (count) TRY(scan_expect(scan, ","));
    TRY(scalar_attr_parse(scan, &element));
    FAIL_IF(count && element.type != scalar, FARM_INVALID, "line %d: a list of several types", scan->line);
    FAIL_IF(element.type == ATTR_STRING && strlen(element.s) != element.length, FARM_INVALID, "line %d: a zero byte", scan->line);
    scalar = element.type;
    TRY(element_add(parsing, &element, scalar, count, &items));
  }
  *attr = (struct attr){.type = list_type(scalar), .count = count, .ints = (const int64_t *)(void *)items};
  return FARM_OK;
}

static bool type_ahead(const struct scan *scan) {
  struct scan ahead = *scan;
  scan_space(&ahead);
  size_t length = strspn(ahead.at, "abcdefghijklmnopqrstuvwxyz0123456789");
  char name[16] = "";
  if (!length || length >= sizeof name || ahead.at[length] != '[') return false;
  memcpy(name, ahead.at, length);
  return dtype_from_name(name) != DTYPE_NONE;
}

static enum farm_status attr_value_parse(struct parsing *parsing, struct graph *graph, struct attr *attr) {
  static const struct {
    const char *opening;
    enum attr_type scalar;
  } lists[] = {{"[", ATTR_INT}, {"ints[", ATTR_INT}, {"floats[", ATTR_FLOAT}, {"strings[", ATTR_STRING}};
  struct scan *scan = &parsing->scan;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if (scan_accept(scan, lists[i].opening)) return list_attr_parse(parsing, lists[i].scalar, attr);
  if (scan_accept(scan, "graph")) return graph_attr_parse(parsing, graph, attr);
  if (type_ahead(scan)) return tensor_attr_parse(parsing, attr);
  return scalar_attr_parse(scan, attr);
}

enum farm_status parse_attrs(struct parsing *parsing, struct graph *graph, struct attr *out_attrs, int *out_count) {
  struct scan *scan = &parsing->scan;
  int count = 0;
  *out_count = 0;
  if (!scan_accept(scan, "{")) return FARM_OK;
  for (; !scan_accept(scan, "}"); count++) {
    const char *name;
    FAIL_IF(count == PARSE_MOST_ATTRS, FARM_INVALID, "line %d: more than %d attributes", scan->line, PARSE_MOST_ATTRS);
    if (count) TRY(scan_expect(scan, ","));
    TRY(scan_word(scan, "_", &name));
    FAIL_IF(attr_find(&(struct attrs){out_attrs, count}, name), FARM_INVALID, "line %d: %s is given twice", scan->line, name);
    TRY(scan_expect(scan, "="));
    TRY(attr_value_parse(parsing, graph, &out_attrs[count]));
    out_attrs[count].name = name;
  }
  *out_count = count;
  return FARM_OK;
}
