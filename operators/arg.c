/* Operators that compare the elements along one axis: ArgMax, ArgMin, TopK, Hardmax. A tensor is [outer][axis][inner]. Integers
 * are compared as integers; NaN counts as the largest number, as numpy has it.
 */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <stdlib.h>

struct lane { // the elements along the axis for one (outer, inner)
  int64_t outer, count, inner;
};

static struct lane lane_of(const struct tensor *tensor, int axis) {
  return (struct lane){tensor_dims_product(tensor->dims, axis), tensor->dims[axis],
                       tensor_dims_product(tensor->dims + axis + 1, tensor->rank - axis - 1)};
}

struct element {
  double f;
  int64_t i;
  int64_t at;
};

static struct element element_load(const struct tensor *t, int64_t offset, int64_t at) {
  struct element e = {.at = at};
  if (dtype_is_float(t->dtype))
    e.f = dtype_load_f64(t->dtype, t->data, offset);
  else
    e.i = dtype_load_i64(t->dtype, t->data, offset);
  return e;
}

/* -1, 0, 1 as a is less than, equal to, or greater than b */
static int element_compare(enum dtype type, const struct element *a, const struct element *b) {
  if (dtype_is_float(type)) {
    if (a->f != a->f || b->f != b->f) return (a->f != a->f) - (b->f != b->f);
    return (a->f > b->f) - (a->f < b->f);
  }
  if (type == DTYPE_U64) return ((uint64_t)a->i > (uint64_t)b->i) - ((uint64_t)a->i < (uint64_t)b->i);
  return (a->i > b->i) - (a->i < b->i);
}

/* ---- ArgMax and ArgMin ---- */

static enum farm_status arg_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  bool keep = attr_int(call->attrs, "keepdims", 1) != 0;
  int64_t dims[TENSOR_MAX_RANK];
  int axis, rank = 0;
  if (in->rank < 0) return shape_set(call, 0, DTYPE_I64, -1, NULL);
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), in->rank, &axis));
  FAIL_IF(in->dims[axis] == 0, FARM_INVALID, "axis %d is empty", axis);
  for (int i = 0; i < in->rank; i++)
    if (i != axis || keep) dims[rank++] = i == axis ? 1 : in->dims[i];
  return shape_set(call, 0, DTYPE_I64, rank, dims);
}

static enum farm_status arg_run(struct reference_call *call, int wanted) {
  const struct tensor *in = call->inputs[0];
  bool last = attr_int(call->attrs, "select_last_index", 0) != 0;
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), in->rank, &axis));
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  struct lane lane = lane_of(in, axis);
  for (int64_t o = 0; o < lane.outer; o++)
    for (int64_t k = 0; k < lane.inner; k++) {
      int64_t base = o * lane.count * lane.inner + k;
      struct element best = element_load(in, base, 0);
      for (int64_t i = 1; i < lane.count; i++) {
        struct element e = element_load(in, base + i * lane.inner, i);
        int order = element_compare(in->dtype, &e, &best);
        if (order == wanted || (order == 0 && last)) best = e;
      }
      dtype_store_i64(DTYPE_I64, call->outputs[0]->data, o * lane.inner + k, best.at);
    }
  return FARM_OK;
}

static enum farm_status arg_max_reference(struct reference_call *call) { return arg_run(call, 1); }
static enum farm_status arg_min_reference(struct reference_call *call) { return arg_run(call, -1); }

/* ---- Hardmax: 1 at the first largest element, else 0; before opset 13 over all axes from `axis` on at once ---- */

static enum farm_status hardmax_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int axis;
  if (in->rank >= 0) TRY(shape_axis(attr_int(call->attrs, "axis", call->row->since_version >= 13 ? -1 : 1), in->rank, &axis));
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

static enum farm_status hardmax_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  bool flat = call->row->since_version < 13;
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", flat ? 1 : -1), in->rank, &axis));
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  struct lane lane = lane_of(in, axis);
  if (flat) lane.count *= lane.inner, lane.inner = 1;
  for (int64_t o = 0; o < lane.outer; o++)
    for (int64_t k = 0; lane.count && k < lane.inner; k++) {
      int64_t base = o * lane.count * lane.inner + k;
      struct element best = element_load(in, base, 0);
      for (int64_t i = 0; i < lane.count; i++) {
        struct element e = element_load(in, base + i * lane.inner, i);
        if (element_compare(in->dtype, &e, &best) > 0) best = e;
      }
      for (int64_t i = 0; i < lane.count; i++) dtype_store_i64(out->dtype, out->data, base + i * lane.inner, i == best.at);
    }
  return FARM_OK;
}

/* ---- TopK: k is an attribute in opset 1; equal elements come in index order ---- */

