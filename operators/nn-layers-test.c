/* Pooling, normalisation, recurrent cells, losses: small cases worked by hand or by a direct formula. */
#include "nn-test.h"

static struct op_case unary(const char *name, int opset, const struct tensor *x) {
  return (struct op_case){.name = name, .opset = opset, .input_count = 1, .output_count = 1, .inputs = {x}};
}

TEST(pools_over_the_same_windows, "") {
  const struct tensor *x = test_values(DTYPE_F32, DIMS(1, 1, 5), (double[]){-1, -5, 2, 4, 3});
  static const struct {
    const char *name;
    double want[3];
  } pools[] = {{"MaxPool", {-1, 4, 4}}, {"AveragePool", {-3, 1.0 / 3, 3.5}}, {"LpPool", {5.0990195, 6.7082039, 5}}};
  for (int i = 0; i < 3; i++) { // windows: pad -1 -5 | -5 2 4 | 4 3 pad
    struct op_case c = unary(pools[i].name, 11, x);
    c.attr[0] = INTS("kernel_shape", 3), c.attr[1] = INTS("strides", 2), c.attr[2] = INTS("pads", 1, 1), c.attr_count = 3;
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, pools[i].want, 1e-6, pools[i].name);
  }
}

TEST(average_pool_counts_padding_but_not_what_lies_beyond, "") {
  struct op_case c = unary("AveragePool", 19, test_values(DTYPE_F32, DIMS(1, 1, 4), (double[]){1, 2, 3, 6}));
  c.attr[0] = INTS("kernel_shape", 3), c.attr[1] = INTS("strides", 3), c.attr[2] = INTS("pads", 1, 1),
  c.attr[3] = INT("count_include_pad", 1);
  c.attr[4] = INT("ceil_mode", 1), c.attr_count = 5;
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dims[2] == 2);
  check_output(&c, 0, (double[]){1, 3}, 1e-6, "average"); // (0 1 2) / 3, (3 6 0) / 3
}

TEST(max_pool_tells_where_in_both_orders, "") {
  const struct tensor *x = test_values(DTYPE_I8, DIMS(1, 2, 2, 3), (double[]){1, 5, 2, 3, 4, 0, -9, -8, -7, -6, -5, -4});
  for (int64_t order = 0; order < 2; order++) {
    struct op_case c = unary("MaxPool", 12, x);
    c.output_count = 2, c.attr[0] = INTS("kernel_shape", 2, 2), c.attr[1] = INT("storage_order", order), c.attr_count = 2;
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, (double[]){5, 5, -5, -4}, 0, "max");
    check_output(&c, 1, order ? (double[]){2, 2, 9, 11} : (double[]){1, 1, 10, 11}, 0, "indices");
  }
}

TEST(pools_refuse_windows_that_cannot_be, "") {
  const struct attr wrong[] = {INTS("kernel_shape", 0, 1), INTS("kernel_shape", 2), INTS("kernel_shape", INT64_MAX, 1),
                               INTS("kernel_shape", 9, 9)};
  for (int i = 0; i < 4; i++) {
    struct tensor x = {DTYPE_F32, 4, {1, 1, 4, 4}, NULL};
    struct op_case c = unary("MaxPool", 12, &x);
    c.attr[0] = wrong[i], c.attr_count = 1;
    CHECK_MESSAGE(op_shape(&c) == FARM_INVALID, "window %d passed", i);
    c.attr_count = 0;
    CHECK(op_shape(&c) == FARM_INVALID); // no kernel at all
  }
}

TEST(normalisations_share_a_definition, "") {
  const struct tensor *x = test_random(DTYPE_F32, 3, DIMS(2, 4, 3)), *scale = test_random(DTYPE_F32, 4, DIMS(4)),
                      *bias = test_random(DTYPE_F32, 5, DIMS(4));
  static const struct {
    const char *name;
    int opset;
    int64_t count; // neighbours that are normalised together
    struct attr attr;
  } norms[] = {{"InstanceNormalization", 6, 3, {0}},
               {"GroupNormalization", 21, 6, {.name = "num_groups", .type = ATTR_INT, .i = 2}}};
  for (int n = 0; n < 2; n++) {
    struct op_case c = {.name = norms[n].name,
                        .opset = norms[n].opset,
                        .input_count = 3,
                        .output_count = 1,
                        .inputs = {x, scale, bias},
                        .attr = {norms[n].attr}};
    c.attr_count = norms[n].attr.name != NULL;
    double want[24];
    for (int64_t i = 0; i < 24; i++) {
      double mean = 0, variance = 0;
      int64_t first = i / norms[n].count * norms[n].count;
      for (int64_t k = first; k < first + norms[n].count; k++) mean += test_at(x, k) / (double)norms[n].count;
      for (int64_t k = first; k < first + norms[n].count; k++)
        variance += (test_at(x, k) - mean) * (test_at(x, k) - mean) / (double)norms[n].count;
      want[i] = (test_at(x, i) - mean) / sqrt(variance + 1e-5) * test_at(scale, i / 3 % 4) + test_at(bias, i / 3 % 4);
    }
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, want, 1e-6, norms[n].name);
  }
}

