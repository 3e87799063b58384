/* BiasAdd and BiasSplitGelu: values worked out by hand, shapes partly known, what is refused. */
#include "nn-test.h"

static struct op_case bias_case(const char *name, int inputs) {
  return (struct op_case){.domain = "com.microsoft", .name = name, .opset = 1, .input_count = inputs, .output_count = 1};
}

TEST(bias_add_adds_a_row_and_a_tensor, "") {
  struct op_case c = bias_case("BiasAdd", 3);
  c.inputs[0] = test_values(DTYPE_F32, DIMS(2, 1, 2), (double[]){1, 2, 3, 4});
  c.inputs[1] = test_values(DTYPE_F32, DIMS(2), (double[]){10, 20});
  c.inputs[2] = test_values(DTYPE_F32, DIMS(2, 1, 2), (double[]){0.5, -1, 100, 0});
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].rank == 3 && c.outputs[0].dims[0] == 2 && c.outputs[0].dims[1] == 1 && c.outputs[0].dims[2] == 2);
  check_output(&c, 0, (double[]){11.5, 21, 113, 24}, 0, "BiasAdd");
}

/* gelu(1) = 0.84134474606854, gelu(-2) = -0.04550026389636, gelu(0) = 0. */
TEST(bias_split_gelu_gates_the_left_half_by_the_right, "") {
  struct op_case c = bias_case("BiasSplitGelu", 2);
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 2, 4), (double[]){1, 2, 0, -3, 5, 6, -1, 1});
  c.inputs[1] = test_values(DTYPE_F32, DIMS(4), (double[]){1, -1, 1, 1});
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].rank == 3 && c.outputs[0].dims[1] == 2 && c.outputs[0].dims[2] == 2);
  check_output(&c, 0, (double[]){2 * 0.84134474606854, 1 * -0.04550026389636, 0, 5 * 1.95449973610364}, 1e-6, "BiasSplitGelu");
}

TEST(bias_shapes_use_what_is_known, "") {
  struct tensor x = {DTYPE_F16, 3, {DIM_FIRST_SYMBOL, DIM_UNKNOWN, DIM_UNKNOWN}, NULL}, bias = {DTYPE_F16, 1, {8}, NULL},
                skip = {DTYPE_F16, 3, {DIM_UNKNOWN, 7, 8}, NULL}, unknown = {DTYPE_F16, -1, {0}, NULL};
  struct op_case add = bias_case("BiasAdd", 3), split = bias_case("BiasSplitGelu", 2);
  add.inputs[0] = &x, add.inputs[1] = &bias, add.inputs[2] = &skip;
  REQUIRE_OK(op_shape(&add));
  CHECK(add.outputs[0].dtype == DTYPE_F16 && add.outputs[0].dims[0] == DIM_FIRST_SYMBOL && add.outputs[0].dims[1] == 7 &&
        add.outputs[0].dims[2] == 8);
  split.inputs[0] = &x, split.inputs[1] = &bias;
  REQUIRE_OK(op_shape(&split));
  CHECK(split.outputs[0].dims[0] == DIM_FIRST_SYMBOL && split.outputs[0].dims[2] == DIM_UNKNOWN);
  split.inputs[0] = &unknown;
  REQUIRE_OK(op_shape(&split));
  CHECK(split.outputs[0].rank == 3 && split.outputs[0].dims[2] == DIM_UNKNOWN);
}

TEST(bias_operators_refuse_what_does_not_fit, "") {
  struct tensor x = {DTYPE_F32, 3, {2, 3, 6}, NULL}, bias = {DTYPE_F32, 1, {6}, NULL}, skip = {DTYPE_F32, 3, {2, 3, 6}, NULL};
  struct op_case add = bias_case("BiasAdd", 3), split = bias_case("BiasSplitGelu", 2);
  add.inputs[0] = split.inputs[0] = &x, add.inputs[1] = split.inputs[1] = &bias, add.inputs[2] = &skip;
  CHECK(op_shape(&add) == FARM_OK && op_shape(&split) == FARM_OK);
  skip.dims[1] = 4;
  CHECK(op_shape(&add) == FARM_INVALID);
  skip.dims[1] = 3, skip.dtype = DTYPE_F16;
  CHECK(op_shape(&add) == FARM_INVALID);
  skip.dtype = DTYPE_F32, bias.dims[0] = 5;
  CHECK(op_shape(&add) == FARM_INVALID && op_shape(&split) == FARM_INVALID);
  x.dims[2] = 5;
  CHECK(op_shape(&split) == FARM_INVALID); // no halves
  x.rank = 2, x.dims[1] = 6, bias.dims[0] = 6;
  CHECK(op_shape(&add) == FARM_INVALID && op_shape(&split) == FARM_INVALID);
}
