/* Types of If, Loop and Scan: what holds whichever branch runs, however often a body runs. See infer.h and control.h. */
#include "control.h"
#include "infer.h"

#include <string.h>

static struct shape_info type_only(const struct tensor *type) { return (struct shape_info){.type = *type}; }

static enum farm_status type_join(const struct tensor *a, const struct tensor *b, struct tensor *out_type) {
  bool both = a->dtype != DTYPE_NONE && b->dtype != DTYPE_NONE;
  FAIL_IF(both && a->dtype != b->dtype, FARM_INVALID, "element types %s and %s meet", dtype_name(a->dtype), dtype_name(b->dtype));
  struct tensor type = {.dtype = both ? a->dtype : DTYPE_NONE, .rank = a->rank == b->rank ? a->rank : -1};
  for (int i = 0; i < type.rank; i++) type.dims[i] = a->dims[i] == b->dims[i] ? a->dims[i] : DIM_UNKNOWN;
  *out_type = type;
  return FARM_OK;
}

enum farm_status info_join(const struct shape_info *a, const struct shape_info *b, struct shape_info *out_info) {
  struct shape_info info = {0};
  TRY(type_join(&a->type, &b->type, &info.type));
  int64_t elems = tensor_elems(&info.type);
  if (a->constant && a->constant == b->constant) info.constant = a->constant;
  bool comparable = a->known && b->known && a->symbolic && b->symbolic && elems >= 0 && elems <= SHAPE_MAX_KNOWN;
  if (comparable && memcmp(a->known, b->known, (size_t)elems * sizeof *a->known) == 0 &&
      memcmp(a->symbolic, b->symbolic, (size_t)elems * sizeof *a->symbolic) == 0) {
    info.known = a->known;
    info.symbolic = a->symbolic;
  }
  *out_info = info;
  return FARM_OK;
}

/* What a graph's output is known to be, after inference_graph. */
static const struct shape_info *result(struct inference *inference, const struct graph *graph, int output) {
  return &inference->facts[graph->outputs[output]->id];
}

/* ---- If ---- */

static bool known_scalar(const struct shape_info *info, int64_t *out_value) {
  int count = 0;
  return info && shape_known_ints(info, out_value, 1, &count) && count == 1;
}

static enum farm_status infer_if(struct inference *inference, const struct node *node, struct shape_info *outputs) {
  struct if_layout layout = {0};
  TRY(if_layout_read(node, &layout));
  TRY(inference_graph(inference, layout.then_graph));
  TRY(inference_graph(inference, layout.else_graph));
  int64_t condition = 0;
  bool known = known_scalar(inference_input(inference, node, 0), &condition);
  for (int i = 0; i < node->output_count; i++) {
    const struct shape_info *yes = result(inference, layout.then_graph, i), *no = result(inference, layout.else_graph, i);
    if (known)
      outputs[i] = condition ? *yes : *no;
    else
      TRY(info_join(yes, no, &outputs[i]));
  }
  return FARM_OK;
}

/* ---- bodies: types of carried values grow until the body agrees ---- */

/* Sets the facts of body inputs [first, first + count) to `carried`, infers the body, and joins its outputs from `first_output`
 * in. */
static enum farm_status carried_step(struct inference *inference, const struct graph *body, int first, int first_output,
                                     int count, struct shape_info *carried, bool *out_changed) {
  for (int i = 0; i < count; i++) {
    const struct value *input = body->inputs[first + i];
    if (carried[i].type.dtype == DTYPE_NONE && input->hint) carried[i].type.dtype = input->hint->dtype;
    inference_set(inference, input, &carried[i]);
  }
  TRY(inference_graph(inference, body));
  *out_changed = false;
  for (int i = 0; i < count; i++) {
    struct tensor joined = {0}, made = result(inference, body, first_output + i)->type;
    if (made.dtype == DTYPE_NONE) made.dtype = carried[i].type.dtype;
    enum farm_status status = type_join(&carried[i].type, &made, &joined);
    if (status != FARM_OK) return status_prefix(status, "carried value %d", i);
    if (type_equal(&joined, &carried[i].type)) continue;
    *out_changed = true;
    carried[i] = type_only(&joined);
  }
  return FARM_OK;
}

