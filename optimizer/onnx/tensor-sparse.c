/* SparseTensorProto made dense; its parts go through the same loader as every tensor. See tensor-proto.h. */
#include "tensor-proto.h"

#include <string.h>

static enum farm_status dense_type(const struct onnx_sparse_tensor *proto, enum dtype dtype, struct tensor *out_type) {
  FAIL_IF(proto->dims.count > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "rank %d is not supported (at most %d) [rule: rank]",
          proto->dims.count, TENSOR_MAX_RANK);
  struct tensor type = {.dtype = dtype, .rank = proto->dims.count};
  for (int i = 0; i < type.rank; i++) {
    type.dims[i] = proto->dims.items[i];
    FAIL_IF(type.dims[i] < 0, FARM_INVALID, "dimension %d is %lld", i, (long long)type.dims[i]);
  }
  FAIL_IF(tensor_bytes(&type) == SIZE_MAX, FARM_INVALID, "the dimensions overflow");
  *out_type = type;
  return FARM_OK;
}

static enum farm_status parts_check(const struct tensor *values, const struct tensor *indices, const struct tensor *dense) {
  FAIL_IF(values->rank != 1, FARM_INVALID, "values have rank %d", values->rank);
  FAIL_IF(dtype_bits(values->dtype) % 8, FARM_UNSUPPORTED, "sparse %s is not supported [rule: sparse]",
          dtype_name(values->dtype));
  FAIL_IF(indices->dtype != DTYPE_I64 || indices->rank < 1 || indices->rank > 2, FARM_INVALID,
          "indices must be int64 of rank 1 or 2");
  FAIL_IF(indices->dims[0] != values->dims[0], FARM_INVALID, "%lld indices for %lld values", (long long)indices->dims[0],
          (long long)values->dims[0]);
  FAIL_IF(indices->rank == 2 && indices->dims[1] != dense->rank, FARM_INVALID, "indices of %lld dimensions in a rank of %d",
          (long long)indices->dims[1], dense->rank);
  return FARM_OK;
}

/* The linear index of value k; its coordinates, where given, must each be in range. */
static enum farm_status index_of(const struct tensor *indices, const struct tensor *dense, int64_t k, int64_t *out_index) {
  const int64_t *at = (const int64_t *)indices->data + (indices->rank == 2 ? k * dense->rank : k);
  int64_t index = indices->rank == 2 ? 0 : *at;
  for (int i = 0; indices->rank == 2 && i < dense->rank; i++) {
    FAIL_IF(at[i] < 0 || at[i] >= dense->dims[i], FARM_INVALID, "index %lld of value %lld is out of range", (long long)at[i],
            (long long)k);
    index = index * dense->dims[i] + at[i];
  }
  FAIL_IF(index < 0 || index >= tensor_elems(dense), FARM_INVALID, "the index of value %lld is out of range", (long long)k);
  *out_index = index;
  return FARM_OK;
}

static enum farm_status scatter(const struct tensor *values, const struct tensor *indices, struct tensor *dense) {
  size_t width = (size_t)dtype_bits(values->dtype) / 8;
  int64_t previous = -1;
  for (int64_t k = 0; k < values->dims[0]; k++) {
    int64_t index = 0;
    TRY(index_of(indices, dense, k, &index));
    FAIL_IF(index <= previous, FARM_INVALID, "the indices do not ascend at value %lld", (long long)k);
    previous = index;
    memcpy((char *)dense->data + (size_t)index * width, (const char *)values->data + (size_t)k * width, width);
  }
  return FARM_OK;
}

enum farm_status onnx_sparse_load(const struct onnx_sparse_tensor *proto, struct arena *arena, struct external_data *external,
                                  struct tensor *out_tensor) {
  FAIL_IF(!proto->values, FARM_INVALID, "a sparse tensor has no values");
  int64_t zero = 0;
  struct onnx_tensor no_indices = {.data_type = DTYPE_I64, .dims = {&zero, 1, 1}};
  struct tensor values = {0}, indices = {0}, dense = {0};
  const char *name = proto->values->name ? proto->values->name : "";
  enum farm_status status;
  TRY_OR(onnx_tensor_load(proto->values, arena, external, &values), place);
  TRY_OR(onnx_tensor_load(proto->indices ? proto->indices : &no_indices, arena, external, &indices), place);
  TRY_OR(dense_type(proto, values.dtype, &dense), place);
  TRY_OR(parts_check(&values, &indices, &dense), place);
  if (tensor_bytes(&dense)) {
    dense.data = arena_alloc(arena, tensor_bytes(&dense));
    if (!dense.data) return FARM_NO_MEMORY;
    TRY_OR(scatter(&values, &indices, &dense), place);
  }
  *out_tensor = dense;
  return FARM_OK;
place:
  return status_prefix(status, "sparse tensor \"%.200s\"", name);
}
