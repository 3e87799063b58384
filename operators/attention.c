/* Attention and RotaryEmbedding of ONNX (opset 23 and later). Q, K, V are [batch, heads, len, dim] or, with q_num_heads and
 * kv_num_heads, [batch, len, heads * dim].
 */
#include "../base/pmath.h"
#include "attend.h"
#include "tables.h"

#include <math.h>

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, NONPAD };

struct sizes { // any may be unknown in shape inference
  int64_t batch, q_heads, kv_heads, q_len, new_len, past, head_dim, v_dim;
  bool flat; // rank 3
};

static enum farm_status divide(int64_t dim, int64_t heads, int64_t *out) {
  *out = DIM_UNKNOWN;
  if (dim < 0) return FARM_OK;
  FAIL_IF(dim % heads, FARM_INVALID, "%lld elements do not divide into %lld heads", (long long)dim, (long long)heads);
  *out = dim / heads;
  return FARM_OK;
}

static enum farm_status sizes_read(const struct attrs *attrs, const struct tensor *q, const struct tensor *k,
                                   const struct tensor *v, const struct tensor *past_key, struct sizes *s) {
  *s = (struct sizes){.flat = q->rank == 3, .batch = q->dims[0]};
  if (s->flat) {
    s->q_heads = attr_int(attrs, "q_num_heads", 0), s->kv_heads = attr_int(attrs, "kv_num_heads", 0);
    FAIL_IF(s->q_heads < 1 || s->kv_heads < 1, FARM_INVALID, "q_num_heads and kv_num_heads are required for inputs of rank 3");
    s->q_len = q->dims[1], s->new_len = k->dims[1];
    TRY(divide(q->dims[2], s->q_heads, &s->head_dim));
    TRY(divide(v->dims[2], s->kv_heads, &s->v_dim));
  } else {
    s->q_heads = q->dims[1], s->q_len = q->dims[2], s->head_dim = q->dims[3];
    s->kv_heads = k->dims[1], s->new_len = k->dims[2], s->v_dim = v->dims[3];
  }
  s->past = past_key ? (past_key->rank == 4 ? past_key->dims[2] : DIM_UNKNOWN) : 0;
  FAIL_IF(s->q_heads > 0 && s->kv_heads >= 0 && (s->kv_heads == 0 || s->q_heads % s->kv_heads), FARM_INVALID,
          "%lld query heads do not share %lld key heads", (long long)s->q_heads, (long long)s->kv_heads);
  return FARM_OK;
}

static enum farm_status check_past(const struct shape_call *call, int input, const struct sizes *s, int64_t dim) {
  const int64_t want[] = {s->batch, s->kv_heads, s->past, dim};
  TRY(nn_check_rank(call, input, 4, 4));
  for (int i = 0; i < 4; i++) TRY(nn_check_dim(call, input, i, want[i]));
  return FARM_OK;
}

/* The mask broadcasts to [batch, q_heads, q_len, total]; its last axis may be shorter. */
static enum farm_status check_mask(const struct shape_call *call, const struct sizes *s) {
  int64_t total;
  TRY(nn_dim_add(s->past, s->new_len, &total));
  const int64_t want[] = {s->batch, s->q_heads, s->q_len};
  int rank = nn_rank(call, MASK);
  TRY(nn_check_rank(call, MASK, 1, 4));
  for (int i = 0; i < rank - 1; i++)
    if (nn_dim(call, MASK, i) != 1) TRY(nn_check_dim(call, MASK, i, want[4 - rank + i]));
  int64_t last = nn_dim(call, MASK, rank - 1);
  FAIL_IF(rank > 0 && last >= 0 && total >= 0 && last > total, FARM_INVALID, "the mask covers %lld of %lld keys", (long long)last,
          (long long)total);
  return FARM_OK;
}

static enum farm_status check_operands(const struct shape_call *call, const struct sizes *s) {
  int at = s->flat ? 1 : 2;
  TRY(nn_check_dim(call, K, 0, s->batch));
  TRY(nn_check_dim(call, V, 0, s->batch));
  TRY(nn_check_dim(call, V, at, s->new_len));
  if (!s->flat) TRY(nn_check_dim(call, V, 1, s->kv_heads));
  int64_t width;
  TRY(nn_dim_multiply(s->head_dim, s->flat ? s->kv_heads : 1, &width));
  TRY(nn_check_dim(call, K, s->flat ? 2 : 3, width));
  TRY(check_past(call, PAST_KEY, s, s->head_dim));
  TRY(check_past(call, PAST_VALUE, s, s->v_dim));
  TRY(nn_check_vector(call, NONPAD, s->batch));
  return check_mask(call, s);
}

