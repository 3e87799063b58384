/* Removes nodes of which nothing is used, last to first, so that a dead chain goes in one sweep; random nodes, too. Optional
 * outputs that nothing uses (the mask of a Dropout, the indices of a MaxPool) are left out. */
#include "rewrite.h"

static bool is_dead(const struct pass_context *context, const struct node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && context->uses.counts[node->outputs[i]->id] > 0) return false;
  return true;
}

/* What a removed node used is used less; subgraphs make that hard to count, so those are left to the next round. */
static void uses_drop(struct pass_context *context, const struct node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) context->uses.counts[node->inputs[i]->id]--;
}

static void outputs_trim(struct pass_context *context, struct node *node) {
  for (int i = node->row->min_outputs; i < node->output_count; i++) {
    struct value *value = node->outputs[i];
    if (!value || context->uses.counts[value->id] > 0 || node->row->flags & (OPERATOR_CONTROL | OPERATOR_VARIADIC) ||
        node->row->max_outputs < 0)
      continue;
    value->producer = NULL;
    node->outputs[i] = NULL;
    context->changed = true;
  }
  while (node->output_count > node->row->min_outputs && node->output_count > 1 && !node->outputs[node->output_count - 1])
    node->output_count--;
}

static void sweep(struct pass_context *context, struct graph *graph) {
  for (struct node *node = graph->last, *previous; node; node = previous) {
    previous = node->previous;
    struct graph *sub;
    if (is_dead(context, node)) {
      uses_drop(context, node);
      graph_node_remove(node);
      context->changed = true;
      continue;
    }
    outputs_trim(context, node);
    for (int at = 0; (sub = node_subgraph(node, &at));) sweep(context, sub);
  }
}

enum farm_status pass_eliminate_dead(struct pass_context *context) {
  sweep(context, context->model->graph);
  return context->changed ? rewrite_done(context) : FARM_OK;
}
