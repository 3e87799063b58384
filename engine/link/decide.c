/* See decide.h. */
#include "decide.h"

#include "mincut.h"

#include <stdlib.h>
#include <string.h>

static bool is_control(const struct node *node) { return node->row->flags & OPERATOR_CONTROL; }

static bool has_problem(const struct node *node) { return !node_is_view(node) && !is_control(node); }

/* Is a change of this value's layout conceivable and worth a problem? */
static bool may_change(const struct value *value, const struct link_shapes *shapes, struct tensor *out_type) {
  if (!value || value->constant || value->id >= shapes->count) return false;
  *out_type = shapes->types[value->id];
  return out_type->rank == 4 && tensor_elems(out_type) > 0 && !layout_change_is_free(out_type);
}

static enum farm_status node_problems(const struct node *node, const struct link_shapes *shapes, struct arena *arena,
                                      link_problem_fn fn, void *context) {
  struct problem problem;
  const char *text;
  for (int channels_last = 0; channels_last < 2; channels_last++) {
    if (channels_last && layout_role(node) == LAYOUT_RIGID) continue;
    enum farm_status status = node_problem(node, shapes, channels_last, arena, &problem, &text);
    if (status == FARM_AGAIN) continue;
    if (status != FARM_OK) return status_prefix(status, "%s", node->name);
    TRY(fn(context, &problem, text, node));
  }
  return FARM_OK;
}

static enum farm_status change_problems(const struct node *node, const struct link_shapes *shapes, struct arena *arena,
                                        link_problem_fn fn, void *context) {
  enum layout_role role = layout_role(node);
  struct problem problem;
  const char *text;
  struct tensor type;
  for (int i = 0; role != LAYOUT_RIGID && i < node->input_count + node->output_count; i++) {
    bool is_input = i < node->input_count;
    const struct value *value = is_input ? node->inputs[i] : node->outputs[i - node->input_count];
    if (!may_change(value, shapes, &type) || (is_input && !layout_moves_input(node, role, i))) continue;
    TRY(layout_change_problem(&type, is_input, arena, &problem, &text));
    TRY(fn(context, &problem, text, node));
  }
  return FARM_OK;
}

static enum farm_status graph_problems(struct graph *graph, bool is_main, const struct link_shapes *shapes, struct arena *arena,
                                       link_problem_fn fn, void *context) {
  for (struct node *node = graph->first; node; node = node->next) {
    for (int i = 0; i < node->attrs.count; i++)
      if (node->attrs.items[i].type == ATTR_GRAPH)
        TRY(graph_problems(node->attrs.items[i].graph, false, shapes, arena, fn, context));
    if (!has_problem(node)) continue;
    TRY(node_problems(node, shapes, arena, fn, context));
    if (is_main) TRY(change_problems(node, shapes, arena, fn, context));
  }
  return FARM_OK;
}

enum farm_status link_problems(struct model *model, const struct link_shapes *shapes, link_problem_fn fn, void *context) {
  struct arena arena = {0};
  enum farm_status status = graph_problems(model->graph, true, shapes, &arena, fn, context);
  arena_free(&arena);
  return status;
}

/* ---- the cut ---- */

struct decision {
  struct model *model;
  const struct link_shapes *shapes;
  const struct link_target *target;
  struct mincut *cut;
  struct arena arena;
  int *variable; // by node index: its variable, -1: rigid
  int *producer; // by value id: node index of its producer, -1: none
};

static uint64_t picoseconds(double ns) { return ns <= 0 ? 0 : ns > 1e15 ? (uint64_t)1e18 : (uint64_t)(ns * 1e3); }

static enum farm_status node_cost(struct decision *d, const struct node *node, bool channels_last, uint64_t *out_ps) {
  struct problem problem;
  const char *text;
  struct link_choice choice;
  enum farm_status status = node_problem(node, d->shapes, channels_last, &d->arena, &problem, &text);
  if (status == FARM_AGAIN) { // shape unknown: no opinion
    *out_ps = 0;
    return FARM_OK;
  }
  TRY(status);
  enum tactic_layout layout = layout_role(node) != LAYOUT_SPATIAL ? LAYOUT_ANY : channels_last ? LAYOUT_NHWC : LAYOUT_NCHW;
  TRY(link_choose(d->target, &problem, text, layout, &choice));
  *out_ps = picoseconds(link_choice_ns(&choice));
  return FARM_OK;
}

static enum farm_status change_cost(struct decision *d, const struct tensor *type, bool to_nhwc, uint64_t *out_ps) {
  struct problem problem;
  const char *text;
  struct link_choice choice;
  TRY(layout_change_problem(type, to_nhwc, &d->arena, &problem, &text));
  TRY(link_choose(d->target, &problem, text, LAYOUT_ANY, &choice));
  *out_ps = picoseconds(link_choice_ns(&choice));
  return FARM_OK;
}

/* One value: `any` collects the readers of one label; the change is paid when the producer has the other.
 * to_nhwc: producer 0 and some reader 1; the auxiliary is 1 as soon as one reader is. Back: producer 1 and some reader 0. */
