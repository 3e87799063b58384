/* Removes nodes of which nothing is used, last to first, so that a dead chain goes in one sweep. Random nodes go, too. */
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
    for (int at = 0; (sub = node_subgraph(node, &at));) sweep(context, sub);
  }
}

enum farm_status pass_eliminate_dead(struct pass_context *context) {
  sweep(context, context->model->graph);
  return context->changed ? rewrite_done(context) : FARM_OK;
}
