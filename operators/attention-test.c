/* Attention: with a past it is the tail of the whole; groups of heads are repeated heads; masks hide; rotations keep lengths. */
#include "nn-test.h"

enum { BATCH = 2, HEADS = 3, DIM = 4, PAST = 5, NEW = 2, TOTAL = PAST + NEW, WIDTH = HEADS * DIM };

static double q_at(const struct tensor *t, int64_t len, int64_t b, int64_t h, int64_t s, int64_t d) { // [b][h][s][d]
  return test_at(t, ((b * HEADS + h) * len + s) * DIM + d);
}

/* softmax(q k^T / 2) v for one query; keys up to and including `last`. */
static void attend_naive(const struct tensor *q, const struct tensor *k, const struct tensor *v, int64_t b, int64_t h, int64_t s,
                         int64_t q_len, int64_t last, double *out) {
  double weights[TOTAL], sum = 0;
  for (int64_t j = 0; j <= last; j++) {
    double dot = 0;
    for (int64_t d = 0; d < DIM; d++) dot += q_at(q, q_len, b, h, s, d) * q_at(k, TOTAL, b, h, j, d);
    sum += weights[j] = exp(dot / 2);
  }
  for (int64_t d = 0; d < DIM; d++) {
    out[d] = 0;
    for (int64_t j = 0; j <= last; j++) out[d] += weights[j] / sum * q_at(v, TOTAL, b, h, j, d);
  }
}

static const struct tensor *steps(const struct tensor *t, int64_t first, int64_t count) { // of [b][h][TOTAL][d]
  struct tensor *part = test_tensor(t->dtype, DIMS(BATCH, HEADS, count, DIM));
  for (int64_t i = 0; i < tensor_elems(part); i++) {
    int64_t plane = i / (count * DIM), s = i / DIM % count;
    dtype_store_f64(part->dtype, part->data, i, test_at(t, (plane * TOTAL + first + s) * DIM + i % DIM));
  }
  return part;
}

TEST(attention_with_a_past_is_causal_attention_over_all, "") {
  const struct tensor *q = test_random(DTYPE_F64, 1, DIMS(BATCH, HEADS, NEW, DIM));
  const struct tensor *k = test_random(DTYPE_F64, 2, DIMS(BATCH, HEADS, TOTAL, DIM)),
                      *v = test_random(DTYPE_F64, 3, DIMS(BATCH, HEADS, TOTAL, DIM));
  struct op_case c = {
      .name = "Attention", .opset = 23, .input_count = 6, .output_count = 3, .attr = {INT("is_causal", 1)}, .attr_count = 1};
  c.inputs[0] = q, c.inputs[1] = steps(k, PAST, NEW), c.inputs[2] = steps(v, PAST, NEW), c.inputs[4] = steps(k, 0, PAST),
  c.inputs[5] = steps(v, 0, PAST);
  double want[BATCH * HEADS * NEW * DIM];
  for (int64_t i = 0; i < BATCH * HEADS * NEW; i++)
    attend_naive(q, k, v, i / (HEADS * NEW), i / NEW % HEADS, i % NEW, NEW, PAST + i % NEW, want + i * DIM);
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, want, 1e-12, "attention");
  CHECK(tensor_shape_equal(&c.outputs[1], k) && memcmp(c.outputs[1].data, k->data, tensor_bytes(k)) == 0);
  CHECK(tensor_shape_equal(&c.outputs[2], v) && memcmp(c.outputs[2].data, v->data, tensor_bytes(v)) == 0);
}

