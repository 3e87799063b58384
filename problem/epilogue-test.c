/* Epilogues: text form with parameters, arithmetic. */
#include "epilogue.h"

#include "../tests/kit/test.h"

#include <math.h>

TEST(epilogue_text_round_trip, "") {
  static const char *const texts[] = {"",
                                      "bias",
                                      "bias,add,clip(0,6)",
                                      "scale(0.125),mul,leaky_relu(0.01)",
                                      "hard_sigmoid(0.2,0.5),gelu_tanh",
                                      "clip(-inf,3.4028235e+38)",
                                      "clip(1e-45,inf)",
                                      "bias,relu,bias,relu,bias,relu"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct epilogue epilogue;
    char out[256];
    REQUIRE_OK(epilogue_parse(texts[i], &epilogue));
    epilogue_print(&epilogue, out, sizeof out);
    CHECK_TEXT(out, texts[i]);
  }
  struct epilogue empty;
  REQUIRE_OK(epilogue_parse(NULL, &empty));
  CHECK(empty.count == 0);
}

TEST(epilogue_refuses, "") {
  static const char *const texts[] = {",",
                                      "bias,",
                                      "bias,,add",
                                      "what",
                                      "clip",
                                      "clip(1)",
                                      "clip(1,2",
                                      "clip(1,2)x",
                                      "clip(nan,1)",
                                      "clip(a,b)",
                                      "relu(1)",
                                      "clip(1,2,3)",
                                      "bias,bias,bias,bias,bias,bias,bias",
                                      "scale(1e99)",
                                      "scale()",
                                      "bias ,add"};
  struct epilogue epilogue;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK_MESSAGE(epilogue_parse(texts[i], &epilogue) == FARM_USAGE, "`%s` was not refused", texts[i]);
}

TEST(epilogue_arithmetic, "") {
  struct epilogue epilogue;
  REQUIRE_OK(epilogue_parse("bias,mul,clip(-1,6),leaky_relu(0.5)", &epilogue));
  double x = 3;
  static const double operands[] = {1, -2, 0, 0};
  for (int i = 0; i < epilogue.count; i++) x = epilogue_apply(&epilogue.steps[i], x, operands[i]);
  CHECK(x == -0.5);
  CHECK(epilogue_operands(&epilogue) == 2);
  REQUIRE_OK(epilogue_parse("relu,silu,hard_swish,hard_sigmoid(0.25,0.5),gelu,tanh", &epilogue));
  static const double ones[] = {1, 0.7310585786300049, 2.0 / 3, 0.75, 0.8413447460685429, 0.7615941559557649};
  for (int i = 0; i < epilogue.count; i++) CHECK(fabs(epilogue_apply(&epilogue.steps[i], 1, 0) - ones[i]) < 1e-14);
  CHECK(isnan(epilogue_apply(&epilogue.steps[0], NAN, 0)));
}
