/* Matrix products, softmax and quantisation against their formulas. */
#include "nn-test.h"

static struct op_case product_case(const char *name, int opset, const struct tensor *a, const struct tensor *b,
                                   const struct tensor *c) {
  return (struct op_case){.name = name, .opset = opset, .input_count = c ? 3 : 2, .output_count = 1, .inputs = {a, b, c}};
}

TEST(matmul_broadcasts_batches_as_numpy_does, "") {
  const struct tensor *a = test_random(DTYPE_F32, 1, DIMS(2, 1, 5, 19)), *b = test_random(DTYPE_F32, 2, DIMS(3, 19, 11));
  struct op_case c = product_case("MatMul", 13, a, b, NULL);
  double *want = test_keep(calloc(2 * 3 * 5 * 11, sizeof *want)), *at = want;
  for (int64_t n = 0; n < 2; n++)
    for (int64_t h = 0; h < 3; h++)
      for (int64_t i = 0; i < 5; i++)
        for (int64_t j = 0; j < 11; j++, at++)
          for (int64_t k = 0; k < 19; k++) *at += test_at(a, (n * 5 + i) * 19 + k) * test_at(b, (h * 19 + k) * 11 + j);
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].rank == 4 && c.outputs[0].dims[0] == 2 && c.outputs[0].dims[1] == 3);
  check_output(&c, 0, want, 0, "matmul");
}

TEST(matmul_of_vectors_loses_their_axis, "") {
  const struct tensor *v = test_values(DTYPE_F32, DIMS(3), (double[]){1, 2, 3}),
                      *m = test_values(DTYPE_F32, DIMS(3, 2), (double[]){1, 2, 3, 4, 5, 6});
  struct op_case vm = product_case("MatMul", 13, v, m, NULL), vv = product_case("MatMul", 13, v, v, NULL);
  REQUIRE_OK(op_run(&vm));
  REQUIRE_OK(op_run(&vv));
  CHECK(vm.outputs[0].rank == 1 && vv.outputs[0].rank == 0);
  check_output(&vm, 0, (double[]){22, 28}, 0, "vector x matrix");
  check_output(&vv, 0, (double[]){14}, 0, "vector x vector");
}

TEST(matmul_of_integers_wraps_exactly, "") {
  struct tensor *a = test_tensor(DTYPE_I64, DIMS(1, 2)), *b = test_tensor(DTYPE_I64, DIMS(2, 1));
  ((int64_t *)a->data)[0] = INT64_MAX, ((int64_t *)a->data)[1] = 3, ((int64_t *)b->data)[0] = 2, ((int64_t *)b->data)[1] = 1;
  struct op_case c = product_case("MatMul", 13, a, b, NULL);
  REQUIRE_OK(op_run(&c));
  CHECK(((int64_t *)c.outputs[0].data)[0] == 1); // 2 * (2^63 - 1) + 3 modulo 2^64
}

/* Nested products of 0, 1 and more rows, columns and terms: the panels' edges. */
TEST(matmul_is_exact_at_every_edge, "") {
  static const int64_t sizes[] = {0, 1, 2, 7, 8, 9, 17};
  for (int i = 0; i < 7 * 7 * 7; i++) {
    int64_t m = sizes[i / 49], n = sizes[i / 7 % 7], k = sizes[i % 7];
    const struct tensor *a = test_random(DTYPE_F32, 5, DIMS(m, k)), *b = test_random(DTYPE_F32, 6, DIMS(k, n));
    struct op_case c = product_case("MatMul", 13, a, b, NULL);
    double *want = test_keep(calloc((size_t)(m * n + 1), sizeof *want));
    for (int64_t at = 0; at < m * n; at++)
      for (int64_t t = 0; t < k; t++) want[at] += test_at(a, at / n * k + t) * test_at(b, t * n + at % n);
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, want, 0, "edge");
  }
}

