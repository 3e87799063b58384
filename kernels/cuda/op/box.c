/* Boxes out of a tensor by strides: from a view to the launch. The tactics that have one are in slice.c and repeat.c. */
#include "move.h"

#include "box-args.h"

#include <stdlib.h>

/* Neighbouring dims that step alike become one; dims of 1 go. One dim at least is left. */
static struct move_view merged(const struct move_view *view) {
  struct move_view out = {.first = view->first, .elems = view->elems, .element = view->element};
  for (int d = 0; d < view->rank; d++) {
    const int last = out.rank - 1;
    if (view->dims[d] == 1) continue;
    if (out.rank && out.strides[last] == view->strides[d] * view->dims[d]) {
      out.dims[last] *= view->dims[d];
      out.strides[last] = view->strides[d];
    } else {
      out.dims[out.rank] = view->dims[d];
      out.strides[out.rank++] = view->strides[d];
    }
  }
  if (!out.rank) out.dims[0] = out.strides[0] = out.rank = 1;
  return out;
}

/* Elements to units, where they lie together; `element` is the unit then. */
static struct move_view in_units(const struct move_view *view) {
  struct move_view out = merged(view);
  const int last = out.rank - 1;
  int64_t bytes[MOVE_MOST_DIMS + 1];
  if (out.strides[last] != 1) return out;
  for (int d = 0; d < last; d++) bytes[d] = out.strides[d] * out.element;
  bytes[last] = out.dims[last] * out.element;
  bytes[last + 1] = out.first * out.element;
  const int unit = move_unit(bytes, out.rank + 1), each = unit / out.element;
  if (each <= 1) return out;
  for (int d = 0; d < last; d++) out.strides[d] /= each;
  out.dims[last] /= each;
  out.first /= each;
  out.elems /= each;
  out.element = unit;
  return out;
}

/* Reads that lie apart cost whole sectors. */
static double bytes_read(const struct move_view *view) {
  const double sector = 32, own = view->element, apart = (double)llabs(view->strides[view->rank - 1]) * own;
  double bytes = (double)view->elems * own;
  for (int d = 0; d < view->rank; d++)
    if (view->strides[d] == 0) bytes /= (double)view->dims[d];
  return bytes * (apart <= own ? 1 : (apart < sector ? apart : sector) / own);
}

double move_box_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                     move_view_fn view) {
  struct move_view found;
  if (!view(problem, NULL, &found)) return 0;
  if (found.elems == 0) return move_cost_of(variant, device_class, 0, 1, 0, 1);
  const struct move_view units = in_units(&found);
  return move_cost_of(variant, device_class, (double)units.elems, units.element, bytes_read(&units), units.rank);
}

enum farm_status move_box_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  (void)problem;
  return move_source(variant, "box-args.h", "box.cu", out);
}

enum farm_status move_box_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count, move_view_fn view) {
  struct move_view found;
  FAIL_IF(!view(call->problem, call, &found), FARM_TACTIC_REFUSED, "%s: no box, or not known before it runs",
          call->variant->tactic->id);
  *out_count = 0;
  if (found.elems == 0) return FARM_OK;
  const struct move_view units = in_units(&found);
  struct box_args args = {.x = call->inputs[0] + (uint64_t)(units.first * units.element),
                          .y = call->outputs[0],
                          .units = units.elems,
                          .unit = units.element,
                          .rank = units.rank};
  for (int d = 0; d < units.rank; d++) {
    args.dims[d] = units.dims[d];
    args.strides[d] = units.strides[d];
  }
  const int width = call->variant->params[MOVE_THREADS];
  cuda_launch_line(out, "box", ((double)units.elems + width - 1) / width, width, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}
