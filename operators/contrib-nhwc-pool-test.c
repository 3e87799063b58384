/* NhwcMaxPool against hand-made numbers and against MaxPool on the transposed image. */
#include "nn-test.h"

TEST(nhwc_max_pool_by_hand, "") {
  struct op_case c = {.domain = "com.microsoft",
                      .name = "NhwcMaxPool",
                      .opset = 1,
                      .input_count = 1,
                      .output_count = 1,
                      .attr = {INTS("kernel_shape", 2, 2), INTS("pads", 0, 0, 1, 1), INTS("strides", 2, 2)},
                      .attr_count = 3};
  c.inputs[0] = test_values(DTYPE_I8, DIMS(1, 3, 2, 2), (double[]){-1, 10, -2, 20, -3, 30, -4, -128, -50, 1, -60, 2});
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].rank == 4 && c.outputs[0].dims[1] == 2 && c.outputs[0].dims[2] == 1 && c.outputs[0].dims[3] == 2);
  check_output(&c, 0, (double[]){-1, 30, -50, 2}, 0, "NhwcMaxPool");
}

TEST(nhwc_max_pool_is_max_pool_with_channels_last, "") {
  enum { N = 2, H = 7, W = 6, C = 3 };
  const struct attr attrs[] = {INTS("kernel_shape", 3, 2), INTS("strides", 2, 1), INTS("dilations", 1, 2),
                               INTS("pads", 1, 0, 1, 1), INT("ceil_mode", 1)};
  struct op_case last = {.domain = "com.microsoft", .name = "NhwcMaxPool", .opset = 1, .input_count = 1, .output_count = 1},
                 first = {.name = "MaxPool", .opset = 12, .input_count = 1, .output_count = 1};
  struct tensor *x = test_random(DTYPE_U8, 5, DIMS(N, H, W, C)), *y = test_tensor(DTYPE_U8, DIMS(N, C, H, W));
  for (int64_t i = 0; i < N * H * W * C; i++)
    ((uint8_t *)y->data)[(i / (H * W * C) * C + i % C) * H * W + i / C % (H * W)] = ((uint8_t *)x->data)[i];
  memcpy(last.attr, attrs, sizeof attrs), memcpy(first.attr, attrs, sizeof attrs);
  last.attr_count = first.attr_count = sizeof attrs / sizeof *attrs;
  last.inputs[0] = x, first.inputs[0] = y;
  REQUIRE_OK(op_run(&last));
  REQUIRE_OK(op_run(&first));
  const int64_t sites = first.outputs[0].dims[2] * first.outputs[0].dims[3], elems = tensor_elems(&last.outputs[0]);
  REQUIRE(elems == N * C * sites && last.outputs[0].dims[1] == first.outputs[0].dims[2] && last.outputs[0].dims[3] == C);
  for (int64_t i = 0; i < elems; i++)
    CHECK(test_at(&last.outputs[0], i) == test_at(&first.outputs[0], (i / (sites * C) * C + i % C) * sites + i / C % sites));
}

TEST(nhwc_max_pool_refuses_what_does_not_fit, "") {
  struct tensor x = {DTYPE_U8, 4, {DIM_FIRST_SYMBOL, 5, DIM_UNKNOWN, 3}, NULL};
  struct op_case c = {.domain = "com.microsoft",
                      .name = "NhwcMaxPool",
                      .opset = 1,
                      .input_count = 1,
                      .output_count = 1,
                      .attr = {INTS("kernel_shape", 2, 2)},
                      .attr_count = 1,
                      .inputs = {&x}};
  CHECK(op_shape(&c) == FARM_OK && c.outputs[0].dims[0] == DIM_FIRST_SYMBOL && c.outputs[0].dims[1] == 4 &&
        c.outputs[0].dims[2] == DIM_UNKNOWN && c.outputs[0].dims[3] == 3);
  c.attr[0] = INTS("kernel_shape", 2, 2, 2);
  CHECK(op_shape(&c) == FARM_INVALID);
  c.attr_count = 0;
  CHECK(op_shape(&c) == FARM_INVALID);
  c.attr[0] = INTS("kernel_shape", 2, 2), c.attr_count = 1, x.dtype = DTYPE_F32;
  CHECK(op_shape(&c) == FARM_INVALID);
  x.dtype = DTYPE_U8, x.rank = 2;
  CHECK(op_shape(&c) == FARM_INVALID);
}
