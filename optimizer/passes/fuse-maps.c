/* Elementwise operators become tunefarm.Map, and a map that is used by one other alone, in the same shape, becomes part of it: a
 * chain reads and writes memory once. A reduction may take in the map before it. Nothing is computed twice, and integers stay
 * out. Between the nodes of a chain values stay f32, whatever narrower float type they had.
 */
#include "dims.h"
#include "map-builder.h"

struct chain {
  struct map_part part;
  int rank; // of the shape that the program runs over, and its dims as codes
  int64_t dims[TENSOR_MAX_RANK];
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

/* The dims that the program runs over, as codes: what all operands that are not 1 there agree on. */
static bool walked_dims(struct pass_context *context, const struct map_part *part, struct chain *chain) {
  chain->rank = 0;
  for (int i = 0; i < part->program.operand_count; i++) {
    if (part->operands[i]->type.rank < 0) return false;
    if (part->operands[i]->type.rank > chain->rank) chain->rank = part->operands[i]->type.rank;
  }
  for (int d = 0; d < chain->rank; d++) {
    chain->dims[d] = 1;
    for (int i = 0; i < part->program.operand_count; i++) {
      const struct value *operand = part->operands[i];
      const int at = d - (chain->rank - operand->type.rank);
      if (at < 0 || operand->type.dims[at] == 1) continue;
      const int64_t code = dim_code(context, operand, at);
      chain->dims[d] = chain->dims[d] == 1 || chain->dims[d] == code ? code : DIM_CODE_NONE;
    }
  }
  return true;
}

static bool fills(struct pass_context *context, const struct chain *chain, const struct value *operand) {
  if (operand->type.rank != chain->rank) return false;
  for (int d = 0; d < chain->rank; d++)
    if (chain->dims[d] == DIM_CODE_NONE || dim_code(context, operand, d) != chain->dims[d]) return false;
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
static bool take_in(struct pass_context *context, struct chain *chain, int i, const struct graph *graph) {
  struct map_part inner;
  const struct value *operand = chain->part.operands[i];
  struct node *producer = operand->producer;
  if (!producer || producer->graph != graph || !used_inside(context, chain, operand) || !fills(context, chain, operand))
    return false;
  if (!map_part_of(context, producer, &inner) || inner.program.reduce != MAP_REDUCE_NONE || !keeps_value(&inner, operand))
    return false;
  if (!map_part_join(&chain->part, i, &inner)) return false;
  chain->old[chain->count++] = producer;
  return true;
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  struct chain chain = {.old = {node}, .count = 1};
  if (!map_part_of(context, node, &chain.part) || !walked_dims(context, &chain.part, &chain)) return FARM_OK;
  for (int i = 0; i < chain.part.program.operand_count && chain.count <= MAP_MAX_INSTRUCTIONS; i++)
    if (take_in(context, &chain, i, node->graph)) i = -1; // operands are numbered anew
  return chain.count == 1 && node_is_fused(node, "Map") ? FARM_OK : replace(context, node, &chain);
}

enum farm_status pass_fuse_maps(struct pass_context *context) { return rewrite_each(context, rule); }
