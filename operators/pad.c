/* Pad (constant, reflect, edge, wrap; pads may be negative) and CenterCropPad: every output element is one of the input, or
 * the constant. Per axis a map tells which, so that all modes are one walk.
 */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

static enum farm_status pad_mode(const struct attrs *attrs, enum pad_mode *out_mode) {
  static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
  const char *name = attr_string(attrs, "mode", "constant");
  for (int i = 0; i < 4; i++)
    if (strcmp(name, names[i]) == 0) {
      *out_mode = (enum pad_mode)i;
      return FARM_OK;
    }
  return status_set(FARM_INVALID, "mode %s is not known", name);
}

static const int64_t MOST_PAD = (int64_t)1 << 48;

struct pads {
  int64_t before[TENSOR_MAX_RANK], after[TENSOR_MAX_RANK];
};

/* From the flat list (all begins, all ends) of the padded axes. */
static enum farm_status pads_expand(const int64_t *list, int count, const int64_t *axes, int axis_count, int rank,
                                    struct pads *out) {
  memset(out, 0, sizeof *out);
  int padded = axis_count >= 0 ? axis_count : rank;
  FAIL_IF(count != 2 * padded, FARM_INVALID, "%d pads for %d axes", count, padded);
  for (int i = 0; i < padded; i++) {
    int axis = i;
    if (axis_count >= 0) TRY(shape_axis(axes[i], rank, &axis));
    FAIL_IF(list[i] > MOST_PAD || list[i] < -MOST_PAD || list[padded + i] > MOST_PAD || list[padded + i] < -MOST_PAD,
            FARM_INVALID, "axis %d is padded by %lld and %lld", axis, (long long)list[i], (long long)list[padded + i]);
    out->before[axis] = list[i];
    out->after[axis] = list[padded + i];
  }
  return FARM_OK;
}

static enum farm_status padded_dim(int64_t dim, int64_t before, int64_t after, int64_t *out) {
  int64_t total;
  *out = DIM_UNKNOWN;
  if (before == 0 && after == 0) *out = dim;
  if (dim < 0) return FARM_OK;
  bool wrong = __builtin_add_overflow(before, after, &total) || __builtin_add_overflow(dim, total, &total) || total < 0;
  FAIL_IF(wrong, FARM_INVALID, "pads %lld and %lld do not fit %lld elements", (long long)before, (long long)after,
          (long long)dim);
  *out = total;
  return FARM_OK;
}

static const char *pads_name(const struct attrs *attrs) { return attr_has(attrs, "paddings") ? "paddings" : "pads"; }

static enum farm_status pad_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t list[2 * TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count, axis_count;
  enum shape_list state, axes_state;
  enum pad_mode mode;
  struct pads pads;
  TRY(pad_mode(call->attrs, &mode));
  TRY(shape_ints(call, pads_name(call->attrs), 1, list, 2 * TENSOR_MAX_RANK, &count, &state));
  TRY(shape_ints(call, "axes", 3, axes, TENSOR_MAX_RANK, &axis_count, &axes_state));
  FAIL_IF(state == SHAPE_LIST_ABSENT, FARM_INVALID, "pads are missing");
  if (in->rank < 0 || state == SHAPE_LIST_UNKNOWN || axes_state == SHAPE_LIST_UNKNOWN)
    return shape_set(call, 0, in->dtype, in->rank, NULL);
  TRY(pads_expand(list, count, axes, axes_state == SHAPE_LIST_ABSENT ? -1 : axis_count, in->rank, &pads));
  for (int i = 0; i < in->rank; i++) {
    TRY(padded_dim(in->dims[i], pads.before[i], pads.after[i], &dims[i]));
    FAIL_IF(mode != PAD_CONSTANT && in->dims[i] == 0 && dims[i] > 0, FARM_INVALID, "axis %d is empty: nothing to pad with", i);
  }
  TRY(shape_set(call, 0, in->dtype, in->rank, dims));
  return shape_content_move(call, 1u | 1u << 2);
}

/* Which input index output index i reads; -1: the constant. */
static int64_t source_index(enum pad_mode mode, int64_t i, int64_t before, int64_t dim) {
  int64_t at = i - before;
  if (at >= 0 && at < dim) return at;
  if (mode == PAD_CONSTANT) return -1;
  if (mode == PAD_EDGE || dim == 1) return at < 0 ? 0 : dim - 1;
  int64_t period = mode == PAD_WRAP ? dim : 2 * (dim - 1);
  at = (at % period + period) % period;
  return at < dim ? at : period - at;
}

