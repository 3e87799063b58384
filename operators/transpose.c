/* Operators that put elements in another order: Transpose, DepthToSpace, SpaceToDepth, ReverseSequence. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

/* out dim i is in dim order[i]; both tensors dense */
static void permute(const void *src, void *dst, int bits, int rank, const int64_t *in_dims, const int *order) {
  struct tensor in = {.rank = rank}, out = {.rank = rank};
  int64_t in_strides[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
  struct nest nest;
  for (int i = 0; i < rank; i++) {
    in.dims[i] = in_dims[i];
    out.dims[i] = in_dims[order[i]];
  }
  tensor_strides(&in, in_strides);
  nest_init(&nest, rank, out.dims);
  tensor_strides(&out, strides);
  nest_operand(&nest, 0, strides);
  for (int i = 0; i < rank; i++) strides[i] = in_strides[order[i]];
  nest_operand(&nest, 0, strides);
  elements_move(bits, &nest, dst, src);
}

/* ---- Transpose ---- */

static enum farm_status transpose_order(const struct attrs *attrs, int rank, int *out_order) {
  int64_t given[TENSOR_MAX_RANK];
  uint32_t seen = 0;
  int count = attr_ints(attrs, "perm", given, TENSOR_MAX_RANK);
  FAIL_IF(count >= 0 && count != rank, FARM_INVALID, "perm has %d elements, the rank is %d", count, rank);
  for (int i = 0; i < rank; i++) {
    out_order[i] = rank - 1 - i;
    if (count >= 0) TRY(shape_axis(given[i], rank, &out_order[i]));
    FAIL_IF(seen >> out_order[i] & 1, FARM_INVALID, "perm names axis %d twice", out_order[i]);
    seen |= 1u << out_order[i];
  }
  return FARM_OK;
}

static enum farm_status transpose_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int order[TENSOR_MAX_RANK];
  int64_t dims[TENSOR_MAX_RANK], given[TENSOR_MAX_RANK];
  if (in->rank < 0) {
    int rank = attr_ints(call->attrs, "perm", given, TENSOR_MAX_RANK);
    return shape_set(call, 0, in->dtype, rank, NULL);
  }
  TRY(transpose_order(call->attrs, in->rank, order));
  for (int i = 0; i < in->rank; i++) dims[i] = in->dims[order[i]];
  TRY(shape_set(call, 0, in->dtype, in->rank, dims));
  return shape_content_move(call, 1);
}

static enum farm_status transpose_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  int order[TENSOR_MAX_RANK];
  TRY(transpose_order(call->attrs, in->rank, order));
  TRY(reference_output(call, 0));
  if (call->outputs[0]) permute(in->data, call->outputs[0]->data, dtype_bits(in->dtype), in->rank, in->dims, order);
  return FARM_OK;
}

/* ---- DepthToSpace [n][c][h][w] -> [n][c/b²][h b][w b], and back ---- */

static enum farm_status block_size(const struct attrs *attrs, int64_t *out_block) {
  *out_block = attr_int(attrs, "blocksize", 0);
  FAIL_IF(*out_block < 1 || *out_block > 32768, FARM_INVALID, "blocksize %lld", (long long)*out_block);
  return FARM_OK;
}

static bool divides(int64_t by, int64_t dim) { return dim < 0 || dim % by == 0; }
static int64_t divided(int64_t dim, int64_t by) { return by == 1 ? dim : dim < 0 ? DIM_UNKNOWN : dim / by; }

static enum farm_status depth_to_space_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t b;
  TRY(block_size(call->attrs, &b));
  TRY(shape_require_rank(call, 0, 4, 4));
  if (in->rank < 0) return shape_set(call, 0, in->dtype, 4, NULL);
  FAIL_IF(!divides(b * b, in->dims[1]), FARM_INVALID, "%lld channels are not a multiple of %lld", (long long)in->dims[1],
          (long long)(b * b));
  const int64_t dims[] = {in->dims[0], divided(in->dims[1], b * b), dim_mul(in->dims[2], b), dim_mul(in->dims[3], b)};
  return shape_set(call, 0, in->dtype, 4, dims);
}

static enum farm_status depth_to_space_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  int64_t b;
  TRY(block_size(call->attrs, &b));
  TRY(reference_output(call, 0));
  int64_t n = in->dims[0], c = in->dims[1] / (b * b), h = in->dims[2], w = in->dims[3];
  bool by_column = strcmp(attr_string(call->attrs, "mode", "DCR"), "CRD") == 0;
  const int64_t dcr[] = {n, b, b, c, h, w}, crd[] = {n, c, b, b, h, w};
  static const int dcr_order[] = {0, 3, 4, 1, 5, 2}, crd_order[] = {0, 1, 4, 2, 5, 3};
  if (call->outputs[0])
    permute(in->data, call->outputs[0]->data, dtype_bits(in->dtype), 6, by_column ? crd : dcr, by_column ? crd_order : dcr_order);
  return FARM_OK;
}

