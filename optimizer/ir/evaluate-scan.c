/* Scan runs by running its body once per element of the scanned axes. See evaluation.h and control.h. */
#include "control.h"
#include "evaluate-body.h"

#include <stdlib.h>
#include <string.h>

/* A tensor seen around one axis: `outer` times `length` rows of `inner` bytes. */
struct slab {
  int64_t outer, length;
  size_t inner;
};

static struct slab slab_of(const struct tensor *tensor, int axis) {
  return (struct slab){tensor_dims_product(tensor->dims, axis), tensor->dims[axis],
                       dtype_bytes(tensor->dtype, tensor_dims_product(tensor->dims + axis + 1, tensor->rank - axis - 1))};
}

static struct tensor without_axis(const struct tensor *tensor, int axis) {
  struct tensor type = {.dtype = tensor->dtype, .rank = tensor->rank - 1};
  for (int i = 0; i < type.rank; i++) type.dims[i] = tensor->dims[i < axis ? i : i + 1];
  return type;
}

static enum farm_status slice_take(struct evaluation *evaluation, const struct tensor *from, int axis, int64_t index,
                                   struct tensor *out_tensor) {
  FAIL_IF(dtype_bits(from->dtype) % 8, FARM_UNSUPPORTED, "scanned inputs of %s are not supported [rule: element-type]",
          dtype_name(from->dtype));
  struct tensor slice = without_axis(from, axis);
  struct slab slab = slab_of(from, axis);
  TRY(evaluation_alloc(evaluation, &slice));
  for (int64_t i = 0; slice.data && i < slab.outer; i++)
    memcpy((char *)slice.data + (size_t)i * slab.inner, (const char *)from->data + (size_t)(i * slab.length + index) * slab.inner,
           slab.inner);
  *out_tensor = slice;
  return FARM_OK;
}

/* Moves the first axis of `stacked` to `axis`, backwards when asked. Frees `stacked`. */
static enum farm_status axis_place(struct evaluation *evaluation, struct tensor *stacked, int axis, bool backward,
                                   struct tensor *out_tensor) {
  struct tensor placed = {.dtype = stacked->dtype, .rank = stacked->rank};
  for (int i = 0; i < placed.rank; i++) placed.dims[i] = i == axis ? stacked->dims[0] : stacked->dims[i < axis ? i + 1 : i];
  enum farm_status status = evaluation_alloc(evaluation, &placed);
  struct slab slab = slab_of(&placed, axis);
  for (int64_t k = 0; status == FARM_OK && placed.data && k < slab.length; k++)
    for (int64_t i = 0; i < slab.outer; i++) {
      int64_t to = backward ? slab.length - 1 - k : k;
      memcpy((char *)placed.data + (size_t)(i * slab.length + to) * slab.inner,
             (const char *)stacked->data + (size_t)(k * slab.outer + i) * slab.inner, slab.inner);
    }
  evaluation_free(evaluation, stacked);
  if (status == FARM_OK) *out_tensor = placed;
  return status;
}

struct scan_run {
  struct body_run body;
  const struct node *node;
  struct scan_layout layout;
  const struct tensor **scanned; // batch axis already taken away
  int axes[SCAN_MOST];
  bool backward[SCAN_MOST];
};

static enum farm_status scan_length(struct scan_run *run, int64_t *out_length) {
  for (int i = 0; i < run->layout.input_count; i++) {
    FAIL_IF(run->scanned[i]->rank < 1, FARM_INVALID, "scanned input %d is a scalar", i);
    if (run->layout.batched)
      run->axes[i] = 0;
    else
      TRY(scan_axis(run->node, &run->layout, false, i, run->scanned[i]->rank, &run->axes[i]));
    run->backward[i] = scan_backward(run->node, &run->layout, false, i);
    int64_t length = run->scanned[i]->dims[run->axes[i]];
    FAIL_IF(i && length != *out_length, FARM_INVALID, "scanned inputs of %lld and %lld elements", (long long)*out_length,
            (long long)length);
    *out_length = length;
  }
  return FARM_OK;
}

static enum farm_status scan_steps(struct scan_run *run, int64_t steps) {
  struct evaluation *evaluation = run->body.evaluation;
  for (int64_t t = 0; t < steps; t++) {
    for (int i = 0; i < run->layout.input_count; i++) {
      struct tensor slice = {0};
      TRY(slice_take(evaluation, run->scanned[i], run->axes[i], run->backward[i] ? steps - 1 - t : t, &slice));
      evaluation_give(evaluation, run->layout.body->inputs[run->layout.state_count + i], &slice);
    }
    TRY(body_step(&run->body));
  }
  return FARM_OK;
}

