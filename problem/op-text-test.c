/* Operator texts read back: what a tactic sees of them, and what it is refused. */
#include "../tests/kit/test.h"
#include "op-text.h"

#include <string.h>

static struct problem op(const char *text) { return (struct problem){.kind = PROBLEM_OP, .op_text = text}; }

static void check_type(const char *text, const char *wanted) {
  struct tensor type;
  char printed[128];
  size_t length = op_text_type(text, strlen(text), &type);
  CHECK_MESSAGE(length == strlen(wanted), "`%s`: %zu characters", text, length);
  if (length) CHECK_TEXT(tensor_text(&type, printed, sizeof printed), wanted);
}

TEST(op_text_types, "") {
  static const char *const others[] = {"",
                                       "f32",
                                       "f32[",
                                       "f32[1",
                                       "f32[1,]",
                                       "f32[,1]",
                                       "f32[-1]",
                                       "f32[01]",
                                       "f32[1 ]",
                                       "f33[1]",
                                       "none[1]",
                                       "f32[1;2]",
                                       "f32[1,2,3,4,5,6,7,8,9]",
                                       "f32[a]",
                                       "f32[9223372036854775808]",
                                       "[1]",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa[1]"};
  struct tensor type;
  check_type("f32[1,3,224,224] ", "f32[1,3,224,224]");
  check_type("i64[]#0123", "i64[]");
  check_type("bool[0]", "bool[0]");
  check_type("e4m3[1,2,3,4,5,6,7,8]", "e4m3[1,2,3,4,5,6,7,8]");
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    CHECK_MESSAGE(op_text_type(others[i], strlen(others[i]), &type) == 0, "`%s`", others[i]);
  CHECK(op_text_type("f32[1,3]", 7, &type) == 0); // nothing behind `length` is read
}

TEST(op_text_operators_and_attributes, "") {
  const struct problem cast = op("Cast-13 to=1 tone=2 in:i64[3] out:f32[3]"), gather = op("Gather-13 axis=-1 axes=1,2 w=1.5");
  const struct problem other = {.kind = PROBLEM_GEMM};
  int64_t value = 7;
  CHECK(op_text_is(&cast, "Cast") && !op_text_is(&cast, "Cas") && !op_text_is(&cast, "CastLike") && !op_text_is(&other, "Cast"));
  CHECK(op_text_int(&cast, "to", -1, &value) && value == 1);
  CHECK(op_text_int(&cast, "ton", -1, &value) && value == -1);
  CHECK(op_text_int(&gather, "axis", 0, &value) && value == -1);
  CHECK(!op_text_int(&gather, "axes", 0, &value) && !op_text_int(&gather, "w", 0, &value) &&
        !op_text_int(&other, "axis", 0, &value));
}

TEST(op_text_lists_and_what_is_written, "") {
  const struct problem pad = op("Pad-2 mode=\"constant\" none= pads=0,-1,7 value=0.5 in:f32[3] out:f32[3]");
  const struct problem other = {.kind = PROBLEM_GEMM}, torn = op("Pad-2 pads=1, in:f32[3]");
  int64_t values[3] = {0};
  size_t length;
  int count;
  CHECK(op_text_ints(&pad, "pads", values, 3, &count) && count == 3 && values[0] == 0 && values[1] == -1 && values[2] == 7);
  CHECK(op_text_ints(&pad, "none", values, 3, &count) && count == 0);
  CHECK(op_text_ints(&pad, "axes", values, 3, &count) && count == -1);
  CHECK(!op_text_ints(&pad, "pads", values, 2, &count) && !op_text_ints(&pad, "value", values, 3, &count));
  CHECK(!op_text_ints(&torn, "pads", values, 3, &count) && !op_text_ints(&other, "pads", values, 3, &count));
  const char *mode = op_text_attr(&pad, "mode", &length);
  CHECK(mode && length == 10 && !memcmp(mode, "\"constant\"", 10));
  CHECK(!op_text_attr(&pad, "mod", &length) && !op_text_attr(&other, "mode", &length) && length == 0);
}

TEST(op_text_operands_are_read_back, "") {
  static const char *const others[] = {"A-1 in:f32[1", "A-1 in:f32[1] digest:00", "A-1 out:f32[4611686018427387904,4]",
                                       "A-1 in:", "A-1 in:--"};
  struct op_operands operands;
  char text[2048] = "A-1";
  struct problem problem = op("Gather-13 axis=0 s=\"in:\" in:f32[2,768] in:- in:i64[] out:f32[1,768] out:-");
  REQUIRE(op_text_operands(&problem, &operands));
  CHECK(operands.input_count == 3 && operands.output_count == 2);
  CHECK(operands.inputs[0].dtype == DTYPE_F32 && operands.inputs[0].rank == 2 && operands.inputs[0].dims[1] == 768);
  CHECK(operands.inputs[1].dtype == DTYPE_NONE && operands.inputs[2].dtype == DTYPE_I64 && operands.inputs[2].rank == 0);
  CHECK(operands.outputs[0].rank == 2 && operands.outputs[1].dtype == DTYPE_NONE && !operands.inputs[0].data);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    problem = op(others[i]);
    CHECK_MESSAGE(!op_text_operands(&problem, &operands), "`%s`", others[i]);
  }
  for (int i = 0; i < PROBLEM_MAX_OPERANDS; i++) strcat(text, " in:f32[1]");
  problem = op(text);
  CHECK(op_text_operands(&problem, &operands) && operands.input_count == PROBLEM_MAX_OPERANDS);
  strcat(text, " in:f32[1]");
  CHECK(!op_text_operands(&problem, &operands));
  problem.kind = PROBLEM_GEMM;
  CHECK(!op_text_operands(&problem, &operands));
}
