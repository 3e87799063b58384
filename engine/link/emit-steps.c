/* Steps of the plan, one per node in the IR's order: views that move nothing, host arithmetic, control with its blocks, kernels.
 */
#include "emit.h"

#include "../../base/array.h"

#include <stdlib.h>
#include <string.h>

/* ---- attributes, deep copies without graphs ---- */

static enum farm_status attr_copy(struct arena *arena, const struct attr *from, struct attr *to) {
  *to = *from;
  to->name = arena_string(arena, from->name, strlen(from->name));
  bool failed = !to->name;
  size_t count = (size_t)from->count;
  if (from->type == ATTR_STRING) failed |= !(to->s = arena_string(arena, from->s, from->length));
  if (from->type == ATTR_FLOATS) failed |= !(to->floats = arena_copy(arena, from->floats, count * sizeof *from->floats));
  if (from->type == ATTR_INTS) failed |= !(to->ints = arena_copy(arena, from->ints, count * sizeof *from->ints));
  if (from->type == ATTR_STRINGS) {
    const char **strings = arena_alloc_array(arena, count, sizeof *strings);
    failed |= !strings;
    for (size_t i = 0; strings && i < count; i++)
      failed |= !(strings[i] = arena_string(arena, from->strings[i], strlen(from->strings[i])));
    to->strings = strings;
  }
  if (from->type == ATTR_TENSOR) {
    struct tensor *tensor = arena_copy(arena, from->tensor, sizeof *tensor);
    size_t bytes = tensor_bytes(from->tensor);
    FAIL_IF(bytes == SIZE_MAX, FARM_UNSUPPORTED, "attribute %s: a tensor that cannot be stored", from->name);
    failed |= !tensor || !(tensor->data = arena_copy(arena, from->tensor->data, bytes));
    to->tensor = tensor;
  }
  FAIL_IF(failed, FARM_NO_MEMORY, "out of memory for attribute %s", from->name);
  return FARM_OK;
}

static enum farm_status attrs_copy(struct arena *arena, const struct attrs *from, struct attrs *out) {
  struct attr *items = arena_alloc_array(arena, (size_t)from->count + 1, sizeof *items);
  FAIL_IF(!items, FARM_NO_MEMORY, "out of memory for attributes");
  int count = 0;
  for (int i = 0; i < from->count; i++)
    if (from->items[i].type != ATTR_GRAPH) TRY(attr_copy(arena, &from->items[i], &items[count++]));
  *out = (struct attrs){items, count};
  return FARM_OK;
}

/* ---- a step's frame ---- */

static enum farm_status step_begin(struct emitter *emitter, const struct operator_row *row, int opset, const char *name,
                                   const char *origin, enum step_kind kind, int input_count, int output_count,
                                   struct plan_step **out_step) {
  TRY(array_reserve(&emitter->steps, &emitter->step_capacity, emitter->step_count + 1));
  struct plan_step *step = &emitter->steps[emitter->step_count++];
  uint32_t *operands = arena_alloc_array(emitter->arena, (size_t)(input_count + output_count) + 1, sizeof *operands);
  *step = (struct plan_step){.kind = kind,
                             .domain = row->domain,
                             .op = row->name,
                             .since_version = row->since_version,
                             .opset = opset,
                             .input_count = input_count,
                             .output_count = output_count,
                             .inputs = operands,
                             .outputs = operands + input_count,
                             .blocks = {PLAN_NO_INDEX, PLAN_NO_INDEX},
                             .packed_weight = PLAN_NO_INDEX,
                             .image = PLAN_NO_INDEX,
                             .fallback_image = PLAN_NO_INDEX,
                             .variant = "",
                             .library = "",
                             .fallback = "",
                             .problem = ""};
  step->name = arena_string(emitter->arena, name, strlen(name));
  step->origin = arena_string(emitter->arena, origin, strlen(origin));
  FAIL_IF(!operands || !step->name || !step->origin, FARM_NO_MEMORY, "out of memory for a step");
  for (int i = 0; i < input_count + output_count; i++) operands[i] = PLAN_NO_INDEX;
  *out_step = step;
  return FARM_OK;
}