static enum farm_status carried_infer(struct inference *inference, const struct graph *body, int first, int first_output,
                                      int count, struct shape_info *carried) {
  for (bool changed = true; changed;) TRY(carried_step(inference, body, first, first_output, count, carried, &changed));
  return FARM_OK;
}

/* A type with one more dim at `axis`; unknown when the rank is, FARM_UNSUPPORTED when it would be too large. */
static enum farm_status dim_insert(const struct tensor *type, int axis, int64_t dim, struct tensor *out_type) {
  FAIL_IF(type->rank >= TENSOR_MAX_RANK, FARM_UNSUPPORTED, "a scanned output of rank %d [rule: rank]", type->rank + 1);
  struct tensor wider = {.dtype = type->dtype, .rank = type->rank < 0 ? -1 : type->rank + 1};
  for (int i = 0; i < wider.rank; i++) wider.dims[i] = i == axis ? dim : type->dims[i < axis ? i : i - 1];
  *out_type = wider;
  return FARM_OK;
}

static struct tensor dim_remove(const struct tensor *type, int axis) {
  struct tensor narrower = {.dtype = type->dtype, .rank = type->rank < 1 ? -1 : type->rank - 1};
  for (int i = 0; i < narrower.rank; i++) narrower.dims[i] = type->dims[i < axis ? i : i + 1];
  return narrower;
}

/* ---- Loop ---- */

/* Does the body hand on the condition it was given, or say true? */
static bool never_stops(struct inference *inference, const struct loop_layout *layout) {
  const struct value *condition = layout->body->outputs[0];
  int64_t value = 0;
  if (known_scalar(&inference->facts[condition->id], &value)) return value != 0;
  while (condition->producer && strcmp(condition->producer->row->name, "Identity") == 0)
    condition = condition->producer->inputs[0];
  return condition == layout->body->inputs[1];
}

static int64_t trip_count(struct inference *inference, const struct node *node, const struct loop_layout *layout) {
  int64_t trip = 0, condition = 1;
  if (!layout->trip || !known_scalar(inference_input(inference, node, 0), &trip)) return DIM_UNKNOWN;
  if (layout->condition && !known_scalar(inference_input(inference, node, 1), &condition)) return DIM_UNKNOWN;
  if (trip <= 0 || !condition) return 0;
  return never_stops(inference, layout) ? trip : DIM_UNKNOWN;
}

static enum farm_status infer_loop(struct inference *inference, const struct node *node, struct shape_info *outputs) {
  struct loop_layout layout = {0};
  TRY(loop_layout_read(node, &layout));
  struct shape_info iteration = {.type = {.dtype = DTYPE_I64}}, condition = {.type = {.dtype = DTYPE_BOOL}};
  struct shape_info *carried = arena_alloc_array(&inference->arena, (size_t)layout.carried_count, sizeof *carried);
  if (!carried) return FARM_NO_MEMORY;
  for (int i = 0; i < layout.carried_count; i++) {
    const struct shape_info *initial = inference_input(inference, node, 2 + i);
    FAIL_IF(!initial, FARM_INVALID, "input %d is not defined before", 2 + i);
    carried[i] = type_only(&initial->type);
  }
  inference_set(inference, layout.body->inputs[0], &iteration);
  inference_set(inference, layout.body->inputs[1], &condition);
  TRY(carried_infer(inference, layout.body, 2, 1, layout.carried_count, carried));
  int64_t trip = trip_count(inference, node, &layout);
  for (int i = 0; i < node->output_count; i++) {
    if (i < layout.carried_count)
      outputs[i] = carried[i];
    else
      TRY(dim_insert(&result(inference, layout.body, 1 + i)->type, 0, trip, &outputs[i].type));
  }
  return FARM_OK;
}

/* ---- Scan ---- */

struct scan_sizes {
  int64_t batch, length;
};

