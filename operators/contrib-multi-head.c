/* com.microsoft.MultiHeadAttention: attention over projections made elsewhere.
 *
 *   query [b][s][n*d], key and value [b][t][n*d] or, for cross attention, [b][n][t][d]; bias [q|k|v]; key_padding_mask [b] or
 *   [b][total]; score bias [b or 1][n or 1][s][total]; past [b][n][p][d]
 */
#include "../base/pmath.h"
#include "attend.h"
#include "tables.h"

#include <math.h>
#include <string.h>

enum { QUERY, KEY, VALUE, BIAS, PADDING, SCORE_BIAS, PAST_KEY, PAST_VALUE };

struct sizes {
  int64_t batch, len, keys, past, heads, width, v_width; // keys: new ones
  bool planar;                                           // key and value are [b][n][t][d]
};

static enum farm_status mha_sizes(const struct attrs *attrs, const struct tensor *query, const struct tensor *key,
                                  const struct tensor *value, const struct tensor *past, struct sizes *s) {
  *s = (struct sizes){
      .batch = query->dims[0], .len = query->dims[1], .width = query->dims[2], .heads = attr_int(attrs, "num_heads", 0)};
  FAIL_IF(s->heads < 1 || s->heads > INT32_MAX, FARM_INVALID, "num_heads is %lld", (long long)s->heads);
  s->planar = key->rank == 4;
  s->keys = key->dims[s->planar ? 2 : 1];
  TRY(nn_dim_multiply(s->planar ? value->dims[3] : 1, s->planar ? s->heads : value->dims[2], &s->v_width));
  s->past = past ? (past->rank == 4 ? past->dims[2] : DIM_UNKNOWN) : 0;
  FAIL_IF((s->width >= 0 && s->width % s->heads) || (s->v_width >= 0 && s->v_width % s->heads), FARM_INVALID,
          "the widths do not divide into %lld heads", (long long)s->heads);
  return FARM_OK;
}

static int64_t per_head(int64_t width, int64_t heads) { return width < 0 ? DIM_UNKNOWN : width / heads; }

static enum farm_status check_dims(const struct shape_call *call, int input, int rank, const int64_t *want, bool broadcast) {
  TRY(nn_check_rank(call, input, rank, rank));
  for (int i = 0; i < rank; i++)
    if (!broadcast || i > 1 || nn_dim(call, input, i) != 1) TRY(nn_check_dim(call, input, i, want[i]));
  return FARM_OK;
}

static enum farm_status mha_check(const struct shape_call *call, const struct sizes *s, int64_t total) {
  int64_t d = per_head(s->width, s->heads), v = per_head(s->v_width, s->heads), bias;
  int mask = nn_rank(call, PADDING);
  TRY(check_dims(call, KEY, s->planar ? 4 : 3,
                 s->planar ? (int64_t[]){s->batch, s->heads, s->keys, d} : (int64_t[]){s->batch, s->keys, s->width}, false));
  TRY(check_dims(call, VALUE, s->planar ? 4 : 3,
                 s->planar ? (int64_t[]){s->batch, s->heads, s->keys, v} : (int64_t[]){s->batch, s->keys, s->v_width}, false));
  TRY(nn_dim_multiply(s->width, 2, &bias));
  TRY(nn_dim_add(bias, s->v_width, &bias));
  TRY(nn_check_vector(call, BIAS, bias));
  TRY(nn_check_rank(call, PADDING, 1, 2));
  if (mask >= 0) TRY(nn_check_dim(call, PADDING, 0, s->batch));
  if (mask == 2) TRY(nn_check_dim(call, PADDING, 1, total));
  TRY(check_dims(call, SCORE_BIAS, 4, (int64_t[]){s->batch, s->heads, s->len, total}, true));
  TRY(check_dims(call, PAST_KEY, 4, (int64_t[]){s->batch, s->heads, s->past, d}, false));
  return check_dims(call, PAST_VALUE, 4, (int64_t[]){s->batch, s->heads, s->past, v}, false);
}

static enum farm_status mha_shape(struct shape_call *call) {
  struct sizes s;
  int64_t total;
  static const int floats[] = {QUERY, KEY, VALUE, BIAS, SCORE_BIAS, PAST_KEY, PAST_VALUE};
  for (int i = 0; i < 7; i++) TRY(nn_check_type(call, floats[i], NN_FLOATS));
  TRY(nn_check_type(call, PADDING, NN_TYPE(I32)));
  for (int i = 0; i < 3; i++) nn_output(call, i, nn_dtype(call, QUERY), -1, NULL);
  bool packed = !nn_given(call, KEY) || !nn_given(call, VALUE) || nn_rank(call, QUERY) == 5 || nn_rank(call, KEY) == 5;
  FAIL_IF(packed || nn_given(call, 8) || nn_given(call, 9), FARM_UNSUPPORTED,
          "packed or shared keys and values are not supported");
  TRY(nn_check_rank(call, QUERY, 3, 3));
  TRY(nn_check_rank(call, KEY, 3, 4));
  FAIL_IF(nn_given(call, PAST_KEY) != nn_given(call, PAST_VALUE), FARM_INVALID, "past_key and past_value come together");
  if (nn_rank(call, QUERY) < 0 || nn_rank(call, KEY) < 0 || nn_rank(call, VALUE) < 0) return FARM_OK;
  FAIL_IF(nn_rank(call, KEY) != nn_rank(call, VALUE), FARM_INVALID, "key and value differ in rank");
  TRY(mha_sizes(call->attrs, nn_type(call, QUERY), nn_type(call, KEY), nn_type(call, VALUE), nn_type(call, PAST_KEY), &s));
  TRY(nn_dim_add(s.past, s.keys, &total));
  TRY(mha_check(call, &s, total));
  nn_output(call, 0, nn_dtype(call, QUERY), 3, (int64_t[]){s.batch, s.len, s.v_width});
  nn_output(call, 1, nn_dtype(call, QUERY), 4, (int64_t[]){s.batch, s.heads, total, per_head(s.width, s.heads)});
  nn_output(call, 2, nn_dtype(call, QUERY), 4, (int64_t[]){s.batch, s.heads, total, per_head(s.v_width, s.heads)});
  return FARM_OK;
}