static enum farm_status top_k_shape(struct shape_call *call) {
  struct tensor type = call->inputs[0]->type;
  int64_t k = attr_int(call->attrs, "k", DIM_UNKNOWN);
  int axis;
  if (k < 0) {
    struct shape_content content;
    bool known = shape_content(shape_input(call, 1), &content) && content.count == 1;
    FAIL_IF(known && !content.symbolic[0] && content.value[0] < 0, FARM_INVALID, "k is %lld", (long long)content.value[0]);
    k = known ? content.value[0] : DIM_UNKNOWN;
  }
  if (type.rank >= 0) {
    TRY(shape_axis(attr_int(call->attrs, "axis", -1), type.rank, &axis));
    FAIL_IF(k >= 0 && type.dims[axis] >= 0 && k > type.dims[axis], FARM_INVALID, "k is %lld of %lld elements", (long long)k,
            (long long)type.dims[axis]);
    type.dims[axis] = k;
  }
  TRY(shape_set(call, 0, type.dtype, type.rank, type.dims));
  return shape_set(call, 1, DTYPE_I64, type.rank, type.dims);
}

/* A bottom-up merge sort: stable, and no more than two buffers of one lane. Returns the buffer that holds the result. */
static struct element *lane_sort(struct element *items, struct element *spare, int64_t count, enum dtype type, int wanted) {
  for (int64_t width = 1; width < count; width *= 2) {
    for (int64_t start = 0; start < count; start += 2 * width) {
      int64_t middle = start + width < count ? start + width : count, end = middle + width < count ? middle + width : count;
      int64_t a = start, b = middle;
      for (int64_t to = start; to < end; to++) {
        bool second = a >= middle || (b < end && element_compare(type, &items[b], &items[a]) == wanted);
        spare[to] = second ? items[b++] : items[a++];
      }
    }
    struct element *swap = items;
    items = spare;
    spare = swap;
  }
  return items;
}

static void top_k_lane(const struct tensor *in, struct tensor *values, struct tensor *indices, int64_t from, int64_t to,
                       struct lane lane, int64_t k, int wanted, struct element *buffer) {
  for (int64_t i = 0; i < lane.count; i++) buffer[i] = element_load(in, from + i * lane.inner, i);
  struct element *sorted = lane_sort(buffer, buffer + lane.count, lane.count, in->dtype, wanted);
  for (int64_t i = 0; i < k; i++) {
    int64_t source = from + sorted[i].at * lane.inner, place = to + i * lane.inner;
    if (values) elements_copy(dtype_bits(in->dtype), values->data, place, 1, in->data, source, 1, 1);
    if (indices) dtype_store_i64(DTYPE_I64, indices->data, place, sorted[i].at);
  }
}

static enum farm_status top_k_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  struct tensor *outputs[2] = {call->outputs[0], call->output_count > 1 ? call->outputs[1] : NULL};
  struct element *buffer;
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", -1), in->rank, &axis));
  for (int i = 0; i < call->output_count; i++) TRY(reference_output(call, i));
  if (!outputs[0] && !outputs[1]) return FARM_OK;
  struct lane lane = lane_of(in, axis);
  int64_t k = (outputs[0] ? outputs[0] : outputs[1])->dims[axis];
  FAIL_IF(k > lane.count, FARM_INVALID, "k is %lld of %lld elements", (long long)k, (long long)lane.count);
  FAIL_IF(lane.count > INT64_MAX / 2, FARM_INVALID, "axis %d is too long", axis);
  TRY(elements_alloc(2 * lane.count, sizeof *buffer, &buffer));
  int wanted = attr_int(call->attrs, "largest", 1) ? 1 : -1;
  for (int64_t o = 0; o < lane.outer; o++)
    for (int64_t i = 0; i < lane.inner; i++)
      top_k_lane(in, outputs[0], outputs[1], o * lane.count * lane.inner + i, o * k * lane.inner + i, lane, k, wanted, buffer);
  free(buffer);
  return FARM_OK;
}

#define ROW(name, since, id, shape)                                                                                              \
  { "", name, since, 1, 1, 1, 1, 0, 0, shape, id##_reference }
#define ARG(since) ROW("ArgMax", since, arg_max, arg_shape), ROW("ArgMin", since, arg_min, arg_shape)
#define TOP_K(since, inputs, host)                                                                                               \
  { "", "TopK", since, inputs, inputs, 1, 2, 0, host, top_k_shape, top_k_reference }

const struct operator_row operators_arg[] = {
    ARG(1),
    ARG(11),
    ARG(12),
    ARG(13),
    ROW("Hardmax", 1, hardmax, hardmax_shape),
    ROW("Hardmax", 11, hardmax, hardmax_shape),
    ROW("Hardmax", 13, hardmax, hardmax_shape),
    TOP_K(1, 1, 0),
    TOP_K(10, 2, 2),
    TOP_K(11, 2, 2),
    TOP_K(24, 2, 2),
};
OPERATOR_ROWS(arg);
