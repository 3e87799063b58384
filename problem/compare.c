/* See compare.h. Everything is compared as doubles; 64-bit integers beyond 2^53 are compared exactly first. */
#include "compare.h"

#include "../base/pmath.h"

#include <stdio.h>
#include <string.h>

static double absolute(double x) { return x < 0 ? -x : x; }
static bool is_nan(double x) { return x != x; }

static double largest_expected(const struct tensor *expected, int64_t elems) {
  double largest = 0;
  for (int64_t i = 0; i < elems; i++) {
    double x = absolute(dtype_load_f64(expected->dtype, expected->data, i));
    if (x > largest && x - x == 0) largest = x; // finite
  }
  return largest;
}

static bool element_passes(double a, double e, double atol, const struct compare_rule *rule) {
  if (is_nan(a) || is_nan(e)) return is_nan(a) && is_nan(e);
  if (a == e) return true; // equal infinities too
  return absolute(a - e) <= atol + rule->rtol * absolute(e);
}

static void worst_note(struct compare_result *result, int64_t i, double a, double e, double beyond, double *most) {
  if (result->worst >= 0 && !(beyond > *most)) return;
  *most = beyond;
  result->worst = i;
  result->worst_actual = a;
  result->worst_expected = e;
}

/* How far outside the rule; a NaN or an infinity on one side is further than any number. */
static double distance_beyond(double a, double e, double atol, const struct compare_rule *rule) {
  double beyond = absolute(a - e) - (atol + rule->rtol * absolute(e));
  return beyond - beyond == 0 ? beyond : __builtin_inf();
}

static void difference_note(struct compare_result *result, int64_t i, double a, double e) {
  if (result->wrong++ == 0) snprintf(result->why, sizeof result->why, "element %lld is %.9g, expected %.9g", (long long)i, a, e);
}

void tensor_compare(const struct tensor *actual, const struct tensor *expected, const struct compare_rule *rule,
                    struct compare_result *out) {
  char a_text[96], e_text[96];
  *out = (struct compare_result){.cosine = 1, .worst = -1};
  if (actual->dtype != expected->dtype || !tensor_shape_equal(actual, expected)) {
    out->wrong = 1;
    snprintf(out->why, sizeof out->why, "is %s, expected %s", tensor_text(actual, a_text, sizeof a_text),
             tensor_text(expected, e_text, sizeof e_text));
    return;
  }
  int64_t elems = tensor_elems(expected);
  double largest = largest_expected(expected, elems), atol = rule->relative_to_max ? rule->atol * largest : rule->atol;
  bool exact = !dtype_is_float(expected->dtype);
  if (exact && rule->relative_to_max && atol < 1) atol = 1;
  double dot = 0, aa = 0, ee = 0, most = 0;
  for (int64_t i = 0; i < elems; i++) {
    double a = dtype_load_f64(actual->dtype, actual->data, i), e = dtype_load_f64(expected->dtype, expected->data, i);
    if (!element_passes(a, e, atol, rule)) {
      difference_note(out, i, a, e);
      worst_note(out, i, a, e, distance_beyond(a, e, atol, rule), &most);
    }
    double difference = absolute(a - e);
    if (difference - difference != 0) continue; // an infinity or NaN on one side
    if (difference > out->max_abs) out->max_abs = difference;
    dot += a * e;
    aa += a * a;
    ee += e * e;
  }
  out->max_rel_to_max = largest > 0 ? out->max_abs / largest : 0;
  if (aa > 0 || ee > 0) out->cosine = aa > 0 && ee > 0 ? dot / (pmath_sqrt(aa) * pmath_sqrt(ee)) : 0;
  out->passed = out->wrong == 0;
}
