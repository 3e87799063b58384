/* What holds of every model between passes. See graph.h. */
#include "infer.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition, ...) FAIL_IF(!(condition), FARM_VERIFY_FAILED, __VA_ARGS__)

enum farm_status node_arity_check(const struct operator_row *row, struct value *const *inputs, int input_count,
                                  int output_count) {
  int most_inputs = row->max_inputs < 0 ? OPERATOR_MAX_INPUTS : row->max_inputs;
  int most_outputs = row->max_outputs < 0 ? OPERATOR_MAX_OUTPUTS : row->max_outputs;
  FAIL_IF(input_count < row->min_inputs, FARM_INVALID, "%d inputs, at least %d are needed", input_count, row->min_inputs);
  FAIL_IF(input_count > most_inputs, FARM_INVALID, "%d inputs, at most %d are allowed", input_count, most_inputs);
  FAIL_IF(output_count < row->min_outputs, FARM_INVALID, "%d outputs, at least %d are needed", output_count, row->min_outputs);
  FAIL_IF(output_count > most_outputs, FARM_INVALID, "%d outputs, at most %d are allowed", output_count, most_outputs);
  for (int i = 0; i < row->min_inputs; i++) FAIL_IF(!inputs[i] && operator_input_needed(row, i), FARM_INVALID, "input %d is needed", i);
  return FARM_OK;
}

struct verifying {
  const struct model *model;
  bool *defined; // by value id
};

static enum farm_status value_define(struct verifying *verifying, const struct value *value, const struct graph *graph) {
  MUST(value->id >= 0 && value->id < verifying->model->next_value_id, "value \"%.200s\" has id %d", value->name, value->id);
  MUST(map_get(&verifying->model->names, value->name) == value, "value \"%.200s\" is not the one of that name", value->name);
  MUST(!verifying->defined[value->id], "value \"%.200s\" is assigned twice", value->name);
  MUST(value->graph == graph, "value \"%.200s\" belongs to another graph", value->name);
  MUST(!value->constant, "constant \"%.200s\" is assigned", value->name);
  verifying->defined[value->id] = true;
  return FARM_OK;
}

/* Constants need no order, only a graph around the place of use. */
static enum farm_status value_used(const struct verifying *verifying, const struct value *value, const struct graph *graph) {
  MUST(graph_encloses(value->graph, graph), "value \"%.200s\" is used outside its graph", value->name);
  MUST(value->constant || verifying->defined[value->id], "value \"%.200s\" is used before it is defined", value->name);
  MUST(!value->constant || !value->producer, "constant \"%.200s\" has a producer", value->name);
  return FARM_OK;
}

static enum farm_status graph_check(struct verifying *verifying, const struct graph *graph);

static enum farm_status attributes_check(struct verifying *verifying, const struct node *node) {
  for (int i = 0; i < node->attrs.count; i++)
    MUST(attr_find(&node->attrs, node->attrs.items[i].name) == &node->attrs.items[i], "attribute \"%.100s\" is there twice",
         node->attrs.items[i].name);
  const struct graph *sub;
  for (int at = 0; (sub = node_subgraph(node, &at));) {
    MUST(sub->parent == node->graph && sub->holder == node, "a subgraph does not know where it is");
    TRY(graph_check(verifying, sub));
  }
  return FARM_OK;
}

static enum farm_status node_check(struct verifying *verifying, const struct node *node) {
  MUST(node->name && node->origin && node->row, "it lacks a name, origin or row");
  TRY(node_arity_check(node->row, node->inputs, node->input_count, node->output_count));
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) TRY(value_used(verifying, node->inputs[i], node->graph));
  TRY(attributes_check(verifying, node));
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    MUST(node->outputs[i]->producer == node, "output \"%.200s\" has another producer", node->outputs[i]->name);
    TRY(value_define(verifying, node->outputs[i], node->graph));
  }
  return FARM_OK;
}

static enum farm_status links_check(const struct graph *graph) {
  const struct node *previous = NULL;
  for (const struct node *node = graph->first; node; previous = node, node = node->next)
    MUST(node->previous == previous && node->graph == graph, "node \"%.200s\" is linked wrongly", node->name);
  MUST(graph->last == previous, "graph \"%.100s\" does not end at its last node", graph->name);
  return FARM_OK;
}

static enum farm_status graph_check(struct verifying *verifying, const struct graph *graph) {
  TRY(links_check(graph));
  for (int i = 0; i < graph->input_count; i++) {
    MUST(!graph->inputs[i]->producer, "input \"%.200s\" has a producer", graph->inputs[i]->name);
    TRY(value_define(verifying, graph->inputs[i], graph));
  }
  for (const struct node *node = graph->first; node; node = node->next) {
    enum farm_status status = node_check(verifying, node);
    if (status != FARM_OK)
      return status_prefix(FARM_VERIFY_FAILED, "node \"%.200s\" (%s)", node->name, node->row ? node->row->name : "?");
  }
  for (int i = 0; i < graph->output_count; i++) TRY(value_used(verifying, graph->outputs[i], graph));
  return FARM_OK;
}

/* Every type is what a fresh inference says. */
static enum farm_status types_check(const struct inference *inference) {
  char stated[96], found[96];
  const struct map *names = &inference->model->names;
  for (const struct map_entry *entry = map_next(names, NULL); entry; entry = map_next(names, entry)) {
    const struct value *value = entry->value;
    if (!inference->found[value->id]) continue;
    const struct tensor *type = value->constant ? value->constant : &inference->facts[value->id].type;
    MUST(type_equal(&value->type, type), "value \"%.200s\" is said to be %s, but is %s", value->name,
         tensor_text(&value->type, stated, sizeof stated), tensor_text(type, found, sizeof found));
  }
  return FARM_OK;
}

enum farm_status graph_verify(const struct model *model) {
  struct verifying verifying = {model, calloc((size_t)model->next_value_id + 1, sizeof(bool))};
  FAIL_IF(!verifying.defined, FARM_NO_MEMORY, "out of memory");
  enum farm_status status = graph_check(&verifying, model->graph);
  free(verifying.defined);
  if (status != FARM_OK) return status;
  struct inference inference;
  TRY(inference_begin(model, NULL, &inference));
  status = inference_run(&inference);
  if (status == FARM_OK) status = types_check(&inference);
  inference_end(&inference);
  return status;
}
