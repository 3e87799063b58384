/* Shape inference over a model. See infer.h and graph.h. */
#include "infer.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_PER_NODE = 64 };

bool type_equal(const struct tensor *a, const struct tensor *b) {
  if (a->dtype != b->dtype || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

static int64_t node_count(const struct graph *graph) {
  int64_t count = 0;
  for (const struct node *node = graph->first; node; node = node->next) {
    const struct graph *sub;
    count++;
    for (int at = 0; (sub = node_subgraph(node, &at));) count += node_count(sub);
  }
  return count;
}

enum farm_status inference_begin(const struct model *model, const int64_t *symbol_values, struct inference *out_inference) {
  size_t count = (size_t)model->next_value_id + 1;
  struct inference inference = {.model = model, .symbol_values = symbol_values};
  inference.facts = calloc(count, sizeof *inference.facts);
  inference.found = calloc(count, sizeof *inference.found);
  inference.steps_left = (node_count(model->graph) + 1) * STEPS_PER_NODE;
  inference.arena.limit_bytes = (size_t)1 << 30;
  *out_inference = inference;
  if (inference.facts && inference.found) return FARM_OK;
  inference_end(out_inference);
  return status_set(FARM_NO_MEMORY, "out of memory for the types of %zu values", count);
}

void inference_end(struct inference *inference) {
  free(inference->facts);
  free(inference->found);
  arena_free(&inference->arena);
  *inference = (struct inference){0};
}

void inference_set(struct inference *inference, const struct value *value, const struct shape_info *info) {
  inference->facts[value->id] = *info;
  inference->found[value->id] = true;
}

/* A constant's facts are made at its first use, so that no list of constants is needed. */
static void constant_set(struct inference *inference, const struct value *value) {
  struct shape_info info = {value->type, value->known, value->symbolic, value->constant};
  inference_set(inference, value, &info);
}

static const struct shape_info *facts_of(struct inference *inference, const struct value *value) {
  if (value->constant && !inference->found[value->id]) constant_set(inference, value);
  return inference->found[value->id] ? &inference->facts[value->id] : NULL;
}

const struct shape_info *inference_input(struct inference *inference, const struct node *node, int input) {
  return input < node->input_count && node->inputs[input] ? facts_of(inference, node->inputs[input]) : NULL;
}

static enum farm_status inputs_gather(struct inference *inference, const struct node *node,
                                      const struct shape_info ***out_inputs) {
  const struct shape_info **inputs = arena_alloc_array(&inference->arena, (size_t)node->input_count, sizeof *inputs);
  if (!inputs) return FARM_NO_MEMORY;
  for (int i = 0; i < node->input_count; i++) {
    inputs[i] = inference_input(inference, node, i);
    FAIL_IF(node->inputs[i] && !inputs[i], FARM_INVALID, "input \"%.200s\" is not defined before", node->inputs[i]->name);
  }
  *out_inputs = inputs;
  return FARM_OK;
}

/* What the file declared stands in for a type or rank of which nothing else is known. */
static void hint_apply(const struct value *value, struct shape_info *info) {
  if (!value->hint) return;
  if (info->type.dtype == DTYPE_NONE) info->type.dtype = value->hint->dtype;
  if (info->type.rank >= 0 || value->hint->rank < 0) return;
  info->type.rank = value->hint->rank;
  for (int i = 0; i < info->type.rank; i++) info->type.dims[i] = DIM_UNKNOWN;
}

static enum farm_status outputs_find(struct inference *inference, const struct node *node, struct shape_info *outputs) {
  if (node->row->flags & OPERATOR_CONTROL) return inference_control(inference, node, outputs);
  const struct shape_info **inputs = NULL;
  TRY(inputs_gather(inference, node, &inputs));
  struct shape_call call = {.row = node->row,
                            .attrs = &node->attrs,
                            .opset = node->opset,
                            .input_count = node->input_count,
                            .inputs = inputs,
                            .output_count = node->output_count,
                            .outputs = outputs,
                            .arena = &inference->arena};
  TRY(node->row->shape(&call));
  return inference_execute(inference, node, inputs, outputs);
}

static enum farm_status node_infer(struct inference *inference, const struct node *node) {
  FAIL_IF(inference->steps_left-- <= 0, FARM_UNSUPPORTED, "loops are nested too deeply [rule: limit]");
  struct shape_info *outputs = arena_alloc_array(&inference->arena, (size_t)node->output_count, sizeof *outputs);
  if (!outputs) return FARM_NO_MEMORY;
  for (int i = 0; i < node->output_count; i++) outputs[i].type.rank = -1;
  TRY(outputs_find(inference, node, outputs));
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    hint_apply(node->outputs[i], &outputs[i]);
    outputs[i].type.data = NULL;
    inference_set(inference, node->outputs[i], &outputs[i]);
  }
  return FARM_OK;
}

enum farm_status inference_graph(struct inference *inference, const struct graph *graph) {
  for (const struct node *node = graph->first; node; node = node->next) {
    enum farm_status status = node_infer(inference, node);
    if (status != FARM_OK) return status_prefix(status, "node \"%.200s\" (%s)", node->name, node->row->name);
  }
  for (int i = 0; i < graph->output_count; i++)
    FAIL_IF(!facts_of(inference, graph->outputs[i]), FARM_INVALID, "output \"%.200s\" is not defined", graph->outputs[i]->name);
  return FARM_OK;
}

static enum farm_status main_input_set(struct inference *inference, const struct value *value) {
  struct shape_info info = {.type = value->type};
  for (int i = 0; inference->symbol_values && i < info.type.rank; i++) {
    int64_t symbol = DIM_FIRST_SYMBOL - info.type.dims[i];
    if (info.type.dims[i] > DIM_FIRST_SYMBOL) continue;
    FAIL_IF(symbol >= inference->model->symbol_count, FARM_INVALID, "input \"%.200s\" has an unknown symbol", value->name);
    info.type.dims[i] = inference->symbol_values[symbol];
  }
  inference_set(inference, value, &info);
  return FARM_OK;
}

enum farm_status inference_run(struct inference *inference) {
  const struct graph *graph = inference->model->graph;
  for (int i = 0; i < graph->input_count; i++) TRY(main_input_set(inference, graph->inputs[i]));
  return inference_graph(inference, graph);
}

/* ---- graph_infer: the facts go into the model ---- */

static bool known_equal(const struct value *value, const struct shape_info *info, size_t count) {
  if (!value->known || !info->known) return !value->known && !info->known;
  return memcmp(value->known, info->known, count * sizeof *value->known) == 0 &&
         memcmp(value->symbolic, info->symbolic, count * sizeof *value->symbolic) == 0;
}

static enum farm_status value_update(struct model *model, struct value *value, const struct shape_info *info) {
  int64_t elems = tensor_elems(&info->type);
  bool known = info->known && info->symbolic && elems >= 0 && elems <= SHAPE_MAX_KNOWN;
  struct shape_info kept = {.type = info->type, .known = known ? info->known : NULL, .symbolic = known ? info->symbolic : NULL};
  bool same = type_equal(&value->type, &kept.type) && known_equal(value, &kept, (size_t)(known ? elems : 0));
  if (same) return FARM_OK; // keeps the arena from growing with every run
  if (known) {
    kept.known = arena_copy(&model->arena, info->known, (size_t)elems * sizeof *info->known);
    kept.symbolic = arena_copy(&model->arena, info->symbolic, (size_t)elems * sizeof *info->symbolic);
    if (!kept.known || !kept.symbolic) return FARM_NO_MEMORY;
  }
  value->type = kept.type;
  value->known = kept.known;
  value->symbolic = kept.symbolic;
  return FARM_OK;
}

enum farm_status graph_infer(struct model *model) {
  struct inference inference;
  TRY(inference_begin(model, NULL, &inference));
  enum farm_status status = inference_run(&inference);
  for (struct map_entry *entry = map_next(&model->names, NULL); entry && status == FARM_OK;
       entry = map_next(&model->names, entry)) {
    struct value *value = entry->value;
    if (inference.found[value->id] && !value->constant) status = value_update(model, value, &inference.facts[value->id]);
  }
  inference_end(&inference);
  return status;
}

enum farm_status graph_infer_concrete(const struct model *model, const int64_t *symbol_values, struct tensor *out_types_by_id) {
  struct inference inference;
  TRY(inference_begin(model, symbol_values, &inference));
  enum farm_status status = inference_run(&inference);
  for (int i = 0; i < model->next_value_id && status == FARM_OK; i++) {
    out_types_by_id[i] = inference.found[i] ? inference.facts[i].type : (struct tensor){.rank = -1};
    out_types_by_id[i].data = NULL;
  }
  inference_end(&inference);
  return status;
}