static enum farm_status value_change(struct decision *d, const struct tensor *type, int producer, const int *readers,
                                     int reader_count, bool rigid_reader) {
  uint64_t there, back;
  int any_1, any_0;
  TRY(change_cost(d, type, true, &there));
  TRY(change_cost(d, type, false, &back));
  TRY(mincut_variable_add(d->cut, &any_1));
  for (int i = 0; i < reader_count; i++) TRY(mincut_pair(d->cut, any_1, readers[i], UINT64_MAX)); // reader 1 forces any_1 = 1
  if (producer >= 0)
    TRY(mincut_pair(d->cut, producer, any_1, there));
  else
    TRY(mincut_unary(d->cut, any_1, 0, there)); // a rigid producer is label 0
  if (producer < 0) return FARM_OK;             // and never needs the way back
  TRY(mincut_variable_add(d->cut, &any_0));
  for (int i = 0; i < reader_count; i++) TRY(mincut_pair(d->cut, readers[i], any_0, UINT64_MAX)); // reader 0 forces any_0 = 0
  if (rigid_reader) TRY(mincut_unary(d->cut, any_0, 0, UINT64_MAX));
  return mincut_pair(d->cut, any_0, producer, back);
}

struct readers {
  int *variables, count;
  bool rigid;
};

/* Who reads `value`: variables of flexible nodes that take it channels-last, and whether anybody wants it as it is. */
static void readers_find(const struct decision *d, const struct value *value, struct readers *out) {
  out->count = 0;
  out->rigid = value_is_graph_output(value);
  int index = 0, uses = 0;
  for (const struct node *node = d->model->graph->first; node; node = node->next, index++)
    for (int i = 0; i < node->input_count; i++) {
      if (node->inputs[i] != value) continue;
      uses++;
      if (d->variable[index] >= 0 && layout_moves_input(node, layout_role(node), i))
        out->variables[out->count++] = d->variable[index];
      else
        out->rigid = true;
    }
  if (value_use_count(d->model, value) > uses + value_is_graph_output(value)) out->rigid = true; // subgraphs
}

static enum farm_status variables_add(struct decision *d, int *out_flexible) {
  int index = 0, count = 0;
  for (const struct node *node = d->model->graph->first; node; node = node->next, index++) {
    d->variable[index] = layout_role(node) == LAYOUT_RIGID ? -1 : count++;
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) d->producer[node->outputs[i]->id] = index;
  }
  TRY(mincut_create(count, &d->cut));
  *out_flexible = count;
  index = 0;
  for (const struct node *node = d->model->graph->first; node; node = node->next, index++) {
    if (d->variable[index] < 0) continue;
    uint64_t as_is, channels_last;
    TRY(node_cost(d, node, false, &as_is));
    TRY(node_cost(d, node, true, &channels_last));
    TRY(mincut_unary(d->cut, d->variable[index], as_is, channels_last));
  }
  return FARM_OK;
}

static enum farm_status changes_add(struct decision *d, int *readers_memory, int node_count) {
  struct readers readers = {.variables = readers_memory};
  struct tensor type;
  (void)node_count;
  for (int g = 0; g < d->model->graph->input_count; g++) {
    const struct value *value = d->model->graph->inputs[g];
    if (!may_change(value, d->shapes, &type)) continue;
    readers_find(d, value, &readers);
    if (readers.count) TRY(value_change(d, &type, -1, readers.variables, readers.count, readers.rigid));
  }
  for (const struct node *node = d->model->graph->first; node; node = node->next)
    for (int i = 0; i < node->output_count; i++) {
      const struct value *value = node->outputs[i];
      if (!value || !may_change(value, d->shapes, &type)) continue;
      readers_find(d, value, &readers);
      int producer = d->variable[d->producer[value->id]];
      if (producer >= 0 || readers.count) TRY(value_change(d, &type, producer, readers.variables, readers.count, readers.rigid));
    }
  return FARM_OK;
}

enum farm_status link_decide_layouts(struct model *model, const struct link_shapes *shapes, const struct link_target *target,
                                     uint8_t *out_labels, double *out_ns) {
  int node_count = 0, input_count = 0, flexible = 0, index = 0;
  for (const struct node *node = model->graph->first; node; node = node->next) {
    node_count++;
    input_count += node->input_count;
  }
  memset(out_labels, 0, (size_t)node_count);
  *out_ns = 0;
  struct decision d = {.model = model, .shapes = shapes, .target = target};
  enum farm_status status = FARM_OK;
  d.variable = calloc((size_t)node_count + 1, sizeof *d.variable);
  d.producer = calloc((size_t)model->next_value_id + 1, sizeof *d.producer);
  int *readers = calloc((size_t)input_count + 1, sizeof *readers);
  uint8_t *labels = NULL;
  uint64_t cost;
  if (!d.variable || !d.producer || !readers) {
    status = status_set(FARM_NO_MEMORY, "out of memory for a decision over %d nodes", node_count);
    goto free_all;
  }
  TRY_OR(variables_add(&d, &flexible), free_all);
  if (!flexible) goto free_all;
  TRY_OR(changes_add(&d, readers, node_count), free_all);
  labels = calloc((size_t)flexible + 2 * (size_t)model->next_value_id + 2, 1);
  if (!labels) {
    status = status_set(FARM_NO_MEMORY, "out of memory for labels");
    goto free_all;
  }
  TRY_OR(mincut_solve(d.cut, labels, &cost), free_all);
  for (; index < node_count; index++) out_labels[index] = d.variable[index] >= 0 && labels[d.variable[index]];
  *out_ns = (double)cost * 1e-3;
free_all:
  free(labels);
  free(readers);
  free(d.producer);
  free(d.variable);
  mincut_destroy(&d.cut);
  arena_free(&d.arena);
  return status;
}
