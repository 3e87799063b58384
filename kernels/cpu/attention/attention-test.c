/* Attention against the definition in double: every operand order, every mask, causal reach, grouped heads, odd sizes, hidden
 * rows. */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct tactic attention_f32__tiles__baseline, attention_f32__tiles__avx2, attention_f32__tiles__avx512,
    attention_f32__tiles__wide;
static const struct tactic *const tactics[] = {&attention_f32__tiles__baseline, &attention_f32__tiles__avx2,
                                               &attention_f32__tiles__wide, &attention_f32__tiles__avx512};

enum { Q, K, V };

/* Flat index of element i of position s of head h in batch b of q, k or v. */
static int64_t place(const int64_t *d, int which, int64_t b, int64_t h, int64_t s, int64_t i) {
  const int64_t heads = which == Q ? d[ATTENTION_HEADS] : d[ATTENTION_KV_HEADS],
                length = which == Q ? d[ATTENTION_SEQ] : d[ATTENTION_KV];
  const int64_t depth = which == V ? d[ATTENTION_DV] : d[ATTENTION_D];
  if (d[ATTENTION_ORDER] == 2) return (((b * length + s) * 3 + which) * heads + h) * depth + i;
  if (d[ATTENTION_ORDER] == 1) return ((b * length + s) * heads + h) * depth + i;
  if (d[ATTENTION_ORDER] == 4 && which == K) return ((b * heads + h) * depth + i) * length + s;
  return ((b * heads + h) * length + s) * depth + i;
}

static double operand(const struct probe *probe, int which, int64_t b, int64_t h, int64_t s, int64_t i) {
  const int64_t *d = probe->problem.dims;
  return probe_get(probe, d[ATTENTION_ORDER] == 2 ? 0 : which, place(d, which, b, h, s, i));
}

static double mask(const struct probe *probe, int64_t b, int64_t h, int64_t i, int64_t j) {
  const int64_t *d = probe->problem.dims, kv = d[ATTENTION_KV], seq = d[ATTENTION_SEQ];
  const int64_t at[] = {0, j, b * kv + j, i * kv + j, ((b * d[ATTENTION_HEADS] + h) * seq + i) * kv + j, (b * seq + i) * kv + j};
  return d[ATTENTION_MASK] ? probe_get(probe, probe->input_count - 1, at[d[ATTENTION_MASK]]) : 0;
}

static void reference_row(struct probe *probe, int64_t b, int64_t h, int64_t i, double *scores) {
  const int64_t *d = probe->problem.dims, kv = d[ATTENTION_KV], kvh = h / (d[ATTENTION_HEADS] / d[ATTENTION_KV_HEADS]);
  const double scale = probe->scalars.scale != 0.0f ? (double)probe->scalars.scale : 1 / sqrt((double)d[ATTENTION_D]);
  double most = -INFINITY, total = 0;
  for (int64_t j = 0; j < kv; j++) {
    double sum = 0;
    for (int64_t p = 0; p < d[ATTENTION_D]; p++) sum += operand(probe, Q, b, h, i, p) * operand(probe, K, b, kvh, j, p);
    scores[j] = d[ATTENTION_CAUSAL] && j > kv - d[ATTENTION_SEQ] + i ? -INFINITY : sum * scale + mask(probe, b, h, i, j);
    most = scores[j] > most ? scores[j] : most;
  }
  for (int64_t j = 0; j < kv; j++) total += scores[j] = isinf(most) ? 0 : exp(scores[j] - most);
  const bool inside = d[ATTENTION_ORDER] == 1 || d[ATTENTION_ORDER] == 2;
  const int64_t row =
      inside ? (b * d[ATTENTION_SEQ] + i) * d[ATTENTION_HEADS] + h : (b * d[ATTENTION_HEADS] + h) * d[ATTENTION_SEQ] + i;
  for (int64_t c = 0; c < d[ATTENTION_DV]; c++) {
    double sum = 0;
    for (int64_t j = 0; j < kv; j++) sum += scores[j] * operand(probe, V, b, kvh, j, c);
    probe->wanted[0][row * d[ATTENTION_DV] + c] = total > 0 ? sum / total : 0;
  }
}

