/* Scan (opset 9 and later): the body runs once per slice of the scanned inputs; its other outputs are laid side by side along an
 * axis. */
#include "carried.h"

#include <string.h>

struct scan {
  struct farm_context *context;
  struct step_state *state;
  const struct plan_block *body;
  int states, inputs, outputs; // carried values, scanned inputs, collected outputs
  int64_t length;
};

/* A tensor seen as [outer][length][inner bytes] along an axis. */
struct slices {
  int64_t outer, length;
  size_t inner_bytes;
};

static int64_t attr_at(const struct attrs *attrs, const char *name, int index) {
  const struct attr *attr = attr_find(attrs, name);
  return attr && attr->type == ATTR_INTS && index < attr->count ? attr->ints[index] : 0;
}

static enum farm_status slices_of(const struct tensor *tensor, int64_t axis, int *out_axis, struct slices *out) {
  TRY(shape_axis(axis, tensor->rank, out_axis));
  struct tensor inner = {.dtype = tensor->dtype, .rank = tensor->rank - *out_axis - 1};
  memcpy(inner.dims, tensor->dims + *out_axis + 1, (size_t)inner.rank * sizeof *inner.dims);
  int64_t elems = tensor_elems(&inner);
  FAIL_IF(elems < 0 || tensor_bytes(tensor) == SIZE_MAX, FARM_INVALID, "a scanned value has no size");
  FAIL_IF(dtype_bits(tensor->dtype) < 8, FARM_UNSUPPORTED, "Scan over %s", dtype_name(tensor->dtype));
  out->outer = tensor_dims_product(tensor->dims, *out_axis);
  out->length = tensor->dims[*out_axis];
  out->inner_bytes = tensor_bytes(&inner);
  return FARM_OK;
}

static enum farm_status lengths_find(struct scan *scan) {
  const struct plan_step *plan = scan->state->step->plan;
  for (int i = 0; i < scan->inputs; i++) {
    struct slices slices;
    int axis;
    TRY(slices_of(scan->state->inputs[scan->states + i], attr_at(&plan->attrs, "scan_input_axes", i), &axis, &slices));
    FAIL_IF(i && slices.length != scan->length, FARM_INVALID, "scanned inputs of %lld and %lld slices", (long long)scan->length,
            (long long)slices.length);
    scan->length = slices.length;
  }
  return FARM_OK;
}

static int64_t slice_index(const struct scan *scan, const char *directions, int i, int64_t iteration) {
  return attr_at(&scan->state->step->plan->attrs, directions, i) == 1 ? scan->length - 1 - iteration : iteration;
}

static enum farm_status slice_take(struct scan *scan, int i, int64_t iteration) {
  struct farm_context *context = scan->context;
  const struct tensor *from = scan->state->inputs[scan->states + i];
  uint32_t v = scan->body->inputs[scan->states + i];
  struct slices slices;
  int axis;
  TRY(slices_of(from, attr_at(&scan->state->step->plan->attrs, "scan_input_axes", i), &axis, &slices));
  int64_t index = slice_index(scan, "scan_input_directions", i, iteration);
  struct tensor type = {.dtype = from->dtype, .rank = from->rank - 1};
  for (int d = 0, to = 0; d < from->rank; d++)
    if (d != axis) type.dims[to++] = from->dims[d];
  enum dtype planned = context->engine->plan->values[v].type.dtype;
  FAIL_IF(planned != DTYPE_NONE && planned != type.dtype, FARM_INVALID, "a slice of another type");
  context->current->values[v] = type;
  TRY(value_place(context, context->current, v));
  uint8_t *to = context->current->values[v].data;
  const uint8_t *data = from->data;
  for (int64_t o = 0; o < slices.outer && slices.inner_bytes; o++)
    memcpy(to + (size_t)o * slices.inner_bytes, data + (size_t)(o * slices.length + index) * slices.inner_bytes,
           slices.inner_bytes);
  return FARM_OK;
}

