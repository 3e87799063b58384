/* com.microsoft.GroupQueryAttention: causal attention in which groups of query heads share a key head, with a growing cache.
 *
 *   query [b][s][heads*d], or with the keys and values behind it: [b][s][(heads + 2 kv_heads)*d]
 *   past_key, past_value [b][kv_heads][capacity][d]: the first seqlens_k[b] + 1 - s steps of element b count (none in a prompt)
 *   present: capacity as large as past or total_sequence_length, whichever is more; steps beyond an element's end are zero
 */
#include "../base/pmath.h"
#include "attend.h"
#include "tables.h"

#include <math.h>

enum { QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, SEQLENS, TOTAL, COSINE, SINE, POSITIONS, SCORE_BIAS, SINK };

struct sizes {
  int64_t batch, len, heads, kv_heads, dim, past, capacity;
  bool packed;
};

static enum farm_status sizes_read(const struct attrs *attrs, const struct tensor *query, bool packed, const struct tensor *past,
                                   int64_t total, struct sizes *s) {
  *s = (struct sizes){.batch = query->dims[0],
                      .len = query->dims[1],
                      .heads = attr_int(attrs, "num_heads", 0),
                      .kv_heads = attr_int(attrs, "kv_num_heads", 0),
                      .dim = DIM_UNKNOWN,
                      .packed = packed};
  FAIL_IF(s->heads < 1 || s->heads > 1 << 20 || s->kv_heads < 1 || s->kv_heads > s->heads || s->heads % s->kv_heads, FARM_INVALID,
          "%lld query heads do not share %lld key heads", (long long)s->heads, (long long)s->kv_heads);
  int64_t parts = s->heads + (packed ? 2 * s->kv_heads : 0), width = query->dims[2];
  FAIL_IF(width >= 0 && width % parts, FARM_INVALID, "a width of %lld does not divide into %lld heads", (long long)width,
          (long long)parts);
  if (width >= 0) s->dim = width / parts;
  s->past = past ? (past->rank == 4 ? past->dims[2] : DIM_UNKNOWN) : 0;
  s->capacity = total < 0 || s->past < 0 ? DIM_UNKNOWN : total > s->past ? total : s->past;
  return FARM_OK;
}

static enum farm_status group_check(const struct shape_call *call, const struct sizes *s) {
  int64_t kv;
  TRY(nn_dim_multiply(s->dim, s->kv_heads, &kv));
  const int64_t past[] = {s->batch, s->kv_heads, s->past, s->dim}, fresh[] = {s->batch, s->len, kv};
  for (int i = KEY; i <= VALUE; i++) {
    TRY(nn_check_rank(call, i, 3, 3));
    for (int axis = 0; axis < 3; axis++) TRY(nn_check_dim(call, i, axis, fresh[axis]));
  }
  for (int i = PAST_KEY; i <= PAST_VALUE; i++) {
    TRY(nn_check_rank(call, i, 4, 4));
    for (int axis = 0; axis < 4; axis++) TRY(nn_check_dim(call, i, axis, past[axis]));
  }
  int64_t lengths = nn_given(call, SEQLENS) ? tensor_elems(nn_type(call, SEQLENS)) : DIM_UNKNOWN;
  FAIL_IF(nn_rank(call, SEQLENS) >= 0 && lengths >= 0 && s->batch >= 0 && lengths != s->batch, FARM_INVALID,
          "seqlens_k has %lld elements", (long long)lengths);
  TRY(nn_check_vector(call, SINK, s->heads));
  bool turns = attr_int(call->attrs, "do_rotary", 0) != 0;
  FAIL_IF(turns && (!nn_given(call, COSINE) || !nn_given(call, SINE)), FARM_INVALID, "do_rotary needs the caches");
  for (int i = COSINE; i <= SINE && turns; i++) {
    TRY(nn_check_rank(call, i, 2, 2));
    TRY(nn_check_dim(call, i, 0, nn_dim(call, COSINE, 0)));
    TRY(nn_check_dim(call, i, 1, nn_dim(call, COSINE, 1)));
    FAIL_IF(s->dim >= 0 && nn_dim(call, i, 1) > s->dim / 2, FARM_INVALID, "the caches turn more than a head has");
  }
  return FARM_OK;
}

