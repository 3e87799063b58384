/* Operators that only give input 0's bytes another shape: Identity, Reshape, Flatten, Squeeze, Unsqueeze. The plan aliases
 * them, the reference copies.
 */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

static enum farm_status view_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out) return FARM_OK;
  FAIL_IF(tensor_elems(in) != tensor_elems(out), FARM_INVALID, "%lld elements cannot become %lld", (long long)tensor_elems(in),
          (long long)tensor_elems(out));
  elements_copy(dtype_bits(in->dtype), out->data, 0, 1, in->data, 0, 1, tensor_elems(out));
  return FARM_OK;
}

static enum farm_status view_set(struct shape_call *call, int rank, const int64_t *dims) {
  TRY(shape_set(call, 0, shape_input_dtype(call, 0), rank, dims));
  return shape_content_move(call, 1);
}

static enum farm_status identity_shape(struct shape_call *call) {
  shape_same_as_input(call, 0, 0);
  return shape_content_move(call, 1);
}

/* ---- Reshape ---- */

/* A product of dims: numbers multiplied, symbols listed. */
struct product {
  int64_t number;
  int symbol_count;
  int64_t symbols[TENSOR_MAX_RANK];
};

static enum farm_status product_add(struct product *product, int64_t dim) {
  if (dim < 0)
    product->symbols[product->symbol_count++] = dim;
  else
    FAIL_IF(__builtin_mul_overflow(product->number, dim, &product->number), FARM_INVALID, "a shape overflows");
  return FARM_OK;
}

static bool product_cancel(struct product *product, int64_t symbol) {
  for (int i = 0; i < product->symbol_count; i++) {
    if (product->symbols[i] != symbol) continue;
    product->symbols[i] = product->symbols[--product->symbol_count];
    return true;
  }
  return false;
}

/* The dim that makes `rest` times it the `total`; DIM_UNKNOWN when that cannot be told. */
static enum farm_status product_quotient(struct product total, struct product rest, int64_t *out_dim) {
  *out_dim = DIM_UNKNOWN;
  for (int i = rest.symbol_count - 1; i >= 0; i--)
    if (rest.symbols[i] != DIM_UNKNOWN && product_cancel(&total, rest.symbols[i])) product_cancel(&rest, rest.symbols[i]);
  if (rest.symbol_count || rest.number == 0 || total.number % rest.number != 0) {
    FAIL_IF(!rest.symbol_count && !total.symbol_count && rest.number && total.number % rest.number, FARM_INVALID,
            "%lld elements are not a multiple of %lld", (long long)total.number, (long long)rest.number);
    return FARM_OK;
  }
  int64_t number = total.number / rest.number;
  if (!total.symbol_count || number == 0)
    *out_dim = number;
  else if (total.symbol_count == 1 && number == 1)
    *out_dim = total.symbols[0];
  return FARM_OK;
}

/* Target elements to dims: 0 copies (unless allowzero), -1 is left as `free`; a symbol stays. */
static enum farm_status reshape_dims(const struct shape_call *call, const struct shape_content *target, int64_t *dims,
                                     int *out_free) {
  const struct tensor *in = &call->inputs[0]->type;
  bool allow_zero = attr_int(call->attrs, "allowzero", 0) != 0;
  *out_free = -1;
  for (int i = 0; i < target->count; i++) {
    dims[i] = target->value[i];
    if (target->symbolic[i]) continue;
    FAIL_IF(dims[i] < -1 || (dims[i] == 0 && !allow_zero && in->rank >= 0 && i >= in->rank), FARM_INVALID,
            "dimension %d of the new shape is %lld", i, (long long)dims[i]);
    if (dims[i] == 0 && !allow_zero)
      dims[i] = in->rank >= 0 ? in->dims[i] : DIM_UNKNOWN;
    else if (dims[i] == -1) {
      FAIL_IF(*out_free >= 0, FARM_INVALID, "the new shape has two free dimensions");
      *out_free = i;
    }
  }
  return FARM_OK;
}

/* The one dim that is free or unknown follows from the number of elements. */
static enum farm_status reshape_solve(const struct tensor *in, int rank, int64_t *dims, int free) {
  int unknown = 0;
  for (int i = 0; i < rank; i++) {
    unknown += dims[i] == DIM_UNKNOWN;
    if (free < 0 && dims[i] == DIM_UNKNOWN) free = i;
  }
  struct product total = {.number = 1}, rest = {.number = 1};
  for (int i = 0; i < in->rank; i++) TRY(product_add(&total, in->dims[i]));
  for (int i = 0; i < rank; i++)
    if (i != free) TRY(product_add(&rest, dims[i]));
  if (free < 0)
    FAIL_IF(!total.symbol_count && !rest.symbol_count && total.number != rest.number, FARM_INVALID,
            "%lld elements cannot become %lld", (long long)total.number, (long long)rest.number);
  if (free >= 0 && unknown == 1) TRY(product_quotient(total, rest, &dims[free]));
  return FARM_OK;
}

static enum farm_status reshape_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  struct shape_content target;
  int64_t dims[TENSOR_MAX_RANK];
  int free = -1, rank = -1;
  if (!shape_content(shape_input(call, 1), &target)) {
    if (!shape_content_dims(shape_input(call, 1), dims, TENSOR_MAX_RANK, &rank)) return view_set(call, -1, NULL);
  } else {
    FAIL_IF(target.count > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "rank %d is more than %d", target.count, TENSOR_MAX_RANK);
    rank = target.count;
    TRY(reshape_dims(call, &target, dims, &free));
  }
  if (in->rank >= 0) TRY(reshape_solve(in, rank, dims, free));
  return view_set(call, rank, dims);
}

