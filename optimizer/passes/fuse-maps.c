/* Elementwise operators become tunefarm.Map, and a map that is used by one other alone, in the same shape, becomes part of it: a chain reads and
 * writes memory once. A reduction may take in the map before it. Nothing is computed twice, and integers stay out. Between the nodes of a
 * chain values stay f32, whatever narrower float type they had.
 */
#include "map-builder.h"

struct chain {
  struct map_part part;
  struct tensor shape; // that the program runs over
  struct node *old[MAP_MAX_INSTRUCTIONS + 2]; // nodes it stands for
  int count;
};

/* All uses are by nodes of the chain. */
static bool used_inside(const struct pass_context *context, const struct chain *chain, const struct value *value) {
  int uses = 0;
  for (int i = 0; i < chain->count; i++)
    for (int k = 0; k < chain->old[i]->input_count; k++) uses += chain->old[i]->inputs[k] == value;
  return uses == context->uses.counts[value->id];
}

/* A bool is stored as 0 or 1; only comparisons and logic compute just that. */
static bool keeps_value(const struct map_part *inner, const struct value *value) {
  const struct map_argument result = inner->program.outputs[0];
  if (value->type.dtype != DTYPE_BOOL) return true;
  const int at = result.is_param ? -1 : result.index - inner->program.operand_count;
  return at >= 0 && inner->program.instructions[at].op >= MAP_EQUAL && inner->program.instructions[at].op <= MAP_OR;
}

static bool same_dims(const struct tensor *a, const struct tensor *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i] || a->dims[i] == DIM_UNKNOWN) return false;
  return true;
}

static bool walked_shape(const struct map_part *part, struct tensor *out) {
  *out = (struct tensor){.dtype = DTYPE_F32};
  for (int i = 0; i < part->program.operand_count; i++) {
    const struct tensor so_far = *out;
    if (part->operands[i]->type.rank < 0 || shape_broadcast(&so_far, &part->operands[i]->type, out) != FARM_OK) return false;
  }
  return true;
}

static enum farm_status replace(struct pass_context *context, struct node *node, struct chain *chain) {
  struct rewrite rewrite;
  map_part_finish(&chain->part);
  map_part_rewrite(context, &chain->part, node->outputs[0], &rewrite);
  rewrite.outputs[0] = node->outputs[0], rewrite.output_count = 1;
  return rewrite_replace(context, &rewrite, node, chain->old, chain->count, NULL);
}

/* Takes in the node that makes operand i. */
static bool take_in(const struct pass_context *context, struct chain *chain, int i, const struct graph *graph) {
  struct map_part inner;
  const struct value *operand = chain->part.operands[i];
  struct node *producer = operand->producer;
  if (!producer || producer->graph != graph || !used_inside(context, chain, operand) || !same_dims(&operand->type, &chain->shape)) return false;
  if (!map_part_of(context, producer, &inner) || inner.program.reduce != MAP_REDUCE_NONE || !keeps_value(&inner, operand)) return false;
  if (!map_part_join(&chain->part, i, &inner)) return false;
  chain->old[chain->count++] = producer;
  return true;
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  struct chain chain = {.old = {node}, .count = 1};
  if (!map_part_of(context, node, &chain.part) || !walked_shape(&chain.part, &chain.shape)) return FARM_OK;
  for (int i = 0; i < chain.part.program.operand_count && chain.count <= MAP_MAX_INSTRUCTIONS; i++)
    if (take_in(context, &chain, i, node->graph)) i = -1; // operands are numbered anew
  return chain.count == 1 && node_is_fused(node, "Map") ? FARM_OK : replace(context, node, &chain);
}

enum farm_status pass_fuse_maps(struct pass_context *context) { return rewrite_each(context, rule); }
