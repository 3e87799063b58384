/* tunefarm.Attention: softmax(q k^T scale + mask) v per head, in the operand orders of problem/problem.h. See fused.h.
 *
 * Operands may have the heads folded into their last dim: order 1 [b][seq][heads d], order 2 [b][seq][3 heads d]; the output is
 * then folded, too. A mask counts by its elements; its dims of 1 do not matter.
 */
#include "../base/pmath.h"
#include "../problem/problem.h"
#include "fused.h"
#include "tables.h"

#include <math.h>

enum farm_status fused_attention_read(const struct attrs *attrs, struct fused_attention *out) {
  struct fused_attention attention = {.heads = attr_int(attrs, "heads", 0), .scale = attr_float(attrs, "scale", 0)};
  int64_t order = attr_int(attrs, "order", 0), mask = attr_int(attrs, "mask", 0);
  attention.kv_heads = attr_int(attrs, "kv_heads", attention.heads);
  attention.causal = attr_int(attrs, "causal", 0) != 0;
  FAIL_IF(order < 0 || order == 3 || order > 4, FARM_INVALID, "order is %lld", (long long)order);
  FAIL_IF(mask < 0 || mask > 5, FARM_INVALID, "mask is %lld", (long long)mask);
  FAIL_IF(attention.heads < 1 || attention.heads > 1 << 20 || attention.kv_heads < 1 || attention.heads % attention.kv_heads,
          FARM_INVALID, "heads is %lld, kv_heads %lld", (long long)attention.heads, (long long)attention.kv_heads);
  FAIL_IF(order == 2 && attention.heads != attention.kv_heads, FARM_INVALID, "order 2 has as many kv_heads as heads");
  attention.order = (int)order, attention.mask = (int)mask;
  *out = attention;
  return FARM_OK;
}

/* A last dim that holds `parts` equal ones. */
static enum farm_status unfold(int64_t dim, int64_t parts, int64_t *out) {
  FAIL_IF(dim >= 0 && dim % parts, FARM_INVALID, "%lld does not divide into %lld parts", (long long)dim, (long long)parts);
  *out = dim < 0 ? DIM_UNKNOWN : dim / parts;
  return FARM_OK;
}

/* b, heads, length and depth of one operand in order 0, 1 or 4 (k). */
static enum farm_status operand_sizes(const struct tensor *t, const struct fused_attention *attention, int64_t heads, bool k,
                                      int64_t out[4]) {
  const bool folded = t->rank == 3 && attention->order == 1, turned = k && attention->order == 4;
  FAIL_IF(t->rank != 4 && !folded, FARM_INVALID, "an operand of rank %d", t->rank);
  out[0] = t->dims[0], out[1] = heads;
  if (folded) {
    out[2] = t->dims[1];
    return unfold(t->dims[2], heads, &out[3]);
  }
  const int64_t own_heads = attention->order == 1 ? t->dims[2] : t->dims[1];
  FAIL_IF(own_heads >= 0 && own_heads != heads, FARM_INVALID, "an operand has %lld heads, not %lld", (long long)own_heads,
          (long long)heads);
  out[2] = attention->order == 1 ? t->dims[1] : t->dims[turned ? 3 : 2];
  out[3] = t->dims[turned ? 2 : 3];
  return FARM_OK;
}

static enum farm_status packed_sizes(const struct tensor *qkv, const struct fused_attention *attention, int64_t out[7]) {
  const int64_t heads = attention->heads;
  int64_t depth = qkv->dims[4];
  FAIL_IF(qkv->rank != 3 && qkv->rank != 5, FARM_INVALID, "a packed operand of rank %d", qkv->rank);
  if (qkv->rank == 3) TRY(unfold(qkv->dims[2], 3 * heads, &depth));
  FAIL_IF(qkv->rank == 5 && (qkv->dims[2] != 3 || qkv->dims[3] != heads), FARM_INVALID,
          "a packed operand is not [b][seq][3][heads][d]");
  const int64_t sizes[7] = {qkv->dims[0], heads, heads, qkv->dims[1], qkv->dims[1], depth, depth};
  for (int i = 0; i < 7; i++) out[i] = sizes[i];
  return FARM_OK;
}

/* Elements of the mask, where all is known. */
static enum farm_status check_mask(const struct tensor *mask, int kind, const int64_t s[7]) {
  const int64_t elems = tensor_elems(mask);
  const int64_t b = s[0], heads = s[1], seq = s[3], kv = s[4];
  if (elems < 0 || b < 0 || seq < 0 || kv < 0) return FARM_OK;
  const int64_t want[6][4] = {{0, 0, 0, 0}, {1, 1, 1, kv}, {b, 1, 1, kv}, {1, 1, seq, kv}, {b, heads, seq, kv}, {b, 1, seq, kv}};
  FAIL_IF(tensor_dims_product(want[kind], 4) != elems, FARM_INVALID, "the mask has %lld elements", (long long)elems);
  return FARM_OK;
}

