/* Running sums and products along an axis (CumSum, CumProd), and Trilu, which keeps a triangle of each matrix. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

/* ---- CumSum and CumProd ---- */

static enum farm_status cumulate_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t given;
  int axis;
  FAIL_IF(in->dtype && dtype_class(in->dtype) == DTYPE_CLASS_OTHER, FARM_UNSUPPORTED, "no sum of %s", dtype_name(in->dtype));
  if (in->rank >= 0 && shape_known_int(shape_input(call, 1), &given)) TRY(shape_axis(given, in->rank, &axis));
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

struct running {
  bool product, exclusive, reverse;
};

static void cumulate_lane(const struct tensor *in, struct tensor *out, int64_t base, int64_t count, int64_t step,
                          struct running r) {
  double f = r.product;
  uint64_t u = r.product;
  for (int64_t k = 0; k < count; k++) {
    int64_t at = base + (r.reverse ? count - 1 - k : k) * step;
    double f_before = f;
    uint64_t u_before = u;
    if (dtype_is_float(in->dtype)) {
      double x = dtype_load_f64(in->dtype, in->data, at);
      f = r.product ? f * x : f + x;
      dtype_store_f64(out->dtype, out->data, at, r.exclusive ? f_before : f);
    } else {
      uint64_t x = (uint64_t)dtype_load_i64(in->dtype, in->data, at);
      u = r.product ? u * x : u + x;
      dtype_store_i64(out->dtype, out->data, at, (int64_t)(r.exclusive ? u_before : u));
    }
  }
}

static enum farm_status cumulate(struct reference_call *call, bool product) {
  const struct tensor *in = call->inputs[0];
  struct running running = {product, attr_int(call->attrs, "exclusive", 0) != 0, attr_int(call->attrs, "reverse", 0) != 0};
  int64_t given;
  int count, axis;
  TRY(reference_ints(call, 1, &given, 1, &count));
  FAIL_IF(count != 1, FARM_INVALID, "axis must be one integer");
  TRY(shape_axis(given, in->rank, &axis));
  TRY(reference_output(call, 0));
  int64_t outer = tensor_dims_product(in->dims, axis), inner = tensor_dims_product(in->dims + axis + 1, in->rank - axis - 1);
  for (int64_t o = 0; call->outputs[0] && o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      cumulate_lane(in, call->outputs[0], o * in->dims[axis] * inner + i, in->dims[axis], inner, running);
  return FARM_OK;
}

static enum farm_status cum_sum_reference(struct reference_call *call) { return cumulate(call, false); }
static enum farm_status cum_prod_reference(struct reference_call *call) { return cumulate(call, true); }

/* ---- Trilu: [batch][rows][columns]; keeps column - row >= k (upper) or <= k ---- */

static enum farm_status trilu_shape(struct shape_call *call) {
  TRY(shape_require_rank(call, 0, 2, TENSOR_MAX_RANK));
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

static enum farm_status trilu_reference(struct reference_call *call) {
  static const uint64_t zero[2] = {0, 0};
  const struct tensor *in = call->inputs[0];
  bool upper = attr_int(call->attrs, "upper", 1) != 0;
  int64_t k = 0;
  int count;
  TRY(reference_ints(call, 1, &k, 1, &count));
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  int64_t columns = in->dims[in->rank - 1], rows = in->dims[in->rank - 2], batch = tensor_dims_product(in->dims, in->rank - 2);
  if (k > columns) k = columns;
  if (k < -rows) k = -rows;
  for (int64_t r = 0; r < batch * rows; r++) {
    int64_t edge = r % rows + k + (upper ? 0 : 1); // the first column after the change
    edge = edge < 0 ? 0 : edge > columns ? columns : edge;
    int64_t kept_from = upper ? edge : 0, kept_to = upper ? columns : edge;
    elements_fill(dtype_bits(in->dtype), out->data, r * columns, 1, zero, columns);
    elements_copy(dtype_bits(in->dtype), out->data, r * columns + kept_from, 1, in->data, r * columns + kept_from, 1,
                  kept_to - kept_from);
  }
  return FARM_OK;
}

const struct operator_row operators_scan_axis[] = {
    {"", "CumSum", 11, 2, 2, 1, 1, 0, 2, cumulate_shape, cum_sum_reference},
    {"", "CumSum", 14, 2, 2, 1, 1, 0, 2, cumulate_shape, cum_sum_reference},
    {"", "CumProd", 26, 2, 2, 1, 1, 0, 2, cumulate_shape, cum_prod_reference},
    {"", "Trilu", 14, 1, 2, 1, 1, 0, 2, trilu_shape, trilu_reference},
};
OPERATOR_ROWS(scan_axis);
