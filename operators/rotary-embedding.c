/* RotaryEmbedding: ONNX's (opset 23: X, cos, sin, position_ids?) and com.microsoft's (input, position_ids, cos, sin).
 *
 * X is [batch, heads, len, dim], or [batch, len, heads * dim]. The caches are [positions, dim/2]; ONNX's without position_ids
 * are [batch, len, dim/2]. com.microsoft's position_ids may be one number: the position of the first step.
 */
#include "attend.h"
#include "tables.h"

struct layout {
  const struct tensor *x, *cosine, *sine, *positions;
  int64_t batch, heads, len, head_dim, dim;
};

static enum farm_status layout_read(const struct attrs *attrs, const struct tensor *x, const struct tensor *cosine, bool indexed,
                                    struct layout *out) {
  bool planar = x->rank == 4;
  int64_t heads = attr_int(attrs, "num_heads", 0), dim = attr_int(attrs, "rotary_embedding_dim", 0);
  int64_t half = cosine->rank > 0 ? cosine->dims[cosine->rank - 1] : DIM_UNKNOWN, width = planar ? x->dims[3] : x->dims[2];
  FAIL_IF(heads < 0 || dim < 0 || dim % 2, FARM_INVALID, "num_heads or rotary_embedding_dim is no size");
  *out = (struct layout){.batch = x->dims[0], .heads = planar ? x->dims[1] : heads, .len = planar ? x->dims[2] : x->dims[1]};
  if (!planar && heads == 0) { // com.microsoft: as many heads as the caches say
    FAIL_IF(dim > 0, FARM_INVALID, "num_heads is required");
    FAIL_IF(half == 0 || (half > 0 && width >= 0 && width % (2 * half)), FARM_INVALID, "num_heads is required");
    out->heads = half > 0 && width >= 0 ? width / (2 * half) : DIM_UNKNOWN;
  }
  FAIL_IF(!planar && width >= 0 && out->heads > 0 && width % out->heads, FARM_INVALID, "%lld elements do not divide into heads",
          (long long)width);
  out->head_dim = planar ? width : width >= 0 && out->heads > 0 ? width / out->heads : DIM_UNKNOWN;
  out->dim = dim ? dim : out->head_dim;
  FAIL_IF(out->dim >= 0 && (out->dim % 2 || (out->head_dim >= 0 && out->dim > out->head_dim)), FARM_INVALID,
          "a head of %lld cannot turn %lld", (long long)out->head_dim, (long long)out->dim);
  FAIL_IF(half >= 0 && out->dim >= 0 && half != out->dim / 2, FARM_INVALID, "the caches hold %lld angles, not %lld",
          (long long)half, (long long)(out->dim / 2));
  FAIL_IF(cosine->rank >= 0 && cosine->rank != (indexed ? 2 : 3), FARM_INVALID, "the caches have rank %d", cosine->rank);
  return FARM_OK;
}

static enum farm_status rotary_shape(struct shape_call *call, int positions, int cosine) {
  struct layout layout;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 3, 4));
  TRY(nn_check_type(call, positions, NN_TYPE(I64)));
  shape_same_as_input(call, 0, 0);
  if (nn_rank(call, 0) < 0 || nn_rank(call, cosine) < 0) return FARM_OK;
  bool indexed = nn_given(call, positions);
  TRY(layout_read(call->attrs, nn_type(call, 0), nn_type(call, cosine), indexed, &layout));
  TRY(nn_check_rank(call, cosine + 1, nn_rank(call, cosine), nn_rank(call, cosine)));
  for (int i = 0; i < nn_rank(call, cosine); i++) TRY(nn_check_dim(call, cosine + 1, i, nn_dim(call, cosine, i)));
  if (!indexed) {
    TRY(nn_check_dim(call, cosine, 0, layout.batch));
    return nn_check_dim(call, cosine, 1, layout.len);
  }
  if (cosine == 2 && nn_rank(call, positions) <= 1) return nn_check_single(call, positions);
  TRY(nn_check_rank(call, positions, 2, 2));
  TRY(nn_check_dim(call, positions, 0, layout.batch));
  return nn_check_dim(call, positions, 1, layout.len);
}

static enum farm_status onnx_shape(struct shape_call *call) { return rotary_shape(call, 3, 1); }
static enum farm_status contrib_shape(struct shape_call *call) { return rotary_shape(call, 1, 2); }

static enum farm_status positions_read(struct arena *scratch, const struct layout *layout, const struct tensor *ids, int64_t rows,
                                       const int64_t **out) {
  int64_t *positions = NULL, count = layout->batch * layout->len;
  TRY(nn_alloc(scratch, count, sizeof *positions, &positions));
  bool first_only = ids && tensor_elems(ids) == 1 && ids->rank < 2;
  for (int64_t i = 0; i < count; i++) {
    int64_t given = ids ? dtype_load_i64(ids->dtype, ids->data, first_only ? 0 : i) : i;
    FAIL_IF(given < 0 || given >= rows, FARM_INVALID, "position %lld is beyond the caches", (long long)given);
    positions[i] = first_only ? given + i % layout->len : given;
    FAIL_IF(positions[i] >= rows, FARM_INVALID, "position %lld is beyond the caches", (long long)positions[i]);
  }
  *out = positions;
  return FARM_OK;
}

static enum farm_status rotary_run(struct reference_call *call, struct arena *scratch, int positions, int cosine) {
  const struct tensor *x = call->inputs[0], *cache = call->inputs[cosine];
  struct layout layout;
  struct rotary rotary = {.interleaved = attr_int(call->attrs, "interleaved", 0) != 0};
  double *values = NULL, *cosines = NULL, *sines = NULL;
  TRY(layout_read(call->attrs, x, cache, nn_in(call, positions) != NULL, &layout));
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, cache, &cosines));
  TRY(nn_load(scratch, call->inputs[cosine + 1], &sines));
  TRY(positions_read(scratch, &layout, nn_in(call, positions), nn_product(cache, 0, cache->rank - 1), &rotary.positions));
  rotary.cosine = cosines, rotary.sine = sines, rotary.dim = layout.dim;
  struct heads heads = x->rank == 4 ? heads_planar(values, layout.len, layout.heads, layout.head_dim)
                                    : heads_interleaved(values, layout.len, layout.heads, layout.head_dim);
  rotary_apply(&rotary, &heads, layout.batch, layout.heads, layout.len);
  nn_store(call->outputs[0], values);
  return FARM_OK;
}

static enum farm_status onnx_reference_body(struct reference_call *call, struct arena *scratch) {
  return rotary_run(call, scratch, 3, 1);
}
static enum farm_status contrib_reference_body(struct reference_call *call, struct arena *scratch) {
  return rotary_run(call, scratch, 1, 2);
}
NN_REFERENCE(onnx_reference)
NN_REFERENCE(contrib_reference)

const struct operator_row operators_rotary_embedding[] = {
    {"", "RotaryEmbedding", 23, 3, 4, 1, 1, 0, 0, onnx_shape, onnx_reference},
    {"com.microsoft", "RotaryEmbedding", 1, 4, 4, 1, 1, 0, 0, contrib_shape, contrib_reference},
};
OPERATOR_ROWS(rotary_embedding);
