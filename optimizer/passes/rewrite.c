/* See rewrite.h: replacing nodes and reporting it. */
#include "rewrite.h"

#include "../../base/array.h"
#include "../../base/strbuf.h"

#include <stdlib.h>
#include <string.h>

static enum farm_status each_in_graph(struct pass_context *context, struct graph *graph, rewrite_fn rule) {
  for (struct node *node = graph->first, *next; node; node = next) {
    next = node->next; // rules remove nothing behind the node they are called for
    struct graph *sub;
    for (int at = 0; (sub = node_subgraph(node, &at));) TRY(each_in_graph(context, sub, rule));
    TRY(rule(context, node));
  }
  return FARM_OK;
}

enum farm_status rewrite_each(struct pass_context *context, rewrite_fn rule) {
  return each_in_graph(context, context->model->graph, rule);
}

enum farm_status rewrite_done(struct pass_context *context) {
  context->changed = true;
  uses_free(&context->uses);
  return uses_build(context->model, &context->uses);
}

/* ---- origins ---- */

static bool has_origin(const struct strbuf *all, const char *name, size_t length) {
  for (const char *at = strbuf_text(all); *at;) {
    size_t one = strcspn(at, ",");
    if (one == length && !memcmp(at, name, length)) return true;
    at += one + (at[one] == ',');
  }
  return false;
}

static void add_origins(struct strbuf *all, const char *origins) {
  for (const char *at = origins; at && *at;) {
    size_t length = strcspn(at, ",");
    if (length && !has_origin(all, at, length)) {
      if (all->length) strbuf_add(all, ",");
      strbuf_add_bytes(all, at, length);
    }
    at += length + (at[length] == ',');
  }
}

void rewrite_note(struct pass_context *context, const char *origins, const char *result) {
  struct pass_report *report = context->report;
  if (!report || array_reserve(&report->events, &report->capacity, report->count + 1) != FARM_OK) return;
  const char *copy = arena_string(&report->arena, origins, strlen(origins));
  if (copy) report->events[report->count++] = (struct pass_event){context->pass, copy, result};
}

/* ---- nodes ---- */

void rewrite_attr(struct rewrite *rewrite, struct attr attr) {
  if (rewrite->attr_count < (int)(sizeof rewrite->attrs / sizeof *rewrite->attrs)) rewrite->attrs[rewrite->attr_count++] = attr;
}

void rewrite_attrs_copy(struct rewrite *rewrite, const struct node *from, const char *const *names) {
  for (; *names; names++) {
    const struct attr *attr = attr_find(&from->attrs, *names);
    if (attr) rewrite_attr(rewrite, *attr);
  }
}

enum farm_status rewrite_add(struct pass_context *context, const struct rewrite *rewrite, struct node *before, const char *origin,
                             struct node **out_node) {
  const struct operator_row *row = operator_exact(rewrite->domain, rewrite->name, rewrite->version);
  FAIL_IF(!row, FARM_FAILURE, "no operator %s.%s-%d", rewrite->domain, rewrite->name, rewrite->version);
  struct arena *arena = &context->model->arena;
  struct attr *attrs = arena_copy(arena, rewrite->attrs, sizeof *attrs * (size_t)(rewrite->attr_count + 1));
  if (!attrs) return FARM_NO_MEMORY;
  for (int i = 0; i < rewrite->output_count; i++)
    if (!rewrite->outputs[i]) return FARM_NO_MEMORY;
  struct node *node = graph_node_add(before->graph, before, row, NULL, rewrite->inputs, rewrite->input_count, rewrite->outputs,
                                     rewrite->output_count, attrs, rewrite->attr_count);
  if (!node) return FARM_NO_MEMORY;
  node->origin = arena_string(arena, origin, strlen(origin));
  if (!node->origin) return FARM_NO_MEMORY;
  if (out_node) *out_node = node;
  return FARM_OK;
}

enum farm_status rewrite_replace(struct pass_context *context, const struct rewrite *rewrite, struct node *before,
                                 struct node *const *old, int count, struct node **out_node) {
  struct strbuf origins = {0};
  for (int i = 0; i < count; i++) add_origins(&origins, old[i]->origin);
  enum farm_status status =
      origins.failed ? FARM_NO_MEMORY : rewrite_add(context, rewrite, before, strbuf_text(&origins), out_node);
  if (status == FARM_OK) {
    rewrite_note(context, strbuf_text(&origins), rewrite->name);
    for (int i = 0; i < count; i++) graph_node_remove(old[i]);
    status = rewrite_done(context);
  }
  strbuf_free(&origins);
  return status;
}

static bool is_graph_input(const struct value *value) {
  for (int i = 0; i < value->graph->input_count; i++)
    if (value->graph->inputs[i] == value) return true;
  return false;
}

/* When `from` is a graph output its name must stay: then to's producer is made to produce `from`, if `to` has no life of its own.
 */
static bool bypass_output(struct pass_context *context, struct node *node, struct value *from, struct value *to) {
  struct node *producer = to->producer;
  if (!producer || to->graph != from->graph || value_is_graph_output(to) || is_graph_input(to) || producer->graph != from->graph)
    return false;
  for (int i = 0; i < producer->output_count; i++)
    if (producer->outputs[i] == to) producer->outputs[i] = from;
  if (!strcmp(producer->name, to->name)) producer->name = from->name; // named after what it makes
  graph_node_remove(node);
  from->producer = producer;
  to->producer = NULL;
  value_replace(to, from);
  (void)context;
  return true;
}

bool rewrite_bypass(struct pass_context *context, struct node *node, struct value *from, struct value *to) {
  if (value_is_graph_output(from)) return bypass_output(context, node, from, to);
  value_replace(from, to);
  graph_node_remove(node);
  return true;
}

/* ---- attributes and values ---- */

struct attr attr_of_int(const char *name, int64_t value) {
  return (struct attr){.name = name, .type = ATTR_INT, .count = 1, .i = value};
}
struct attr attr_of_float(const char *name, float value) {
  return (struct attr){.name = name, .type = ATTR_FLOAT, .count = 1, .f = value};
}

struct attr attr_of_text(struct model *model, const char *name, const char *text) {
  const char *copy = arena_string(&model->arena, text, strlen(text));
  return (struct attr){.name = name, .type = ATTR_STRING, .count = 1, .s = copy ? copy : "", .length = copy ? strlen(text) : 0};
}

struct attr attr_of_ints(struct model *model, const char *name, const int64_t *values, int count) {
  const int64_t *copy = arena_copy(&model->arena, values, sizeof *values * (size_t)count);
  return (struct attr){.name = name, .type = ATTR_INTS, .count = copy ? count : 0, .ints = copy};
}

struct attr attr_of_floats(struct model *model, const char *name, const float *values, int count) {
  const float *copy = arena_copy(&model->arena, values, sizeof *values * (size_t)count);
  return (struct attr){.name = name, .type = ATTR_FLOATS, .count = copy ? count : 0, .floats = copy};
}

struct value *constant_ints(struct graph *graph, const char *name, const int64_t *values, int count) {
  int64_t copy[TENSOR_MAX_RANK * 2] = {0};
  memcpy(copy, values, sizeof *values * (size_t)count);
  struct tensor tensor = {.dtype = DTYPE_I64, .rank = 1, .dims = {count}, .data = copy};
  return graph_constant_add(graph, name, &tensor);
}

struct value *value_new(struct graph *graph, const char *name, const struct tensor *type) {
  const struct tensor unknown = {.rank = -1};
  return graph_value_add(graph, name, type ? type : &unknown);
}
