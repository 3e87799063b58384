/* See evaluate-body.h. */
#include "evaluate-body.h"

#include <stdlib.h>
#include <string.h>

enum farm_status body_begin(struct evaluation *evaluation, const struct graph *body, int state_count, int stack_count,
                            struct body_run *out_run) {
  *out_run = (struct body_run){.evaluation = evaluation, .body = body, .state_count = state_count, .stack_count = stack_count};
  out_run->states = calloc((size_t)state_count + 1, sizeof *out_run->states);
  out_run->stacks = calloc((size_t)stack_count + 1, sizeof *out_run->stacks);
  return out_run->states && out_run->stacks ? FARM_OK : status_set(FARM_NO_MEMORY, "out of memory");
}

void body_end(struct body_run *run) {
  for (int i = 0; run->states && i < run->state_count; i++) evaluation_free(run->evaluation, &run->states[i]);
  for (int i = 0; run->stacks && i < run->stack_count; i++) stack_free(run->evaluation, &run->stacks[i]);
  for (int i = 0; i < run->body->input_count; i++) evaluation_release(run->evaluation, run->body->inputs[i]);
  free(run->states);
  free(run->stacks);
}

enum farm_status evaluation_copy(struct evaluation *evaluation, const struct tensor *from, struct tensor *out_tensor) {
  struct tensor copy = *from;
  copy.data = NULL;
  TRY(evaluation_alloc(evaluation, &copy));
  if (tensor_bytes(from)) memcpy(copy.data, from->data, tensor_bytes(from));
  *out_tensor = copy;
  return FARM_OK;
}

static enum farm_status stack_grow(struct evaluation *evaluation, struct stack *stack, size_t more) {
  if (more <= stack->capacity - stack->bytes) return FARM_OK;
  size_t capacity = stack->capacity * 2 > stack->bytes + more ? stack->capacity * 2 : stack->bytes + more;
  size_t free_bytes = evaluation->options.most_bytes - evaluation->live_bytes;
  FAIL_IF(capacity - stack->capacity > free_bytes, FARM_NO_MEMORY, "a scanned output passes the memory allowed");
  char *data = realloc(stack->data, capacity);
  FAIL_IF(!data, FARM_NO_MEMORY, "out of memory for %zu bytes", capacity);
  evaluation->live_bytes += capacity - stack->capacity;
  stack->data = data;
  stack->capacity = capacity;
  return FARM_OK;
}

enum farm_status stack_push(struct evaluation *evaluation, struct stack *stack, const struct tensor *element) {
  FAIL_IF(dtype_bits(element->dtype) % 8, FARM_UNSUPPORTED, "scanned outputs of %s are not supported [rule: element-type]",
          dtype_name(element->dtype));
  bool same = !stack->count || (stack->element.dtype == element->dtype && tensor_shape_equal(&stack->element, element));
  FAIL_IF(!same, FARM_INVALID, "a scanned output changes its type");
  size_t bytes = tensor_bytes(element);
  TRY(stack_grow(evaluation, stack, bytes));
  if (bytes) memcpy(stack->data + stack->bytes, element->data, bytes);
  stack->bytes += bytes;
  stack->count++;
  stack->element = *element;
  stack->element.data = NULL;
  return FARM_OK;
}

/* Once through the body: states in, new states out, the rest pushed onto the stacks. */
enum farm_status body_step(struct body_run *run) {
  struct evaluation *evaluation = run->evaluation;
  for (int i = 0; i < run->state_count; i++)
    evaluation_lend(evaluation, run->body->inputs[run->first_input + i], &run->states[i]);
  TRY(evaluation_graph(evaluation, run->body));
  struct tensor *fresh = calloc((size_t)run->state_count + 1, sizeof *fresh);
  FAIL_IF(!fresh, FARM_NO_MEMORY, "out of memory");
  enum farm_status status = FARM_OK;
  for (int i = 0; i < run->state_count && status == FARM_OK; i++)
    status = evaluation_take(evaluation, run->body, run->first_output + i, &fresh[i]);
  for (int i = 0; i < run->stack_count && status == FARM_OK; i++) {
    struct tensor element = {0};
    status = evaluation_take(evaluation, run->body, run->first_output + run->state_count + i, &element);
    if (status == FARM_OK) status = stack_push(evaluation, &run->stacks[i], &element);
    evaluation_free(evaluation, &element);
  }
  for (int i = 0; i < run->state_count; i++) {
    evaluation_free(evaluation, status == FARM_OK ? &run->states[i] : &fresh[i]);
    if (status == FARM_OK) run->states[i] = fresh[i];
  }
  free(fresh);
  return status;
}

void stack_free(struct evaluation *evaluation, struct stack *stack) {
  evaluation->live_bytes -= stack->capacity;
  free(stack->data);
  *stack = (struct stack){0};
}

enum farm_status stack_tensor(struct evaluation *evaluation, const struct stack *stack, const struct tensor *declared,
                              struct tensor *out_tensor) {
  const struct tensor *element = stack->count ? &stack->element : declared;
  struct tensor tensor = {.dtype = element->dtype, .rank = element->rank < 0 ? 1 : element->rank + 1, .dims = {stack->count}};
  FAIL_IF(tensor.rank > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "a scanned output of rank %d [rule: rank]", tensor.rank);
  FAIL_IF(tensor.dtype == DTYPE_NONE, FARM_UNSUPPORTED, "the element type of a scanned output is not known");
  for (int d = 1; d < tensor.rank; d++) tensor.dims[d] = element->dims[d - 1] < 0 ? 0 : element->dims[d - 1];
  TRY(evaluation_alloc(evaluation, &tensor));
  if (stack->bytes) memcpy(tensor.data, stack->data, stack->bytes);
  *out_tensor = tensor;
  return FARM_OK;
}

enum farm_status body_stack(struct body_run *run, int i, struct tensor *out_tensor) {
  const struct value *output = run->body->outputs[run->first_output + run->state_count + i];
  return stack_tensor(run->evaluation, &run->stacks[i], &output->type, out_tensor);
}

enum farm_status body_outputs(struct body_run *run, const struct node *node) {
  for (int i = 0; i < node->output_count; i++) {
    struct tensor tensor = {0};
    if (!node->outputs[i]) continue;
    if (i < run->state_count) {
      tensor = run->states[i];
      run->states[i] = (struct tensor){0};
    } else {
      TRY(body_stack(run, i - run->state_count, &tensor));
    }
    evaluation_give(run->evaluation, node->outputs[i], &tensor);
  }
  return FARM_OK;
}