static enum farm_status scan_outputs(struct scan_run *run) {
  struct evaluation *evaluation = run->body.evaluation;
  TRY(body_outputs(&run->body, run->node));
  for (int i = run->layout.state_count; i < run->node->output_count; i++) {
    const struct value *value = run->node->outputs[i];
    int axis = 0, output = i - run->layout.state_count;
    if (!value) continue;
    struct slot *slot = &evaluation->slots[value->id];
    bool backward = scan_backward(run->node, &run->layout, true, output);
    TRY(scan_axis(run->node, &run->layout, true, output, slot->tensor.rank, &axis));
    if (!axis && !backward) continue;
    struct tensor stacked = slot->tensor, placed = {0};
    *slot = (struct slot){0};
    TRY(axis_place(evaluation, &stacked, axis, backward, &placed));
    evaluation_give(evaluation, value, &placed);
  }
  return FARM_OK;
}

static enum farm_status scan_plain(struct scan_run *run) {
  int64_t length = 0;
  for (int i = 0; i < run->layout.input_count; i++) {
    run->scanned[i] = evaluation_input(run->body.evaluation, run->node, run->layout.state_count + i);
    FAIL_IF(!run->scanned[i], FARM_INVALID, "scanned input %d is missing", i);
  }
  for (int i = 0; i < run->layout.state_count; i++) {
    const struct tensor *initial = evaluation_input(run->body.evaluation, run->node, i);
    FAIL_IF(!initial, FARM_INVALID, "state %d is missing", i);
    TRY(evaluation_copy(run->body.evaluation, initial, &run->body.states[i]));
  }
  TRY(scan_length(run, &length));
  TRY(scan_steps(run, length));
  return scan_outputs(run);
}

static enum farm_status scan_begin(struct evaluation *evaluation, const struct node *node, struct scan_run *run) {
  TRY(scan_layout_read(node, &run->layout));
  run->node = node;
  run->scanned = calloc((size_t)run->layout.input_count, sizeof *run->scanned);
  FAIL_IF(!run->scanned, FARM_NO_MEMORY, "out of memory");
  return body_begin(evaluation, run->layout.body, run->layout.state_count, run->layout.output_count, &run->body);
}

/* ---- opset 8: each entry of the batch by itself, its outputs filled up with zeros to the longest ---- */

static enum farm_status batch_read(const struct scan_run *run, int64_t *out_batch, int64_t *out_length) {
  const struct node *node = run->node;
  for (int i = 1; i < node->input_count; i++) {
    const struct tensor *tensor = evaluation_input(run->body.evaluation, node, i);
    bool scanned = i > run->layout.state_count;
    FAIL_IF(!tensor || tensor->rank < (scanned ? 2 : 1), FARM_INVALID, "input %d has no batch dimension", i);
    FAIL_IF(i > 1 && tensor->dims[0] != *out_batch, FARM_INVALID, "batches of %lld and %lld", (long long)*out_batch,
            (long long)tensor->dims[0]);
    *out_batch = tensor->dims[0];
    if (scanned) *out_length = tensor->dims[1];
  }
  return FARM_OK;
}

static enum farm_status entry_steps(const struct scan_run *run, int64_t entry, int64_t batch, int64_t length,
                                    int64_t *out_steps) {
  const struct tensor *lengths = evaluation_input(run->body.evaluation, run->node, 0);
  *out_steps = length;
  if (!lengths) return FARM_OK;
  FAIL_IF(tensor_elems(lengths) != batch, FARM_INVALID, "%lld lengths for a batch of %lld", (long long)tensor_elems(lengths),
          (long long)batch);
  *out_steps = dtype_load_i64(lengths->dtype, lengths->data, entry);
  FAIL_IF(*out_steps < 0 || *out_steps > length, FARM_INVALID, "length %lld is not within %lld", (long long)*out_steps,
          (long long)length);
  return FARM_OK;
}

static enum farm_status padded(struct evaluation *evaluation, struct tensor *stacked, int64_t length, struct tensor *out_tensor) {
  struct tensor wide = *stacked;
  wide.dims[0] = length;
  wide.data = NULL;
  enum farm_status status = evaluation_alloc(evaluation, &wide);
  if (status == FARM_OK && tensor_bytes(stacked)) memcpy(wide.data, stacked->data, tensor_bytes(stacked));
  evaluation_free(evaluation, stacked);
  if (status == FARM_OK) *out_tensor = wide;
  return status;
}

