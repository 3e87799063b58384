/* See output-rule.h. */
#include "output-rule.h"

#include <string.h>

static double largest_of(const struct tensor *tensor) {
  double most = 0;
  for (int64_t i = 0; i < tensor_elems(tensor); i++) {
    double value = dtype_load_f64(tensor->dtype, tensor->data, i);
    double size = value < 0 ? -value : value;
    if (size > most && size - size == 0) most = size; // finite
  }
  return most;
}

double output_quantum(const struct value *output) {
  const struct node *node = output->producer;
  if (!node || node->row->domain[0] != 0 || strcmp(node->row->name, "DequantizeLinear") != 0) return 0;
  const struct value *scale = node->input_count > 1 ? node->inputs[1] : NULL;
  return scale && scale->constant ? largest_of(scale->constant) : 0;
}

struct compare_rule output_rule(const struct compare_rule *asked, const struct value *output, const struct tensor *expected) {
  double quantum = asked->relative_to_max && dtype_is_float(expected->dtype) ? output_quantum(output) : 0;
  double step = quantum * 1.0001; // the difference of two neighbours is rounded, as they are
  if (quantum == 0 || asked->atol * largest_of(expected) >= step) return *asked;
  return (struct compare_rule){.rtol = asked->rtol, .atol = step};
}
