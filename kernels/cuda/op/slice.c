/* Slice: where it begins and how it steps are the host's numbers (or attributes, before opset 10); the text has how much it
 * takes. */
#include "move.h"

struct lists {
  int starts, axes, steps; // counts; -1: not given
  int64_t start[TENSOR_MAX_RANK], axis[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
};

static bool lists_read(const struct problem *problem, const struct op_operands *operands, const struct cuda_call *call,
                       struct lists *out) {
  const bool given = move_ints(problem, operands, call, 1, "starts", out->start, TENSOR_MAX_RANK, &out->starts) &&
                     move_ints(problem, operands, call, 3, "axes", out->axis, TENSOR_MAX_RANK, &out->axes) &&
                     move_ints(problem, operands, call, 4, NULL, out->step, TENSOR_MAX_RANK, &out->steps);
  return given && out->starts >= 0 && (out->axes < 0 || out->axes == out->starts) &&
         (out->steps < 0 || out->steps == out->starts);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* One axis of the view: nothing outside of the input may be in it, whatever the numbers are. */
static bool axis_take(int64_t start, int64_t step, int64_t dim, int axis, struct move_view *view) {
  const int64_t count = view->dims[axis];
  int64_t reach, last;
  if (step == 0) return false;
  if (count == 0) return true;
  if (start < 0) start += dim;
  start = step > 0 ? clamp(start, 0, dim) : clamp(start, -1, dim - 1);
  if (count == 1) step = 0; // it may be of any size; below, where it begins is checked as where it ends
  if (__builtin_mul_overflow(step, count - 1, &reach) || __builtin_add_overflow(start, reach, &last)) return false;
  if (last < 0 || last >= dim) return false;
  view->first += start * view->strides[axis];
  view->strides[axis] *= step;
  return true;
}

static bool lists_apply(const struct lists *lists, const struct tensor *x, struct move_view *view) {
  bool taken[TENSOR_MAX_RANK] = {0};
  for (int i = 0; i < lists->starts; i++) {
    int axis;
    if (!move_axis(lists->axes >= 0 ? lists->axis[i] : i, x->rank, &axis) || taken[axis]) return false;
    taken[axis] = true;
    if (!axis_take(lists->start[i], lists->steps >= 0 ? lists->step[i] : 1, x->dims[axis], axis, view)) return false;
  }
  for (int d = 0; d < x->rank; d++)
    if (!taken[d] && view->dims[d] != x->dims[d]) return false;
  return true;
}

static bool slice_view(const struct problem *problem, const struct cuda_call *call, struct move_view *out) {
  struct op_operands operands;
  struct lists lists;
  if (!move_operands(problem, "Slice", &operands) || operands.output_count != 1) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  if (x->rank != y->rank || !lists_read(problem, &operands, call, &lists) || lists.starts > x->rank) return false;
  *out = (struct move_view){.rank = y->rank, .element = move_element(y), .elems = tensor_elems(y)};
  move_strides(x, out->strides);
  for (int d = 0; d < y->rank; d++) {
    if (y->dims[d] > x->dims[d]) return false;
    out->dims[d] = y->dims[d];
  }
  return !call || lists_apply(&lists, x, out);
}

MOVE_BOX_TACTIC(op_slice__copy__sm75, slice_view);