/* What one entry made, pushed onto the stacks of the node's outputs. */
static enum farm_status entry_push(struct scan_run *run, int64_t length, struct stack *stacks) {
  struct evaluation *evaluation = run->body.evaluation;
  for (int i = 0; i < run->node->output_count; i++) {
    struct tensor stacked = {0}, whole = {0};
    if (i < run->layout.state_count) {
      TRY(stack_push(evaluation, &stacks[i], &run->body.states[i]));
      continue;
    }
    TRY(body_stack(&run->body, i - run->layout.state_count, &stacked));
    TRY(padded(evaluation, &stacked, length, &whole));
    enum farm_status status = stack_push(evaluation, &stacks[i], &whole);
    evaluation_free(evaluation, &whole);
    if (status != FARM_OK) return status;
  }
  return FARM_OK;
}

static enum farm_status entry_run(struct scan_run *run, int64_t entry, int64_t steps, int64_t length, struct tensor *scanned,
                                  struct stack *stacks) {
  struct evaluation *evaluation = run->body.evaluation;
  int64_t entry_length = 0;
  for (int i = 0; i < run->layout.state_count; i++)
    TRY(slice_take(evaluation, evaluation_input(evaluation, run->node, 1 + i), 0, entry, &run->body.states[i]));
  for (int i = 0; i < run->layout.input_count; i++) {
    TRY(slice_take(evaluation, evaluation_input(evaluation, run->node, 1 + run->layout.state_count + i), 0, entry, &scanned[i]));
    run->scanned[i] = &scanned[i];
  }
  TRY(scan_length(run, &entry_length));
  TRY(scan_steps(run, steps));
  return entry_push(run, length, stacks);
}

static enum farm_status entry_evaluate(struct evaluation *evaluation, const struct node *node, int64_t entry,
                                       struct stack *stacks, int64_t *batch, int64_t *length) {
  struct scan_run run = {0};
  struct tensor *scanned = NULL;
  int64_t steps = 0;
  enum farm_status status = scan_begin(evaluation, node, &run);
  if (status == FARM_OK) status = batch_read(&run, batch, length);
  if (status == FARM_OK && entry < *batch) {
    status = entry_steps(&run, entry, *batch, *length, &steps);
    scanned = calloc((size_t)run.layout.input_count, sizeof *scanned);
    if (status == FARM_OK && !scanned) status = status_set(FARM_NO_MEMORY, "out of memory");
    if (status == FARM_OK) status = entry_run(&run, entry, steps, *length, scanned, stacks);
  }
  for (int i = 0; scanned && i < run.layout.input_count; i++) evaluation_free(evaluation, &scanned[i]);
  if (run.body.body) body_end(&run.body);
  free(scanned);
  free((void *)run.scanned);
  return status;
}

static enum farm_status batch_outputs(struct evaluation *evaluation, const struct node *node, const struct stack *stacks) {
  for (int i = 0; i < node->output_count; i++) {
    struct tensor tensor = {0}, unknown = {.rank = -1, .dtype = node->outputs[i] ? node->outputs[i]->type.dtype : DTYPE_NONE};
    if (!node->outputs[i]) continue;
    TRY(stack_tensor(evaluation, &stacks[i], &unknown, &tensor));
    evaluation_give(evaluation, node->outputs[i], &tensor);
  }
  return FARM_OK;
}

static enum farm_status scan_batched(struct evaluation *evaluation, const struct node *node) {
  struct stack *stacks = calloc((size_t)node->output_count + 1, sizeof *stacks);
  FAIL_IF(!stacks, FARM_NO_MEMORY, "out of memory");
  int64_t batch = 0, length = 0, entry = 0;
  enum farm_status status;
  do status = entry_evaluate(evaluation, node, entry, stacks, &batch, &length);
  while (status == FARM_OK && ++entry < batch);
  if (status == FARM_OK) status = batch_outputs(evaluation, node, stacks);
  for (int i = 0; i < node->output_count; i++) stack_free(evaluation, &stacks[i]);
  free(stacks);
  return status;
}

enum farm_status evaluation_scan(struct evaluation *evaluation, const struct node *node) {
  struct scan_run run = {0};
  if (node->row->since_version == 8) return scan_batched(evaluation, node);
  enum farm_status status = scan_begin(evaluation, node, &run);
  if (status == FARM_OK) status = scan_plain(&run);
  if (run.body.body) body_end(&run.body);
  free((void *)run.scanned);
  return status;
}