TEST(layer_norm_gives_its_statistics, "") {
  struct op_case c = {.name = "LayerNormalization",
                      .opset = 17,
                      .input_count = 3,
                      .output_count = 3,
                      .attr = {FLOAT("epsilon", 0)},
                      .attr_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(2, 2), (double[]){1, 5, -2, -4});
  c.inputs[1] = test_values(DTYPE_F32, DIMS(2), (double[]){1, 2}),
  c.inputs[2] = test_values(DTYPE_F32, DIMS(2), (double[]){0, 10});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){-1, 12, 1, 8}, 1e-6, "layer norm");
  check_output(&c, 1, (double[]){3, -3}, 0, "mean");
  check_output(&c, 2, (double[]){0.5, 1}, 0, "inverse deviation");
  c.name = "RMSNormalization", c.opset = 23, c.input_count = 2, c.output_count = 1;
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){1 / sqrt(13), 10 / sqrt(13), -2 / sqrt(10), -8 / sqrt(10)}, 1e-6, "rms norm");
}

TEST(batch_norm_trains_from_14_on, "") {
  struct op_case c = {.name = "BatchNormalization",
                      .opset = 15,
                      .input_count = 5,
                      .output_count = 3,
                      .attr = {INT("training_mode", 1), FLOAT("momentum", 0.5f), FLOAT("epsilon", 0)},
                      .attr_count = 3};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(2, 1, 2), (double[]){1, 3, 5, 7});
  const double parameters[] = {2, 1, 10, 1}; // scale, bias, mean, variance; the batch's are 4 and 5
  for (int i = 0; i < 4; i++) c.inputs[i + 1] = test_values(DTYPE_F32, DIMS(1), &parameters[i]);
  REQUIRE_OK(op_run(&c));
  double want[4];
  for (int i = 0; i < 4; i++) want[i] = (2 * i - 3) / sqrt(5) * 2 + 1;
  check_output(&c, 0, want, 1e-6, "training");
  check_output(&c, 1, (double[]){7}, 1e-6, "running mean");
  check_output(&c, 2, (double[]){3}, 1e-6, "running variance");
  c.attr[0] = INT("training_mode", 0), c.output_count = 1;
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){-17, -13, -9, -5}, 1e-6, "inference");
}

static double sigma(double x) { return 1 / (1 + exp(-x)); }

TEST(lstm_steps_by_its_equations, "") {
  struct op_case c = {
      .name = "LSTM", .opset = 14, .input_count = 8, .output_count = 3, .attr = {INT("hidden_size", 1)}, .attr_count = 1};
  const double w[] = {0.1, 0.2, 0.3, 0.4}, r[] = {0.5, -0.6, 0.7, -0.8}, b[] = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08},
               p[] = {0.2, 0.3, -0.4}, x[] = {1, -2, 0.5};
  c.inputs[0] = test_values(DTYPE_F64, DIMS(3, 1, 1), x), c.inputs[1] = test_values(DTYPE_F64, DIMS(1, 4, 1), w);
  c.inputs[2] = test_values(DTYPE_F64, DIMS(1, 4, 1), r), c.inputs[3] = test_values(DTYPE_F64, DIMS(1, 8), b),
  c.inputs[7] = test_values(DTYPE_F64, DIMS(1, 3), p);
  double h = 0, cell = 0, want[3];
  for (int t = 0; t < 3; t++) { // gates i o f c; peepholes i o f
    double g[4];
    for (int k = 0; k < 4; k++) g[k] = w[k] * x[t] + r[k] * h + b[k] + b[4 + k];
    double i = sigma(g[0] + p[0] * cell), f = sigma(g[2] + p[2] * cell);
    cell = f * cell + i * tanh(g[3]);
    h = want[t] = sigma(g[1] + p[1] * cell) * tanh(cell);
  }
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, want, 1e-14, "lstm");
  check_output(&c, 1, &h, 1e-14, "lstm h");
  check_output(&c, 2, &cell, 1e-14, "lstm c");
}

