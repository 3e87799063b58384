/* The figures of a comparison, at magnitudes where squares nearly leave the range of a double. */
#include "compare.h"

#include "../tests/kit/test.h"

static struct compare_result compared(double scale, const double *actual, const double *expected) {
  double a[3], e[3];
  for (int i = 0; i < 3; i++) a[i] = scale * actual[i], e[i] = scale * expected[i];
  struct tensor one = {.dtype = DTYPE_F64, .rank = 1, .dims = {3}, .data = a}, other = one;
  struct compare_rule rule = COMPARE_RULE_ONNX;
  struct compare_result result;
  other.data = e;
  tensor_compare(&one, &other, &rule, &result);
  return result;
}

TEST(compare_cosine_at_every_scale, "") {
  static const double x[] = {3, 4, 0}, near_x[] = {4, 3, 0}, across[] = {0, 0, 7}, against[] = {-3, -4, 0}, none[] = {0, 0, 0};
  static const double scales[] = {1, 1e-30, 1e-100, 1e-140, 1e30, 1e100, 1e140};
  for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
    double cosine = compared(scales[i], x, near_x).cosine; // 24 / 25
    CHECK_MESSAGE(cosine > 0.96 - 1e-12 && cosine < 0.96 + 1e-12, "scale %g: %.17g, not 0.96", scales[i], cosine);
    double same = compared(scales[i], x, x).cosine, opposite = compared(scales[i], x, against).cosine;
    CHECK_MESSAGE(same > 1 - 1e-12 && same < 1 + 1e-12, "scale %g: %.17g, not 1", scales[i], same);
    CHECK_MESSAGE(opposite > -1 - 1e-12 && opposite < -1 + 1e-12, "scale %g: %.17g, not -1", scales[i], opposite);
    CHECK(compared(scales[i], x, across).cosine == 0);
  }
  CHECK(compared(1, none, none).cosine == 1 && compared(1, x, none).cosine == 0);
}

TEST(compare_tells_the_first_difference, "") {
  struct compare_result result = compared(1, (const double[]){1, 2.5, 9}, (const double[]){1, 2, 8});
  CHECK(!result.passed && result.wrong == 2 && result.max_abs == 1 && result.max_rel_to_max == 0.125);
  CHECK_TEXT(result.why, "element 1 is 2.5, expected 2");
  result = compared(1, (const double[]){1, 2, 8}, (const double[]){1, 2, 8});
  CHECK(result.passed && result.wrong == 0 && result.why[0] == 0);
}
