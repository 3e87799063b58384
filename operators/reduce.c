/* Reductions over axes: ReduceSum and its relatives. Axes are an attribute or (newer versions) an input; none means all, or
 * nothing at all with noop_with_empty_axes. Floats accumulate in double in index order, integers in 64 bits.
 */
#include "../base/pmath.h"
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

struct reduce {
  double start;               // of the accumulator; integers clamp it to their type
  double (*before)(double x); // on each element; NULL: as it is
  double (*step)(double sum, double x);
  double (*after)(double sum, double count); // NULL: as it is
  int64_t (*i_before)(int64_t x);
  int64_t (*i_step)(int64_t sum, int64_t x, enum dtype type);
};

static double absolute(double x) { return x < 0 ? -x : x; }
static double squared(double x) { return x * x; }
static double add(double sum, double x) { return sum + x; }
static double multiply(double sum, double x) { return sum * x; }
static double largest(double sum, double x) { return sum != sum || sum > x ? sum : x; }
static double smallest(double sum, double x) { return sum != sum || sum < x ? sum : x; }
static double divided(double sum, double count) { return sum / count; }
static double root(double sum, double count) { return (void)count, pmath_sqrt(sum); }
static double logarithm(double sum, double count) { return (void)count, pmath_log(sum); }
static int64_t i_absolute(int64_t x) { return x < 0 ? (int64_t)(0 - (uint64_t)x) : x; }
static int64_t i_squared(int64_t x) { return (int64_t)((uint64_t)x * (uint64_t)x); }
static int64_t i_add(int64_t sum, int64_t x, enum dtype type) { return (void)type, (int64_t)((uint64_t)sum + (uint64_t)x); }
static int64_t i_multiply(int64_t sum, int64_t x, enum dtype type) { return (void)type, (int64_t)((uint64_t)sum * (uint64_t)x); }
static int64_t i_largest(int64_t sum, int64_t x, enum dtype type) {
  return (type == DTYPE_U64 ? (uint64_t)sum > (uint64_t)x : sum > x) ? sum : x;
}
static int64_t i_smallest(int64_t sum, int64_t x, enum dtype type) {
  return (type == DTYPE_U64 ? (uint64_t)sum < (uint64_t)x : sum < x) ? sum : x;
}

static const double infinity = __builtin_inf();

static const struct reduce reduce_sum = {0, NULL, add, NULL, NULL, i_add};
static const struct reduce reduce_l1 = {0, absolute, add, NULL, i_absolute, i_add};
static const struct reduce reduce_sum_square = {0, squared, add, NULL, i_squared, i_add};
static const struct reduce reduce_prod = {1, NULL, multiply, NULL, NULL, i_multiply};
static const struct reduce reduce_max = {-__builtin_inf(), NULL, largest, NULL, NULL, i_largest};
static const struct reduce reduce_min = {__builtin_inf(), NULL, smallest, NULL, NULL, i_smallest};
static const struct reduce reduce_mean = {0, NULL, add, divided, NULL, NULL}; // the rest through double for integers too
static const struct reduce reduce_l2 = {0, squared, add, root, NULL, NULL};
static const struct reduce reduce_log_sum = {0, NULL, add, logarithm, NULL, NULL};

/* ---- axes ---- */

/* Bit i: axis i is reduced. */
static enum farm_status axes_mask(const struct attrs *attrs, const int64_t *axes, int count, int rank, uint32_t *out_mask) {
  *out_mask = 0;
  if (count <= 0) *out_mask = attr_int(attrs, "noop_with_empty_axes", 0) ? 0 : (1u << rank) - 1;
  for (int i = 0; i < count; i++) {
    int axis;
    TRY(shape_axis(axes[i], rank, &axis));
    *out_mask |= 1u << axis;
  }
  return FARM_OK;
}

