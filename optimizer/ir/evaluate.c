/* See evaluate.h. */
#include "evaluate.h"

#include "evaluation.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots ---- */

enum farm_status evaluation_alloc(struct evaluation *evaluation, struct tensor *tensor) {
  size_t bytes = tensor_bytes(tensor), most = evaluation->options.most_bytes;
  FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "a tensor's size overflows");
  FAIL_IF(bytes > most - evaluation->live_bytes, FARM_NO_MEMORY, "%zu bytes more than the %zu allowed",
          bytes - (most - evaluation->live_bytes), most);
  TRY(tensor_alloc(tensor));
  evaluation->live_bytes += bytes;
  return FARM_OK;
}

void evaluation_free(struct evaluation *evaluation, struct tensor *tensor) {
  if (tensor->data) evaluation->live_bytes -= tensor_bytes(tensor);
  tensor_free(tensor);
}

const struct tensor *evaluation_value(const struct evaluation *evaluation, const struct value *value) {
  if (value->constant) return value->constant;
  return evaluation->slots[value->id].set ? &evaluation->slots[value->id].tensor : NULL;
}

const struct tensor *evaluation_input(const struct evaluation *evaluation, const struct node *node, int input) {
  return input < node->input_count && node->inputs[input] ? evaluation_value(evaluation, node->inputs[input]) : NULL;
}

void evaluation_release(struct evaluation *evaluation, const struct value *value) {
  struct slot *slot = &evaluation->slots[value->id];
  if (slot->set && slot->owned) evaluation_free(evaluation, &slot->tensor);
  *slot = (struct slot){0};
}

void evaluation_give(struct evaluation *evaluation, const struct value *value, struct tensor *tensor) {
  evaluation_release(evaluation, value);
  evaluation->slots[value->id] = (struct slot){*tensor, true, true};
  tensor->data = NULL;
}

void evaluation_lend(struct evaluation *evaluation, const struct value *value, const struct tensor *tensor) {
  evaluation_release(evaluation, value);
  evaluation->slots[value->id] = (struct slot){*tensor, true, false};
}

/* ---- one node ---- */

static struct shape_info info_of(const struct tensor *tensor) {
  struct shape_info info = {.type = *tensor, .constant = tensor};
  info.type.data = NULL;
  return info;
}

/* The outputs' types, from the inputs as they are. */
static enum farm_status outputs_describe(const struct evaluation *evaluation, const struct node *node, struct arena *arena,
                                         struct shape_info **out_outputs) {
  struct shape_info *inputs = arena_alloc_array(arena, (size_t)node->input_count, sizeof *inputs);
  const struct shape_info **places = arena_alloc_array(arena, (size_t)node->input_count, sizeof *places);
  struct shape_info *outputs = arena_alloc_array(arena, (size_t)node->output_count, sizeof *outputs);
  if (!inputs || !places || !outputs) return FARM_NO_MEMORY;
  for (int i = 0; i < node->input_count; i++) {
    const struct tensor *tensor = evaluation_input(evaluation, node, i);
    FAIL_IF(node->inputs[i] && !tensor, FARM_INVALID, "input \"%.200s\" has no value", node->inputs[i]->name);
    if (!tensor) continue;
    inputs[i] = info_of(tensor);
    places[i] = &inputs[i];
  }
  for (int i = 0; i < node->output_count; i++) outputs[i].type.rank = -1;
  struct shape_call call = {.row = node->row,
                            .attrs = &node->attrs,
                            .opset = node->opset,
                            .input_count = node->input_count,
                            .inputs = places,
                            .output_count = node->output_count,
                            .outputs = outputs,
                            .arena = arena};
  TRY(node->row->shape(&call));
  *out_outputs = outputs;
  return FARM_OK;
}

static enum farm_status output_allocate(void *context, int output, struct tensor *tensor) {
  struct evaluation *evaluation = context;
  FAIL_IF(tensor_elems(tensor) < 0, FARM_INVALID, "output %d has no definite shape", output);
  return evaluation_alloc(evaluation, tensor);
}

/* Memory for what has a definite shape; what only the data tell is asked for by the reference. */
static enum farm_status outputs_prepare(struct evaluation *evaluation, const struct node *node,
                                        const struct shape_info *described, struct tensor *tensors, struct tensor **places) {
  for (int i = 0; i < node->output_count; i++) {
    tensors[i] = described[i].type;
    tensors[i].data = NULL;
    if (!node->outputs[i]) continue;
    places[i] = &tensors[i];
    bool definite = tensors[i].rank >= 0 && tensor_elems(&tensors[i]) >= 0;
    FAIL_IF(tensors[i].dtype == DTYPE_NONE, FARM_UNSUPPORTED, "the element type of output %d is not known", i);
    FAIL_IF(!definite && !(node->row->flags & OPERATOR_DATA_SHAPE), FARM_UNSUPPORTED, "the shape of output %d is not known", i);
    if (definite) TRY(evaluation_alloc(evaluation, &tensors[i]));
  }
  return FARM_OK;
}