static enum farm_status size_merge(int64_t *size, int64_t dim) {
  FAIL_IF(*size >= 0 && dim >= 0 && *size != dim, FARM_INVALID, "scanned inputs of %lld and %lld elements", (long long)*size,
          (long long)dim);
  if (*size == DIM_UNKNOWN || dim >= 0) *size = dim;
  return FARM_OK;
}

static enum farm_status scanned_input(struct inference *inference, const struct node *node, const struct scan_layout *layout,
                                      int i, struct scan_sizes *sizes) {
  int input = layout->first_input + layout->state_count + i, axis = 0;
  const struct shape_info *info = inference_input(inference, node, input);
  FAIL_IF(!info, FARM_INVALID, "input %d is not defined before", input);
  struct tensor element = {.dtype = info->type.dtype, .rank = -1};
  if (info->type.rank >= 0) {
    TRY(scan_axis(node, layout, false, i, info->type.rank, &axis));
    TRY(size_merge(&sizes->length, info->type.dims[axis]));
    if (layout->batched) TRY(size_merge(&sizes->batch, info->type.dims[0]));
    element = dim_remove(&info->type, axis);
    if (layout->batched) element = dim_remove(&element, 0);
  }
  struct shape_info fact = type_only(&element);
  inference_set(inference, layout->body->inputs[layout->state_count + i], &fact);
  return FARM_OK;
}

static enum farm_status scan_output(struct inference *inference, const struct node *node, const struct scan_layout *layout,
                                    const struct scan_sizes *sizes, int output, struct tensor *out_type) {
  struct tensor type = result(inference, layout->body, output)->type;
  int axis = 0, i = output - layout->state_count;
  if (i >= 0 && type.rank >= 0) {
    if (!layout->batched) TRY(scan_axis(node, layout, true, i, type.rank + 1, &axis));
    TRY(dim_insert(&type, axis, sizes->length, &type));
  }
  if (layout->batched) TRY(dim_insert(&type, 0, sizes->batch, &type));
  *out_type = type;
  return FARM_OK;
}

static enum farm_status infer_scan(struct inference *inference, const struct node *node, struct shape_info *outputs) {
  struct scan_layout layout = {0};
  struct scan_sizes sizes = {DIM_UNKNOWN, DIM_UNKNOWN};
  TRY(scan_layout_read(node, &layout));
  struct shape_info *states = arena_alloc_array(&inference->arena, (size_t)layout.state_count, sizeof *states);
  if (!states) return FARM_NO_MEMORY;
  for (int i = 0; i < layout.state_count; i++) {
    const struct shape_info *initial = inference_input(inference, node, layout.first_input + i);
    FAIL_IF(!initial, FARM_INVALID, "input %d is not defined before", layout.first_input + i);
    FAIL_IF(layout.batched && initial->type.rank == 0, FARM_INVALID, "state %d has no batch dimension", i);
    struct tensor type = layout.batched ? dim_remove(&initial->type, 0) : initial->type;
    states[i] = type_only(&type);
  }
  for (int i = 0; i < layout.input_count; i++) TRY(scanned_input(inference, node, &layout, i, &sizes));
  TRY(carried_infer(inference, layout.body, 0, 0, layout.state_count, states));
  for (int i = 0; i < node->output_count; i++) {
    TRY(scan_output(inference, node, &layout, &sizes, i, &outputs[i].type));
    if (i < layout.state_count && !layout.batched)
      outputs[i] = states[i];
    else if (i < layout.state_count)
      TRY(dim_insert(&states[i].type, 0, sizes.batch, &outputs[i].type));
  }
  return FARM_OK;
}

enum farm_status inference_control(struct inference *inference, const struct node *node, struct shape_info *outputs) {
  static const struct {
    const char *name;
    enum farm_status (*infer)(struct inference *, const struct node *, struct shape_info *);
  } controls[] = {{"If", infer_if}, {"Loop", infer_loop}, {"Scan", infer_scan}};
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
    if (strcmp(controls[i].name, node->row->name) == 0) return controls[i].infer(inference, node, outputs);
  return status_set(FARM_UNSUPPORTED, "control operator %s is not known [rule: operator]", node->row->name);
}