struct mha_mask {
  const struct tensor *padding, *bias_type;
  const double *bias;
  int64_t len, past, total;
  double filter;
  bool causal;
};

static void mha_mask_apply(void *context, int64_t b, int64_t h, int64_t i, double *scores) {
  const struct mha_mask *m = context;
  for (int64_t j = 0; j < m->total; j++) {
    bool shown = true;
    if (m->padding && m->padding->rank == 1) shown = j < dtype_load_i64(m->padding->dtype, m->padding->data, b);
    if (m->padding && m->padding->rank == 2) shown = dtype_load_i64(m->padding->dtype, m->padding->data, b * m->total + j) > 0;
    if (!shown) scores[j] += m->filter;
    if (m->causal && j > m->past + i) scores[j] = -INFINITY;
    if (!m->bias) continue;
    const int64_t *dims = m->bias_type->dims;
    scores[j] += m->bias[(((dims[0] == 1 ? 0 : b) * dims[1] + (dims[1] == 1 ? 0 : h)) * m->len + i) * m->total + j];
  }
}

/* An input of [b][len][width] plus its part of the bias. */
static enum farm_status load_biased(const struct reference_call *call, struct arena *scratch, int input, int64_t bias_at,
                                    double **out) {
  const struct tensor *x = call->inputs[input], *bias = nn_in(call, BIAS);
  TRY(nn_load(scratch, x, out));
  if (!bias || x->rank != 3) return FARM_OK;
  int64_t elems = tensor_elems(x), width = x->dims[2];
  for (int64_t i = 0; i < elems; i++) (*out)[i] += dtype_load_f64(bias->dtype, bias->data, bias_at + i % width);
  return FARM_OK;
}

static enum farm_status join(const struct reference_call *call, struct arena *scratch, const struct sizes *s, int which,
                             int64_t dim, struct heads *out) {
  int64_t total = s->past + s->keys;
  double *fresh = NULL, *old = NULL, *all = NULL;
  TRY(load_biased(call, scratch, KEY + which, (which + 1) * s->width, &fresh));
  TRY(nn_load(scratch, nn_in(call, PAST_KEY + which), &old));
  TRY(nn_alloc(scratch, s->batch * s->heads * total * dim, sizeof *all, &all));
  struct heads from = s->planar ? heads_planar(fresh, s->keys, s->heads, dim) : heads_interleaved(fresh, s->keys, s->heads, dim);
  struct heads before = heads_planar(old, s->past, s->heads, dim);
  *out = heads_planar(all, total, s->heads, dim);
  if (old) heads_copy(out, 0, &before, s->batch, s->heads, s->past, dim);
  heads_copy(out, s->past, &from, s->batch, s->heads, s->keys, dim);
  if (nn_out(call, 1 + which)) nn_store(call->outputs[1 + which], all);
  return FARM_OK;
}

static enum farm_status mha_reference_body(struct reference_call *call, struct arena *scratch) {
  struct sizes s;
  double *query = NULL, *bias = NULL, *out = NULL;
  TRY(mha_sizes(call->attrs, call->inputs[QUERY], call->inputs[KEY], call->inputs[VALUE], nn_in(call, PAST_KEY), &s));
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(load_biased(call, scratch, QUERY, 0, &query));
  TRY(nn_load(scratch, nn_in(call, SCORE_BIAS), &bias));
  TRY(nn_alloc(scratch, s.batch * s.len * s.v_width, sizeof *out, &out));
  int64_t d = s.width / s.heads, v = s.v_width / s.heads;
  double scale = (double)attr_float(call->attrs, "scale", 0);
  struct mha_mask mask = {nn_in(call, PADDING),
                          nn_in(call, SCORE_BIAS),
                          bias,
                          s.len,
                          s.past,
                          s.past + s.keys,
                          (double)attr_float(call->attrs, "mask_filter_value", -10000),
                          attr_int(call->attrs, "unidirectional", 0) != 0};
  struct attend attend = {s.batch,
                          s.heads,
                          s.heads,
                          s.len,
                          s.past + s.keys,
                          d,
                          v,
                          .context = &mask,
                          .mask = mha_mask_apply,
                          .scale = scale == 0 ? 1 / pmath_sqrt((double)d) : scale,
                          .q = heads_interleaved(query, s.len, s.heads, d),
                          .out = heads_interleaved(out, s.len, s.heads, v)};
  TRY(join(call, scratch, &s, 0, d, &attend.k));
  TRY(join(call, scratch, &s, 1, v, &attend.v));
  TRY(attend_run(&attend, scratch));
  if (nn_out(call, 0)) nn_store(call->outputs[0], out);
  return FARM_OK;
}
NN_REFERENCE(mha_reference)

const struct operator_row operators_contrib_multi_head[] = {
    {"com.microsoft", "MultiHeadAttention", 1, 1, 10, 1, 3, 0, 0, mha_shape, mha_reference},
};
OPERATOR_ROWS(contrib_multi_head);