static enum farm_status reduce_shape(struct shape_call *call) {
  const struct tensor *in = &call->inputs[0]->type;
  bool keep = attr_int(call->attrs, "keepdims", 1) != 0;
  int64_t axes[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count, rank = 0;
  uint32_t mask;
  enum shape_list state;
  TRY(shape_ints(call, "axes", 1, axes, TENSOR_MAX_RANK, &count, &state));
  FAIL_IF(in->dtype && dtype_class(in->dtype) == DTYPE_CLASS_OTHER, FARM_UNSUPPORTED, "no reduction of %s",
          dtype_name(in->dtype));
  if (in->rank < 0) return shape_set(call, 0, in->dtype, state == SHAPE_LIST_ABSENT && !keep ? 0 : -1, NULL);
  if (state == SHAPE_LIST_UNKNOWN) return shape_set(call, 0, in->dtype, keep ? in->rank : -1, NULL);
  TRY(axes_mask(call->attrs, axes, count, in->rank, &mask));
  for (int i = 0; i < in->rank; i++) {
    if (!(mask >> i & 1))
      dims[rank++] = in->dims[i];
    else if (keep)
      dims[rank++] = 1;
  }
  TRY(shape_set(call, 0, in->dtype, rank, dims));
  struct shape_content content;
  bool numbers = shape_content(call->inputs[0], &content) && shape_content_numbers(&content);
  return numbers ? shape_content_move(call, 1) : FARM_OK;
}

/* ---- the walk: operand 0 the output (stride 0 on reduced axes), operand 1 the input ---- */

static enum farm_status reduce_nest(const struct reference_call *call, struct nest *nest, int64_t *out_count) {
  const struct tensor *in = call->inputs[0];
  struct tensor kept = {.rank = in->rank};
  int64_t axes[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
  int count;
  uint32_t mask;
  TRY(reference_list(call, "axes", 1, axes, TENSOR_MAX_RANK, &count));
  TRY(axes_mask(call->attrs, axes, count, in->rank, &mask));
  *out_count = 1;
  for (int i = 0; i < in->rank; i++) {
    kept.dims[i] = mask >> i & 1 ? 1 : in->dims[i];
    if (mask >> i & 1) *out_count *= in->dims[i];
  }
  FAIL_IF(tensor_elems(&kept) != tensor_elems(call->outputs[0]), FARM_INVALID, "the output has %lld elements, not %lld",
          (long long)tensor_elems(call->outputs[0]), (long long)tensor_elems(&kept));
  nest_init(nest, in->rank, in->dims);
  broadcast_strides(&kept, in, strides);
  nest_operand(nest, 0, strides);
  tensor_strides(in, strides);
  nest_operand(nest, 0, strides);
  return FARM_OK;
}

/* step over every element in order; the sums of whole rows stay in a register */
static void accumulate_f64(const struct reduce *reduce, const struct tensor *in, struct nest *nest, double *sums) {
  double x[ELEMENTS_BLOCK];
  for (bool more = nest_start(nest); more; more = nest_next(nest))
    for (int64_t at = 0, count; at < nest->row; at += count) {
      count = nest->row - at < ELEMENTS_BLOCK ? nest->row - at : ELEMENTS_BLOCK;
      dtype_load_f64_row(in->dtype, in->data, nest->offset[1] + at, count, x);
      double *sum = sums + nest->offset[0] + at * nest->step[0];
      for (int64_t i = 0; i < count; i++, sum += nest->step[0])
        *sum = reduce->step(*sum, reduce->before ? reduce->before(x[i]) : x[i]);
    }
}

static enum farm_status reduce_f64(const struct reduce *reduce, struct reference_call *call, struct nest *nest, int64_t count) {
  struct tensor *out = call->outputs[0];
  int64_t elems = tensor_elems(out);
  double *sums;
  TRY(elements_alloc(elems, sizeof *sums, &sums));
  for (int64_t i = 0; i < elems; i++) sums[i] = reduce->start;
  accumulate_f64(reduce, call->inputs[0], nest, sums);
  for (int64_t i = 0; reduce->after && i < elems; i++) sums[i] = reduce->after(sums[i], (double)count);
  elements_from_f64(out, sums);
  free(sums);
  return FARM_OK;
}

static enum farm_status reduce_i64(const struct reduce *reduce, struct reference_call *call, struct nest *nest) {
  const struct tensor *in = call->inputs[0];
  struct tensor *out = call->outputs[0];
  int64_t elems = tensor_elems(out), start, x, *sums;
  uint8_t first[8];
  dtype_store_f64(in->dtype, first, 0, reduce->start);
  start = dtype_load_i64(in->dtype, first, 0);
  if (in->dtype == DTYPE_BOOL) start = reduce->start > 0;
  TRY(elements_alloc(elems, sizeof *sums, &sums));
  for (int64_t i = 0; i < elems; i++) sums[i] = start;
  for (bool more = nest_start(nest); more; more = nest_next(nest))
    for (int64_t i = 0; i < nest->row; i++) {
      int64_t *sum = &sums[nest->offset[0] + i * nest->step[0]];
      dtype_load_i64_row(in->dtype, in->data, nest->offset[1] + i * nest->step[1], 1, &x);
      *sum = reduce->i_step(*sum, reduce->i_before ? reduce->i_before(x) : x, in->dtype);
    }
  elements_from_i64(out, sums);
  free(sums);
  return FARM_OK;
}

/* With noop_with_empty_axes and no axes the newest rules still apply what is done to single elements, as this does. */
static enum farm_status reduce_run(struct reference_call *call, const struct reduce *reduce) {
  struct nest nest;
  int64_t count;
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  TRY(reduce_nest(call, &nest, &count));
  bool integers = reduce->i_step && !dtype_is_float(call->inputs[0]->dtype);
  return integers ? reduce_i64(reduce, call, &nest) : reduce_f64(reduce, call, &nest, count);
}

/* log(sum(exp(x - max))) + max, so that nothing overflows */
static enum farm_status log_sum_exp(struct reference_call *call, struct nest *nest, double *most, double *sums, int64_t elems) {
  const struct tensor *in = call->inputs[0];
  struct nest again = *nest;
  for (int64_t i = 0; i < elems; i++) most[i] = -infinity, sums[i] = 0;
  accumulate_f64(&reduce_max, in, &again, most);
  for (bool more = nest_start(nest); more; more = nest_next(nest))
    for (int64_t i = 0; i < nest->row; i++) {
      int64_t to = nest->offset[0] + i * nest->step[0];
      double x = dtype_load_f64(in->dtype, in->data, nest->offset[1] + i * nest->step[1]);
      sums[to] += absolute(most[to]) == infinity ? pmath_exp(x) : pmath_exp(x - most[to]);
    }
  for (int64_t i = 0; i < elems; i++) sums[i] = pmath_log(sums[i]) + (absolute(most[i]) == infinity ? 0 : most[i]);
  elements_from_f64(call->outputs[0], sums);
  return FARM_OK;
}

static enum farm_status reduce_log_sum_exp_reference(struct reference_call *call) {
  enum farm_status status;
  struct nest nest;
  int64_t count;
  double *most = NULL, *sums = NULL;
  TRY(reference_output(call, 0));
  if (!call->outputs[0]) return FARM_OK;
  TRY(reduce_nest(call, &nest, &count));
  int64_t elems = tensor_elems(call->outputs[0]);
  TRY_OR(elements_alloc(elems, sizeof *most, &most), free_sums);
  TRY_OR(elements_alloc(elems, sizeof *sums, &sums), free_sums);
  status = log_sum_exp(call, &nest, most, sums, elems);
free_sums:
  free(most);
  free(sums);
  return status;
}

#define REFERENCE(id)                                                                                                            \
  static enum farm_status id##_reference(struct reference_call *call) { return reduce_run(call, &id); }
REFERENCE(reduce_sum)
REFERENCE(reduce_l1)
REFERENCE(reduce_sum_square)
REFERENCE(reduce_prod)
REFERENCE(reduce_max)
REFERENCE(reduce_min)
REFERENCE(reduce_mean)
REFERENCE(reduce_l2)
REFERENCE(reduce_log_sum)

#define BY_ATTRIBUTE(name, since, id)                                                                                            \
  { "", name, since, 1, 1, 1, 1, 0, 0, reduce_shape, id##_reference }
#define BY_INPUT(name, since, id)                                                                                                \
  { "", name, since, 1, 2, 1, 1, 0, 2, reduce_shape, id##_reference }
#define ROWS(name, id) BY_ATTRIBUTE(name, 1, id), BY_ATTRIBUTE(name, 11, id), BY_ATTRIBUTE(name, 13, id), BY_INPUT(name, 18, id)

const struct operator_row operators_reduce[] = {
    BY_ATTRIBUTE("ReduceSum", 1, reduce_sum),
    BY_ATTRIBUTE("ReduceSum", 11, reduce_sum),
    BY_INPUT("ReduceSum", 13, reduce_sum),
    ROWS("ReduceMean", reduce_mean),
    ROWS("ReduceMax", reduce_max),
    BY_ATTRIBUTE("ReduceMax", 12, reduce_max),
    BY_INPUT("ReduceMax", 20, reduce_max),
    ROWS("ReduceMin", reduce_min),
    BY_ATTRIBUTE("ReduceMin", 12, reduce_min),
    BY_INPUT("ReduceMin", 20, reduce_min),
    ROWS("ReduceProd", reduce_prod),
    ROWS("ReduceL1", reduce_l1),
    ROWS("ReduceL2", reduce_l2),
    ROWS("ReduceLogSum", reduce_log_sum),
    ROWS("ReduceLogSumExp", reduce_log_sum_exp),
    ROWS("ReduceSumSquare", reduce_sum_square),
};
OPERATOR_ROWS(reduce);
