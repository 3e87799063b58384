/* Small nodes run for real during inference: shape arithmetic that goes through floats, comparisons or data-dependent operators
 * is as known as what goes through integers. See infer.h. */
#include "infer.h"

#include <string.h>

enum { MOST_INPUT_ELEMS = 4096, MOST_INPUTS = 64, MOST_OUTPUTS = 8 };

struct execution {
  struct arena *arena;
};

static enum farm_status output_allocate(void *context, int output, struct tensor *tensor) {
  struct execution *execution = context;
  int64_t elems = tensor_elems(tensor);
  FAIL_IF(elems < 0 || elems > SHAPE_MAX_KNOWN, FARM_AGAIN, "output %d is not small", output);
  tensor->data = arena_alloc(execution->arena, tensor_bytes(tensor));
  return tensor->data ? FARM_OK : FARM_NO_MEMORY;
}

/* A tensor with the known contents; FARM_AGAIN when they are not all numbers, or many. */
static enum farm_status input_materialize(struct arena *arena, const struct shape_info *info, const struct tensor **out_tensor) {
  int64_t elems = tensor_elems(&info->type);
  if (elems < 0 || elems > MOST_INPUT_ELEMS) return FARM_AGAIN;
  if (info->constant) {
    *out_tensor = info->constant;
    return FARM_OK;
  }
  if (!info->known || elems > SHAPE_MAX_KNOWN) return FARM_AGAIN;
  struct tensor *tensor = arena_copy(arena, &info->type, sizeof info->type);
  if (!tensor) return FARM_NO_MEMORY;
  tensor->data = arena_alloc(arena, tensor_bytes(tensor));
  if (!tensor->data) return FARM_NO_MEMORY;
  for (int64_t i = 0; i < elems; i++) {
    if (info->symbolic && info->symbolic[i]) return FARM_AGAIN;
    dtype_store_i64(tensor->dtype, tensor->data, i, info->known[i]);
  }
  *out_tensor = tensor;
  return FARM_OK;
}

static enum farm_status inputs_materialize(struct arena *arena, const struct node *node, const struct shape_info *const *inputs,
                                           const struct tensor **out_tensors) {
  for (int i = 0; i < node->input_count; i++) {
    out_tensors[i] = NULL;
    if (!inputs[i]) continue;
    enum farm_status status = input_materialize(arena, inputs[i], &out_tensors[i]);
    if (status != FARM_OK) return status;
  }
  return FARM_OK;
}

/* Outputs of definite shape get their memory here; others ask for it while they run. */
static enum farm_status outputs_prepare(struct execution *execution, const struct node *node, const struct shape_info *outputs,
                                        struct tensor *tensors, struct tensor **out_places) {
  for (int i = 0; i < node->output_count; i++) {
    tensors[i] = outputs[i].type;
    tensors[i].data = NULL;
    out_places[i] = node->outputs[i] ? &tensors[i] : NULL;
    if (!out_places[i]) continue;
    bool definite = tensors[i].rank >= 0 && tensor_elems(&tensors[i]) >= 0;
    if (!dtype_known((int)tensors[i].dtype) || (!definite && !(node->row->flags & OPERATOR_DATA_SHAPE))) return FARM_AGAIN;
    if (!definite) continue;
    enum farm_status status = output_allocate(execution, i, &tensors[i]);
    if (status != FARM_OK) return status;
  }
  return FARM_OK;
}

/* Integers and truth values are also facts for shapes. */
static enum farm_status output_learn(struct arena *arena, const struct tensor *tensor, struct shape_info *info) {
  struct tensor *constant = arena_copy(arena, tensor, sizeof *tensor);
  if (!constant) return FARM_NO_MEMORY;
  info->type = *tensor;
  info->type.data = NULL;
  info->constant = constant;
  if (!dtype_is_integer(tensor->dtype) && tensor->dtype != DTYPE_BOOL) return FARM_OK;
  int64_t elems = tensor_elems(tensor);
  int64_t *known = arena_alloc_array(arena, (size_t)elems, sizeof *known);
  bool *symbolic = arena_alloc_array(arena, (size_t)elems, sizeof *symbolic);
  if (!known || !symbolic) return FARM_NO_MEMORY;
  for (int64_t i = 0; i < elems; i++) known[i] = dtype_load_i64(tensor->dtype, tensor->data, i);
  info->known = known;
  info->symbolic = symbolic;
  return FARM_OK;
}

static enum farm_status execute(struct inference *inference, const struct node *node, const struct shape_info *const *inputs,
                                struct shape_info *outputs) {
  struct execution execution = {&inference->arena};
  const struct tensor *input_tensors[MOST_INPUTS];
  struct tensor tensors[MOST_OUTPUTS], *places[MOST_OUTPUTS];
  enum farm_status status = inputs_materialize(&inference->arena, node, inputs, input_tensors);
  if (status == FARM_OK) status = outputs_prepare(&execution, node, outputs, tensors, places);
  if (status != FARM_OK) return status;
  struct reference_call call = {.row = node->row,
                                .attrs = &node->attrs,
                                .opset = node->opset,
                                .input_count = node->input_count,
                                .inputs = input_tensors,
                                .output_count = node->output_count,
                                .outputs = places,
                                .allocate = output_allocate,
                                .context = &execution};
  status = node->row->reference(&call);
  for (int i = 0; i < node->output_count && status == FARM_OK; i++)
    if (places[i]) status = output_learn(&inference->arena, &tensors[i], &outputs[i]);
  return status;
}

enum farm_status inference_execute(struct inference *inference, const struct node *node, const struct shape_info *const *inputs,
                                   struct shape_info *outputs) {
  bool few = node->input_count > 0 && node->input_count <= MOST_INPUTS && node->output_count <= MOST_OUTPUTS;
  if (!few || !node->row->reference || node->row->flags & (OPERATOR_RANDOM | OPERATOR_CONTROL)) return FARM_OK;
  enum farm_status status = execute(inference, node, inputs, outputs);
  return status == FARM_NO_MEMORY ? status : FARM_OK; // what cannot be run here is found out when the model runs
}