static enum farm_status space_to_depth_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t b;
  TRY(block_size(call->attrs, &b));
  TRY(shape_require_rank(call, 0, 4, 4));
  if (in->rank < 0) return shape_set(call, 0, in->dtype, 4, NULL);
  FAIL_IF(!divides(b, in->dims[2]) || !divides(b, in->dims[3]), FARM_INVALID, "height and width are not multiples of %lld",
          (long long)b);
  const int64_t dims[] = {in->dims[0], dim_mul(in->dims[1], b * b), divided(in->dims[2], b), divided(in->dims[3], b)};
  return shape_set(call, 0, in->dtype, 4, dims);
}

static enum farm_status space_to_depth_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  int64_t b;
  TRY(block_size(call->attrs, &b));
  TRY(reference_output(call, 0));
  const int64_t dims[] = {in->dims[0], in->dims[1], in->dims[2] / b, b, in->dims[3] / b, b};
  static const int order[] = {0, 3, 5, 1, 2, 4};
  if (call->outputs[0]) permute(in->data, call->outputs[0]->data, dtype_bits(in->dtype), 6, dims, order);
  return FARM_OK;
}

/* ---- ReverseSequence: for each batch element, the first sequence_lens[b] steps are reversed ---- */

static enum farm_status reverse_axes(const struct attrs *attrs, int64_t *out_batch, int64_t *out_time) {
  *out_batch = attr_int(attrs, "batch_axis", 1);
  *out_time = attr_int(attrs, "time_axis", 0);
  FAIL_IF(*out_batch + *out_time != 1 || *out_batch * *out_time != 0, FARM_INVALID, "batch_axis and time_axis must be 0 and 1");
  return FARM_OK;
}

static enum farm_status reverse_shape(struct shape_call *call) {
  int64_t batch, time;
  TRY(reverse_axes(call->attrs, &batch, &time));
  TRY(shape_require_rank(call, 0, 2, TENSOR_MAX_RANK));
  TRY(shape_require_rank(call, 1, 1, 1));
  const struct tensor *in = &call->inputs[0]->type, *lengths = &call->inputs[1]->type;
  FAIL_IF(in->rank >= 0 && lengths->rank == 1 && in->dims[batch] >= 0 && lengths->dims[0] >= 0 &&
              in->dims[batch] != lengths->dims[0],
          FARM_INVALID, "%lld lengths for %lld sequences", (long long)lengths->dims[0], (long long)in->dims[batch]);
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

static enum farm_status reverse_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0], *lengths = call->inputs[1];
  int64_t batch, time;
  TRY(reverse_axes(call->attrs, &batch, &time));
  TRY(reference_output(call, 0));
  int64_t rest = tensor_dims_product(in->dims + 2, in->rank - 2), step[2] = {in->dims[1] * rest, rest};
  for (int64_t b = 0; call->outputs[0] && b < in->dims[batch]; b++) {
    int64_t length = dtype_load_i64(lengths->dtype, lengths->data, b);
    FAIL_IF(length < 0 || length > in->dims[time], FARM_INVALID, "sequence %lld has length %lld of %lld", (long long)b,
            (long long)length, (long long)in->dims[time]);
    for (int64_t t = 0; t < in->dims[time]; t++) {
      int64_t from = t < length ? length - 1 - t : t;
      elements_copy(dtype_bits(in->dtype), call->outputs[0]->data, b * step[batch] + t * step[time], 1, in->data,
                    b * step[batch] + from * step[time], 1, rest);
    }
  }
  return FARM_OK;
}

#define ROW(name, since, inputs, id)                                                                                             \
  { "", name, since, inputs, inputs, 1, 1, 0, 0, id##_shape, id##_reference }

const struct operator_row operators_transpose[] = {
    ROW("Transpose", 1, 1, transpose),          ROW("Transpose", 13, 1, transpose),
    ROW("Transpose", 21, 1, transpose),         ROW("Transpose", 23, 1, transpose),
    ROW("Transpose", 24, 1, transpose),         ROW("Transpose", 25, 1, transpose),
    ROW("DepthToSpace", 1, 1, depth_to_space),  ROW("DepthToSpace", 11, 1, depth_to_space),
    ROW("DepthToSpace", 13, 1, depth_to_space), ROW("SpaceToDepth", 1, 1, space_to_depth),
    ROW("SpaceToDepth", 13, 1, space_to_depth), ROW("ReverseSequence", 10, 2, reverse),
};
OPERATOR_ROWS(transpose);