TEST(attention_hides_every_key_and_gives_zeros, "") {
  struct op_case c = {.name = "Attention", .opset = 23, .input_count = 4, .output_count = 1};
  for (int i = 0; i < 3; i++) c.inputs[i] = test_random(DTYPE_F32, 4, DIMS(1, 1, 2, 4));
  struct tensor *mask = test_tensor(DTYPE_BOOL, DIMS(2, 2));
  ((uint8_t *)mask->data)[0] = 1; // the first query sees the first key; the second sees none
  c.inputs[3] = mask;
  REQUIRE_OK(op_run(&c));
  for (int i = 0; i < 4; i++) CHECK(test_at(&c.outputs[0], i) == test_at(c.inputs[2], i) && test_at(&c.outputs[0], 4 + i) == 0);
}

/* com.microsoft.Attention with an identity for weights is attention of the input with itself. */
TEST(contrib_attention_projects_then_attends_with_masks, "") {
  struct tensor *weights = test_tensor(DTYPE_F32, DIMS(WIDTH, 3 * WIDTH));
  for (int64_t i = 0; i < WIDTH; i++)
    for (int64_t part = 0; part < 3; part++) ((float *)weights->data)[i * 3 * WIDTH + part * WIDTH + i] = 1;
  const struct tensor *x = test_random(DTYPE_F32, 5, DIMS(1, TOTAL, WIDTH));
  struct op_case c = {.domain = "com.microsoft",
                      .name = "Attention",
                      .opset = 1,
                      .input_count = 4,
                      .output_count = 2,
                      .attr = {INT("num_heads", HEADS)},
                      .attr_count = 1};
  c.inputs[0] = x, c.inputs[1] = weights, c.inputs[3] = test_values(DTYPE_I32, DIMS(1), (double[]){PAST});
  struct tensor *planar = test_tensor(DTYPE_F32, DIMS(1, HEADS, TOTAL, DIM));
  for (int64_t i = 0; i < HEADS * TOTAL * DIM; i++)
    ((float *)planar->data)[i] = (float)test_at(x, i / DIM % TOTAL * WIDTH + i / (TOTAL * DIM) * DIM + i % DIM);
  double want[TOTAL * WIDTH];
  for (int64_t i = 0; i < TOTAL * HEADS; i++)
    attend_naive(planar, planar, planar, 0, i % HEADS, i / HEADS, TOTAL, PAST - 1, want + i * DIM);
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, want, 1e-6, "contrib attention");
  CHECK(c.outputs[1].rank == 5 && memcmp(c.outputs[1].data, planar->data, tensor_bytes(planar)) == 0);
}

TEST(grouped_heads_are_repeated_heads, "") {
  enum { LEN = 4, Q_HEADS = 4, KV = 2 };
  const struct tensor *q = test_random(DTYPE_F32, 6, DIMS(1, LEN, Q_HEADS * DIM)),
                      *k = test_random(DTYPE_F32, 7, DIMS(1, LEN, KV * DIM));
  const struct tensor *v = test_random(DTYPE_F32, 8, DIMS(1, LEN, KV * DIM));
  struct op_case group = {
      .domain = "com.microsoft", .name = "GroupQueryAttention", .opset = 1, .input_count = 7, .output_count = 3};
  group.attr[0] = INT("num_heads", Q_HEADS), group.attr[1] = INT("kv_num_heads", KV), group.attr_count = 2;
  group.inputs[0] = q, group.inputs[1] = k, group.inputs[2] = v;
  group.inputs[5] = test_values(DTYPE_I32, DIMS(1), (double[]){LEN - 1}),
  group.inputs[6] = test_values(DTYPE_I32, 0, NULL, (double[]){LEN});
  struct tensor *wide[2] = {test_tensor(DTYPE_F32, q->rank, q->dims), test_tensor(DTYPE_F32, q->rank, q->dims)};
  for (int64_t i = 0; i < LEN * Q_HEADS * DIM; i++) {
    int64_t s = i / (Q_HEADS * DIM), h = i / DIM % Q_HEADS / (Q_HEADS / KV), at = (s * KV + h) * DIM + i % DIM;
    ((float *)wide[0]->data)[i] = (float)test_at(k, at), ((float *)wide[1]->data)[i] = (float)test_at(v, at);
  }
  struct op_case multi = {.domain = "com.microsoft",
                          .name = "MultiHeadAttention",
                          .opset = 1,
                          .input_count = 3,
                          .output_count = 1,
                          .inputs = {q, wide[0], wide[1]}};
  multi.attr[0] = INT("num_heads", Q_HEADS), multi.attr[1] = INT("unidirectional", 1), multi.attr_count = 2;
  REQUIRE_OK(op_run(&group));
  REQUIRE_OK(op_run(&multi));
  CHECK(memcmp(group.outputs[0].data, multi.outputs[0].data, tensor_bytes(&multi.outputs[0])) == 0);
}

