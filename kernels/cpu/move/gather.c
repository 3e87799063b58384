/* Gather: rows of `inner` elements picked by index. Every index is looked at before anything is copied: one out of range is an
 * error, never a wild read. */
#include "move.h"

#include <string.h>

static bool gather_applicable(const struct problem *problem) { return move_applies(problem, "Gather-"); }

struct gather {
  const unsigned char *data; // [outer][dim][inner]
  unsigned char *out;        // [outer][count][inner]
  const struct tensor *indices;
  int64_t outer, dim, count, row_bytes, parts;
};

static int64_t gather_index(const struct gather *gather, int64_t i) {
  const int64_t index = gather->indices->dtype == DTYPE_I64   ? ((const int64_t *)gather->indices->data)[i]
                        : gather->indices->dtype == DTYPE_I32 ? ((const int32_t *)gather->indices->data)[i]
                                                              : dtype_load_i64(gather->indices->dtype, gather->indices->data, i);
  return index < 0 ? index + gather->dim : index;
}

static void gather_part(void *argument, int64_t part, int thread) {
  const struct gather *gather = argument;
  const int64_t items = gather->outer * gather->count;
  (void)thread;
  for (int64_t item = items * part / gather->parts; item < items * (part + 1) / gather->parts; item++) {
    const int64_t row = item / gather->count * gather->dim + gather_index(gather, item % gather->count);
    memcpy(gather->out + item * gather->row_bytes, gather->data + row * gather->row_bytes, (size_t)gather->row_bytes);
  }
}

static enum farm_status gather_run(const struct kernel_call *call) {
  const struct tensor *data = call->inputs[0], *indices = call->inputs[1];
  struct tensor *out;
  int64_t axis = attr_int(&call->operation->attrs, "axis", 0);
  TRY(move_output(call, 0, &out));
  if (axis < 0) axis += data->rank;
  FAIL_IF(!out || axis < 0 || axis >= data->rank, FARM_INVALID, "Gather: axis %lld of rank %d", (long long)axis, data->rank);
  struct gather gather = {.data = data->data,
                          .out = out->data,
                          .indices = indices,
                          .outer = move_extent(data, 0, (int)axis),
                          .dim = data->dims[axis],
                          .count = tensor_elems(indices),
                          .parts = 1};
  gather.row_bytes = move_extent(data, (int)axis + 1, data->rank) * (dtype_bits(data->dtype) / 8);
  FAIL_IF(out->dtype != data->dtype || (int64_t)tensor_bytes(out) != gather.outer * gather.count * gather.row_bytes, FARM_INVALID,
          "Gather: the output has another size");
  for (int64_t i = 0; i < gather.count; i++) {
    const int64_t index = gather_index(&gather, i);
    FAIL_IF(index < 0 || index >= gather.dim, FARM_INVALID, "Gather: index %lld of %lld elements", (long long)index,
            (long long)gather.dim);
  }
  if (gather.outer * gather.count * gather.row_bytes >= 1 << 17) gather.parts = thread_pool_size(call->pool);
  thread_pool_run(gather.parts > 1 ? call->pool : NULL, gather.parts, gather_part, &gather);
  return FARM_OK;
}

MOVE_TACTIC(op_gather__copy__any, gather_applicable, gather_run);
