/* See attend.h. */
#include "attend.h"

#include "../base/pmath.h"

#include <math.h>
#include <string.h>

struct heads heads_interleaved(double *at, int64_t len, int64_t heads, int64_t dim) {
  return (struct heads){at, len * heads * dim, dim, heads * dim};
}

struct heads heads_planar(double *at, int64_t len, int64_t heads, int64_t dim) {
  return (struct heads){at, heads * len * dim, len * dim, dim};
}

static double *heads_at(const struct heads *heads, int64_t b, int64_t h, int64_t s) {
  return heads->at + b * heads->batch + h * heads->head + s * heads->step;
}

void heads_copy(const struct heads *to, int64_t first, const struct heads *from, int64_t batch, int64_t heads, int64_t len,
                int64_t dim) {
  if (heads == 0 || len == 0 || dim == 0) return;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t s = 0; s < len; s++)
        memcpy(heads_at(to, b, h, first + s), heads_at(from, b, h, s), (size_t)dim * sizeof(double));
}

static void probe_row(const struct attend *a, int stage, int64_t row, const double *scores) {
  if (a->probe && (int)a->probe_stage == stage) memcpy(a->probe + row * a->kv_len, scores, (size_t)a->kv_len * sizeof *scores);
}

/* Softmax in place; all zeros when every score is -inf. */
static void attend_softmax(double *scores, int64_t count, const double *sink) {
  double most = sink ? *sink : -INFINITY, sum = 0;
  for (int64_t j = 0; j < count; j++) most = scores[j] > most ? scores[j] : most;
  if (most == -INFINITY) {
    memset(scores, 0, (size_t)count * sizeof *scores);
    return;
  }
  for (int64_t j = 0; j < count; j++) sum += scores[j] = pmath_exp(scores[j] - most);
  if (sink) sum += pmath_exp(*sink - most);
  for (int64_t j = 0; j < count; j++) scores[j] /= sum;
}

static void attend_row(const struct attend *a, int64_t b, int64_t h, int64_t i, double *scores) {
  int64_t shared = h / (a->q_heads / a->kv_heads), row = (b * a->q_heads + h) * a->q_len + i;
  const double *q = heads_at(&a->q, b, h, i);
  for (int64_t j = 0; j < a->kv_len; j++) {
    const double *k = heads_at(&a->k, b, shared, j);
    double sum = 0;
    for (int64_t d = 0; d < a->head_dim; d++) sum += q[d] * k[d];
    scores[j] = sum * a->scale;
  }
  probe_row(a, ATTEND_SCORES, row, scores);
  for (int64_t j = 0; a->softcap > 0 && j < a->kv_len; j++) scores[j] = a->softcap * pmath_tanh(scores[j] / a->softcap);
  probe_row(a, ATTEND_CAPPED, row, scores);
  if (a->mask) a->mask(a->context, b, h, i, scores);
  probe_row(a, ATTEND_MASKED, row, scores);
  attend_softmax(scores, a->kv_len, a->sink ? a->sink + h : NULL);
  probe_row(a, ATTEND_SOFTMAX, row, scores);
  double *out = heads_at(&a->out, b, h, i);
  memset(out, 0, (size_t)a->v_dim * sizeof *out);
  for (int64_t j = 0; j < a->kv_len; j++) {
    const double *v = heads_at(&a->v, b, shared, j);
    for (int64_t d = 0; scores[j] != 0 && d < a->v_dim; d++) out[d] += scores[j] * v[d];
  }
}

enum farm_status attend_run(const struct attend *a, struct arena *scratch) {
  double *scores = NULL;
  if (a->q_heads == 0 || a->q_len == 0 || (a->v_dim == 0 && !a->probe)) return FARM_OK;
  TRY(nn_alloc(scratch, a->kv_len, sizeof *scores, &scores));
  for (int64_t b = 0; b < a->batch; b++)
    for (int64_t h = 0; h < a->q_heads; h++)
      for (int64_t i = 0; i < a->q_len; i++) attend_row(a, b, h, i, scores);
  return FARM_OK;
}

static void rotary_turn(const struct rotary *r, double *x, int64_t row) {
  int64_t half = r->dim / 2;
  for (int64_t i = 0; i < half; i++) {
    double c = r->cosine[row * half + i], s = r->sine[row * half + i];
    double *a = r->interleaved ? x + 2 * i : x + i, *b = r->interleaved ? a + 1 : a + half;
    double real = c * *a - s * *b, imaginary = s * *a + c * *b;
    *a = real, *b = imaginary;
  }
}

void rotary_apply(const struct rotary *r, const struct heads *heads, int64_t batch, int64_t count, int64_t len) {
  if (count == 0 || len == 0) return;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t h = 0; h < count; h++)
      for (int64_t s = 0; s < len; s++) rotary_turn(r, heads_at(heads, b, h, s), r->positions[b * len + s]);
}