enum farm_status fused_attention_sizes(const struct fused_attention *attention, const struct tensor *const *inputs,
                                       int input_count, int64_t out_sizes[7]) {
  const int base = attention->order == 2 ? 1 : 3;
  FAIL_IF(input_count != base + (attention->mask != 0), FARM_INVALID, "%d operands", input_count);
  for (int i = 0; i < input_count; i++) FAIL_IF(!inputs[i], FARM_INVALID, "operand %d is omitted", i);
  if (attention->order == 2) {
    TRY(packed_sizes(inputs[0], attention, out_sizes));
  } else {
    int64_t q[4], k[4], v[4];
    TRY(operand_sizes(inputs[0], attention, attention->heads, false, q));
    TRY(operand_sizes(inputs[1], attention, attention->kv_heads, true, k));
    TRY(operand_sizes(inputs[2], attention, attention->kv_heads, false, v));
    TRY(nn_dim_merge(q[0], k[0], &q[0]));
    TRY(nn_dim_merge(q[0], v[0], &q[0]));
    TRY(nn_dim_merge(q[3], k[3], &q[3]));
    TRY(nn_dim_merge(k[2], v[2], &k[2]));
    const int64_t sizes[7] = {q[0], q[1], k[1], q[2], k[2], q[3], v[3]};
    for (int i = 0; i < 7; i++) out_sizes[i] = sizes[i];
  }
  return attention->mask ? check_mask(inputs[base], attention->mask, out_sizes) : FARM_OK;
}

static enum farm_status attention_shape(struct shape_call *call) {
  struct fused_attention attention;
  const struct tensor *inputs[4];
  int64_t s[7], folded;
  TRY(fused_attention_read(call->attrs, &attention));
  bool known = true;
  for (int i = 0; i < call->input_count; i++) {
    TRY(nn_check_type(call, i, NN_FLOATS));
    if (i < 4) inputs[i] = nn_type(call, i);
    known &= nn_given(call, i) && nn_rank(call, i) >= 0;
  }
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (!known) return FARM_OK;
  TRY(fused_attention_sizes(&attention, inputs, call->input_count, s));
  TRY(nn_dim_multiply(s[1], s[6], &folded));
  const int rank = inputs[0]->rank;
  if (rank == 3)
    nn_output(call, 0, nn_dtype(call, 0), 3, (const int64_t[]){s[0], s[3], folded});
  else if (attention.order == 1 || attention.order == 2)
    nn_output(call, 0, nn_dtype(call, 0), 4, (const int64_t[]){s[0], s[3], s[1], s[6]});
  else
    nn_output(call, 0, nn_dtype(call, 0), 4, (const int64_t[]){s[0], s[1], s[3], s[6]});
  return FARM_OK;
}

/* ---- reference ---- */

/* Element (b, head, position, depth) stands at first + b sb + head sh + position sp + depth sd. */
struct place {
  const double *values;
  int64_t batch, head, position, depth;
};

static struct place place_of(const double *values, int order, bool turned, int64_t heads, int64_t length, int64_t depth) {
  if (turned) return (struct place){values, heads * depth * length, depth * length, 1, length};
  if (order == 1) return (struct place){values, length * heads * depth, depth, heads * depth, 1};
  if (order == 2) return (struct place){values, length * 3 * heads * depth, depth, 3 * heads * depth, 1};
  return (struct place){values, heads * length * depth, length * depth, depth, 1};
}

static const double *place_at(const struct place *place, int64_t batch, int64_t head, int64_t position) {
  return place->values + batch * place->batch + head * place->head + position * place->position;
}

struct attention_run {
  struct fused_attention attention;
  int64_t s[7];
  struct place q, k, v;
  const double *mask;
  double *scores, *sums; // [kv], [dv]
  struct tensor *y;
};

static double mask_at(const struct attention_run *run, int64_t b, int64_t h, int64_t i, int64_t j) {
  const int64_t *s = run->s, kv = s[ATTENTION_KV], seq = s[ATTENTION_SEQ];
  switch (run->attention.mask) {
  case 0:
    return 0;
  case 1:
    return run->mask[j];
  case 2:
    return run->mask[b * kv + j];
  case 3:
    return run->mask[i * kv + j];
  case 4:
    return run->mask[((b * s[ATTENTION_HEADS] + h) * seq + i) * kv + j];
  default:
    return run->mask[(b * seq + i) * kv + j];
  }
}