/* Output axes count in the output, which has one dimension more than the item. */
static enum farm_status output_axis(const struct scan *scan, int i, const struct tensor *item, int *out_axis) {
  return shape_axis(attr_at(&scan->state->step->plan->attrs, "scan_output_axes", i), item->rank + 1, out_axis);
}

static enum farm_status item_put(struct scan *scan, int i, int64_t iteration) {
  struct farm_context *context = scan->context;
  const struct tensor *item = &context->current->values[scan->body->outputs[scan->states + i]];
  uint32_t v = scan->state->step->plan->outputs[scan->states + i];
  struct tensor *shape = &scan->state->output_types[scan->states + i];
  struct slices slices;
  int axis;
  if (v == PLAN_NO_INDEX) return FARM_OK;
  TRY(output_axis(scan, i, item, &axis));
  if (iteration == 0) {
    *shape = *item;
    TRY(collect_type_set(context, v, item, axis, scan->length));
    TRY(value_place(context, context->current, v));
  }
  FAIL_IF(shape->dtype != item->dtype || !tensor_shape_equal(shape, item), FARM_INVALID, "iterations give different shapes");
  TRY(slices_of(&context->current->values[v], axis, &axis, &slices));
  int64_t index = slice_index(scan, "scan_output_directions", i, iteration);
  uint8_t *to = context->current->values[v].data;
  const uint8_t *data = item->data;
  for (int64_t o = 0; o < slices.outer && slices.inner_bytes; o++)
    memcpy(to + (size_t)(o * slices.length + index) * slices.inner_bytes, data + (size_t)o * slices.inner_bytes,
           slices.inner_bytes);
  return FARM_OK;
}

static enum farm_status scan_iteration(struct scan *scan, int64_t iteration) {
  for (int i = 0; i < scan->inputs; i++) TRY(slice_take(scan, i, iteration));
  TRY(block_run(scan->context, scan->state->step->plan->blocks[0]));
  for (int i = 0; i < scan->outputs; i++) TRY(item_put(scan, i, iteration));
  return carried_move(scan->context, scan->state, scan->body->inputs, scan->body->outputs, scan->states);
}

static enum farm_status outputs_finish(struct scan *scan) {
  struct farm_context *context = scan->context;
  const struct plan_step *plan = scan->state->step->plan;
  for (int i = 0; i < scan->states; i++) {
    if (plan->outputs[i] == PLAN_NO_INDEX) continue;
    TRY(value_copy(context, context->current, plan->outputs[i], &context->current->values[scan->body->inputs[i]]));
  }
  for (int i = 0; i < scan->outputs && scan->length == 0; i++) {
    uint32_t v = plan->outputs[scan->states + i];
    struct tensor item = collect_planned(context, scan->body->outputs[scan->states + i]);
    int axis;
    if (v == PLAN_NO_INDEX) continue;
    if (item.dtype == DTYPE_NONE) item.dtype = context->engine->plan->values[v].type.dtype;
    TRY(output_axis(scan, i, &item, &axis));
    TRY(collect_type_set(context, v, &item, axis, 0));
    TRY(value_place(context, context->current, v));
  }
  return FARM_OK;
}

enum farm_status step_run_scan(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  struct scan scan = {.context = context, .state = state, .body = context->engine->blocks[plan->blocks[0]].plan};
  if (plan->since_version == 8) return step_run_scan_batch(context, state);
  int64_t scanned = attr_int(&plan->attrs, "num_scan_inputs", 0);
  FAIL_IF(scanned < 1 || scanned > plan->input_count || plan->input_count - scanned > plan->output_count, FARM_INVALID,
          "Scan of %lld inputs", (long long)scanned);
  scan.inputs = (int)scanned;
  scan.states = plan->input_count - scan.inputs;
  scan.outputs = plan->output_count - scan.states;
  TRY(lengths_find(&scan));
  for (int i = 0; i < scan.states; i++) TRY(value_alias(context, context->current, scan.body->inputs[i], state->inputs[i]));
  for (int64_t iteration = 0; iteration < scan.length; iteration++) TRY(scan_iteration(&scan, iteration));
  return outputs_finish(&scan);
}