static enum farm_status attention_shape(struct shape_call *call) {
  struct sizes s;
  for (int i = 0; i < 3; i++) {
    TRY(nn_check_type(call, i, NN_FLOATS));
    TRY(nn_check_rank(call, i, 3, 4));
  }
  TRY(nn_check_type(call, MASK, NN_NUMBERS | NN_TYPE(BOOL)));
  TRY(nn_check_type(call, NONPAD, NN_TYPE(I64)));
  FAIL_IF(nn_given(call, PAST_KEY) != nn_given(call, PAST_VALUE), FARM_INVALID, "past_key and past_value come together");
  int64_t mode = attr_int(call->attrs, "qk_matmul_output_mode", 0);
  FAIL_IF(mode < 0 || mode > 3, FARM_INVALID, "qk_matmul_output_mode is %lld", (long long)mode);
  enum dtype dtype = nn_dtype(call, Q);
  for (int i = 0; i < 4; i++) nn_output(call, i, i == 2 ? nn_dtype(call, V) : dtype, -1, NULL);
  int rank = nn_rank(call, Q);
  if (rank < 0 || nn_rank(call, K) < 0 || nn_rank(call, V) < 0) return FARM_OK;
  FAIL_IF(nn_rank(call, K) != rank || nn_rank(call, V) != rank, FARM_INVALID, "Q, K and V differ in rank");
  TRY(sizes_read(call->attrs, nn_type(call, Q), nn_type(call, K), nn_type(call, V), nn_type(call, PAST_KEY), &s));
  TRY(check_operands(call, &s));
  int64_t total, width;
  TRY(nn_dim_add(s.past, s.new_len, &total));
  TRY(nn_dim_multiply(s.q_heads, s.v_dim, &width));
  nn_output(call, 0, dtype, rank,
            s.flat ? (int64_t[]){s.batch, s.q_len, width} : (int64_t[]){s.batch, s.q_heads, s.q_len, s.v_dim});
  nn_output(call, 1, dtype, 4, (int64_t[]){s.batch, s.kv_heads, total, s.head_dim});
  nn_output(call, 2, nn_dtype(call, V), 4, (int64_t[]){s.batch, s.kv_heads, total, s.v_dim});
  nn_output(call, 3, dtype, 4, (int64_t[]){s.batch, s.q_heads, s.q_len, total});
  return FARM_OK;
}

struct mask {
  const struct tensor *tensor; // NULL: none
  const double *values;
  const double *nonpad; // [batch] or NULL
  int64_t total, offset, q_len, left, right;
  bool causal;
};

static double mask_at(const struct mask *mask, int64_t b, int64_t h, int64_t i, int64_t j) {
  const struct tensor *t = mask->tensor;
  const int64_t at[4] = {b, h, i, j};
  int64_t index = 0;
  if (j >= t->dims[t->rank - 1]) return -INFINITY;
  for (int axis = 0; axis < t->rank; axis++) index = index * t->dims[axis] + (t->dims[axis] == 1 ? 0 : at[4 - t->rank + axis]);
  if (t->dtype == DTYPE_BOOL) return mask->values[index] != 0 ? 0 : -INFINITY;
  return mask->values[index];
}

static void mask_apply(void *context, int64_t b, int64_t h, int64_t i, double *scores) {
  const struct mask *mask = context;
  double position = (double)i + (mask->nonpad ? mask->nonpad[b] - (double)mask->q_len : (double)mask->offset);
  for (int64_t j = 0; j < mask->total; j++) {
    double at = (double)j;
    bool hidden = (mask->causal && at > position) || (mask->nonpad && at >= mask->nonpad[b]) ||
                  (mask->left >= 0 && at < position - (double)mask->left) ||
                  (mask->right >= 0 && at > position + (double)mask->right);
    double bias = mask->tensor ? mask_at(mask, b, h, i, j) : 0;
    scores[j] = hidden || bias == -INFINITY ? -INFINITY : scores[j] + bias;
  }
}

