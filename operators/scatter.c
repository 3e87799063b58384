/* Scatter, ScatterElements, ScatterND: a copy of the data in which some elements are replaced, or combined by a reduction.
 * Updates are applied in index order.
 */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

typedef double (*combine_f64_fn)(double old, double update);
typedef int64_t (*combine_i64_fn)(int64_t old, int64_t update, bool unsigned_64);

static double add_f64(double a, double b) { return a + b; }
static double mul_f64(double a, double b) { return a * b; }
static double max_f64(double a, double b) { return a != a || a > b ? a : b; }
static double min_f64(double a, double b) { return a != a || a < b ? a : b; }
static int64_t add_i64(int64_t a, int64_t b, bool u) { return (void)u, (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t mul_i64(int64_t a, int64_t b, bool u) { return (void)u, (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t max_i64(int64_t a, int64_t b, bool u) { return (u ? (uint64_t)a > (uint64_t)b : a > b) ? a : b; }
static int64_t min_i64(int64_t a, int64_t b, bool u) { return (u ? (uint64_t)a < (uint64_t)b : a < b) ? a : b; }

static const struct reduction {
  const char *name;
  combine_f64_fn floats; // NULL: replace
  combine_i64_fn integers;
} reductions[] = {{"none", NULL, NULL},
                  {"add", add_f64, add_i64},
                  {"mul", mul_f64, mul_i64},
                  {"max", max_f64, max_i64},
                  {"min", min_f64, min_i64}};

static enum farm_status reduction_of(const struct attrs *attrs, const struct reduction **out) {
  const char *name = attr_string(attrs, "reduction", "none");
  for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++)
    if (strcmp(name, reductions[i].name) == 0) {
      *out = &reductions[i];
      return FARM_OK;
    }
  return status_set(FARM_INVALID, "reduction %s is not known", name);
}

static void scatter_run(const struct reduction *reduction, struct tensor *out, int64_t to, const struct tensor *updates,
                        int64_t from, int64_t count) {
  enum dtype type = out->dtype;
  if (!reduction->floats) {
    elements_copy(dtype_bits(type), out->data, to, 1, updates->data, from, 1, count);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    if (dtype_is_float(type)) {
      double old = dtype_load_f64(type, out->data, to + i), update = dtype_load_f64(type, updates->data, from + i);
      dtype_store_f64(type, out->data, to + i, reduction->floats(old, update));
    } else {
      int64_t old = dtype_load_i64(type, out->data, to + i), update = dtype_load_i64(type, updates->data, from + i);
      dtype_store_i64(type, out->data, to + i, reduction->integers(old, update, type == DTYPE_U64));
    }
  }
}

/* data, reduction and output ready; false as *out_wanted when nobody wants the output */
static enum farm_status scatter_begin(struct reference_call *call, const struct reduction **out_reduction, bool *out_wanted) {
  const struct tensor *data = call->inputs[0];
  TRY(reduction_of(call->attrs, out_reduction));
  TRY(reference_output(call, 0));
  *out_wanted = call->outputs[0] != NULL;
  if (*out_wanted) elements_copy(dtype_bits(data->dtype), call->outputs[0]->data, 0, 1, data->data, 0, 1, tensor_elems(data));
  return FARM_OK;
}

static enum farm_status require_types(const struct shape_call *call) {
  enum dtype indices = shape_input_dtype(call, 1), data = shape_input_dtype(call, 0), updates = shape_input_dtype(call, 2);
  const struct reduction *reduction;
  FAIL_IF(indices && !dtype_is_integer(indices), FARM_INVALID, "indices are %s", dtype_name(indices));
  FAIL_IF(data && updates && data != updates, FARM_INVALID, "data are %s, updates %s", dtype_name(data), dtype_name(updates));
  return reduction_of(call->attrs, &reduction);
}

/* ---- ScatterElements (and its old name Scatter): out[index[i][j]][j] = updates[i][j], for axis 0 ---- */

static enum farm_status scatter_elements_shape(struct shape_call *call) {
  const struct tensor *data = &call->inputs[0]->type, *indices = &call->inputs[1]->type, *updates = &call->inputs[2]->type;
  struct tensor merged;
  int axis = 0;
  TRY(require_types(call));
  shape_same_as_input(call, 0, 0);
  if (data->rank >= 0) TRY(shape_axis(attr_int(call->attrs, "axis", 0), data->rank, &axis));
  struct tensor i_type = *indices, u_type = *updates;
  i_type.dtype = u_type.dtype = DTYPE_NONE;
  TRY(shape_merge(&i_type, &u_type, &merged));
  if (data->rank < 0 || merged.rank < 0) return FARM_OK;
  FAIL_IF(data->rank != merged.rank, FARM_INVALID, "data has rank %d, indices %d", data->rank, merged.rank);
  for (int i = 0; i < data->rank; i++)
    FAIL_IF(i != axis && data->dims[i] >= 0 && merged.dims[i] > data->dims[i], FARM_INVALID,
            "axis %d: %lld indices for %lld elements", i, (long long)merged.dims[i], (long long)data->dims[i]);
  return FARM_OK;
}

struct scattering {
  const struct reduction *reduction;
  const struct tensor *updates;
  struct tensor *out;
};

static void element_scatter(void *context, int64_t at, int64_t place) {
  const struct scattering *s = context;
  scatter_run(s->reduction, s->out, place, s->updates, at, 1);
}

static enum farm_status scatter_elements_reference(struct reference_call *call) {
  const struct tensor *data = call->inputs[0], *indices = call->inputs[1];
  struct scattering scattering = {.updates = call->inputs[2]};
  int axis;
  bool wanted;
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), data->rank, &axis));
  TRY(scatter_begin(call, &scattering.reduction, &wanted));
  scattering.out = call->outputs[0];
  return wanted ? elements_along_axis(indices, data, axis, element_scatter, &scattering) : FARM_OK;
}