static double attention_score(const struct attention_run *run, int64_t b, int64_t h, int64_t i, int64_t j, double scale) {
  const int64_t *s = run->s;
  const int64_t kv_head = h * s[ATTENTION_KV_HEADS] / s[ATTENTION_HEADS];
  if (run->attention.causal && j > s[ATTENTION_KV] - s[ATTENTION_SEQ] + i) return -INFINITY;
  const double *q = place_at(&run->q, b, h, i), *k = place_at(&run->k, b, kv_head, j);
  double sum = 0;
  for (int64_t d = 0; d < s[ATTENTION_D]; d++) sum += q[d * run->q.depth] * k[d * run->k.depth];
  return sum * scale + mask_at(run, b, h, i, j);
}

/* Softmax in place; a row that sees nothing at all becomes zeros. */
static void softmax(double *x, int64_t count) {
  double most = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; i++) most = x[i] > most || x[i] != x[i] ? x[i] : most;
  for (int64_t i = 0; i < count; i++) sum += x[i] = most == -INFINITY ? 0 : pmath_exp(x[i] - most);
  for (int64_t i = 0; i < count && sum != 0; i++) x[i] /= sum;
}

static void attention_row(const struct attention_run *run, int64_t b, int64_t h, int64_t i, double scale) {
  const int64_t *s = run->s, kv = s[ATTENTION_KV], dv = s[ATTENTION_DV];
  const int64_t kv_head = h * s[ATTENTION_KV_HEADS] / s[ATTENTION_HEADS];
  for (int64_t j = 0; j < kv; j++) run->scores[j] = attention_score(run, b, h, i, j, scale);
  softmax(run->scores, kv);
  for (int64_t d = 0; d < dv; d++) run->sums[d] = 0;
  for (int64_t j = 0; j < kv; j++) {
    const double *v = place_at(&run->v, b, kv_head, j);
    if (run->scores[j] != 0)
      for (int64_t d = 0; d < dv; d++) run->sums[d] += run->scores[j] * v[d];
  }
  const bool heads_inside = run->attention.order == 1 || run->attention.order == 2;
  const int64_t row =
      heads_inside ? (b * s[ATTENTION_SEQ] + i) * s[ATTENTION_HEADS] + h : (b * s[ATTENTION_HEADS] + h) * s[ATTENTION_SEQ] + i;
  nn_store_range(run->y, row * dv, dv, run->sums);
}

static enum farm_status attention_load(struct reference_call *call, struct arena *scratch, struct attention_run *run) {
  double *values[4] = {0};
  const int64_t *s = run->s;
  const int order = run->attention.order, base = order == 2 ? 1 : 3;
  for (int i = 0; i < call->input_count; i++) TRY(nn_load(scratch, call->inputs[i], &values[i]));
  run->mask = values[base == 1 ? 1 : 3];
  TRY(nn_alloc(scratch, s[ATTENTION_KV], sizeof(double), &run->scores));
  TRY(nn_alloc(scratch, s[ATTENTION_DV], sizeof(double), &run->sums));
  const int64_t heads = s[ATTENTION_HEADS], kv_heads = s[ATTENTION_KV_HEADS], packed = heads * s[ATTENTION_D];
  run->q = place_of(values[0], order, false, heads, s[ATTENTION_SEQ], s[ATTENTION_D]);
  run->k = place_of(base == 1 ? values[0] + packed : values[1], order, order == 4, kv_heads, s[ATTENTION_KV], s[ATTENTION_D]);
  run->v = place_of(base == 1 ? values[0] + 2 * packed : values[2], order, false, kv_heads, s[ATTENTION_KV], s[ATTENTION_DV]);
  return FARM_OK;
}

static enum farm_status attention_reference_body(struct reference_call *call, struct arena *scratch) {
  struct attention_run run = {0};
  TRY(fused_attention_read(call->attrs, &run.attention));
  TRY(fused_attention_sizes(&run.attention, call->inputs, call->input_count, run.s));
  TRY(reference_output(call, 0));
  run.y = call->outputs[0];
  TRY(attention_load(call, scratch, &run));
  const int64_t *s = run.s;
  const double scale = run.attention.scale != 0 ? (double)run.attention.scale : 1 / pmath_sqrt((double)s[ATTENTION_D]);
  if (tensor_elems(run.y) == 0) return FARM_OK;
  for (int64_t b = 0; b < s[ATTENTION_B]; b++)
    for (int64_t h = 0; h < s[ATTENTION_HEADS]; h++)
      for (int64_t i = 0; i < s[ATTENTION_SEQ]; i++) attention_row(&run, b, h, i, scale);
  return FARM_OK;
}
NN_REFERENCE(attention_reference)

const struct operator_row operators_fused_attention[] = {
    {"tunefarm", "Attention", 1, 1, 4, 1, 1, 0, 0, attention_shape, attention_reference},
};
OPERATOR_ROWS(fused_attention);
