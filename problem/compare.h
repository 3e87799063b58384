/* Is a tensor what was expected? The rule of the ONNX test runner, and the one for whole models.
 *
 *   |actual - expected| <= atol + rtol |expected| for every element; equal infinities and NaN against NaN pass; types and shapes exactly.
 *   relative_to_max: atol is a share of max|expected| (whole models: errors of deep sums follow the largest values), and integers may be
 *   one quantum off.
 */
#ifndef PROBLEM_COMPARE_H
#define PROBLEM_COMPARE_H

#include "tensor.h"

struct compare_rule {
  double rtol, atol;
  bool relative_to_max;
};
#define COMPARE_RULE_ONNX ((struct compare_rule){1e-3, 1e-7, false})

struct compare_result {
  bool passed;
  int64_t wrong;       // elements outside the rule
  double max_abs;      // largest |actual - expected| of finite pairs
  double max_rel_to_max; // max_abs / max|expected|; 0 when all expected are 0
  double cosine;       // of the two as vectors; 1 for two zero vectors
  char why[160];       // first difference, "" when passed
  int64_t worst;       // the element furthest outside the rule, -1: none, or types or shapes differ
  double worst_actual, worst_expected;
};

void tensor_compare(const struct tensor *actual, const struct tensor *expected, const struct compare_rule *rule,
                    struct compare_result *out);

#endif
