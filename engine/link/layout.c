/* See layout.h. */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

static const int64_t to_nhwc[4] = {0, 2, 3, 1}, to_nchw[4] = {0, 3, 1, 2};
static const int64_t axis_in_nhwc[4] = {0, 3, 1, 2}; // where a logical axis went

static bool is_fused(const struct node *node, const char *name) {
  return strcmp(node->row->domain, "tunefarm") == 0 && strcmp(node->row->name, name) == 0;
}

static bool is_onnx(const struct node *node, const char *name) {
  return node->row->domain[0] == 0 && strcmp(node->row->name, name) == 0;
}

static bool outputs_have_rank_4(const struct node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->type.rank != 4) return false;
  return node->output_count > 0 && node->outputs[0];
}

static bool small_operand(const struct value *value) { return tensor_elems(&value->type) == 1; }

/* Every operand of an elementwise node must be permutable: rank 4, a scalar, or a constant that can be padded to rank 4. */
static bool elementwise_can_move(const struct node *node) {
  bool any = false;
  for (int i = 0; i < node->input_count; i++) {
    const struct value *value = node->inputs[i];
    if (!value) continue;
    if (value->type.rank == 4)
      any = true;
    else if (value->type.rank < 0 || value->type.rank > 4 || !(small_operand(value) || value->constant))
      return false;
  }
  return any;
}

static bool reduction_keeps_dims(const struct node *node) {
  return !attr_has(&node->attrs, "axes") || attr_int(&node->attrs, "keepdims", 1) == 1;
}

enum layout_role layout_role(const struct node *node) {
  if (!outputs_have_rank_4(node)) return LAYOUT_RIGID;
  bool first_has_rank_4 = node->input_count > 0 && node->inputs[0] && node->inputs[0]->type.rank == 4;
  if ((is_fused(node, "Conv") || is_fused(node, "Pool")) && first_has_rank_4)
    return strcmp(attr_string(&node->attrs, "layout", "nchw"), "nchw") == 0 ? LAYOUT_SPATIAL : LAYOUT_RIGID;
  if (is_fused(node, "Map") || (node->row->flags & OPERATOR_ELEMENTWISE))
    return elementwise_can_move(node) && reduction_keeps_dims(node) ? LAYOUT_ELEMENTWISE : LAYOUT_RIGID;
  if (is_onnx(node, "Concat")) {
    for (int i = 0; i < node->input_count; i++)
      if (!node->inputs[i] || node->inputs[i]->type.rank != 4) return LAYOUT_RIGID;
    return LAYOUT_AXIS;
  }
  return is_onnx(node, "Split") && first_has_rank_4 ? LAYOUT_AXIS : LAYOUT_RIGID;
}

bool layout_moves_input(const struct node *node, enum layout_role role, int index) {
  const struct value *value = node->inputs[index];
  if (!value || role == LAYOUT_RIGID) return false;
  if (role == LAYOUT_ELEMENTWISE) return value->type.rank == 4 || (value->constant && !small_operand(value));
  if (role == LAYOUT_AXIS) return value->type.rank == 4 && (is_onnx(node, "Concat") || index == 0);
  return value->type.rank == 4 && index != 1; // a conv's weight keeps its order
}