static void reference(struct probe *probe) {
  const int64_t *d = probe->problem.dims;
  double *scores = malloc(sizeof *scores * (size_t)d[ATTENTION_KV]);
  REQUIRE(scores);
  for (int64_t b = 0; b < d[ATTENTION_B]; b++)
    for (int64_t h = 0; h < d[ATTENTION_HEADS]; h++)
      for (int64_t i = 0; i < d[ATTENTION_SEQ]; i++) reference_row(probe, b, h, i, scores);
  free(scores);
}

/* `hide`: every third mask element is -inf, and a whole row; `scale` 0: the usual one. */
static void check(const char *text, bool hide, float scale) {
  struct probe probe;
  probe_open(&probe, text, 9);
  probe.scalars.scale = scale;
  struct tensor *last = &probe.tensors[probe.input_count - 1];
  for (int64_t i = 0; hide && i < tensor_elems(last); i++)
    if (i % 3 == 1 || i < probe.problem.dims[ATTENTION_KV]) ((float *)last->data)[i] = -INFINITY;
  reference(&probe);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++)
    CHECK_MESSAGE(probe_check(&probe, tactics[t], 3e-6, 1e-5) || !probe_isa_here(tactics[t]->isa), "%s: no variant", text);
  probe_close(&probe);
}

TEST(attention_takes_every_order, "") {
  static const char *const orders[] = {"", "order1", "order2", "order4"};
  static const char *const sizes[] = {"b1 heads1 kvheads1 seq1 kv1 d1 dv1", "b2 heads3 kvheads3 seq7 kv7 d8 dv8",
                                      "b1 heads2 kvheads2 seq49 kv49 d20 dv20", "b1 heads2 kvheads2 seq130 kv130 d64 dv64"};
  for (int o = 0; o < 4; o++)
    for (int s = 0; s < 4; s++) {
      char text[128];
      snprintf(text, sizeof text, "attention %s %s f32", sizes[s], orders[o]);
      check(text, false, 0);
    }
}

TEST(attention_takes_every_mask, "") {
  for (int m = 0; m <= 5; m++)
    for (int causal = 0; causal < 2; causal++) {
      char text[128];
      snprintf(text, sizeof text, "attention b2 heads3 kvheads3 seq21 kv77 d12 dv19%s%s%d f32", causal ? " causal" : "", " mask",
               m);
      check(text, false, 0.7f);
      check(text, m != 0, 0);
    }
}

TEST(attention_reaches_as_far_as_causal, "") {
  static const char *const texts[] = {"attention b1 heads2 kvheads2 seq150 kv150 d16 dv16 causal f32",
                                      "attention b1 heads2 kvheads2 seq5 kv200 d16 dv16 causal f32",
                                      "attention b1 heads2 kvheads2 seq60 kv20 d16 dv16 causal f32",
                                      "attention b2 heads8 kvheads2 seq33 kv33 d24 dv40 causal f32",
                                      "attention b1 heads4 kvheads1 seq100 kv300 d32 dv33 order1 causal f32",
                                      "attention b1 heads6 kvheads3 seq1 kv600 d64 dv64 f32"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check(texts[i], false, 0);
}

/* Scores that grow along the keys make every block fade the earlier ones. */
TEST(attention_fades_earlier_blocks, "") {
  struct probe probe;
  probe_open(&probe, "attention b1 heads1 kvheads1 seq20 kv500 d4 dv5 mask1 f32", 2);
  for (int j = 0; j < 500; j++) ((float *)probe.tensors[3].data)[j] = 0.5f * (float)j;
  reference(&probe);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++) probe_check(&probe, tactics[t], 1e-5, 1e-5);
  probe_close(&probe);
}
