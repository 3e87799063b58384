/* Scan of opset 8: every entry of a batch scans its own sequence, up to its own length.
 *
 *   inputs   [lengths[batch]], states[batch][…], scanned[batch][length][…]
 *   outputs  states[batch][…], collected[batch][length][…], zeros behind the end of a shorter sequence
 *
 * The body knows neither batch nor lengths. */
#include "carried.h"

#include <string.h>

struct batch_scan {
  struct farm_context *context;
  struct step_state *state;
  const struct plan_block *body;
  int states, inputs, outputs; // carried values, scanned inputs, collected outputs
  int64_t batch, length;
  bool *shaped; // by output: its type is set and its memory zeroed
};

static const struct tensor *operand(const struct batch_scan *scan, int i) { return scan->state->inputs[1 + i]; }

/* Formal input `i` of the body becomes slice `index` of what remains of its operand without the first `strip` dimensions. */
static enum farm_status formal_fill(struct batch_scan *scan, int i, int strip, int64_t index) {
  struct farm_context *context = scan->context;
  const struct tensor *from = operand(scan, i);
  uint32_t v = scan->body->inputs[i];
  enum dtype planned = context->engine->plan->values[v].type.dtype;
  struct tensor type = {.dtype = from->dtype, .rank = from->rank - strip};
  FAIL_IF(planned != DTYPE_NONE && planned != type.dtype, FARM_INVALID, "a slice of another type");
  memcpy(type.dims, from->dims + strip, (size_t)type.rank * sizeof *type.dims);
  context->current->values[v] = type;
  TRY(value_place(context, context->current, v));
  size_t bytes = tensor_bytes(&type);
  if (bytes) memcpy(context->current->values[v].data, (const uint8_t *)from->data + (size_t)index * bytes, bytes);
  return FARM_OK;
}

/* The first item tells an output's shape: `lead` dimensions before the item's, zeros everywhere. */
static enum farm_status output_shape(struct batch_scan *scan, int output, const struct tensor *item, const int64_t *lead,
                                     int lead_count) {
  struct farm_context *context = scan->context;
  uint32_t v = scan->state->step->plan->outputs[output];
  const struct plan_value *value = &context->engine->plan->values[v];
  struct tensor type = {.dtype = item->dtype, .rank = item->rank + lead_count};
  FAIL_IF(type.rank > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "%s: rank %d", value->name, type.rank);
  FAIL_IF(value->type.dtype != DTYPE_NONE && value->type.dtype != type.dtype, FARM_INVALID, "%s: %s where %s is planned",
          value->name, dtype_name(type.dtype), dtype_name(value->type.dtype));
  FAIL_IF(dtype_bits(type.dtype) < 8, FARM_UNSUPPORTED, "Scan over %s", dtype_name(type.dtype));
  memcpy(type.dims, lead, (size_t)lead_count * sizeof *lead);
  memcpy(type.dims + lead_count, item->dims, (size_t)item->rank * sizeof *item->dims);
  context->current->values[v] = type;
  TRY(value_place(context, context->current, v));
  if (tensor_bytes(&type)) memset(context->current->values[v].data, 0, tensor_bytes(&type));
  scan->shaped[output] = true;
  return FARM_OK;
}

static enum farm_status item_put(struct batch_scan *scan, int output, const struct tensor *item, int64_t index) {
  uint32_t v = scan->state->step->plan->outputs[output];
  int64_t lead[2] = {scan->batch, scan->length};
  int lead_count = output < scan->states ? 1 : 2;
  if (v == PLAN_NO_INDEX) return FARM_OK;
  if (!scan->shaped[output]) TRY(output_shape(scan, output, item, lead, lead_count));
  const struct tensor *whole = &scan->context->current->values[v];
  FAIL_IF(whole->dtype != item->dtype || whole->rank != item->rank + lead_count ||
              memcmp(whole->dims + lead_count, item->dims, (size_t)item->rank * sizeof *item->dims) != 0,
          FARM_INVALID, "iterations give different shapes");
  size_t bytes = tensor_bytes(item);
  if (bytes) memcpy((uint8_t *)whole->data + (size_t)index * bytes, item->data, bytes);
  return FARM_OK;
}

