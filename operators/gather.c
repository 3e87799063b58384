/* Gather, GatherElements, GatherND. Negative indices count from the end; one out of range is an error, never a wild read. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

static enum farm_status require_indices(const struct shape_call *call, int input) {
  enum dtype type = shape_input_dtype(call, input);
  FAIL_IF(type && !dtype_is_integer(type), FARM_INVALID, "indices are %s", dtype_name(type));
  return FARM_OK;
}

/* ---- Gather: data [outer][axis][inner], indices [count] -> [outer][count][inner] ---- */

static enum farm_status gather_shape(struct shape_call *call) {
  const struct tensor *data = &call->inputs[0]->type, *indices = &call->inputs[1]->type;
  TRY(require_indices(call, 1));
  int axis, rank = 0;
  int64_t dims[2 * TENSOR_MAX_RANK];
  if (data->rank < 0) return shape_set(call, 0, data->dtype, -1, NULL);
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), data->rank, &axis));
  if (indices->rank < 0) return shape_set(call, 0, data->dtype, -1, NULL);
  for (int i = 0; i < axis; i++) dims[rank++] = data->dims[i];
  for (int i = 0; i < indices->rank; i++) dims[rank++] = indices->dims[i];
  for (int i = axis + 1; i < data->rank; i++) dims[rank++] = data->dims[i];
  TRY(shape_set(call, 0, data->dtype, rank, dims));
  return shape_content_move(call, 1);
}

static enum farm_status gather_reference(struct reference_call *call) {
  const struct tensor *data = call->inputs[0], *indices = call->inputs[1];
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), data->rank, &axis));
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  int64_t outer = tensor_dims_product(data->dims, axis),
          inner = tensor_dims_product(data->dims + axis + 1, data->rank - axis - 1);
  int64_t dim = data->dims[axis], count = tensor_elems(indices), index;
  for (int64_t i = 0; i < count; i++) {
    TRY(element_index(indices, i, dim, &index));
    for (int64_t o = 0; o < outer; o++)
      elements_copy(dtype_bits(data->dtype), call->outputs[0]->data, (o * count + i) * inner, 1, data->data,
                    (o * dim + index) * inner, 1, inner);
  }
  return FARM_OK;
}

/* ---- GatherElements: out[i][j] = data[index[i][j]][j], for axis 0 ---- */

static enum farm_status gather_elements_shape(struct shape_call *call) {
  const struct tensor *data = &call->inputs[0]->type, *indices = &call->inputs[1]->type;
  int axis;
  TRY(require_indices(call, 1));
  FAIL_IF(data->rank >= 0 && indices->rank >= 0 && data->rank != indices->rank, FARM_INVALID, "data has rank %d, indices %d",
          data->rank, indices->rank);
  for (int i = 0; data->rank >= 0 && indices->rank >= 0 && i < data->rank; i++) {
    TRY(shape_axis(attr_int(call->attrs, "axis", 0), data->rank, &axis));
    FAIL_IF(i != axis && data->dims[i] >= 0 && indices->dims[i] > data->dims[i], FARM_INVALID,
            "axis %d: %lld indices for %lld elements", i, (long long)indices->dims[i], (long long)data->dims[i]);
  }
  TRY(shape_set(call, 0, data->dtype, indices->rank, indices->dims));
  return shape_content_move(call, 1);
}

struct picking {
  const struct tensor *data;
  struct tensor *out;
};

static void element_pick(void *context, int64_t at, int64_t place) {
  struct picking *picking = context;
  elements_copy(dtype_bits(picking->data->dtype), picking->out->data, at, 1, picking->data->data, place, 1, 1);
}

static enum farm_status gather_elements_reference(struct reference_call *call) {
  const struct tensor *data = call->inputs[0], *indices = call->inputs[1];
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), data->rank, &axis));
  TRY(reference_output(call, 0));
  struct picking picking = {data, call->outputs[0]};
  return picking.out ? elements_along_axis(indices, data, axis, element_pick, &picking) : FARM_OK;
}

/* ---- GatherND: data [batch][d0]…[dk-1][inner], indices [batch][count][k] -> [batch][count][inner] ---- */

static enum farm_status gather_nd_shape(struct shape_call *call) {
  const struct tensor *data = &call->inputs[0]->type, *indices = &call->inputs[1]->type;
  int64_t batch = attr_int(call->attrs, "batch_dims", 0), dims[2 * TENSOR_MAX_RANK];
  int rank = 0;
  TRY(require_indices(call, 1));
  TRY(shape_require_rank(call, 0, 1, TENSOR_MAX_RANK));
  TRY(shape_require_rank(call, 1, 1, TENSOR_MAX_RANK));
  FAIL_IF(batch < 0 || (data->rank >= 0 && batch >= data->rank) || (indices->rank >= 0 && batch >= indices->rank), FARM_INVALID,
          "batch_dims %lld", (long long)batch);
  if (data->rank < 0 || indices->rank < 0 || indices->dims[indices->rank - 1] < 0)
    return shape_set(call, 0, data->dtype, -1, NULL);
  int64_t k = indices->dims[indices->rank - 1];
  FAIL_IF(k > data->rank - batch, FARM_INVALID, "%lld indices for rank %d", (long long)k, data->rank);
  for (int i = 0; i < batch; i++)
    FAIL_IF(data->dims[i] >= 0 && indices->dims[i] >= 0 && data->dims[i] != indices->dims[i], FARM_INVALID,
            "batch dimension %d differs", i);
  for (int i = 0; i < indices->rank - 1; i++) dims[rank++] = indices->dims[i];
  for (int64_t i = batch + k; i < data->rank; i++) dims[rank++] = data->dims[i];
  TRY(shape_set(call, 0, data->dtype, rank, dims));
  return shape_content_move(call, 1);
}

static enum farm_status gather_nd_reference(struct reference_call *call) {
  const struct tensor *data = call->inputs[0], *indices = call->inputs[1];
  int batch = (int)attr_int(call->attrs, "batch_dims", 0), k = (int)indices->dims[indices->rank - 1];
  int64_t strides[TENSOR_MAX_RANK], offset;
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  tensor_strides(data, strides);
  int64_t batches = tensor_dims_product(data->dims, batch), each = tensor_dims_product(data->dims + batch, data->rank - batch);
  int64_t inner = tensor_dims_product(data->dims + batch + k, data->rank - batch - k);
  int64_t count = tensor_dims_product(indices->dims + batch, indices->rank - 1 - batch);
  for (int64_t i = 0; i < batches * count; i++) {
    TRY(element_tuple_offset(indices, i * k, k, data->dims + batch, strides + batch, &offset));
    elements_copy(dtype_bits(data->dtype), call->outputs[0]->data, i * inner, 1, data->data, i / count * each + offset, 1, inner);
  }
  return FARM_OK;
}

#define ROW(name, since, id)                                                                                                     \
  { "", name, since, 2, 2, 1, 1, 0, 0, id##_shape, id##_reference }

const struct operator_row operators_gather[] = {
    ROW("Gather", 1, gather),
    ROW("Gather", 11, gather),
    ROW("Gather", 13, gather),
    ROW("GatherElements", 11, gather_elements),
    ROW("GatherElements", 13, gather_elements),
    ROW("GatherND", 11, gather_nd),
    ROW("GatherND", 12, gather_nd),
    ROW("GatherND", 13, gather_nd),
};
OPERATOR_ROWS(gather);