/* ---- Flatten ---- */

static enum farm_status flatten_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t axis = attr_int(call->attrs, "axis", 1), dims[2] = {DIM_UNKNOWN, DIM_UNKNOWN};
  if (in->rank < 0) return view_set(call, 2, dims);
  FAIL_IF(axis < -in->rank || axis > in->rank, FARM_INVALID, "axis %lld is out of range for rank %d", (long long)axis, in->rank);
  if (axis < 0) axis += in->rank;
  dims[0] = dims[1] = 1;
  for (int i = 0; i < in->rank; i++) dims[i >= axis] = dim_mul(dims[i >= axis], in->dims[i]);
  return view_set(call, 2, dims);
}

/* ---- Squeeze and Unsqueeze ---- */

/* The axes as a bit mask over `rank` dims. */
static enum farm_status axes_mask(const int64_t *axes, int count, int rank, uint32_t *out_mask) {
  *out_mask = 0;
  for (int i = 0; i < count; i++) {
    int axis;
    TRY(shape_axis(axes[i], rank, &axis));
    FAIL_IF(*out_mask >> axis & 1, FARM_INVALID, "axis %d is given twice", axis);
    *out_mask |= 1u << axis;
  }
  return FARM_OK;
}

static enum farm_status squeeze_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t axes[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count, rank = 0;
  uint32_t mask = 0;
  enum shape_list state;
  TRY(shape_ints(call, "axes", 1, axes, TENSOR_MAX_RANK, &count, &state));
  if (in->rank < 0) return view_set(call, -1, NULL);
  if (state == SHAPE_LIST_UNKNOWN) return view_set(call, count < 0 || count > in->rank ? -1 : in->rank - count, NULL);
  if (state == SHAPE_LIST_KNOWN) TRY(axes_mask(axes, count, in->rank, &mask));
  for (int i = 0; i < in->rank; i++) {
    if (state == SHAPE_LIST_ABSENT && in->dims[i] < 0) return view_set(call, -1, NULL);
    if (state == SHAPE_LIST_ABSENT && in->dims[i] == 1) mask |= 1u << i;
    FAIL_IF(mask >> i & 1 && in->dims[i] >= 0 && in->dims[i] != 1, FARM_INVALID, "axis %d to squeeze has %lld elements", i,
            (long long)in->dims[i]);
    if (!(mask >> i & 1)) dims[rank++] = in->dims[i];
  }
  return view_set(call, rank, dims);
}

static enum farm_status unsqueeze_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  int64_t axes[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count, from = 0;
  uint32_t mask;
  enum shape_list state;
  TRY(shape_ints(call, "axes", 1, axes, TENSOR_MAX_RANK, &count, &state));
  FAIL_IF(state == SHAPE_LIST_ABSENT, FARM_INVALID, "axes are missing");
  if (in->rank < 0 || count < 0) return view_set(call, -1, NULL);
  int rank = in->rank + count;
  FAIL_IF(rank > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "rank %d is more than %d", rank, TENSOR_MAX_RANK);
  if (state == SHAPE_LIST_UNKNOWN) return view_set(call, rank, NULL);
  TRY(axes_mask(axes, count, rank, &mask));
  for (int i = 0; i < rank; i++) dims[i] = mask >> i & 1 ? 1 : in->dims[from++];
  return view_set(call, rank, dims);
}

#define VIEW(name, since, inputs, most, host, id)                                                                                \
  { "", name, since, inputs, most, 1, 1, OPERATOR_VIEW, host, id##_shape, view_reference }
#define IDENTITY(since)                                                                                                          \
  { "", "Identity", since, 1, 1, 1, 1, OPERATOR_VIEW | OPERATOR_ELEMENTWISE, 0, identity_shape, view_reference }
#define RESHAPE(since) VIEW("Reshape", since, 2, 2, 2, reshape)
#define FLATTEN(since) VIEW("Flatten", since, 1, 1, 0, flatten)
#define SQUEEZE(since) VIEW("Squeeze", since, 1, 2, 2, squeeze)
#define UNSQUEEZE(since) VIEW("Unsqueeze", since, 2, 2, 2, unsqueeze)

const struct operator_row operators_view[] = {
    IDENTITY(1),
    IDENTITY(13),
    IDENTITY(14),
    IDENTITY(16),
    IDENTITY(19),
    IDENTITY(21),
    IDENTITY(23),
    IDENTITY(24),
    IDENTITY(25),
    RESHAPE(5),
    RESHAPE(13),
    RESHAPE(14),
    RESHAPE(19),
    RESHAPE(21),
    RESHAPE(23),
    RESHAPE(24),
    RESHAPE(25),
    FLATTEN(1),
    FLATTEN(9),
    FLATTEN(11),
    FLATTEN(13),
    FLATTEN(21),
    FLATTEN(23),
    FLATTEN(24),
    FLATTEN(25),
    VIEW("Squeeze", 1, 1, 1, 0, squeeze),
    VIEW("Squeeze", 11, 1, 1, 0, squeeze),
    SQUEEZE(13),
    SQUEEZE(21),
    SQUEEZE(23),
    SQUEEZE(24),
    SQUEEZE(25),
    VIEW("Unsqueeze", 1, 1, 1, 0, unsqueeze),
    VIEW("Unsqueeze", 11, 1, 1, 0, unsqueeze),
    UNSQUEEZE(13),
    UNSQUEEZE(21),
    UNSQUEEZE(23),
    UNSQUEEZE(24),
    UNSQUEEZE(25),
};
OPERATOR_ROWS(view);