static uint32_t *step_operands(struct plan_step *step) { return (uint32_t *)(uintptr_t)step->inputs; }

static enum farm_status inputs_fill(struct emitter *emitter, const struct node *node, struct plan_step *step) {
  for (int i = 0; i < node->input_count; i++) TRY(emit_input_operand(emitter, node->inputs[i], &step_operands(step)[i]));
  return FARM_OK;
}

static enum farm_status outputs_fill(struct emitter *emitter, const struct node *node, enum value_place place,
                                     struct plan_step *step) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) TRY(emit_value(emitter, node->outputs[i], place, &step_operands(step)[node->input_count + i]));
  return FARM_OK;
}

static enum farm_status row_major_inputs(struct emitter *emitter, const struct node *node, const struct plan_step *step) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && node->inputs[i]->constant) TRY(emit_constant_data(emitter, step->inputs[i], node->inputs[i]));
  return FARM_OK;
}

/* ---- kinds of nodes ---- */

static bool in_main_graph(const struct emitter *emitter, const struct node *node) { return node->graph == emitter->model->graph; }

static enum farm_status view_emit(struct emitter *emitter, const struct node *node, struct plan_step *step) {
  struct plan *plan = emitter->plan;
  TRY(outputs_fill(emitter, node, VALUE_VIEW, step));
  struct plan_value *view = &plan->values[step->outputs[0]];
  TRY(row_major_inputs(emitter, node, step));
  if (view->place == VALUE_VIEW && plan->values[step->inputs[0]].place != VALUE_HOST) {
    view->of = step->inputs[0];
    return FARM_OK;
  }
  step->kind = STEP_COPY; // its source has no place that a view could share
  view->place = VALUE_POOLED;
  view->bytes = 0;
  return FARM_OK;
}

/* Bytes of each part of a concat or split along `axis`, when the parts lie one behind the other and on 64-byte borders. */
static bool parts_are_contiguous(const struct value *whole, struct value *const *parts, int count, int64_t axis) {
  if (axis < 0) axis += whole->type.rank;
  if (tensor_elems(&whole->type) <= 0 || axis < 0 || axis >= whole->type.rank) return false;
  if (tensor_dims_product(whole->type.dims, (int)axis) != 1) return false;
  for (int i = 0; i < count; i++) {
    if (!parts[i] || parts[i]->constant || tensor_elems(&parts[i]->type) <= 0) return false;
    size_t bytes = tensor_bytes(&parts[i]->type);
    if (bytes == SIZE_MAX || (i + 1 < count && bytes % 64 != 0)) return false;
    for (int j = 0; j < i; j++)
      if (parts[j] == parts[i]) return false;
  }
  return true;
}

static bool concat_is_view(const struct emitter *emitter, const struct node *node) {
  if (node->row->domain[0] || strcmp(node->row->name, "Concat") != 0 || !in_main_graph(emitter, node)) return false;
  if (!parts_are_contiguous(node->outputs[0], node->inputs, node->input_count, attr_int(&node->attrs, "axis", 0))) return false;
  for (int i = 0; i < node->input_count; i++) {
    uint32_t index = emit_index(emitter, node->inputs[i]);
    if (index == PLAN_NO_INDEX || emitter->plan->values[index].place != VALUE_ARENA) return false;
  }
  return true;
}

static bool split_is_view(const struct emitter *emitter, const struct node *node) {
  if (node->row->domain[0] || strcmp(node->row->name, "Split") != 0 || !in_main_graph(emitter, node)) return false;
  uint32_t index = emit_index(emitter, node->inputs[0]);
  if (index == PLAN_NO_INDEX) return false;
  enum value_place place = emitter->plan->values[index].place;
  return (place == VALUE_ARENA || place == VALUE_VIEW) &&
         parts_are_contiguous(node->inputs[0], node->outputs, node->output_count, attr_int(&node->attrs, "axis", 0));
}

