/* QGemm: values worked out by hand, per-column parameters under both transposes, what is refused. */
#include "nn-test.h"

static struct op_case qgemm_case(int inputs) {
  struct op_case c = {.domain = "com.microsoft", .name = "QGemm", .opset = 1, .input_count = inputs, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_U8, DIMS(2, 2), (double[]){11, 12, 10, 8}); // less 10: 1 2 / 0 -2
  c.inputs[1] = test_values(DTYPE_F32, 0, NULL, (double[]){0.5});
  c.inputs[2] = test_values(DTYPE_U8, 0, NULL, (double[]){10});
  c.inputs[3] = test_values(DTYPE_I8, DIMS(2, 3), (double[]){1, 2, 3, 4, 5, 6}); // less 1 0 2: 0 2 1 / 3 5 4
  c.inputs[4] = test_values(DTYPE_F32, DIMS(3), (double[]){1, 2, 4});
  c.inputs[5] = test_values(DTYPE_I8, DIMS(3), (double[]){1, 0, 2});
  c.inputs[6] = test_values(DTYPE_I32, DIMS(3), (double[]){1, 0, -1});
  return c;
}

/* Sums with C: 7 12 8 / -5 -10 -9; times 0.5 * (1 2 4). */
static const double plain[] = {3.5, 12, 16, -2.5, -10, -18};

TEST(qgemm_scales_sums_and_bias_by_column, "") {
  struct op_case c = qgemm_case(7);
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dtype == DTYPE_F32 && c.outputs[0].dims[0] == 2 && c.outputs[0].dims[1] == 3);
  check_output(&c, 0, plain, 0, "f32");
  c.attr[0] = INT("transB", 1), c.attr_count = 1;
  c.inputs[3] = test_values(DTYPE_I8, DIMS(3, 2), (double[]){1, 4, 2, 5, 3, 6});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, plain, 0, "B stands on its side");
  c.attr[1] = INT("transA", 1), c.attr_count = 2;
  c.inputs[0] = test_values(DTYPE_U8, DIMS(2, 2), (double[]){11, 10, 12, 8});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, plain, 0, "both do");
}

TEST(qgemm_quantises_where_a_scale_is_given, "") {
  struct op_case c = qgemm_case(9);
  c.inputs[7] = test_values(DTYPE_F32, 0, NULL, (double[]){0.125});
  c.inputs[8] = test_values(DTYPE_U8, 0, NULL, (double[]){100});
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dtype == DTYPE_U8);
  check_output(&c, 0, (double[]){128, 196, 228, 80, 20, 0}, 0, "u8, at its end for the last");
}

TEST(qgemm_refuses_what_does_not_fit, "") {
  struct op_case c = qgemm_case(7);
  c.inputs[4] = test_values(DTYPE_F32, DIMS(2), (double[]){1, 2});
  CHECK(op_shape(&c) == FARM_INVALID); // two scales, three columns
  c = qgemm_case(7);
  c.inputs[6] = test_values(DTYPE_I32, DIMS(2), (double[]){1, 2});
  CHECK(op_shape(&c) == FARM_INVALID);
  c = qgemm_case(7);
  c.inputs[2] = test_values(DTYPE_I8, 0, NULL, (double[]){1});
  CHECK(op_shape(&c) == FARM_INVALID); // a zero point of another type
}