/* past (or nothing) and the new steps, planar, as doubles; written to `present` when that output is wanted. */
static enum farm_status joined(struct arena *scratch, const struct tensor *past, const struct tensor *fresh,
                               const struct sizes *s, int64_t dim, struct tensor *present, struct heads *out) {
  int64_t total = s->past + s->new_len;
  double *old = NULL, *added = NULL, *all = NULL;
  TRY(nn_load(scratch, past, &old));
  TRY(nn_load(scratch, fresh, &added));
  TRY(nn_alloc(scratch, s->batch * s->kv_heads * total * dim, sizeof *all, &all));
  *out = heads_planar(all, total, s->kv_heads, dim);
  struct heads before = heads_planar(old, s->past, s->kv_heads, dim);
  struct heads after =
      s->flat ? heads_interleaved(added, s->new_len, s->kv_heads, dim) : heads_planar(added, s->new_len, s->kv_heads, dim);
  if (old) heads_copy(out, 0, &before, s->batch, s->kv_heads, s->past, dim);
  heads_copy(out, s->past, &after, s->batch, s->kv_heads, s->new_len, dim);
  if (present) nn_store(present, all);
  return FARM_OK;
}

static enum farm_status mask_read(const struct reference_call *call, struct arena *scratch, const struct sizes *s,
                                  struct mask *out) {
  double *values = NULL, *nonpad = NULL;
  TRY(nn_load(scratch, nn_in(call, MASK), &values));
  TRY(nn_load(scratch, nn_in(call, NONPAD), &nonpad));
  *out = (struct mask){.tensor = nn_in(call, MASK),
                       .values = values,
                       .nonpad = nonpad,
                       .total = s->past + s->new_len,
                       .offset = s->past,
                       .q_len = s->q_len,
                       .left = attr_int(call->attrs, "left_window_size", -1),
                       .right = attr_int(call->attrs, "right_window_size", -1),
                       .causal = attr_int(call->attrs, "is_causal", 0) != 0};
  return FARM_OK;
}

static enum farm_status attention_reference_body(struct reference_call *call, struct arena *scratch) {
  struct sizes s;
  struct mask mask;
  double *q = NULL, *out = NULL, *probe = NULL;
  TRY(sizes_read(call->attrs, call->inputs[Q], call->inputs[K], call->inputs[V], nn_in(call, PAST_KEY), &s));
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(mask_read(call, scratch, &s, &mask));
  TRY(nn_load(scratch, call->inputs[Q], &q));
  TRY(nn_alloc(scratch, s.batch * s.q_heads * s.q_len * s.v_dim, sizeof *out, &out));
  if (nn_out(call, 3)) TRY(nn_alloc(scratch, tensor_elems(call->outputs[3]), sizeof *probe, &probe));
  double scale = (double)attr_float(call->attrs, "scale", 0);
  if (scale == 0) scale = 1 / pmath_sqrt((double)s.head_dim);
  struct attend attend = {s.batch,          s.q_heads,          s.kv_heads,
                          s.q_len,          s.past + s.new_len, s.head_dim,
                          s.v_dim,          .scale = scale,     .softcap = (double)attr_float(call->attrs, "softcap", 0),
                          .context = &mask, .mask = mask_apply, .probe = probe};
  attend.probe_stage = (unsigned)attr_int(call->attrs, "qk_matmul_output_mode", 0) & 3;
  attend.q = s.flat ? heads_interleaved(q, s.q_len, s.q_heads, s.head_dim) : heads_planar(q, s.q_len, s.q_heads, s.head_dim);
  attend.out = s.flat ? heads_interleaved(out, s.q_len, s.q_heads, s.v_dim) : heads_planar(out, s.q_len, s.q_heads, s.v_dim);
  TRY(joined(scratch, nn_in(call, PAST_KEY), call->inputs[K], &s, s.head_dim, nn_out(call, 1), &attend.k));
  TRY(joined(scratch, nn_in(call, PAST_VALUE), call->inputs[V], &s, s.v_dim, nn_out(call, 2), &attend.v));
  TRY(attend_run(&attend, scratch));
  if (nn_out(call, 0)) nn_store(call->outputs[0], out);
  if (probe) nn_store(call->outputs[3], probe);
  return FARM_OK;
}
NN_REFERENCE(attention_reference)

const struct operator_row operators_attention[] = {
    {"", "Attention", 23, 3, 6, 1, 4, 0, 0, attention_shape, attention_reference},
    {"", "Attention", 24, 3, 7, 1, 4, 0, 0, attention_shape, attention_reference},
    {"", "Attention", 25, 3, 7, 1, 4, 0, 0, attention_shape, attention_reference},
};
OPERATOR_ROWS(attention);