/* A node whose layout was a choice is pinned even when nothing is left to run. */
static enum farm_status view_pin(struct emitter *emitter, const struct node *node) {
  struct lock_pin pin = {.node = node->outputs[0]->name, .layout = layout_pinned(node), .variant = "view"};
  return emitter->lock_section ? lock_pin_add(emitter->lock, emitter->lock_section, &pin) : FARM_OK;
}

static enum farm_status concat_emit(struct emitter *emitter, const struct node *node, struct plan_step *step) {
  TRY(view_pin(emitter, node));
  TRY(outputs_fill(emitter, node, VALUE_ARENA, step));
  uint64_t offset = 0;
  for (int i = 0; i < node->input_count; i++) {
    struct plan_value *part = &emitter->plan->values[step->inputs[i]];
    part->place = VALUE_VIEW;
    part->of = step->outputs[0];
    part->offset = offset;
    offset += part->bytes;
  }
  return FARM_OK;
}

static enum farm_status split_emit(struct emitter *emitter, const struct node *node, struct plan_step *step) {
  TRY(view_pin(emitter, node));
  TRY(outputs_fill(emitter, node, VALUE_VIEW, step));
  uint64_t offset = 0;
  for (int i = 0; i < node->output_count; i++) {
    struct plan_value *part = &emitter->plan->values[step->outputs[i]];
    part->of = step->inputs[0];
    part->offset = offset;
    offset += part->bytes;
  }
  return row_major_inputs(emitter, node, step);
}

static enum step_kind control_kind(const struct node *node) {
  return strcmp(node->row->name, "If") == 0 ? STEP_IF : strcmp(node->row->name, "Loop") == 0 ? STEP_LOOP : STEP_SCAN;
}

static enum farm_status control_emit(struct emitter *emitter, const struct node *node, struct plan_step *step) {
  size_t at = emitter->step_count - 1; // `step` moves when blocks are emitted
  TRY(row_major_inputs(emitter, node, step));
  TRY(outputs_fill(emitter, node, VALUE_POOLED, step));
  struct plan_step *outer = emitter->steps;
  size_t outer_count = emitter->step_count, outer_capacity = emitter->step_capacity;
  for (int i = 0; i < node->attrs.count; i++) {
    const struct attr *attr = &node->attrs.items[i];
    if (attr->type != ATTR_GRAPH) continue;
    emitter->steps = NULL;
    emitter->step_count = emitter->step_capacity = 0;
    uint32_t block;
    enum farm_status status = emit_graph(emitter, attr->graph, &block);
    emitter->steps = outer;
    emitter->step_count = outer_count;
    emitter->step_capacity = outer_capacity;
    TRY(status);
    outer[at].blocks[strcmp(attr->name, "else_branch") == 0] = block;
  }
  return FARM_OK;
}

static enum farm_status node_emit(struct emitter *emitter, const struct node *node) {
  struct plan_step *step;
  TRY(step_begin(emitter, node->row, node->opset, node->name, node->origin ? node->origin : node->name, STEP_KERNEL,
                 node->input_count, node->output_count, &step));
  TRY(attrs_copy(emitter->arena, &node->attrs, &step->attrs));
  TRY(inputs_fill(emitter, node, step));
  if (emitter->cuda) emit_settle(emitter, node);
  if (node->row->flags & OPERATOR_CONTROL) {
    step->kind = control_kind(node);
    return control_emit(emitter, node, step);
  }
  if (emit_is_host(emitter, node)) {
    step->kind = STEP_HOST;
    TRY(row_major_inputs(emitter, node, step));
    return outputs_fill(emitter, node, VALUE_HOST, step);
  }
  if (node_is_view(node)) {
    step->kind = STEP_VIEW;
    return view_emit(emitter, node, step);
  }
  if (concat_is_view(emitter, node)) {
    step->kind = STEP_VIEW;
    return concat_emit(emitter, node, step);
  }
  if (split_is_view(emitter, node)) {
    step->kind = STEP_VIEW;
    return split_emit(emitter, node, step);
  }
  TRY(outputs_fill(emitter, node, in_main_graph(emitter, node) ? VALUE_ARENA : VALUE_POOLED, step));
  return emit_kernel(emitter, node, step);
}