TEST(gemm_transposes_scales_and_broadcasts_c, "") {
  const struct tensor *a = test_random(DTYPE_F64, 1, DIMS(6, 4)), *b = test_random(DTYPE_F64, 2, DIMS(5, 6));
  static const int64_t shapes[][2] = {{4, 5}, {1, 5}, {4, 1}, {1, 1}};
  for (int i = 0; i < 4; i++) {
    const struct tensor *add = test_random(DTYPE_F64, 3, 2, shapes[i]);
    struct op_case c = product_case("Gemm", 13, a, b, add);
    double want[20];
    for (int at = 0; at < 20; at++) {
      int row = at / 5, column = at % 5;
      want[at] = 0;
      for (int k = 0; k < 6; k++) want[at] += test_at(a, k * 4 + row) * test_at(b, column * 6 + k);
      want[at] = 0.5 * want[at] + 2 * test_at(add, (shapes[i][0] > 1 ? row : 0) * shapes[i][1] + (shapes[i][1] > 1 ? column : 0));
    }
    c.attr[0] = INT("transA", 1), c.attr[1] = INT("transB", 1), c.attr[2] = FLOAT("alpha", 0.5f), c.attr[3] = FLOAT("beta", 2),
    c.attr_count = 4;
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, want, 1e-14, "gemm");
  }
}

TEST(products_refuse_what_does_not_fit, "") {
  static const struct {
    int64_t a[3], b[3];
    int a_rank, b_rank;
  } wrong[] = {
      {{2, 3}, {4, 5}, 2, 2}, {{3}, {4}, 1, 1}, {{2, 2, 3}, {3, 3, 4}, 3, 3}, {{1}, {1}, 0, 1}, {{INT64_MAX, 2}, {3, 1}, 2, 2}};
  for (int i = 0; i < 5; i++) {
    struct tensor a = {DTYPE_F32, wrong[i].a_rank, {0}, NULL}, b = {DTYPE_F32, wrong[i].b_rank, {0}, NULL};
    memcpy(a.dims, wrong[i].a, sizeof wrong[i].a), memcpy(b.dims, wrong[i].b, sizeof wrong[i].b);
    struct op_case c = product_case("MatMul", 13, &a, &b, NULL);
    CHECK_MESSAGE(op_shape(&c) == FARM_INVALID, "pair %d passed", i);
  }
}

TEST(matmul_integer_takes_zero_points_per_row_and_column, "") {
  struct op_case c = {.name = "MatMulInteger", .opset = 10, .input_count = 4, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_U8, DIMS(2, 2), (double[]){1, 2, 3, 4}),
  c.inputs[1] = test_values(DTYPE_I8, DIMS(2, 2), (double[]){5, -6, 7, 8});
  c.inputs[2] = test_values(DTYPE_U8, DIMS(2), (double[]){1, 2}), c.inputs[3] = test_values(DTYPE_I8, DIMS(2), (double[]){0, 1});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){7, 7, 19, 7}, 0, "matmul integer"); // [[0 1] [1 2]] x [[5 -7] [7 7]]
}

TEST(softmax_sums_to_one_and_flattens_before_13, "") {
  const struct tensor *x = test_random(DTYPE_F32, 9, DIMS(3, 4, 5));
  for (int opset = 11; opset <= 13; opset += 2) {
    struct op_case c = {.name = "Softmax",
                        .opset = opset,
                        .input_count = 1,
                        .output_count = 1,
                        .inputs = {x},
                        .attr = {INT("axis", 1)},
                        .attr_count = 1};
    double want[60];
    for (int i = 0; i < 60; i++) {
      double sum = 0;
      for (int k = 0; k < 60; k++)
        if (opset < 13 ? k / 20 == i / 20 : k / 20 == i / 20 && k % 5 == i % 5) sum += exp(test_at(x, k));
      want[i] = exp(test_at(x, i)) / sum;
    }
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, want, 1e-7, "softmax");
  }
}

