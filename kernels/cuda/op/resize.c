/* Resize by whole factors to the nearest element before ("asymmetric", "floor"): each element some times. All else that Resize
 * does is arithmetic. Factors are the host's numbers, sizes are the output's own.
 */
#include "move.h"

#include <string.h>

static bool attr_is(const struct problem *problem, const char *attr, const char *wanted, bool absent_is) {
  size_t length;
  const char *value = op_text_attr(problem, attr, &length);
  return value ? length == strlen(wanted) && memcmp(value, wanted, length) == 0 : absent_is;
}

static bool is_repetition(const struct problem *problem) {
  size_t length;
  return attr_is(problem, "mode", "\"nearest\"", true) && attr_is(problem, "nearest_mode", "\"floor\"", false) &&
         attr_is(problem, "coordinate_transformation_mode", "\"asymmetric\"", false) &&
         attr_is(problem, "keep_aspect_ratio_policy", "\"stretch\"", true) && !op_text_attr(problem, "axes", &length);
}

static bool is_given(const struct op_operands *operands, int input) { // an empty one is as good as none
  return input < operands->input_count && operands->inputs[input].dtype != DTYPE_NONE &&
         tensor_elems(&operands->inputs[input]) > 0;
}

/* The scales must be these factors to the bit: 2.1 makes 10 elements of 5, too. */
static bool scales_are(const struct op_operands *operands, const struct cuda_call *call, const struct move_view *view) {
  const struct tensor *type = &operands->inputs[2], *scales = call ? call->contents[2] : NULL;
  const int rank = view->rank / 2;
  if (type->dtype != DTYPE_F32 || tensor_elems(type) != rank) return false;
  if (!call) return true;
  if (!scales || scales->dtype != DTYPE_F32 || tensor_elems(scales) != rank) return false;
  for (int d = 0; d < rank; d++)
    if (dtype_load_f64(DTYPE_F32, scales->data, d) != (double)view->dims[2 * d + 1]) return false;
  return true;
}

static bool resize_view(const struct problem *problem, const struct cuda_call *call, struct move_view *out) {
  struct op_operands operands;
  int64_t strides[TENSOR_MAX_RANK];
  if (!move_operands(problem, "Resize", &operands) || operands.output_count != 1 || !is_repetition(problem)) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  if (x->rank != y->rank || dtype_bits(x->dtype) > 32) return false;
  *out = (struct move_view){.element = move_element(y), .elems = tensor_elems(y), .rank = 2 * y->rank};
  move_strides(x, strides);
  for (int d = 0; d < y->rank; d++) {
    if (x->dims[d] == 0 || y->dims[d] % x->dims[d] != 0) return false;
    out->dims[2 * d] = x->dims[d];
    out->strides[2 * d] = strides[d];
    out->dims[2 * d + 1] = y->dims[d] / x->dims[d];
  }
  const bool by_sizes = is_given(&operands, 3), by_scales = is_given(&operands, 2);
  return by_sizes ? !by_scales : by_scales && scales_are(&operands, call, out);
}

MOVE_BOX_TACTIC(op_resize__copy__sm75, resize_view);
