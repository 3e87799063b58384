/* com.microsoft.Attention: projection of the input to Q, K, V by one weight matrix, then attention over heads.
 *
 *   input [b][s][w]  x  weights [w][q|k|v] + bias  ─►  q, k, v   (k and v after the steps of `past` [2][b][h][p][d])
 *
 * mask_index says which keys count: [b] ends, [2b] ends and starts, [b][total], [b][s][total] with 0 for a hidden key. Hidden
 * keys get mask_filter_value added; those of the future (unidirectional) the lowest float.
 */
#include "../base/pmath.h"
#include "attend.h"
#include "product.h"
#include "tables.h"

#include <float.h>

enum { INPUT, WEIGHTS, BIAS, MASK_INDEX, PAST, SCORE_BIAS, PAST_LENGTH };

struct sizes {                                // may be unknown in shape inference
  int64_t batch, len, past, heads, hidden[3]; // hidden: widths of q, k, v
};

static enum farm_status sizes_read(const struct attrs *attrs, const struct tensor *input, const struct tensor *weights,
                                   const struct tensor *past, struct sizes *s) {
  *s = (struct sizes){.batch = input->dims[0], .len = input->dims[1], .heads = attr_int(attrs, "num_heads", 0)};
  FAIL_IF(s->heads < 1 || s->heads > INT32_MAX, FARM_INVALID, "num_heads is %lld", (long long)s->heads);
  FAIL_IF(attr_int(attrs, "do_rotary", 0) || attr_int(attrs, "past_present_share_buffer", 0), FARM_UNSUPPORTED,
          "do_rotary and past_present_share_buffer are not supported");
  int64_t width = weights->rank == 2 ? weights->dims[1] : DIM_UNKNOWN;
  const struct attr *sizes = attr_find(attrs, "qkv_hidden_sizes");
  if (sizes && sizes->type == ATTR_INTS && sizes->count > 0) {
    FAIL_IF(attr_ints(attrs, "qkv_hidden_sizes", s->hidden, 3) != 3 || sizes->count != 3, FARM_INVALID,
            "qkv_hidden_sizes needs 3 values");
  } else {
    FAIL_IF(width >= 0 && width % 3, FARM_INVALID, "the weights' %lld columns are not three parts", (long long)width);
    for (int i = 0; i < 3; i++) s->hidden[i] = width >= 0 ? width / 3 : DIM_UNKNOWN;
  }
  for (int i = 0; i < 3; i++)
    FAIL_IF((s->hidden[i] < 0 && width >= 0) || s->hidden[i] > INT32_MAX || (s->hidden[i] >= 0 && s->hidden[i] % s->heads),
            FARM_INVALID, "a width of %lld does not divide into heads", (long long)s->hidden[i]);
  FAIL_IF(s->hidden[0] != s->hidden[1] || (width >= 0 && s->hidden[0] + s->hidden[1] + s->hidden[2] != width), FARM_INVALID,
          "the widths of Q, K and V do not fit the weights");
  s->past = past ? (past->rank == 5 ? past->dims[3] : DIM_UNKNOWN) : 0;
  return FARM_OK;
}

static int64_t per_head(int64_t hidden, const struct sizes *s) { return hidden < 0 ? DIM_UNKNOWN : hidden / s->heads; }

static enum farm_status check_mask(const struct shape_call *call, const struct sizes *s, int64_t total) {
  int rank = nn_rank(call, MASK_INDEX);
  int64_t first = nn_dim(call, MASK_INDEX, 0);
  TRY(nn_check_rank(call, MASK_INDEX, 1, 3));
  if (rank == 1)
    FAIL_IF(first >= 0 && s->batch >= 0 && first != s->batch && first != 2 * s->batch, FARM_INVALID,
            "mask_index has %lld elements", (long long)first);
  if (rank > 1) TRY(nn_check_dim(call, MASK_INDEX, 0, s->batch));
  if (rank == 3) TRY(nn_check_dim(call, MASK_INDEX, 1, s->len));
  return rank > 1 ? nn_check_dim(call, MASK_INDEX, rank - 1, total) : FARM_OK;
}