/* ONNX's own are channels-first, always. */
static bool is_image_operator(const struct node *node) {
  static const char *const names[] = {"Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is_onnx(node, names[i])) return true;
  return is_fused(node, "Conv") || is_fused(node, "Pool");
}

enum tactic_layout layout_of_node(const struct node *node) {
  if (!is_image_operator(node)) return LAYOUT_ANY;
  return strcmp(attr_string(&node->attrs, "layout", "nchw"), "nhwc") == 0 ? LAYOUT_NHWC : LAYOUT_NCHW;
}

/* Twins of two values never want the same name: NAME@nhwc~N tells NAME. So only the model's own names decide. */
const char *layout_twin_name(const struct value *value, struct arena *arena) {
  const struct map *taken = &value->graph->model->names;
  const char *name = arena_printf(arena, "%s@nhwc", value->name);
  for (int i = 2; name && map_get(taken, name); i++) name = arena_printf(arena, "%s@nhwc~%d", value->name, i);
  return name;
}

const char *layout_pinned(const struct node *node) {
  if (node->channels_last) return "nhwc";
  return layout_of_node(node) == LAYOUT_NCHW ? "nchw" : "any";
}

static struct tensor padded_to_4(const struct tensor *type) {
  struct tensor padded = *type;
  int missing = 4 - type->rank;
  padded.rank = 4;
  for (int i = 0; i < 4; i++) padded.dims[i] = i < missing ? 1 : type->dims[i - missing];
  return padded;
}

struct tensor layout_permuted(const struct tensor *type) {
  struct tensor padded = padded_to_4(type), permuted = padded;
  for (int i = 0; i < 4; i++) permuted.dims[i] = padded.dims[to_nhwc[i]];
  return permuted;
}

bool layout_change_is_free(const struct tensor *type) { return type->dims[1] == 1 || (type->dims[2] == 1 && type->dims[3] == 1); }

static enum farm_status attrs_with(const struct attrs *from, const struct attr *extra, struct arena *arena, struct attrs *out) {
  struct attr *items = arena_alloc_array(arena, (size_t)from->count + 1, sizeof *items);
  FAIL_IF(!items, FARM_NO_MEMORY, "out of memory for attributes");
  int count = 0;
  for (int i = 0; i < from->count; i++)
    if (strcmp(from->items[i].name, extra->name) != 0) items[count++] = from->items[i];
  items[count++] = *extra;
  *out = (struct attrs){items, count};
  return FARM_OK;
}

static int64_t moved_axis(int64_t axis) { return axis_in_nhwc[axis < 0 ? axis + 4 : axis]; }

enum farm_status layout_operation(const struct node *node, enum layout_role role, struct arena *arena, struct operation *out) {
  *out = (struct operation){node->row, node->attrs, node->opset};
  if (role == LAYOUT_SPATIAL)
    return attrs_with(&node->attrs, &(struct attr){.name = "layout", .type = ATTR_STRING, .count = 1, .s = "nhwc", .length = 4},
                      arena, &out->attrs);
  if (role == LAYOUT_AXIS) {
    int64_t axis = moved_axis(attr_int(&node->attrs, "axis", 0));
    return attrs_with(&node->attrs, &(struct attr){.name = "axis", .type = ATTR_INT, .count = 1, .i = axis}, arena, &out->attrs);
  }
  int64_t axes[4];
  int count = attr_ints(&node->attrs, "axes", axes, 4);
  if (count <= 0) return FARM_OK;
  int64_t *moved = arena_alloc_array(arena, (size_t)count, sizeof *moved);
  FAIL_IF(!moved, FARM_NO_MEMORY, "out of memory for axes");
  for (int i = 0; i < count; i++) { // kept sorted, as the canonical form of a reduction has them
    int64_t axis = moved_axis(axes[i]);
    int at = i;
    for (; at > 0 && moved[at - 1] > axis; at--) moved[at] = moved[at - 1];
    moved[at] = axis;
  }
  return attrs_with(&node->attrs, &(struct attr){.name = "axes", .type = ATTR_INTS, .count = count, .ints = moved}, arena,
                    &out->attrs);
}

/* ---- rewriting ---- */

struct rewriting {
  struct model *model;
  struct value **nhwc; // by value id: its channels-last twin
  int value_count;     // ids above are twins
};

static enum farm_status transpose_add(struct graph *graph, struct node *before, struct value *from, struct value *to,
                                      const int64_t *perm) {
  const struct operator_row *row = operator_find("", "Transpose", 13);
  FAIL_IF(!row, FARM_FAILURE, "no Transpose in the operator table");
  struct attr attr = {.name = "perm", .type = ATTR_INTS, .count = 4, .ints = perm};
  const char *name = arena_printf(&graph->model->arena, "layout of %s", to->name);
  FAIL_IF(!name, FARM_NO_MEMORY, "out of memory for a layout change");
  struct node *node = graph_node_add(graph, before, row, name, &from, 1, &to, 1, &attr, 1);
  FAIL_IF(!node, FARM_NO_MEMORY, "out of memory for a layout change");
  node->opset = 13;
  return FARM_OK;
}

static enum farm_status twin_add(struct rewriting *rewriting, struct value *value, struct value **out_twin) {
  const char *name = layout_twin_name(value, &rewriting->model->arena);
  FAIL_IF(!name, FARM_NO_MEMORY, "out of memory for a value");
  struct tensor type = layout_permuted(&value->type);
  *out_twin = rewriting->nhwc[value->id] = graph_value_add(value->graph, name, &type);
  FAIL_IF(!*out_twin, FARM_NO_MEMORY, "out of memory for a value");
  return FARM_OK;
}

static enum farm_status constant_twin(struct rewriting *rewriting, struct value *value, struct value **out_twin) {
  const char *name = layout_twin_name(value, &rewriting->model->arena);
  FAIL_IF(!name, FARM_NO_MEMORY, "out of memory for a constant");
  const struct tensor from = padded_to_4(value->constant);
  struct tensor to = layout_permuted(value->constant);
  TRY(tensor_alloc(&to));
  int bytes = dtype_bits(to.dtype) / 8;
  const int64_t *d = from.dims;
  for (int64_t n = 0, at = 0; n < d[0]; n++)
    for (int64_t h = 0; h < d[2]; h++)
      for (int64_t w = 0; w < d[3]; w++)
        for (int64_t c = 0; c < d[1]; c++, at++)
          memcpy((char *)to.data + at * bytes,
                 (const char *)value->constant->data + (((n * d[1] + c) * d[2] + h) * d[3] + w) * bytes, (size_t)bytes);
  *out_twin = rewriting->nhwc[value->id] = graph_constant_add(value->graph, name, &to);
  tensor_free(&to);
  FAIL_IF(!*out_twin, FARM_NO_MEMORY, "out of memory for a constant");
  return FARM_OK;
}

/* The channels-last twin of an operand; made (with a Transpose before `node`, the first to need it) unless it is there. */
static enum farm_status twin_of(struct rewriting *rewriting, struct node *node, struct value *value, struct value **out_twin) {
  *out_twin = rewriting->nhwc[value->id];
  if (*out_twin) return FARM_OK;
  if (value->constant) return constant_twin(rewriting, value, out_twin);
  TRY(twin_add(rewriting, value, out_twin));
  return transpose_add(node->graph, node, value, *out_twin, to_nhwc);
}

static enum farm_status outputs_move(struct rewriting *rewriting, struct node *node) {
  for (int i = 0; i < node->output_count; i++) {
    struct value *value = node->outputs[i], *twin;
    if (!value) continue;
    TRY(twin_add(rewriting, value, &twin));
    node->outputs[i] = twin;
    twin->producer = node;
    value->producer = NULL;
  }
  return FARM_OK;
}

static enum farm_status node_move(struct rewriting *rewriting, struct node *node) {
  enum layout_role role = layout_role(node);
  FAIL_IF(role == LAYOUT_RIGID, FARM_FAILURE, "%s: cannot be channels-last", node->name);
  struct operation operation;
  TRY(layout_operation(node, role, &rewriting->model->arena, &operation));
  for (int i = 0; i < node->input_count; i++)
    if (layout_moves_input(node, role, i)) TRY(twin_of(rewriting, node, node->inputs[i], &node->inputs[i]));
  node->attrs = operation.attrs;
  node->channels_last = true;
  return outputs_move(rewriting, node);
}

/* Values whose producer moved away and that somebody still reads in their old order get a Transpose behind the producer. */
static enum farm_status originals_restore(struct rewriting *rewriting, struct value **moved, int moved_count) {
  for (int i = 0; i < moved_count; i++) {
    if (value_use_count(rewriting->model, moved[i]) == 0) continue;
    struct value *twin = rewriting->nhwc[moved[i]->id];
    TRY(transpose_add(twin->graph, twin->producer->next, twin, moved[i], to_nchw));
  }
  return FARM_OK;
}

enum farm_status layout_apply(struct model *model, const uint8_t *labels) {
  struct rewriting rewriting = {.model = model, .value_count = model->next_value_id};
  size_t count = (size_t)model->next_value_id;
  rewriting.nhwc = calloc(count + 1, sizeof *rewriting.nhwc);
  struct value **moved = calloc(count + 1, sizeof *moved);
  int moved_count = 0, index = 0;
  enum farm_status status = FARM_OK;
  if (!rewriting.nhwc || !moved) {
    status = status_set(FARM_NO_MEMORY, "out of memory for %zu values", count);
    goto free_tables;
  }
  struct node *next;
  for (struct node *node = model->graph->first; node; node = next, index++) {
    next = node->next;
    if (!labels[index]) continue;
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) moved[moved_count++] = node->outputs[i];
    TRY_OR(node_move(&rewriting, node), free_tables);
  }
  TRY_OR(originals_restore(&rewriting, moved, moved_count), free_tables);
  status = graph_infer(model);
free_tables:
  free(moved);
  free(rewriting.nhwc);
  return status;
}