static enum farm_status entry_steps(const struct batch_scan *scan, int64_t entry, int64_t *out_steps) {
  const struct tensor *lengths = scan->state->inputs[0];
  *out_steps = scan->length;
  if (!lengths) return FARM_OK;
  FAIL_IF(tensor_elems(lengths) != scan->batch || !dtype_is_integer(lengths->dtype), FARM_INVALID,
          "no lengths for a batch of %lld", (long long)scan->batch);
  *out_steps = dtype_load_i64(lengths->dtype, lengths->data, entry);
  FAIL_IF(*out_steps < 0 || *out_steps > scan->length, FARM_INVALID, "length %lld is not within %lld", (long long)*out_steps,
          (long long)scan->length);
  return FARM_OK;
}

static bool backward(const struct batch_scan *scan, int i) {
  const struct attr *attr = attr_find(&scan->state->step->plan->attrs, "directions");
  return attr && attr->type == ATTR_INTS && i < attr->count && attr->ints[i] == 1;
}

static enum farm_status entry_run(struct batch_scan *scan, int64_t entry) {
  const struct tensor *values = scan->context->current->values;
  int64_t steps;
  TRY(entry_steps(scan, entry, &steps));
  for (int i = 0; i < scan->states; i++) TRY(formal_fill(scan, i, 1, entry));
  for (int64_t t = 0; t < steps; t++) {
    for (int i = 0; i < scan->inputs; i++)
      TRY(formal_fill(scan, scan->states + i, 2, entry * scan->length + (backward(scan, i) ? steps - 1 - t : t)));
    TRY(block_run(scan->context, scan->state->step->plan->blocks[0]));
    for (int i = scan->states; i < scan->states + scan->outputs; i++)
      TRY(item_put(scan, i, &values[scan->body->outputs[i]], entry * scan->length + t));
    TRY(carried_move(scan->context, scan->state, scan->body->inputs, scan->body->outputs, scan->states));
  }
  for (int i = 0; i < scan->states; i++) TRY(item_put(scan, i, &values[scan->body->inputs[i]], entry));
  return FARM_OK;
}

/* Batch and length are the same for all that is scanned; states share the batch. */
static enum farm_status sizes_find(struct batch_scan *scan) {
  for (int i = 0; i < scan->states + scan->inputs; i++) {
    const struct tensor *tensor = operand(scan, i);
    bool scanned = i >= scan->states;
    FAIL_IF(tensor->rank < (scanned ? 2 : 1), FARM_INVALID, "input %d has no batch dimension", i + 1);
    FAIL_IF(dtype_bits(tensor->dtype) < 8, FARM_UNSUPPORTED, "Scan over %s", dtype_name(tensor->dtype));
    FAIL_IF(i && tensor->dims[0] != scan->batch, FARM_INVALID, "batches of %lld and %lld", (long long)scan->batch,
            (long long)tensor->dims[0]);
    FAIL_IF(i > scan->states && tensor->dims[1] != scan->length, FARM_INVALID, "scanned inputs of %lld and %lld slices",
            (long long)scan->length, (long long)tensor->dims[1]);
    scan->batch = tensor->dims[0];
    if (scanned) scan->length = tensor->dims[1];
  }
  return FARM_OK;
}

enum farm_status step_run_scan_batch(struct farm_context *context, struct step_state *state) {
  const struct plan_step *plan = state->step->plan;
  bool shaped[OPERATOR_MAX_OUTPUTS] = {0};
  struct batch_scan scan = {
      .context = context, .state = state, .body = context->engine->blocks[plan->blocks[0]].plan, .shaped = shaped};
  int64_t scanned = attr_int(&plan->attrs, "num_scan_inputs", 0);
  FAIL_IF(scanned < 1 || scanned > plan->input_count - 1 || plan->input_count - 1 - scanned > plan->output_count, FARM_INVALID,
          "Scan of %lld inputs", (long long)scanned);
  scan.inputs = (int)scanned;
  scan.states = plan->input_count - 1 - scan.inputs;
  scan.outputs = plan->output_count - scan.states;
  TRY(sizes_find(&scan));
  for (int64_t entry = 0; entry < scan.batch; entry++) TRY(entry_run(&scan, entry));
  const int64_t lead[2] = {scan.batch, scan.length};
  for (int i = 0; i < plan->output_count; i++) { // what never got an item
    struct tensor item = collect_planned(context, i < scan.states ? scan.body->inputs[i] : scan.body->outputs[i]);
    if (!shaped[i] && plan->outputs[i] != PLAN_NO_INDEX) TRY(output_shape(&scan, i, &item, lead, i < scan.states ? 1 : 2));
  }
  return FARM_OK;
}