TEST(rotary_embedding_turns_pairs, "") {
  for (int64_t interleaved = 0; interleaved < 2; interleaved++) {
    struct op_case c = {.name = "RotaryEmbedding",
                        .opset = 23,
                        .input_count = 4,
                        .output_count = 1,
                        .attr = {INT("interleaved", interleaved)},
                        .attr_count = 1};
    c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 1, 1, 4), (double[]){1, 2, 3, 4});
    c.inputs[1] = test_values(DTYPE_F32, DIMS(2, 2), (double[]){9, 9, 0, 0.6}),
    c.inputs[2] = test_values(DTYPE_F32, DIMS(2, 2), (double[]){9, 9, 1, 0.8});
    c.inputs[3] = test_values(DTYPE_I64, DIMS(1, 1), (double[]){1});
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, interleaved ? (double[]){-2, 1, -1.4, 4.8} : (double[]){-3, -2, 1, 4}, 1e-6, "rotary");
  }
}

TEST(skip_layer_norm_adds_before_it_normalises, "") {
  struct op_case c = {.domain = "com.microsoft",
                      .name = "SkipLayerNormalization",
                      .opset = 1,
                      .input_count = 5,
                      .output_count = 4,
                      .attr = {FLOAT("epsilon", 0)},
                      .attr_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 1, 2), (double[]){1, 2}),
  c.inputs[1] = test_values(DTYPE_F32, DIMS(1, 1, 2), (double[]){0, 4});
  c.inputs[2] = test_values(DTYPE_F32, DIMS(2), (double[]){2, 3}),
  c.inputs[3] = test_values(DTYPE_F32, DIMS(2), (double[]){10, 20});
  c.inputs[4] = test_values(DTYPE_F32, DIMS(2), (double[]){1, 2});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 3, (double[]){2, 8}, 0, "sum");
  check_output(&c, 1, (double[]){5}, 0, "mean");
  check_output(&c, 0, (double[]){8, 23}, 1e-6, "normalised");
}

TEST(attentions_refuse_what_does_not_fit, "") {
  struct tensor x = {DTYPE_F32, 3, {2, 4, 12}, NULL}, w = {DTYPE_F32, 2, {12, 36}, NULL},
                past = {DTYPE_F32, 5, {2, 2, 3, 5, 4}, NULL};
  struct op_case c = {.domain = "com.microsoft",
                      .name = "Attention",
                      .opset = 1,
                      .input_count = 5,
                      .output_count = 2,
                      .inputs = {&x, &w, NULL, NULL, &past},
                      .attr = {INT("num_heads", 3)},
                      .attr_count = 1};
  CHECK(op_shape(&c) == FARM_OK && c.outputs[1].dims[3] == 9);
  past.dims[2] = 4;
  CHECK(op_shape(&c) == FARM_INVALID);
  past.dims[2] = 3, c.attr[0] = INT("num_heads", 5);
  CHECK(op_shape(&c) == FARM_INVALID);
  c.attr[0] = INT("num_heads", 0);
  CHECK(op_shape(&c) == FARM_INVALID);
  c.attr[0] = INT("num_heads", 3), w.dims[1] = 37;
  CHECK(op_shape(&c) == FARM_INVALID);
}
