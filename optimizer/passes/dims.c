/* See dims.h. The origin of an unknown dim is found by going from a result to the operand that gave it its dim, per kind of
 * operator. Each answer is remembered by value and axis; rewriting keeps the sizes of values, so answers stay true while a pass
 * runs.
 */
#include "dims.h"

#include "../../base/array.h"

#include <stdlib.h>
#include <string.h>

static const int64_t FIRST_ORIGIN = -((int64_t)1 << 40); // below all symbols' codes

static int64_t own_code(const struct value *value, int axis) {
  return FIRST_ORIGIN - (int64_t)value->id * TENSOR_MAX_RANK - axis;
}

/* What all operands that are not 1 there agree on; the value's own code when they do not. */
static int64_t broadcast_code(struct pass_context *context, const struct value *value, int axis, int input_count) {
  const struct node *node = value->producer;
  int64_t code = DIM_CODE_NONE;
  for (int i = 0; i < input_count; i++) {
    const struct value *in = node->inputs[i];
    if (!in || in->type.rank < 0) return own_code(value, axis);
    const int at = axis - (value->type.rank - in->type.rank);
    if (at < 0 || in->type.dims[at] == 1) continue;
    const int64_t one = dim_code(context, in, at);
    if (code != DIM_CODE_NONE && code != one) return own_code(value, axis);
    code = one;
  }
  return code == DIM_CODE_NONE ? own_code(value, axis) : code;
}

static int64_t product_code(struct pass_context *context, const struct value *value, int axis) {
  const struct node *node = value->producer;
  const struct value *a = node->inputs[0], *b = node->inputs[1];
  const int rank = value->type.rank, from_end = rank - axis;
  const bool fused = node_is_fused(node, "Gemm");
  if (!a || !b || a->type.rank < 2 || b->type.rank < 2) return own_code(value, axis);
  if (from_end == 2) return dim_code(context, a, a->type.rank - (fused && attr_int(&node->attrs, "trans_a", 0) ? 1 : 2));
  if (from_end == 1) return dim_code(context, b, b->type.rank - (fused && attr_int(&node->attrs, "trans_b", 0) ? 2 : 1));
  return broadcast_code(context, value, axis, 2);
}

/* A 0 copies; a -1 is the input's dim of that place when all before it are the same and as much follows. */
static int64_t reshape_code(struct pass_context *context, const struct value *value, int axis) {
  const struct node *node = value->producer;
  const struct value *in = node->inputs[0];
  int64_t shape[TENSOR_MAX_RANK];
  const int count = node_ints(node, "", 1, shape, TENSOR_MAX_RANK);
  if (!in || count != value->type.rank || axis >= in->type.rank || attr_int(&node->attrs, "allowzero", 0))
    return own_code(value, axis);
  if (shape[axis] == 0) return dim_code(context, in, axis);
  for (int i = 0; i < axis; i++)
    if (dim_code(context, in, i) != dim_code(context, value, i)) return own_code(value, axis);
  const int64_t left = tensor_dims_product(in->type.dims + axis + 1, in->type.rank - axis - 1);
  const int64_t right = tensor_dims_product(value->type.dims + axis + 1, value->type.rank - axis - 1);
  return left > 0 && left == right ? dim_code(context, in, axis) : own_code(value, axis);
}

static bool keeps_shape(const struct node *node) {
  static const char *const names[] = {
      "Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization", "BatchNormalization", "Cast", "Identity", "Clip"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (node_is_onnx(node, names[i])) return true;
  return false;
}

static bool reduces(const struct node *node, uint32_t *out_axes) {
  int64_t axes[TENSOR_MAX_RANK];
  const bool map = node_is_fused(node, "Map") && attr_has(&node->attrs, "axes");
  if (!map && (node->row->domain[0] || strncmp(node->row->name, "Reduce", 6))) return false;
  const int count = node_ints(node, "axes", map ? 99 : 1, axes, TENSOR_MAX_RANK);
  return count > 0 && attr_int(&node->attrs, "keepdims", 1) && node->outputs[0] &&
         axes_mask(axes, count, node->outputs[0]->type.rank, out_axes);
}

static int64_t find_code(struct pass_context *context, const struct value *value, int axis) {
  const struct node *node = value->producer;
  int64_t perm[TENSOR_MAX_RANK];
  uint32_t axes;
  if (!node || node->input_count < 1 || !node->inputs[0] || node->outputs[0] != value) return own_code(value, axis);
  if (reduces(node, &axes))
    return axes >> axis & 1 ? own_code(value, axis)
                            : broadcast_code(context, value, axis, node_is_fused(node, "Map") ? node->input_count : 1);
  if (node->row->flags & OPERATOR_ELEMENTWISE || (node_is_fused(node, "Map") && !attr_has(&node->attrs, "axes")))
    return broadcast_code(context, value, axis, node->input_count);
  if (keeps_shape(node)) return dim_code(context, node->inputs[0], axis);
  if (node_is_onnx(node, "MatMul") || node_is_fused(node, "Gemm")) return product_code(context, value, axis);
  if (node_is_onnx(node, "Transpose") && transpose_perm(node, perm)) return dim_code(context, node->inputs[0], (int)perm[axis]);
  return node_is_onnx(node, "Reshape") ? reshape_code(context, value, axis) : own_code(value, axis);
}

int64_t dim_code(struct pass_context *context, const struct value *value, int axis) {
  if (axis < 0 || axis >= value->type.rank) return DIM_CODE_NONE;
  if (value->type.dims[axis] != DIM_UNKNOWN) return value->type.dims[axis];
  const size_t at = (size_t)value->id * TENSOR_MAX_RANK + (size_t)axis, before = context->dim_code_capacity;
  if (at >= before) {
    if (array_reserve(&context->dim_codes, &context->dim_code_capacity,
                      (size_t)(context->model->next_value_id + 1) * TENSOR_MAX_RANK) != FARM_OK)
      return DIM_CODE_NONE;
    memset(context->dim_codes + before, 0, sizeof *context->dim_codes * (context->dim_code_capacity - before));
  }
  if (!context->dim_codes[at]) {
    const int64_t code = find_code(context, value, axis);
    context->dim_codes[at] = code; // never 0: that dim would be known
  }
  return context->dim_codes[at];
}

bool dims_same(struct pass_context *context, const struct value *a, const struct value *b) {
  if (a->type.rank < 0 || a->type.rank != b->type.rank) return false;
  for (int i = 0; i < a->type.rank; i++) {
    const int64_t code = dim_code(context, a, i);
    if (code == DIM_CODE_NONE || code != dim_code(context, b, i)) return false;
  }
  return true;
}

bool values_alike(struct pass_context *context, const struct value *a, const struct value *b) {
  return a->type.dtype == b->type.dtype && dims_same(context, a, b);
}

void dims_forget(struct pass_context *context) {
  free(context->dim_codes);
  context->dim_codes = NULL;
  context->dim_code_capacity = 0;
}