static enum farm_status reference_run(struct evaluation *evaluation, const struct node *node, struct arena *arena,
                                      struct tensor *tensors, struct tensor **places) {
  const struct tensor **inputs = arena_alloc_array(arena, (size_t)node->input_count, sizeof *inputs);
  if (!inputs) return FARM_NO_MEMORY;
  for (int i = 0; i < node->input_count; i++) inputs[i] = evaluation_input(evaluation, node, i);
  struct reference_call call = {.row = node->row,
                                .attrs = &node->attrs,
                                .opset = node->opset,
                                .input_count = node->input_count,
                                .inputs = inputs,
                                .output_count = node->output_count,
                                .outputs = places,
                                .allocate = output_allocate,
                                .context = evaluation};
  TRY(node->row->reference(&call));
  for (int i = 0; i < node->output_count; i++)
    FAIL_IF(places[i] && (tensor_elems(&tensors[i]) < 0 || (!tensors[i].data && tensor_bytes(&tensors[i]))), FARM_FAILURE,
            "output %d was not made", i);
  return FARM_OK;
}

static enum farm_status operator_evaluate(struct evaluation *evaluation, const struct node *node, struct arena *arena) {
  struct shape_info *described = NULL;
  TRY(outputs_describe(evaluation, node, arena, &described));
  struct tensor *tensors = arena_alloc_array(arena, (size_t)node->output_count, sizeof *tensors);
  struct tensor **places = arena_alloc_array(arena, (size_t)node->output_count, sizeof *places);
  if (!tensors || !places) return FARM_NO_MEMORY;
  enum farm_status status = outputs_prepare(evaluation, node, described, tensors, places);
  if (status == FARM_OK) status = reference_run(evaluation, node, arena, tensors, places);
  for (int i = 0; i < node->output_count; i++) {
    if (status == FARM_OK && node->outputs[i])
      evaluation_give(evaluation, node->outputs[i], &tensors[i]);
    else
      evaluation_free(evaluation, &tensors[i]);
  }
  return status;
}

static enum farm_status node_evaluate(struct evaluation *evaluation, const struct node *node) {
  FAIL_IF(evaluation->options.most_nodes && evaluation->nodes_run++ >= evaluation->options.most_nodes, FARM_TIMED_OUT,
          "more than %lld nodes were run", (long long)evaluation->options.most_nodes);
  if (node->row->flags & OPERATOR_CONTROL) return evaluation_control(evaluation, node);
  struct arena arena = {0};
  enum farm_status status = operator_evaluate(evaluation, node, &arena);
  arena_free(&arena);
  return status;
}

static void outputs_watch(const struct evaluation *evaluation, const struct node *node) {
  for (int i = 0; evaluation->options.watch && i < node->output_count; i++) {
    const struct tensor *tensor = node->outputs[i] ? evaluation_value(evaluation, node->outputs[i]) : NULL;
    if (tensor) evaluation->options.watch(evaluation->options.context, node->outputs[i], tensor);
  }
}

/* ---- liveness ---- */

static void dead_release(struct evaluation *evaluation, const struct node *after, const struct value *value) {
  if (!value || value->graph != after->graph || evaluation->is_output[value->id]) return;
  const struct node *last = evaluation->last_use[value->id];
  if (last == after || !last) evaluation_release(evaluation, value);
}

/* What `after` and the subgraphs it holds used for the last time. */
static void dead_inputs_release(struct evaluation *evaluation, const struct node *after, const struct node *node) {
  for (int i = 0; i < node->input_count; i++) dead_release(evaluation, after, node->inputs[i]);
  const struct graph *sub;
  for (int at = 0; (sub = node_subgraph(node, &at));) {
    for (const struct node *inner = sub->first; inner; inner = inner->next) dead_inputs_release(evaluation, after, inner);
    for (int i = 0; i < sub->output_count; i++) dead_release(evaluation, after, sub->outputs[i]);
  }
}

static void use_note(struct evaluation *evaluation, const struct value *value, struct node *user) {
  if (value) evaluation->last_use[value->id] = node_within(user, value->graph);
}