/* ---- ScatterND: indices [count][k], updates [count][inner], data [d0]…[dk-1][inner] ---- */

static enum farm_status scatter_nd_shape(struct shape_call *call) {
  const struct tensor *data = &call->inputs[0]->type, *indices = &call->inputs[1]->type, *updates = &call->inputs[2]->type;
  TRY(require_types(call));
  TRY(shape_require_rank(call, 0, 1, TENSOR_MAX_RANK));
  TRY(shape_require_rank(call, 1, 1, TENSOR_MAX_RANK));
  shape_same_as_input(call, 0, 0);
  if (data->rank < 0 || indices->rank < 0 || indices->dims[indices->rank - 1] < 0) return FARM_OK;
  int64_t k = indices->dims[indices->rank - 1];
  FAIL_IF(k > data->rank, FARM_INVALID, "%lld indices for rank %d", (long long)k, data->rank);
  int rank = indices->rank - 1 + data->rank - (int)k;
  FAIL_IF(rank > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "updates of rank %d", rank);
  struct tensor expected = {.dtype = updates->dtype, .rank = 0};
  for (int i = 0; i < indices->rank - 1; i++) expected.dims[expected.rank++] = indices->dims[i];
  for (int64_t i = k; i < data->rank; i++) expected.dims[expected.rank++] = data->dims[i];
  return shape_merge(&expected, updates, &expected);
}

static enum farm_status scatter_nd_reference(struct reference_call *call) {
  const struct tensor *data = call->inputs[0], *indices = call->inputs[1], *updates = call->inputs[2];
  const struct reduction *reduction;
  int64_t strides[TENSOR_MAX_RANK], to;
  bool wanted;
  TRY(scatter_begin(call, &reduction, &wanted));
  if (!wanted) return FARM_OK;
  int k = (int)indices->dims[indices->rank - 1];
  tensor_strides(data, strides);
  int64_t inner = tensor_dims_product(data->dims + k, data->rank - k),
          count = tensor_dims_product(indices->dims, indices->rank - 1);
  for (int64_t i = 0; i < count; i++) {
    TRY(element_tuple_offset(indices, i * k, k, data->dims, strides, &to));
    scatter_run(reduction, call->outputs[0], to, updates, i * inner, inner);
  }
  return FARM_OK;
}

#define ROW(name, since, id)                                                                                                     \
  { "", name, since, 3, 3, 1, 1, 0, 0, id##_shape, id##_reference }

const struct operator_row operators_scatter[] = {
    ROW("Scatter", 9, scatter_elements),
    ROW("Scatter", 11, scatter_elements),
    ROW("ScatterElements", 11, scatter_elements),
    ROW("ScatterElements", 13, scatter_elements),
    ROW("ScatterElements", 16, scatter_elements),
    ROW("ScatterElements", 18, scatter_elements),
    ROW("ScatterND", 11, scatter_nd),
    ROW("ScatterND", 13, scatter_nd),
    ROW("ScatterND", 16, scatter_nd),
    ROW("ScatterND", 18, scatter_nd),
};
OPERATOR_ROWS(scatter);
