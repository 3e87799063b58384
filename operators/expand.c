/* Expand and Tile: the input repeated, by broadcasting or by counts. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

/* ---- Expand ---- */

static enum farm_status expand_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  struct tensor target = {.dtype = in->dtype};
  if (!shape_content_dims(shape_input(call, 1), target.dims, TENSOR_MAX_RANK, &target.rank))
    return shape_set(call, 0, in->dtype, -1, NULL);
  TRY(shape_broadcast(in, &target, &target));
  TRY(shape_set(call, 0, in->dtype, target.rank, target.dims));
  return shape_content_move(call, 1);
}

static enum farm_status expand_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  struct nest nest;
  int64_t strides[TENSOR_MAX_RANK];
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  nest_init(&nest, out->rank, out->dims);
  tensor_strides(out, strides);
  nest_operand(&nest, 0, strides);
  broadcast_strides(in, out, strides);
  nest_operand(&nest, 0, strides);
  elements_move(dtype_bits(in->dtype), &nest, out->data, in->data);
  return FARM_OK;
}

/* ---- Tile: each output dim is a pair of loops (repeat, element) ---- */

static enum farm_status tile_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t repeats[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count;
  TRY(shape_refuse_negative(call, 1));
  if (!shape_content_dims(shape_input(call, 1), repeats, TENSOR_MAX_RANK, &count) || in->rank < 0)
    return shape_set(call, 0, in->dtype, in->rank, NULL);
  FAIL_IF(count != in->rank, FARM_INVALID, "%d repeats for rank %d", count, in->rank);
  for (int i = 0; i < count; i++) {
    dims[i] = dim_mul(in->dims[i], repeats[i]);
    FAIL_IF(in->dims[i] > 0 && repeats[i] > 0 && dims[i] < 0, FARM_INVALID, "axis %d overflows", i);
  }
  TRY(shape_set(call, 0, in->dtype, in->rank, dims));
  return shape_content_move(call, 1);
}

static enum farm_status tile_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out || !tensor_elems(out)) return FARM_OK;
  int64_t in_strides[TENSOR_MAX_RANK], out_strides[TENSOR_MAX_RANK], repeats[TENSOR_MAX_RANK], zero[TENSOR_MAX_RANK] = {0};
  tensor_strides(in, in_strides);
  tensor_strides(out, out_strides);
  for (int i = 0; i < in->rank; i++) {
    repeats[i] = out->dims[i] / in->dims[i];
    zero[i] = out_strides[i] * in->dims[i];
  }
  struct nest copies, elements;
  nest_init(&copies, in->rank, repeats);
  nest_operand(&copies, 0, zero);
  for (bool more = nest_start(&copies); more; more = nest_next(&copies))
    for (int64_t i = 0; i < copies.row; i++) { // one whole copy of the input, at its place
      nest_init(&elements, in->rank, in->dims);
      nest_operand(&elements, copies.offset[0] + i * copies.step[0], out_strides);
      nest_operand(&elements, 0, in_strides);
      elements_move(dtype_bits(in->dtype), &elements, out->data, in->data);
    }
  return FARM_OK;
}

#define ROW(name, since, id)                                                                                                     \
  { "", name, since, 2, 2, 1, 1, 0, 2, id##_shape, id##_reference }

const struct operator_row operators_expand[] = {
    ROW("Expand", 8, expand),
    ROW("Expand", 13, expand),
    ROW("Tile", 6, tile),
    ROW("Tile", 13, tile),
};
OPERATOR_ROWS(expand);