TEST(gru_resets_before_or_after_its_product, "") {
  for (int64_t before = 0; before < 2; before++) {
    struct op_case c = {.name = "GRU",
                        .opset = 14,
                        .input_count = 6,
                        .output_count = 2,
                        .attr = {INT("hidden_size", 1), INT("linear_before_reset", before)},
                        .attr_count = 2};
    const double b[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
    c.inputs[0] = test_values(DTYPE_F64, DIMS(1, 1, 1), (double[]){2}),
    c.inputs[1] = test_values(DTYPE_F64, DIMS(1, 3, 1), (double[]){0.5, 0.25, -1});
    c.inputs[2] = test_values(DTYPE_F64, DIMS(1, 3, 1), (double[]){1, 2, 3}), c.inputs[3] = test_values(DTYPE_F64, DIMS(1, 6), b),
    c.inputs[5] = test_values(DTYPE_F64, DIMS(1, 1, 1), (double[]){0.7});
    double z = sigma(1 + 0.7 + 0.5), r = sigma(0.5 + 1.4 + 0.7);
    double candidate = tanh(-2 + 0.3 + (before ? r * (3 * 0.7 + 0.6) : 3 * (r * 0.7) + 0.6)),
           want = (1 - z) * candidate + z * 0.7;
    REQUIRE_OK(op_run(&c));
    check_output(&c, 1, &want, 1e-14, "gru");
  }
}

/* The backward half of a bidirectional RNN is the forward one on the reversed sequence, for each sequence's own length. */
TEST(rnn_backwards_is_forwards_reversed, "") {
  enum { LEN = 4, IN = 2, HIDDEN = 3 };
  const struct tensor *x = test_random(DTYPE_F64, 1, DIMS(LEN, 1, IN)), *w = test_random(DTYPE_F64, 2, DIMS(1, HIDDEN, IN)),
                      *r = test_random(DTYPE_F64, 3, DIMS(1, HIDDEN, HIDDEN));
  const int64_t length = 3;
  struct tensor *reversed = test_tensor(DTYPE_F64, x->rank, x->dims);
  for (int64_t t = 0; t < length; t++)
    memcpy((double *)reversed->data + t * IN, (double *)x->data + (length - 1 - t) * IN, IN * sizeof(double));
  struct op_case back = {.name = "RNN",
                         .opset = 14,
                         .input_count = 5,
                         .output_count = 2,
                         .inputs = {x, w, r},
                         .attr = {TEXT("direction", "reverse")},
                         .attr_count = 1};
  back.inputs[4] = test_values(DTYPE_I32, DIMS(1), (double[]){(double)length});
  struct op_case forth = back;
  forth.inputs[0] = reversed, forth.attr_count = 0;
  REQUIRE_OK(op_run(&back));
  REQUIRE_OK(op_run(&forth));
  for (int64_t i = 0; i < LEN * HIDDEN; i++) {
    int64_t t = i / HIDDEN, other = t < length ? length - 1 - t : t;
    CHECK(test_at(&back.outputs[0], i) == test_at(&forth.outputs[0], other * HIDDEN + i % HIDDEN));
    if (t >= length) CHECK(test_at(&back.outputs[0], i) == 0);
  }
  CHECK(memcmp(back.outputs[1].data, forth.outputs[1].data, tensor_bytes(&back.outputs[1])) == 0);
}

TEST(losses_weigh_ignore_and_refuse_labels, "") {
  struct op_case c = {.name = "NegativeLogLikelihoodLoss",
                      .opset = 13,
                      .input_count = 3,
                      .output_count = 1,
                      .attr = {INT("ignore_index", -7)},
                      .attr_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(3, 2), (double[]){-1, -2, -3, -4, -5, -6});
  c.inputs[1] = test_values(DTYPE_I64, DIMS(3), (double[]){0, -7, 1}),
  c.inputs[2] = test_values(DTYPE_F32, DIMS(2), (double[]){1, 3});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){(1 + 3 * 6) / 4.0}, 1e-6, "loss");
  c.inputs[1] = test_values(DTYPE_I64, DIMS(3), (double[]){0, 2, 1});
  CHECK(op_run(&c) == FARM_INVALID);
}