static enum farm_status group_shape(struct shape_call *call) {
  struct sizes s;
  int64_t total = DIM_UNKNOWN, known;
  int count;
  static const int floats[] = {QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, COSINE, SINE, SINK};
  for (int i = 0; i < 8; i++) TRY(nn_check_type(call, floats[i], NN_FLOATS));
  TRY(nn_check_type(call, SEQLENS, NN_TYPE(I32)));
  TRY(nn_check_type(call, TOTAL, NN_TYPE(I32)));
  for (int i = 0; i < 3; i++) nn_output(call, i, nn_dtype(call, QUERY), -1, NULL);
  FAIL_IF(nn_given(call, KEY) != nn_given(call, VALUE) || nn_given(call, PAST_KEY) != nn_given(call, PAST_VALUE), FARM_INVALID,
          "keys and values come together");
  FAIL_IF(nn_given(call, POSITIONS) || nn_given(call, SCORE_BIAS), FARM_UNSUPPORTED,
          "position_ids and attention_bias are not supported");
  TRY(nn_check_rank(call, QUERY, 3, 3));
  TRY(nn_check_single(call, TOTAL));
  if (nn_rank(call, QUERY) < 0) return FARM_OK;
  if (nn_known_ints(call, TOTAL, &known, 1, &count) && count == 1) total = known;
  FAIL_IF(total != DIM_UNKNOWN && total < 0, FARM_INVALID, "total_sequence_length is %lld", (long long)total);
  TRY(sizes_read(call->attrs, nn_type(call, QUERY), !nn_given(call, KEY), nn_type(call, PAST_KEY), total, &s));
  TRY(group_check(call, &s));
  int64_t width;
  TRY(nn_dim_multiply(s.heads, s.dim, &width));
  nn_output(call, 0, nn_dtype(call, QUERY), 3, (int64_t[]){s.batch, s.len, width});
  for (int i = 1; i < 3; i++) nn_output(call, i, nn_dtype(call, QUERY), 4, (int64_t[]){s.batch, s.kv_heads, s.capacity, s.dim});
  return FARM_OK;
}

struct window {
  const int64_t *past; // [batch] steps before the new ones
  int64_t capacity, size;
};

static void window_apply(void *context, int64_t b, int64_t h, int64_t i, double *scores) {
  const struct window *window = context;
  int64_t last = window->past[b] + i;
  (void)h;
  for (int64_t j = 0; j < window->capacity; j++)
    if (j > last || (window->size > 0 && j <= last - window->size)) scores[j] = -INFINITY;
}

struct parts {
  double *q, *k, *v;
  struct heads q_heads, k_heads, v_heads;
};

static enum farm_status parts_load(const struct reference_call *call, struct arena *scratch, const struct sizes *s,
                                   struct parts *p) {
  TRY(nn_load(scratch, call->inputs[QUERY], &p->q));
  int64_t width = call->inputs[QUERY]->dims[2];
  p->q_heads = (struct heads){p->q, s->len * width, s->dim, width};
  if (s->packed) {
    p->k_heads = p->v_heads = p->q_heads;
    p->k_heads.at += s->heads * s->dim, p->v_heads.at += (s->heads + s->kv_heads) * s->dim;
    return FARM_OK;
  }
  TRY(nn_load(scratch, call->inputs[KEY], &p->k));
  TRY(nn_load(scratch, call->inputs[VALUE], &p->v));
  p->k_heads = heads_interleaved(p->k, s->len, s->kv_heads, s->dim),
  p->v_heads = heads_interleaved(p->v, s->len, s->kv_heads, s->dim);
  return FARM_OK;
}

static enum farm_status parts_turn(const struct reference_call *call, struct arena *scratch, const struct sizes *s,
                                   const int64_t *past, const struct parts *p) {
  double *cosine = NULL, *sine = NULL;
  int64_t *positions = NULL;
  if (!attr_int(call->attrs, "do_rotary", 0)) return FARM_OK;
  TRY(nn_load(scratch, call->inputs[COSINE], &cosine));
  TRY(nn_load(scratch, call->inputs[SINE], &sine));
  TRY(nn_alloc(scratch, s->batch * s->len, sizeof *positions, &positions));
  for (int64_t i = 0; i < s->batch * s->len; i++) {
    positions[i] = past[i / s->len] + i % s->len;
    FAIL_IF(positions[i] >= call->inputs[COSINE]->dims[0], FARM_INVALID, "position %lld is beyond the caches",
            (long long)positions[i]);
  }
  struct rotary rotary = {cosine, sine, positions, 2 * call->inputs[COSINE]->dims[1],
                          attr_int(call->attrs, "rotary_interleaved", 0) != 0};
  rotary_apply(&rotary, &p->q_heads, s->batch, s->heads, s->len);
  rotary_apply(&rotary, &p->k_heads, s->batch, s->kv_heads, s->len);
  return FARM_OK;
}

