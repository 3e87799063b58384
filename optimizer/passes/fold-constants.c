/* What depends on constants only is computed now, by the references: the same bits on every machine. Small integer values whose
 * contents inference knows (shape arithmetic) become constants, too. Nothing random, nothing with subgraphs; results may have
 * as many elements as one operand (a weight dequantised), or else not be much larger than what they are made from.
 */
#include "rewrite.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_GROWN_BYTES = 1 << 20, MOST_INPUTS = 1024, MOST_OUTPUTS = 64 };

struct folding {
  struct arena *arena;
  size_t most_bytes;
  int64_t most_elems; // that many are allowed, whatever their size
};

static enum farm_status allocate(void *context, int output, struct tensor *tensor) {
  struct folding *folding = context;
  size_t bytes = tensor_bytes(tensor);
  if (bytes == SIZE_MAX || (bytes > folding->most_bytes && tensor_elems(tensor) > folding->most_elems))
    return status_set(FARM_AGAIN, "output %d is too large to fold", output);
  char *memory = arena_alloc(folding->arena, bytes + 64);
  if (!memory) return FARM_NO_MEMORY;
  tensor->data = memory + (64 - (uintptr_t)memory % 64) % 64;
  return FARM_OK;
}

static bool foldable(const struct node *node) {
  if (!node->row->reference || node->row->flags & (OPERATOR_RANDOM | OPERATOR_CONTROL)) return false;
  if (node->input_count > MOST_INPUTS || node->output_count > MOST_OUTPUTS || node->output_count < 1) return false;
  for (int i = 0; i < node->attrs.count; i++)
    if (node->attrs.items[i].type == ATTR_GRAPH) return false;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && (!node->inputs[i]->constant || !node->inputs[i]->constant->data)) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && dtype_bits(node->outputs[i]->type.dtype) == 0) return false;
  return true;
}

/* Inputs' bytes twice over (a transpose, a cast to double), or a little. */
static size_t size_limit(const struct node *node) {
  size_t bytes = 0;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) bytes += tensor_bytes(node->inputs[i]->constant);
  return 2 * bytes > MOST_GROWN_BYTES ? 2 * bytes : MOST_GROWN_BYTES;
}

static int64_t elems_limit(const struct node *node) {
  int64_t most = 0;
  for (int i = 0; i < node->input_count; i++) {
    int64_t elems = node->inputs[i] ? tensor_elems(node->inputs[i]->constant) : 0;
    if (elems > most) most = elems;
  }
  return most;
}

/* Runs the reference; outputs that are used become tensors in the model's arena. FARM_AGAIN when it is not to be folded. */
static enum farm_status execute(struct model *model, const struct node *node, struct tensor *tensors) {
  const struct tensor **inputs = calloc((size_t)node->input_count + 1, sizeof *inputs);
  struct tensor **outputs = calloc((size_t)node->output_count + 1, sizeof *outputs);
  struct folding folding = {&model->arena, size_limit(node), elems_limit(node)};
  enum farm_status status = inputs && outputs ? FARM_OK : FARM_NO_MEMORY;
  for (int i = 0; status == FARM_OK && i < node->input_count; i++) inputs[i] = node->inputs[i] ? node->inputs[i]->constant : NULL;
  for (int i = 0; status == FARM_OK && i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    tensors[i] = node->outputs[i]->type;
    outputs[i] = &tensors[i];
    if (dims_static(&tensors[i]))
      status = allocate(&folding, i, &tensors[i]);
    else if (!(node->row->flags & OPERATOR_DATA_SHAPE))
      status = FARM_AGAIN;
  }
  struct reference_call call = {node->row,          &node->attrs, node->opset, node->input_count, inputs,
                                node->output_count, outputs,      allocate,    &folding};
  if (status == FARM_OK) status = node->row->reference(&call);
  free(inputs);
  free(outputs);
  return status;
}

/* The value becomes a constant; a graph output keeps its name through an Identity. */
static enum farm_status value_becomes(struct pass_context *context, struct node *node, struct value *value,
                                      const struct tensor *tensor) {
  if (!value_is_graph_output(value)) return value_constant_set(value, tensor);
  struct value *constant = graph_constant_share(value->graph, value->name, tensor);
  FAIL_IF(!constant, FARM_NO_MEMORY, "out of memory for a constant");
  struct rewrite identity = {.domain = "",
                             .name = "Identity",
                             .version = 1,
                             .inputs = {constant},
                             .input_count = 1,
                             .outputs = {value},
                             .output_count = 1};
  if (operator_exact("", "Identity", 13)) identity.version = 13;
  struct node *before = node->next ? node->next : NULL;
  if (before) return rewrite_add(context, &identity, before, node->origin, NULL);
  struct node *added = graph_node_add(node->graph, NULL, operator_exact("", "Identity", identity.version), NULL, identity.inputs,
                                      1, identity.outputs, 1, NULL, 0);
  FAIL_IF(!added, FARM_NO_MEMORY, "out of memory for a node");
  added->origin = node->origin;
  return FARM_OK;
}

static enum farm_status fold(struct pass_context *context, struct node *node) {
  struct tensor *tensors = arena_alloc_array(&context->model->arena, (size_t)node->output_count, sizeof *tensors);
  if (!tensors) return FARM_NO_MEMORY;
  enum farm_status status = execute(context->model, node, tensors);
  if (status != FARM_OK)
    return status == FARM_NO_MEMORY ? status : FARM_OK; // left as it is; it fails when it runs, or is too large
  const char *origin = node->origin;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->producer == node) node->outputs[i]->producer = NULL;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) TRY(value_becomes(context, node, node->outputs[i], &tensors[i]));
  graph_node_remove(node);
  rewrite_note(context, origin, "");
  return rewrite_done(context);
}

static bool all_numbers(const struct value *value) {
  const int64_t elems = tensor_elems(&value->type);
  if (!value->known || elems < 0 || elems > SHAPE_MAX_KNOWN || !dtype_is_integer(value->type.dtype)) return false;
  for (int64_t i = 0; i < elems; i++)
    if (value->symbolic && value->symbolic[i]) return false;
  return true;
}

/* Shape arithmetic that inference has done already. */
static enum farm_status fold_known(struct pass_context *context, struct node *node) {
  struct value *value = node_out(node);
  if (!value || value->constant || !all_numbers(value) || value_is_graph_output(value) ||
      node->row->flags & (OPERATOR_RANDOM | OPERATOR_CONTROL))
    return FARM_OK;
  struct tensor tensor = value->type;
  tensor.data = arena_alloc(&context->model->arena, tensor_bytes(&tensor) + 1);
  if (!tensor.data) return FARM_NO_MEMORY;
  for (int64_t i = 0; i < tensor_elems(&tensor); i++) dtype_store_i64(tensor.dtype, tensor.data, i, value->known[i]);
  const char *origin = node->origin;
  graph_node_remove(node);
  TRY(value_constant_set(value, &tensor));
  rewrite_note(context, origin, "");
  return rewrite_done(context);
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  if (node_is_onnx(node, "Identity") && node_out(node) && value_is_graph_output(node_out(node)))
    return FARM_OK; // what folding leaves
  return foldable(node) ? fold(context, node) : fold_known(context, node);
}

enum farm_status pass_fold_constants(struct pass_context *context) { return rewrite_each(context, rule); }