static enum farm_status check_score_bias(const struct shape_call *call, int input, int64_t batch, int64_t heads, int64_t len,
                                         int64_t total) {
  const int64_t want[] = {batch, heads, len, total};
  TRY(nn_check_rank(call, input, 4, 4));
  for (int i = 0; i < 4; i++)
    if (i > 1 || nn_dim(call, input, i) != 1) TRY(nn_check_dim(call, input, i, want[i]));
  return FARM_OK;
}

static enum farm_status attention_shape(struct shape_call *call) {
  struct sizes s;
  int64_t total;
  static const int floats[] = {INPUT, WEIGHTS, BIAS, PAST, SCORE_BIAS};
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, floats[i], NN_FLOATS));
  TRY(nn_check_type(call, MASK_INDEX, NN_INDICES));
  TRY(nn_check_rank(call, INPUT, 3, 3));
  TRY(nn_check_rank(call, WEIGHTS, 2, 2));
  TRY(nn_check_rank(call, PAST, 5, 5));
  for (int i = 0; i < 2; i++) nn_output(call, i, nn_dtype(call, INPUT), -1, NULL);
  FAIL_IF(!nn_given(call, WEIGHTS) || !nn_given(call, INPUT), FARM_INVALID, "input and weights are required");
  if (nn_rank(call, INPUT) < 0) return FARM_OK;
  TRY(sizes_read(call->attrs, nn_type(call, INPUT), nn_type(call, WEIGHTS), nn_type(call, PAST), &s));
  TRY(nn_dim_add(s.past, s.len, &total));
  TRY(nn_check_dim(call, WEIGHTS, 0, nn_dim(call, INPUT, 2)));
  TRY(nn_check_vector(call, BIAS, nn_dim(call, WEIGHTS, 1)));
  TRY(check_mask(call, &s, total));
  TRY(check_score_bias(call, SCORE_BIAS, s.batch, s.heads, s.len, total));
  const int64_t past[] = {2, s.batch, s.heads, s.past, per_head(s.hidden[1], &s)};
  for (int i = 0; i < 5; i++) TRY(nn_check_dim(call, PAST, i, past[i]));
  FAIL_IF((nn_given(call, PAST) || call->output_count > 1) && s.hidden[1] != s.hidden[2], FARM_INVALID,
          "past needs K and V of one width");
  nn_output(call, 0, nn_dtype(call, INPUT), 3, (int64_t[]){s.batch, s.len, s.hidden[2]});
  nn_output(call, 1, nn_dtype(call, INPUT), 5, (int64_t[]){2, s.batch, s.heads, total, per_head(s.hidden[1], &s)});
  return FARM_OK;
}

struct mask {
  const struct tensor *index;
  const struct tensor *bias_type;
  const double *bias;
  int64_t batch, len, past, total;
  double filter;
  bool causal;
};

static double padding_at(const struct mask *m, int64_t b, int64_t i, int64_t j) {
  const struct tensor *t = m->index;
  bool shown = true;
  if (!t) return 0;
  if (t->rank == 1) {
    shown = j < dtype_load_i64(t->dtype, t->data, b);
    if (t->dims[0] == 2 * m->batch && j < dtype_load_i64(t->dtype, t->data, m->batch + b)) shown = false;
  } else {
    int64_t at = (t->rank == 2 ? b : b * m->len + i) * m->total + j;
    shown = dtype_load_i64(t->dtype, t->data, at) > 0;
  }
  return shown ? 0 : m->filter;
}

static void mask_apply(void *context, int64_t b, int64_t h, int64_t i, double *scores) {
  const struct mask *m = context;
  for (int64_t j = 0; j < m->total; j++) {
    double bias = m->causal && j > m->past + i ? -(double)FLT_MAX : padding_at(m, b, i, j);
    if (m->bias) {
      const int64_t *dims = m->bias_type->dims;
      bias += m->bias[(((dims[0] == 1 ? 0 : b) * dims[1] + (dims[1] == 1 ? 0 : h)) * m->len + i) * m->total + j];
    }
    scores[j] += bias;
  }
}

struct projection {
  double *values; // [b * s][width]
  const double *bias;
  int64_t width;
};

static void projection_write(void *context, int64_t first, int count, const double *sums) {
  const struct projection *p = context;
  for (int i = 0; i < count; i++) p->values[first + i] = sums[i] + (p->bias ? p->bias[(first + i) % p->width] : 0);
}