/* In topological order, so that the last note stands. */
static void uses_note(struct evaluation *evaluation, const struct graph *graph) {
  for (struct node *node = graph->first; node; node = node->next) {
    for (int i = 0; i < node->input_count; i++) use_note(evaluation, node->inputs[i], node);
    const struct graph *sub;
    for (int at = 0; (sub = node_subgraph(node, &at));) uses_note(evaluation, sub);
  }
  for (int i = 0; i < graph->output_count; i++) {
    const struct value *value = graph->outputs[i];
    if (value->graph == graph)
      evaluation->is_output[value->id] = true;
    else
      use_note(evaluation, value, graph->holder);
  }
}

/* ---- graphs ---- */

enum farm_status evaluation_graph(struct evaluation *evaluation, const struct graph *graph) {
  for (const struct node *node = graph->first; node; node = node->next) {
    enum farm_status status = node_evaluate(evaluation, node);
    if (status != FARM_OK) return status_prefix(status, "node \"%.200s\" (%s)", node->name, node->row->name);
    outputs_watch(evaluation, node);
    dead_inputs_release(evaluation, node, node);
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i] && !evaluation->last_use[node->outputs[i]->id]) dead_release(evaluation, node, node->outputs[i]);
  }
  return FARM_OK;
}

static bool given_once(const struct graph *graph, const struct value *value) {
  int count = 0;
  for (int i = 0; i < graph->output_count; i++) count += graph->outputs[i] == value;
  return count == 1;
}

enum farm_status evaluation_take(struct evaluation *evaluation, const struct graph *graph, int output,
                                 struct tensor *out_tensor) {
  const struct value *value = graph->outputs[output];
  const struct tensor *tensor = evaluation_value(evaluation, value);
  FAIL_IF(!tensor, FARM_INVALID, "output \"%.200s\" has no value", value->name);
  struct slot *slot = &evaluation->slots[value->id];
  struct tensor taken = *tensor;
  if (value->graph == graph && slot->owned && given_once(graph, value)) {
    *slot = (struct slot){0};
  } else { // lent, a constant, of a graph around, or wanted again
    taken.data = NULL;
    TRY(evaluation_alloc(evaluation, &taken));
    if (tensor_bytes(tensor)) memcpy(taken.data, tensor->data, tensor_bytes(tensor));
  }
  *out_tensor = taken;
  return FARM_OK;
}

/* ---- the whole ---- */

static enum farm_status evaluation_begin(const struct model *model, const struct evaluate_options *options,
                                         struct evaluation *out_evaluation) {
  size_t count = (size_t)model->next_value_id + 1;
  struct evaluation evaluation = {.model = model};
  if (options) evaluation.options = *options;
  if (!evaluation.options.most_bytes) evaluation.options.most_bytes = EVALUATE_MOST_BYTES;
  evaluation.slots = calloc(count, sizeof *evaluation.slots);
  evaluation.last_use = calloc(count, sizeof *evaluation.last_use);
  evaluation.is_output = calloc(count, sizeof *evaluation.is_output);
  *out_evaluation = evaluation;
  FAIL_IF(!evaluation.slots || !evaluation.last_use || !evaluation.is_output, FARM_NO_MEMORY, "out of memory for %zu values",
          count);
  return FARM_OK;
}

static void evaluation_end(struct evaluation *evaluation) {
  for (int i = 0; evaluation->slots && i < evaluation->model->next_value_id; i++)
    if (evaluation->slots[i].set && evaluation->slots[i].owned) tensor_free(&evaluation->slots[i].tensor);
  free(evaluation->slots);
  free(evaluation->last_use);
  free(evaluation->is_output);
}

static enum farm_status outputs_take(struct evaluation *evaluation, struct tensor *outputs) {
  const struct graph *graph = evaluation->model->graph;
  enum farm_status status = FARM_OK;
  int taken = 0;
  for (; taken < graph->output_count && status == FARM_OK; taken += status == FARM_OK)
    status = evaluation_take(evaluation, graph, taken, &outputs[taken]);
  if (status != FARM_OK)
    while (taken) tensor_free(&outputs[--taken]);
  return status;
}

enum farm_status graph_evaluate_with(const struct model *model, const struct tensor *inputs, struct tensor *outputs,
                                     const struct evaluate_options *options) {
  TRY(graph_inputs_check(model, inputs));
  struct evaluation evaluation;
  enum farm_status status = evaluation_begin(model, options, &evaluation);
  if (status == FARM_OK) {
    uses_note(&evaluation, model->graph);
    for (int i = 0; i < model->graph->input_count; i++) evaluation_lend(&evaluation, model->graph->inputs[i], &inputs[i]);
    status = evaluation_graph(&evaluation, model->graph);
  }
  if (status == FARM_OK) status = outputs_take(&evaluation, outputs);
  evaluation_end(&evaluation);
  return status;
}

enum farm_status graph_evaluate(const struct model *model, const struct tensor *inputs, struct tensor *outputs) {
  return graph_evaluate_with(model, inputs, outputs, NULL);
}
