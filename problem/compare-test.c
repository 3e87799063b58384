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

TEST(compare_tells_the_worst_element, "") {
  static const double nan = __builtin_nan(""), infinity = __builtin_inf();
  static const struct {
    double actual[3], expected[3];
    int64_t worst;
  } cases[] = {
      {{1, 2, 3}, {1, 2, 3}, -1},          // none
      {{1, 2.5, 9}, {1, 2, 8}, 2},         // the larger error is the later one
      {{3, 2, 1.5}, {1, 2, 1}, 0},         // and the earlier one
      {{1000, 2.5, 1}, {1000.9, 2, 1}, 1}, // 0.9 is within the rule at 1000
      {{1001.5, 1.9, 1}, {1000, 1, 1}, 1}, // of 1.5 only 0.5 is beyond what 1000 may be off
      {{1e9, nan, 2}, {1, 2, 3}, 1},       // no number is as far off as NaN
      {{5, 1, infinity}, {1, 1, 1}, 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct compare_result result = compared(1, cases[i].actual, cases[i].expected);
    CHECK_MESSAGE(result.worst == cases[i].worst, "case %zu: element %lld", i, (long long)result.worst);
    if (result.worst < 0) continue;
    double actual = cases[i].actual[result.worst];
    CHECK(result.worst_expected == cases[i].expected[result.worst]);
    CHECK(result.worst_actual == actual || actual != actual);
  }
}
