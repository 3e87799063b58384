/* Operations that are softmax, norm, attention or transpose problems. See operation-kinds.h. */
#include "fused.h"
#include "operation-kinds.h"

#include <string.h>

static int64_t product(const struct tensor *tensor, int first, int last) {
  return tensor_dims_product(tensor->dims + first, last - first);
}

enum farm_status make_softmax(const struct operands *operands, struct problem *problem) {
  const struct tensor *x = operand_in(operands, 0);
  const struct operator_row *row = operands->operation->row;
  const bool flat = row->since_version < 13; // everything from the axis on is one row
  int axis;
  if (!x || x->rank < 1 || !operands_float(operands)) return FARM_UNSUPPORTED;
  TRY(shape_axis(attr_int(&operands->operation->attrs, "axis", flat ? 1 : -1), x->rank, &axis));
  problem->kind = PROBLEM_SOFTMAX;
  problem->dim_count = SOFTMAX_INNER + 1;
  problem->dims[SOFTMAX_LOG] = !strcmp(row->name, "LogSoftmax");
  problem->dims[SOFTMAX_OUTER] = product(x, 0, axis);
  problem->dims[SOFTMAX_LEN] = flat ? product(x, axis, x->rank) : x->dims[axis];
  problem->dims[SOFTMAX_INNER] = flat ? 1 : product(x, axis + 1, x->rank);
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}

enum farm_status make_norm(const struct operands *operands, struct problem *problem) {
  const struct tensor *x = operand_in(operands, 0), *scale = operand_in(operands, 1), *bias = operand_in(operands, 2);
  int axis;
  if (!x || !scale || x->rank < 1 || !operands_float(operands)) return FARM_UNSUPPORTED;
  for (int i = 1; i < operands->output_count; i++)
    if (operands->outputs[i]) return FARM_UNSUPPORTED; // mean or deviation wanted
  TRY(shape_axis(attr_int(&operands->operation->attrs, "axis", -1), x->rank, &axis));
  const int64_t len = product(x, axis, x->rank);
  if (tensor_elems(scale) != len || (bias && tensor_elems(bias) != len)) return FARM_UNSUPPORTED;
  problem->kind = PROBLEM_NORM;
  problem->dim_count = NORM_BIAS + 1;
  problem->dims[NORM_MODE] = strcmp(operands->operation->row->name, "LayerNormalization") ? NORM_RMS : NORM_LAYER;
  problem->dims[NORM_ROWS] = product(x, 0, axis);
  problem->dims[NORM_LEN] = len;
  problem->dims[NORM_SCALE] = 1;
  problem->dims[NORM_BIAS] = bias != NULL;
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}

enum farm_status make_attention(const struct operands *operands, struct problem *problem) {
  struct fused_attention attention;
  if (!operands_float(operands)) return FARM_UNSUPPORTED;
  TRY(fused_attention_read(&operands->operation->attrs, &attention));
  TRY(fused_attention_sizes(&attention, operands->inputs, operands->input_count, problem->dims));
  problem->kind = PROBLEM_ATTENTION;
  problem->dim_count = ATTENTION_ORDER + 1;
  problem->dims[ATTENTION_CAUSAL] = attention.causal;
  problem->dims[ATTENTION_MASK] = attention.mask;
  problem->dims[ATTENTION_ORDER] = attention.order;
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}

enum farm_status make_transpose(const struct operands *operands, struct problem *problem) {
  const struct tensor *x = operand_in(operands, 0);
  const struct attr *attr = attr_find(&operands->operation->attrs, "perm");
  uint32_t seen = 0;
  if (!x || dtype_bits(x->dtype) < 8) return FARM_UNSUPPORTED;
  problem->kind = PROBLEM_TRANSPOSE;
  problem->dim_count = x->rank ? x->rank : 1;
  problem->dims[0] = 1;
  memcpy(problem->dims, x->dims, sizeof *x->dims * (size_t)x->rank);
  if (attr) FAIL_IF(attr->type != ATTR_INTS || attr->count != x->rank, FARM_INVALID, "perm does not have %d axes", x->rank);
  for (int i = 0; i < x->rank; i++) {
    int64_t axis = attr ? attr->ints[i] : x->rank - 1 - i;
    FAIL_IF(axis < 0 || axis >= x->rank || seen >> axis & 1, FARM_INVALID, "perm is no permutation");
    seen |= 1u << axis;
    problem->perm[i] = (int8_t)axis;
  }
  TRY(problem_count_operands(problem));
  return operands_take(operands, problem);
}