/* ---- graphs ---- */

static enum farm_status copy_to(struct emitter *emitter, const struct value *value, enum value_place place, uint32_t *out_index) {
  const struct operator_row *identity = operator_find("", "Identity", 13);
  FAIL_IF(!identity, FARM_FAILURE, "no Identity in the operator table");
  struct plan_step *step;
  uint32_t from;
  TRY(step_begin(emitter, identity, 13, value->name, "", STEP_COPY, 1, 1, &step));
  TRY(emit_input_operand(emitter, value, &from));
  if (value->constant) TRY(emit_constant_data(emitter, from, value));
  TRY(emit_value(emitter, value, place, out_index));
  step_operands(step)[0] = from;
  step_operands(step)[1] = *out_index;
  return FARM_OK;
}

/* An output of the main graph is written in place by the step that makes it, unless it is an input, a constant, a view, on the
 * host, or an output already; then a copy does it. */
static enum farm_status outputs_place(struct emitter *emitter, struct graph *graph, uint32_t *out_indices) {
  bool is_main = graph == emitter->model->graph;
  for (int i = 0; i < graph->output_count; i++) {
    const struct value *value = graph->outputs[i];
    uint32_t index = emit_index(emitter, value);
    struct plan_value *made = index == PLAN_NO_INDEX ? NULL : &emitter->plan->values[index];
    bool in_place =
        made && value->producer && (is_main ? made->place == VALUE_ARENA || made->place == VALUE_POOLED : value->graph == graph);
    if (is_main && in_place && made->place == VALUE_POOLED && value->producer->row->flags & OPERATOR_CONTROL) in_place = false;
    if (in_place && is_main) made->place = VALUE_OUTPUT; // views of it follow
    if (in_place)
      out_indices[i] = index;
    else
      TRY(copy_to(emitter, value, is_main ? VALUE_OUTPUT : VALUE_POOLED, &out_indices[i]));
  }
  return FARM_OK;
}

enum farm_status emit_graph(struct emitter *emitter, struct graph *graph, uint32_t *out_block) {
  struct plan *plan = emitter->plan;
  uint32_t *inputs = arena_alloc_array(emitter->arena, (size_t)graph->input_count + 1, sizeof *inputs);
  uint32_t *outputs = arena_alloc_array(emitter->arena, (size_t)graph->output_count + 1, sizeof *outputs);
  FAIL_IF(!inputs || !outputs, FARM_NO_MEMORY, "out of memory for a block");
  bool is_main = graph == emitter->model->graph;
  TRY(array_reserve(&plan->blocks, &emitter->block_capacity, (size_t)plan->block_count + 1));
  uint32_t block = (uint32_t)plan->block_count++;
  for (int i = 0; i < graph->input_count; i++)
    TRY(emit_value(emitter, graph->inputs[i], is_main ? VALUE_INPUT : VALUE_POOLED, &inputs[i]));
  for (struct node *node = graph->first; node; node = node->next) TRY(node_emit(emitter, node));
  TRY(outputs_place(emitter, graph, outputs));
  struct plan_step *steps = arena_copy(emitter->arena, emitter->steps, emitter->step_count * sizeof *steps);
  FAIL_IF(!steps, FARM_NO_MEMORY, "out of memory for steps");
  plan->blocks[block] =
      (struct plan_block){(int)emitter->step_count, steps, graph->input_count, graph->output_count, inputs, outputs};
  free(emitter->steps);
  emitter->steps = NULL;
  emitter->step_count = emitter->step_capacity = 0;
  *out_block = block;
  return FARM_OK;
}
