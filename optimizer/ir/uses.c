/* Who uses a value: nodes of its graph and of subgraphs, and graph outputs. See graph.h. */
#include "graph.h"

#include <stdlib.h>

/* Calls `visit` for every place that names a value, in `graph` and in the subgraphs below it; `user` NULL: a graph output. */
typedef void (*use_fn)(void *context, struct value **place, struct node *user);

static void uses_visit(const struct graph *graph, use_fn visit, void *context) {
  for (struct node *node = graph->first; node; node = node->next) {
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i]) visit(context, &node->inputs[i], node);
    const struct graph *sub;
    for (int at = 0; (sub = node_subgraph(node, &at));) uses_visit(sub, visit, context);
  }
  for (int i = 0; i < graph->output_count; i++)
    if (graph->outputs[i]) visit(context, &graph->outputs[i], NULL);
}

static void use_count(void *context, struct value **place, struct node *user) {
  struct uses *uses = context;
  int id = (*place)->id;
  bool single = uses->counts[id]++ == 0 && user && user->graph == (*place)->graph;
  uses->single[id] = single ? user : NULL;
}

enum farm_status uses_build(const struct model *model, struct uses *out_uses) {
  size_t count = (size_t)model->next_value_id + 1;
  struct uses uses = {calloc(count, sizeof *uses.counts), calloc(count, sizeof *uses.single), model->next_value_id};
  if (!uses.counts || !uses.single) {
    uses_free(&uses);
    return status_set(FARM_NO_MEMORY, "out of memory for the uses of %zu values", count);
  }
  uses_visit(model->graph, use_count, &uses);
  *out_uses = uses;
  return FARM_OK;
}

void uses_free(struct uses *uses) {
  free(uses->counts);
  free(uses->single);
  *uses = (struct uses){0};
}

struct counting {
  const struct value *value;
  int count;
};

static void one_count(void *context, struct value **place, struct node *user) {
  (void)user;
  struct counting *counting = context;
  counting->count += *place == counting->value;
}

int value_use_count(const struct model *model, const struct value *value) {
  struct counting counting = {value, 0};
  uses_visit(model->graph, one_count, &counting);
  return counting.count;
}

bool value_is_graph_output(const struct value *value) {
  for (int i = 0; i < value->graph->output_count; i++)
    if (value->graph->outputs[i] == value) return true;
  return false;
}

struct replacing {
  struct value *from, *to;
};

static void one_replace(void *context, struct value **place, struct node *user) {
  (void)user;
  struct replacing *replacing = context;
  if (*place == replacing->from) *place = replacing->to;
}

void value_replace(struct value *from, struct value *to) {
  struct replacing replacing = {from, to};
  uses_visit(from->graph, one_replace, &replacing); // its uses are in its graph and below
}

struct node *node_within(struct node *node, const struct graph *graph) {
  while (node && node->graph != graph) node = node->graph->holder;
  return node;
}