TEST(softmax_holds_for_huge_and_infinite_inputs, "") {
  struct op_case c = {.name = "Softmax", .opset = 13, .input_count = 1, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(2, 2), (double[]){3e38, 3e38, -INFINITY, 5});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){0.5, 0.5, 0, 1}, 0, "softmax");
}

TEST(quantize_rounds_ties_to_even_and_saturates, "") {
  struct op_case c = {.name = "QuantizeLinear", .opset = 13, .input_count = 3, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(6), (double[]){1, 3, 5, -1000, 1000, NAN});
  c.inputs[1] = test_values(DTYPE_F32, 0, NULL, (double[]){2}), c.inputs[2] = test_values(DTYPE_I8, 0, NULL, (double[]){10});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){10, 12, 12, -128, 127, 10}, 0, "quantize");
}

TEST(quantize_blocks_and_four_bits_come_back, "") {
  struct op_case q = {.name = "QuantizeLinear",
                      .opset = 21,
                      .input_count = 3,
                      .output_count = 1,
                      .attr = {INT("axis", 1), INT("block_size", 2)},
                      .attr_count = 2};
  const double values[] = {-8, 7, 30, -20, 1.5, 0.5, 4, 8};
  q.inputs[0] = test_values(DTYPE_F32, DIMS(2, 4), values),
  q.inputs[1] = test_values(DTYPE_F32, DIMS(2, 2), (double[]){1, 10, 0.5, 4});
  q.inputs[2] = test_values(DTYPE_I4, DIMS(2, 2), (double[]){0, 1, 0, -1});
  REQUIRE_OK(op_run(&q));
  CHECK(q.outputs[0].dtype == DTYPE_I4);
  check_output(&q, 0, (double[]){-8, 7, 4, -1, 3, 1, 0, 1}, 0, "blocked");
  struct op_case d = {.name = "DequantizeLinear",
                      .opset = 21,
                      .input_count = 3,
                      .output_count = 1,
                      .attr = {q.attr[0], q.attr[1]},
                      .attr_count = 2};
  d.inputs[0] = &q.outputs[0], d.inputs[1] = q.inputs[1], d.inputs[2] = q.inputs[2];
  REQUIRE_OK(op_run(&d));
  check_output(&d, 0, values, 0, "back");
}

TEST(quantize_to_fp8_saturates_only_when_asked, "") {
  for (int64_t saturate = 0; saturate < 2; saturate++) {
    struct op_case c = {.name = "QuantizeLinear",
                        .opset = 19,
                        .input_count = 3,
                        .output_count = 1,
                        .attr = {INT("saturate", saturate)},
                        .attr_count = 1};
    c.inputs[0] = test_values(DTYPE_F32, DIMS(4), (double[]){464, 465, -1e9, 3});
    c.inputs[1] = test_values(DTYPE_F32, 0, NULL, (double[]){1}), c.inputs[2] = test_values(DTYPE_E4M3, 0, NULL, (double[]){0});
    REQUIRE_OK(op_run(&c));
    const uint8_t *bits = c.outputs[0].data;
    CHECK(bits[0] == 0x7e && bits[1] == (saturate ? 0x7e : 0x7f) && bits[2] == (saturate ? 0xfe : 0xff));
  }
}

TEST(quantize_refuses_scales_that_do_not_fit, "") {
  struct tensor x = {DTYPE_F32, 2, {4, 6}, NULL}, scale = {DTYPE_F32, 1, {5}, NULL}, zero = {DTYPE_U8, 1, {5}, NULL};
  struct op_case c = {.name = "QuantizeLinear", .opset = 21, .input_count = 3, .output_count = 1, .inputs = {&x, &scale, &zero}};
  CHECK(op_shape(&c) == FARM_INVALID);
  scale.dims[0] = 6, zero.dims[0] = 5;
  CHECK(op_shape(&c) == FARM_INVALID);
  zero.dims[0] = 6;
  CHECK(op_shape(&c) == FARM_OK);
  c.attr[c.attr_count++] = INT("block_size", -4);
  CHECK(op_shape(&c) == FARM_INVALID);
}
