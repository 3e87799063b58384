/* Scaled dot-product attention over heads given by strides: the core that ONNX Attention and com.microsoft's Attention,
 * MultiHeadAttention and GroupQueryAttention share.
 *
 *   q [step i] · k [step j] * scale ─► softcap ─► mask ─► softmax over j ─► sum of v [step j]
 */
#ifndef OPERATORS_ATTEND_H
#define OPERATORS_ATTEND_H

#include "nn-util.h"

/* Element [b][h][s][d] stands at at[b * batch + h * head + s * step + d]. */
struct heads {
  double *at;
  int64_t batch, head, step;
};

struct attend {
  int64_t batch, q_heads, kv_heads, q_len, kv_len, head_dim, v_dim; // q_heads is a multiple of kv_heads
  double scale, softcap;                                            // softcap 0: none
  struct heads q, k, v, out;
  const double *sink; // [q_heads] a further logit in the softmax's sum; NULL: none
  void *context;
  /* Adds the mask to a row of scores [kv_len]; -inf hides a key. A row with every key hidden gives zeros. May be NULL. */
  void (*mask)(void *context, int64_t b, int64_t h, int64_t i, double *scores);
  double *probe; // [batch][q_heads][q_len][kv_len] or NULL: gets the scores after stage `probe_stage`
  enum { ATTEND_SCORES, ATTEND_CAPPED, ATTEND_MASKED, ATTEND_SOFTMAX } probe_stage;
};

enum farm_status attend_run(const struct attend *attend, struct arena *scratch);
/* [batch][len][heads * dim] or, packed, [batch][heads][len][dim]. */
struct heads heads_interleaved(double *at, int64_t len, int64_t heads, int64_t dim);
struct heads heads_planar(double *at, int64_t len, int64_t heads, int64_t dim);
/* Copies `len` steps of every head of `from` to steps [first, first + len) of `to`. */
void heads_copy(const struct heads *to, int64_t first, const struct heads *from, int64_t batch, int64_t heads, int64_t len,
                int64_t dim);

/* Rotary position embedding of heads in place: pairs (i, i + dim/2), or neighbours when interleaved, of the first `dim`
 * elements are turned by the angle whose cosine and sine stand in row `position(b, s)` of the caches [rows][dim/2]. */
struct rotary {
  const double *cosine, *sine;
  const int64_t *positions; // [batch][len]
  int64_t dim;
  bool interleaved;
};
void rotary_apply(const struct rotary *rotary, const struct heads *heads, int64_t batch, int64_t count, int64_t len);

#endif