/* Moves everything: map[d][i] is the input index on axis d for output index i, or -1. */
static void mapped_copy(const struct tensor *in, struct tensor *out, int64_t *const *map, const void *constant) {
  int bits = dtype_bits(in->dtype), last = out->rank - 1;
  int64_t strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
  int64_t row = last < 0 ? 1 : out->dims[last], rows = row ? tensor_elems(out) / row : 0;
  tensor_strides(in, strides);
  for (int64_t r = 0; r < rows; r++) {
    int64_t from = 0;
    bool outside = false;
    for (int d = 0; d < last; d++) {
      outside |= map[d][index[d]] < 0;
      from += map[d][index[d]] * strides[d];
    }
    for (int64_t i = 0; i < row; i++) {
      int64_t at = last < 0 ? 0 : map[last][i];
      bool fill = outside || at < 0;
      elements_copy(bits, out->data, r * row + i, 1, fill ? constant : in->data, fill ? 0 : from + at, 1, 1);
    }
    for (int d = last - 1; d >= 0 && ++index[d] == out->dims[d]; d--) index[d] = 0;
  }
}

static enum farm_status padded_copy(const struct tensor *in, struct tensor *out, enum pad_mode mode, const int64_t *before,
                                    const void *constant) {
  enum farm_status status = FARM_OK;
  int64_t *map[TENSOR_MAX_RANK] = {NULL};
  for (int d = 0; d < out->rank; d++) {
    TRY_OR(elements_alloc(out->dims[d], sizeof *map[d], &map[d]), free_maps);
    for (int64_t i = 0; i < out->dims[d]; i++) map[d][i] = source_index(mode, i, before[d], in->dims[d]);
  }
  mapped_copy(in, out, map, constant);
free_maps:
  for (int d = 0; d < out->rank; d++) free(map[d]);
  return status;
}

/* The constant in the data's type: input 2, the attribute of old versions, or 0. */
static void pad_constant(const struct reference_call *call, enum dtype type, uint64_t out_element[2]) {
  const struct tensor *given = reference_input(call, 2);
  out_element[0] = out_element[1] = 0;
  if (given && tensor_elems(given) == 1 && given->dtype == type)
    elements_copy(dtype_bits(type), out_element, 0, 1, given->data, 0, 1, 1);
  else if (!given)
    dtype_store_f64(type, out_element, 0, (double)attr_float(call->attrs, "value", 0));
}

static enum farm_status pad_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  int64_t list[2 * TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK];
  int count, axis_count;
  enum pad_mode mode;
  struct pads pads;
  uint64_t constant[2];
  TRY(pad_mode(call->attrs, &mode));
  TRY(reference_list(call, pads_name(call->attrs), 1, list, 2 * TENSOR_MAX_RANK, &count));
  TRY(reference_list(call, "axes", 3, axes, TENSOR_MAX_RANK, &axis_count));
  TRY(pads_expand(list, count, axes, axis_count, in->rank, &pads));
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  pad_constant(call, in->dtype, constant);
  return padded_copy(in, call->outputs[0], mode, pads.before, constant);
}

/* ---- CenterCropPad: each named axis cut or zero-padded around its centre to the wanted size ---- */

static enum farm_status crop_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t axes[TENSOR_MAX_RANK], wanted[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count = attr_ints(call->attrs, "axes", axes, TENSOR_MAX_RANK), wanted_count;
  TRY(shape_refuse_negative(call, 1));
  if (in->rank < 0) return shape_set(call, 0, in->dtype, -1, NULL);
  FAIL_IF(count > in->rank, FARM_INVALID, "%d axes for rank %d", count, in->rank);
  if (!shape_content_dims(shape_input(call, 1), wanted, TENSOR_MAX_RANK, &wanted_count))
    return shape_set(call, 0, in->dtype, in->rank, NULL);
  FAIL_IF(wanted_count != (count >= 0 ? count : in->rank), FARM_INVALID, "%d sizes for %d axes", wanted_count,
          count >= 0 ? count : in->rank);
  memcpy(dims, in->dims, sizeof dims);
  for (int i = 0; i < wanted_count; i++) {
    int axis = i;
    if (count >= 0) TRY(shape_axis(axes[i], in->rank, &axis));
    dims[axis] = wanted[i];
  }
  return shape_set(call, 0, in->dtype, in->rank, dims);
}

static enum farm_status crop_reference(struct reference_call *call) {
  static const uint64_t zero[2] = {0, 0};
  const struct tensor *in = call->inputs[0];
  int64_t before[TENSOR_MAX_RANK];
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  for (int i = 0; i < in->rank; i++) {
    int64_t more = call->outputs[0]->dims[i] - in->dims[i];
    before[i] = more >= 0 ? more / 2 : -(-more / 2);
  }
  return padded_copy(in, call->outputs[0], PAD_CONSTANT, before, zero);
}

#define PAD(since, most, host)                                                                                                   \
  { "", "Pad", since, most > 1 ? 2 : 1, most, 1, 1, 0, host, pad_shape, pad_reference }

const struct operator_row operators_pad[] = {
    PAD(1, 1, 0),
    PAD(2, 1, 0),
    PAD(11, 3, 2),
    PAD(13, 3, 2),
    PAD(18, 4, 10),
    PAD(19, 4, 10),
    PAD(21, 4, 10),
    PAD(23, 4, 10),
    PAD(24, 4, 10),
    PAD(25, 4, 10),
    {"", "CenterCropPad", 18, 2, 2, 1, 1, 0, 2, crop_shape, crop_reference},
};
OPERATOR_ROWS(pad);