static enum farm_status project(struct reference_call *call, struct arena *scratch, double **out) {
  struct product product;
  struct projection projection = {.width = call->inputs[WEIGHTS]->dims[1]};
  double *bias = NULL;
  TRY(product_read(call->inputs[INPUT], call->inputs[WEIGHTS], false, false, &product));
  TRY(nn_load(scratch, nn_in(call, BIAS), &bias));
  TRY(nn_alloc(scratch, tensor_dims_product(product.dims, product.rank), sizeof(double), &projection.values));
  projection.bias = bias;
  product.context = &projection, product.write = projection_write;
  *out = projection.values;
  return product_run(&product);
}

/* K or V of all steps: part 0 or 1 of past, then the projection's columns from `first` on. Written to present when wanted. */
static enum farm_status join(struct reference_call *call, struct arena *scratch, const struct sizes *s, int part,
                             const struct heads *fresh, int64_t dim, struct heads *out) {
  int64_t total = s->past + s->len, old = s->batch * s->heads * s->past * dim, all = s->batch * s->heads * total * dim;
  double *before = NULL, *joined = NULL;
  TRY(nn_alloc(scratch, all, sizeof *joined, &joined));
  *out = heads_planar(joined, total, s->heads, dim);
  if (nn_in(call, PAST)) {
    TRY(nn_alloc(scratch, old, sizeof *before, &before));
    TRY(nn_load_range(call->inputs[PAST], part * old, old, before));
    struct heads from = heads_planar(before, s->past, s->heads, dim);
    heads_copy(out, 0, &from, s->batch, s->heads, s->past, dim);
  }
  heads_copy(out, s->past, fresh, s->batch, s->heads, s->len, dim);
  if (nn_out(call, 1)) nn_store_range(call->outputs[1], part * all, all, joined);
  return FARM_OK;
}

static enum farm_status attention_reference_body(struct reference_call *call, struct arena *scratch) {
  struct sizes s;
  double *projected = NULL, *out = NULL, *bias = NULL;
  TRY(sizes_read(call->attrs, call->inputs[INPUT], call->inputs[WEIGHTS], nn_in(call, PAST), &s));
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(project(call, scratch, &projected));
  TRY(nn_load(scratch, nn_in(call, SCORE_BIAS), &bias));
  TRY(nn_alloc(scratch, s.batch * s.len * s.hidden[2], sizeof *out, &out));
  int64_t width = call->inputs[WEIGHTS]->dims[1], qk = s.hidden[0] / s.heads, v = s.hidden[2] / s.heads;
  struct heads q = {projected, s.len * width, qk, width}, k = q,
               values = {projected + s.hidden[0] + s.hidden[1], s.len * width, v, width};
  k.at += s.hidden[0];
  struct mask mask = {nn_in(call, MASK_INDEX),
                      nn_in(call, SCORE_BIAS),
                      bias,
                      s.batch,
                      s.len,
                      s.past,
                      s.past + s.len,
                      (double)attr_float(call->attrs, "mask_filter_value", -10000),
                      attr_int(call->attrs, "unidirectional", 0) != 0};
  double scale = (double)attr_float(call->attrs, "scale", 0);
  struct attend attend = {s.batch,
                          s.heads,
                          s.heads,
                          s.len,
                          s.past + s.len,
                          qk,
                          v,
                          .q = q,
                          .context = &mask,
                          .mask = mask_apply,
                          .scale = scale == 0 ? 1 / pmath_sqrt((double)qk) : scale,
                          .out = heads_interleaved(out, s.len, s.heads, v)};
  TRY(join(call, scratch, &s, 0, &k, qk, &attend.k));
  TRY(join(call, scratch, &s, 1, &values, v, &attend.v));
  TRY(attend_run(&attend, scratch));
  if (nn_out(call, 0)) nn_store(call->outputs[0], out);
  return FARM_OK;
}
NN_REFERENCE(attention_reference)

const struct operator_row operators_contrib_attention[] = {
    {"com.microsoft", "Attention", 1, 2, 7, 1, 2, 0, 0, attention_shape, attention_reference},
};
OPERATOR_ROWS(contrib_attention);
