/* Equal operators on equal inputs are computed once; equal small constants are one. The key of a node is its row, inputs and
 * attributes as text; graphs see the keys of the graphs around them only through the values.
 */
#include "rewrite.h"

#include "../../base/strbuf.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_CONSTANT_BYTES = 256 };

static void put_bytes(struct strbuf *key, const void *data, size_t length) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < length; i++) strbuf_printf(key, "%02x", bytes[i]);
}

static void put_attr(struct strbuf *key, const struct attr *attr) {
  strbuf_printf(key, " %s:%d:%d=", attr->name, (int)attr->type, attr->count);
  switch (attr->type) {
  case ATTR_FLOAT:
    put_bytes(key, &attr->f, sizeof attr->f);
    break;
  case ATTR_INT:
    strbuf_printf(key, "%lld", (long long)attr->i);
    break;
  case ATTR_STRING:
    put_bytes(key, attr->s, attr->length);
    break;
  case ATTR_FLOATS:
    put_bytes(key, attr->floats, sizeof *attr->floats * (size_t)attr->count);
    break;
  case ATTR_INTS:
    put_bytes(key, attr->ints, sizeof *attr->ints * (size_t)attr->count);
    break;
  case ATTR_STRINGS:
    for (int i = 0; i < attr->count; i++) put_bytes(key, attr->strings[i], strlen(attr->strings[i]) + 1);
    break;
  default:
    strbuf_printf(key, "%p", (const void *)attr->tensor);
    break; // tensors and graphs are equal to themselves alone
  }
}

static void put_value(struct strbuf *key, const struct value *value) {
  char type[160];
  if (!value) {
    strbuf_add(key, " _");
    return;
  }
  size_t bytes = value->constant ? tensor_bytes(value->constant) : SIZE_MAX;
  if (bytes <= SMALL_CONSTANT_BYTES && value->constant->data) {
    strbuf_printf(key, " %s#", tensor_text(value->constant, type, sizeof type));
    put_bytes(key, value->constant->data, bytes);
  } else {
    strbuf_printf(key, " %%%d", value->id);
  }
}

static bool comparable(const struct node *node) {
  if (node->row->flags & (OPERATOR_RANDOM | OPERATOR_CONTROL)) return false;
  for (int i = 0; i < node->attrs.count; i++)
    if (node->attrs.items[i].type == ATTR_GRAPH) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && value_is_graph_output(node->outputs[i])) return false; // its name must stay
  return true;
}

/* Outputs that both have; the first must have all that the second has. */
static bool outputs_cover(const struct node *first, const struct node *second) {
  for (int i = 0; i < second->output_count; i++)
    if (second->outputs[i] && (i >= first->output_count || !first->outputs[i])) return false;
  return true;
}

static void merge(struct pass_context *context, struct node *first, struct node *second) {
  for (int i = 0; i < second->output_count; i++)
    if (second->outputs[i]) value_replace(second->outputs[i], first->outputs[i]);
  rewrite_note(context, second->origin, "");
  graph_node_remove(second);
  context->changed = true;
}

static enum farm_status graph_run(struct pass_context *context, struct graph *graph, struct strbuf *key) {
  struct map seen = {0};
  enum farm_status status = FARM_OK;
  for (struct node *node = graph->first, *next; node && status == FARM_OK; node = next) {
    next = node->next;
    struct graph *sub;
    for (int at = 0; status == FARM_OK && (sub = node_subgraph(node, &at));) status = graph_run(context, sub, key);
    if (status != FARM_OK || !comparable(node)) continue;
    strbuf_clear(key);
    strbuf_printf(key, "%p@%d", (const void *)node->row, node->opset);
    for (int i = 0; i < node->input_count; i++) put_value(key, node->inputs[i]);
    for (int i = 0; i < node->attrs.count; i++) put_attr(key, &node->attrs.items[i]);
    if (key->failed) status = status_set(FARM_NO_MEMORY, "out of memory");
    struct node *first = key->failed ? NULL : map_get(&seen, strbuf_text(key));
    if (first && outputs_cover(first, node))
      merge(context, first, node);
    else if (!first && status == FARM_OK)
      status = map_set(&seen, strbuf_text(key), node);
  }
  map_free(&seen);
  return status;
}

enum farm_status pass_common_subexpressions(struct pass_context *context) {
  struct strbuf key = {0};
  enum farm_status status = graph_run(context, context->model->graph, &key);
  strbuf_free(&key);
  return status == FARM_OK && context->changed ? rewrite_done(context) : status;
}