/* The cache after the new steps: past[b] old ones, then the new. */
static enum farm_status cache_join(const struct reference_call *call, struct arena *scratch, const struct sizes *s,
                                   const int64_t *past, int which, const struct heads *fresh, struct heads *out) {
  double *old = NULL, *all = NULL;
  TRY(nn_load(scratch, nn_in(call, PAST_KEY + which), &old));
  TRY(nn_alloc(scratch, s->batch * s->kv_heads * s->capacity * s->dim, sizeof *all, &all));
  *out = heads_planar(all, s->capacity, s->kv_heads, s->dim);
  for (int64_t b = 0; b < s->batch; b++) {
    struct heads before = heads_planar(old, s->past, s->kv_heads, s->dim), to = *out, from = *fresh;
    if (old) before.at += b * before.batch;
    to.at += b * to.batch, from.at += b * from.batch;
    if (old) heads_copy(&to, 0, &before, 1, s->kv_heads, past[b], s->dim);
    heads_copy(&to, past[b], &from, 1, s->kv_heads, s->len, s->dim);
  }
  if (nn_out(call, 1 + which)) nn_store(call->outputs[1 + which], all);
  return FARM_OK;
}

static enum farm_status past_lengths(const struct reference_call *call, struct arena *scratch, const struct sizes *s,
                                     int64_t total, int64_t **out) {
  const struct tensor *lengths = call->inputs[SEQLENS];
  TRY(nn_alloc(scratch, s->batch, sizeof **out, out));
  for (int64_t b = 0; b < s->batch; b++) {
    int64_t own = dtype_load_i64(lengths->dtype, lengths->data, b) + 1;
    (*out)[b] = s->len == total ? 0 : own - s->len;
    FAIL_IF((*out)[b] < 0 || (*out)[b] > s->past || (*out)[b] + s->len > s->capacity, FARM_INVALID, "seqlens_k holds %lld",
            (long long)own - 1);
  }
  return FARM_OK;
}

static enum farm_status group_reference_body(struct reference_call *call, struct arena *scratch) {
  struct sizes s;
  struct parts parts = {0};
  int64_t *past = NULL, total = nn_integer(call->inputs[TOTAL], 0);
  double *out = NULL, *sink = NULL;
  TRY(sizes_read(call->attrs, call->inputs[QUERY], !nn_in(call, KEY), nn_in(call, PAST_KEY), total, &s));
  if (nn_out(call, 1)) call->outputs[1]->dims[2] = s.capacity;
  if (nn_out(call, 2)) call->outputs[2]->dims[2] = s.capacity;
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(past_lengths(call, scratch, &s, total, &past));
  TRY(parts_load(call, scratch, &s, &parts));
  TRY(parts_turn(call, scratch, &s, past, &parts));
  TRY(nn_load(scratch, nn_in(call, SINK), &sink));
  if (!sink && attr_int(call->attrs, "smooth_softmax", 0) == 1) TRY(nn_alloc(scratch, s.heads, sizeof *sink, &sink));
  TRY(nn_alloc(scratch, s.batch * s.len * s.heads * s.dim, sizeof *out, &out));
  struct window window = {past, s.capacity, attr_int(call->attrs, "local_window_size", -1)};
  double scale = (double)attr_float(call->attrs, "scale", 0);
  struct attend attend = {s.batch,
                          s.heads,
                          s.kv_heads,
                          s.len,
                          s.capacity,
                          s.dim,
                          s.dim,
                          .sink = sink,
                          .q = parts.q_heads,
                          .softcap = (double)attr_float(call->attrs, "softcap", 0),
                          .context = &window,
                          .mask = window_apply,
                          .scale = scale == 0 ? 1 / pmath_sqrt((double)s.dim) : scale,
                          .out = heads_interleaved(out, s.len, s.heads, s.dim)};
  TRY(cache_join(call, scratch, &s, past, 0, &parts.k_heads, &attend.k));
  TRY(cache_join(call, scratch, &s, past, 1, &parts.v_heads, &attend.v));
  TRY(attend_run(&attend, scratch));
  if (nn_out(call, 0)) nn_store(call->outputs[0], out);
  return FARM_OK;
}
NN_REFERENCE(group_reference)

const struct operator_row operators_contrib_group_query[] = {
    {"com.microsoft", "GroupQueryAttention", 1, 7, 12, 1, 3, 0, 1 << TOTAL, group_shape, group_reference},
};
OPERATOR_ROWS(contrib_group_query);
