/* See node-problem.h. */
#include "node-problem.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_OPERANDS = 64 };

enum farm_status link_shapes_infer(struct model *model, enum link_point point, struct link_shapes *out) {
  int64_t *symbols = calloc((size_t)model->symbol_count + 1, sizeof *symbols);
  struct tensor *types = calloc((size_t)model->next_value_id + 1, sizeof *types);
  enum farm_status status = FARM_OK;
  if (!symbols || !types) {
    status = status_set(FARM_NO_MEMORY, "out of memory for shapes");
    goto free_both;
  }
  for (int i = 0; i < model->symbol_count; i++)
    symbols[i] = point == LINK_OPTIMAL ? model->symbols[i].opt : model->symbols[i].max;
  TRY_OR(graph_infer_concrete(model, symbols, types), free_both);
  *out = (struct link_shapes){types, model->next_value_id};
  types = NULL;
free_both:
  free(types);
  free(symbols);
  return status;
}

void link_shapes_free(struct link_shapes *shapes) {
  free(shapes->types);
  *shapes = (struct link_shapes){0};
}

/* A transpose that only moves dims of one element moves nothing. */
static bool transpose_is_view(const struct node *node) {
  const struct tensor *type = &node->inputs[0]->type;
  int64_t perm[TENSOR_MAX_RANK];
  int count = attr_ints(&node->attrs, "perm", perm, TENSOR_MAX_RANK), last = -1;
  if (count != type->rank) return false;
  for (int i = 0; i < count; i++) {
    if (perm[i] < 0 || perm[i] >= count) return false;
    if (type->dims[perm[i]] == 1) continue;
    if (perm[i] < last) return false;
    last = (int)perm[i];
  }
  return true;
}

bool node_is_view(const struct node *node) {
  if (node->input_count < 1 || !node->inputs[0] || node->output_count < 1 || !node->outputs[0]) return false;
  if (node->row->flags & OPERATOR_VIEW) return true;
  return node->row->domain[0] == 0 && strcmp(node->row->name, "Transpose") == 0 && transpose_is_view(node);
}

enum farm_status node_problem(const struct node *node, const struct link_shapes *shapes, bool channels_last, struct arena *arena,
                              struct problem *out_problem, const char **out_text) {
  FAIL_IF(node->input_count > MOST_OPERANDS || node->output_count > MOST_OPERANDS, FARM_AGAIN,
          "%s: too many operands for a problem", node->name);
  enum layout_role role = channels_last ? layout_role(node) : LAYOUT_RIGID;
  struct operation operation = {node->row, node->attrs, node->opset};
  if (channels_last) TRY(layout_operation(node, role, arena, &operation));
  struct tensor types[2 * MOST_OPERANDS];
  const struct tensor *inputs[MOST_OPERANDS], *outputs[MOST_OPERANDS];
  uint64_t constants = 0;
  for (int i = 0; i < node->input_count + node->output_count; i++) {
    bool is_input = i < node->input_count;
    const struct value *value = is_input ? node->inputs[i] : node->outputs[i - node->input_count];
    const struct tensor **slot = is_input ? &inputs[i] : &outputs[i - node->input_count];
    *slot = NULL;
    if (!value) continue;
    types[i] = value->constant ? *value->constant : value->id < shapes->count ? shapes->types[value->id] : value->type;
    if (!value->constant) types[i].data = NULL;
    FAIL_IF(tensor_elems(&types[i]) < 0, FARM_AGAIN, "%s: the shape of %s depends on data", node->name, value->name);
    if (channels_last && (!is_input || layout_moves_input(node, role, i))) {
      types[i] = layout_permuted(&types[i]);
      types[i].data = NULL;
    }
    if (is_input && value->constant) constants |= (uint64_t)1 << i;
    *slot = &types[i];
  }
  TRY(operation_problem(&operation, inputs, node->input_count, constants, outputs, node->output_count, arena, out_problem));
  *out_text = problem_print(out_problem, arena);
  return *out_text ? FARM_OK : FARM_NO_MEMORY;
}

enum farm_status layout_change_problem(const struct tensor *nchw_type, bool to_nhwc, struct arena *arena,
                                       struct problem *out_problem, const char **out_text) {
  static const int64_t perms[2][4] = {{0, 3, 1, 2}, {0, 2, 3, 1}};
  struct attr attr = {.name = "perm", .type = ATTR_INTS, .count = 4, .ints = perms[to_nhwc]};
  struct operation operation = {operator_find("", "Transpose", 13), {&attr, 1}, 13};
  FAIL_IF(!operation.row, FARM_FAILURE, "no Transpose in the operator table");
  struct tensor nhwc = layout_permuted(nchw_type), nchw = *nchw_type;
  nhwc.data = nchw.data = NULL;
  const struct tensor *input = to_nhwc ? &nchw : &nhwc, *output = to_nhwc ? &nhwc : &nchw;
  TRY(operation_problem(&operation, &input, 1, 0, &output, 1, arena, out_problem));
  *out_text = problem_print(out_problem, arena);
  return *out_text ? FARM_OK : FARM_NO_MEMORY;
}
