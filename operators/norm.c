/* Normalisations over statistics of the input itself: Layer, RMS, Instance, Group, MeanVariance, Lp normalisation, LRN; and
 * com.microsoft's residual forms. Means come first, then deviations: two passes, in double.
 */
#include "../base/pmath.h"
#include "norm.h"
#include "tables.h"

struct moments norm_moments(const double *x, int64_t count, double epsilon, bool centred) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; centred && i < count; i++) sum += x[i];
  double mean = centred ? sum / (double)count : 0;
  for (int64_t i = 0; i < count; i++) squares += (x[i] - mean) * (x[i] - mean);
  return (struct moments){mean, 1 / pmath_sqrt(squares / (double)count + epsilon)};
}

static double epsilon_of(const struct reference_call *call, float otherwise) {
  return (double)attr_float(call->attrs, "epsilon", otherwise);
}

/* ---- LayerNormalization, RMSNormalization, SimplifiedLayerNormalization ---- */

/* Scale and bias broadcast to the normalised axes and those before: dims aligned at the right. */
static enum farm_status check_broadcast(const struct shape_call *call, int input) {
  int rank = nn_rank(call, 0), own = nn_rank(call, input);
  if (rank < 0 || own < 0) return FARM_OK;
  TRY(nn_check_rank(call, input, 0, rank));
  for (int i = 0; i < own; i++)
    if (nn_dim(call, input, i) != 1) TRY(nn_check_dim(call, input, i, nn_dim(call, 0, rank - own + i)));
  return FARM_OK;
}

static enum farm_status layer_shape(struct shape_call *call) {
  int axis, rank = nn_rank(call, 0);
  int64_t dims[TENSOR_MAX_RANK];
  for (int i = 0; i < 3; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  enum dtype stash = attr_int(call->attrs, "stash_type", 1) == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F32;
  shape_same_as_input(call, 0, 0);
  if (nn_dtype(call, 1) != DTYPE_NONE && call->output_count > 0) call->outputs[0].type.dtype = nn_dtype(call, 1);
  nn_output(call, 1, stash, -1, NULL);
  nn_output(call, 2, stash, -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(shape_axis(attr_int(call->attrs, "axis", -1), rank, &axis));
  TRY(check_broadcast(call, 1));
  TRY(check_broadcast(call, 2));
  for (int i = 0; i < rank; i++) dims[i] = i < axis ? nn_dim(call, 0, i) : 1;
  nn_output(call, 1, stash, rank, dims);
  nn_output(call, 2, stash, rank, dims);
  return FARM_OK;
}

/* Where element i of x finds its scale: broadcasting aligned at the right. */
static int64_t broadcast_at(const struct tensor *x, const struct tensor *small, int64_t i) {
  int64_t at = 0, stride = 1;
  for (int axis = x->rank - 1, own = small->rank - 1; own >= 0; axis--, own--) {
    if (small->dims[own] != 1) at += i % x->dims[axis] * stride;
    stride *= small->dims[own];
    i /= x->dims[axis];
  }
  return at;
}

static enum farm_status layer_run(struct reference_call *call, struct arena *scratch, bool centred) {
  const struct tensor *x = call->inputs[0], *scale = call->inputs[1], *bias = nn_in(call, 2);
  double *values = NULL, *scales = NULL, *biases = NULL;
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", -1), x->rank, &axis));
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, scale, &scales));
  TRY(nn_load(scratch, bias, &biases));
  int64_t elems = tensor_elems(x), count = nn_product(x, axis, x->rank);
  for (int64_t row = 0; elems && row < elems / count; row++) {
    double *at = values + row * count;
    struct moments moments = norm_moments(at, count, epsilon_of(call, 1e-5f), centred);
    for (int64_t i = 0; i < count; i++) {
      at[i] = (at[i] - moments.mean) * moments.inverse_deviation * scales[broadcast_at(x, scale, row * count + i)];
      if (biases) at[i] += biases[broadcast_at(x, bias, row * count + i)];
    }
    if (centred && nn_out(call, 1)) nn_store_range(call->outputs[1], row, 1, &moments.mean);
    if (nn_out(call, centred ? 2 : 1)) nn_store_range(call->outputs[centred ? 2 : 1], row, 1, &moments.inverse_deviation);
  }
  if (nn_out(call, 0)) nn_store(call->outputs[0], values);
  return FARM_OK;
}

static enum farm_status layer_reference_body(struct reference_call *call, struct arena *scratch) {
  return layer_run(call, scratch, true);
}
static enum farm_status rms_reference_body(struct reference_call *call, struct arena *scratch) {
  return layer_run(call, scratch, false);
}
NN_REFERENCE(layer_reference)
NN_REFERENCE(rms_reference)

/* ---- Instance and Group: statistics over a group of channels and all space ---- */
static enum farm_status instance_shape(struct shape_call *call) {
  for (int i = 0; i < 3; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  for (int i = 1; i < 3; i++) TRY(nn_check_vector(call, i, nn_dim(call, 0, 1)));
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

static enum farm_status group_shape(struct shape_call *call) {
  int64_t groups = attr_int(call->attrs, "num_groups", 0), channels = nn_dim(call, 0, 1);
  FAIL_IF(groups < 1 || (channels >= 0 && channels % groups), FARM_INVALID, "num_groups is %lld for %lld channels",
          (long long)groups, (long long)channels);
  for (int i = 0; i < 3; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  for (int i = 1; i < 3; i++) TRY(nn_check_vector(call, i, call->row->since_version < 21 ? groups : channels));
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

/* parameters: 1 per channel, or per group */
static enum farm_status group_run(struct reference_call *call, struct arena *scratch, int64_t groups, bool per_channel) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL, *scale = NULL, *bias = NULL;
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, call->inputs[1], &scale));
  TRY(nn_load(scratch, call->inputs[2], &bias));
  int64_t elems = tensor_elems(x), spatial = nn_product(x, 2, x->rank), count = groups ? x->dims[1] / groups * spatial : 0;
  for (int64_t block = 0; elems && block < elems / count; block++) {
    double *at = values + block * count;
    struct moments moments = norm_moments(at, count, epsilon_of(call, 1e-5f), true);
    for (int64_t i = 0; i < count; i++) {
      int64_t group = block % groups, which = per_channel ? group * (x->dims[1] / groups) + i / spatial : group;
      at[i] = (at[i] - moments.mean) * moments.inverse_deviation * scale[which] + bias[which];
    }
  }
  nn_store(call->outputs[0], values);
  return FARM_OK;
}

static enum farm_status instance_reference_body(struct reference_call *call, struct arena *scratch) {
  return group_run(call, scratch, call->inputs[0]->dims[1], true);
}
static enum farm_status group_reference_body(struct reference_call *call, struct arena *scratch) {
  return group_run(call, scratch, attr_int(call->attrs, "num_groups", 1), call->row->since_version >= 21);
}
NN_REFERENCE(instance_reference)
NN_REFERENCE(group_reference)

/* ---- MeanVarianceNormalization: (x - mean) / (deviation + 1e-9) over the axes ---- */
static enum farm_status mvn_mask(const struct attrs *attrs, int rank, uint32_t *out) {
  int64_t axes[TENSOR_MAX_RANK] = {0, 2, 3};
  int count = 3;
  const struct attr *attr = attr_find(attrs, "axes");
  if (attr && attr->type == ATTR_INTS) {
    FAIL_IF(attr->count > rank, FARM_INVALID, "axes has %d values for rank %d", attr->count, rank);
    count = attr_ints(attrs, "axes", axes, TENSOR_MAX_RANK);
  }
  *out = 0;
  for (int i = 0, axis; i < count; i++) {
    TRY(shape_axis(axes[i], rank, &axis));
    *out |= 1u << axis;
  }
  return FARM_OK;
}

static enum farm_status mvn_shape(struct shape_call *call) {
  uint32_t mask;
  if (nn_rank(call, 0) >= 0) TRY(mvn_mask(call->attrs, nn_rank(call, 0), &mask));
  return nn_shape_float_map(call);
}

static int64_t kept_index(const struct tensor *x, uint32_t mask, int64_t i) {
  int64_t at = 0, stride = 1;
  for (int axis = x->rank - 1; axis >= 0; i /= x->dims[axis], axis--) {
    if (mask >> axis & 1) continue;
    at += i % x->dims[axis] * stride;
    stride *= x->dims[axis];
  }
  return at;
}

static enum farm_status mvn_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL, *mean = NULL, *square = NULL;
  uint32_t mask;
  TRY(mvn_mask(call->attrs, x->rank, &mask));
  TRY(reference_output(call, 0));
  int64_t elems = tensor_elems(x), kept = 1;
  if (elems == 0) return FARM_OK;
  for (int i = 0; i < x->rank; i++) kept *= mask >> i & 1 ? 1 : x->dims[i];
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, kept, sizeof *mean, &mean));
  TRY(nn_alloc(scratch, kept, sizeof *square, &square));
  double count = (double)(elems / kept);
  for (int64_t i = 0; i < elems; i++) mean[kept_index(x, mask, i)] += values[i] / count;
  for (int64_t i = 0; i < elems; i++) {
    int64_t at = kept_index(x, mask, i);
    values[i] -= mean[at];
    square[at] += values[i] * values[i];
  }
  for (int64_t i = 0; i < elems; i++) values[i] /= pmath_sqrt(square[kept_index(x, mask, i)] / count) + 1e-9;
  nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(mvn_reference)

/* ---- LpNormalization: x / |x|_p along an axis; a zero vector stays zero ---- */
static enum farm_status lp_shape(struct shape_call *call) {
  int axis;
  int64_t p = attr_int(call->attrs, "p", 2);
  FAIL_IF(p != 1 && p != 2, FARM_INVALID, "p is %lld, not 1 or 2", (long long)p);
  if (nn_rank(call, 0) >= 0) TRY(shape_axis(attr_int(call->attrs, "axis", -1), nn_rank(call, 0), &axis));
  return nn_shape_float_map(call);
}

static void lp_line(double *x, int64_t count, int64_t step, bool squares) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += squares ? x[i * step] * x[i * step] : x[i * step] < 0 ? -x[i * step] : x[i * step];
  double norm = squares ? pmath_sqrt(sum) : sum;
  for (int64_t i = 0; norm != 0 && i < count; i++) x[i * step] /= norm;
}

static enum farm_status lp_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL;
  int axis;
  TRY(shape_axis(attr_int(call->attrs, "axis", -1), x->rank, &axis));
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  int64_t elems = tensor_elems(x), count = x->dims[axis], inner = nn_product(x, axis + 1, x->rank);
  for (int64_t outer = 0; elems && outer < elems / (count * inner); outer++)
    for (int64_t i = 0; i < inner; i++)
      lp_line(values + outer * count * inner + i, count, inner, attr_int(call->attrs, "p", 2) == 2);
  nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(lp_reference)

/* ---- LRN: x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta ---- */
static enum farm_status lrn_shape(struct shape_call *call) {
  int64_t size = attr_int(call->attrs, "size", 0);
  FAIL_IF(size < 1 || size > INT32_MAX, FARM_INVALID, "size is %lld", (long long)size);
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  return nn_shape_float_map(call);
}

static enum farm_status lrn_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL, *out = NULL;
  double alpha = (double)attr_float(call->attrs, "alpha", 0.0001f), beta = (double)attr_float(call->attrs, "beta", 0.75f);
  double bias = (double)attr_float(call->attrs, "bias", 1);
  int64_t size = attr_int(call->attrs, "size", 1), channels = x->dims[1], spatial = nn_product(x, 2, x->rank),
          elems = tensor_elems(x);
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, elems, sizeof *out, &out));
  for (int64_t i = 0; i < elems; i++) {
    int64_t channel = i / spatial % channels, low = channel - (size - 1) / 2, high = channel + size / 2;
    double sum = 0;
    for (int64_t c = low < 0 ? 0 : low; c <= high && c < channels; c++) {
      double neighbour = values[i + (c - channel) * spatial];
      sum += neighbour * neighbour;
    }
    out[i] = values[i] / pmath_pow(bias + alpha / (double)size * sum, beta);
  }
  nn_store(call->outputs[0], out);
  return FARM_OK;
}
NN_REFERENCE(lrn_reference)

const struct operator_row operators_norm[] = {
    {"", "LayerNormalization", 1, 2, 3, 1, 3, 0, 0, layer_shape, layer_reference}, // as ONNX Runtime registered it
    {"", "LayerNormalization", 17, 2, 3, 1, 3, 0, 0, layer_shape, layer_reference},
    {"", "SimplifiedLayerNormalization", 1, 2, 2, 1, 2, 0, 0, layer_shape, rms_reference},
    {"", "RMSNormalization", 23, 2, 2, 1, 1, 0, 0, layer_shape, rms_reference},
    {"", "InstanceNormalization", 6, 3, 3, 1, 1, 0, 0, instance_shape, instance_reference},
    {"", "InstanceNormalization", 22, 3, 3, 1, 1, 0, 0, instance_shape, instance_reference},
    {"", "GroupNormalization", 18, 3, 3, 1, 1, 0, 0, group_shape, group_reference},
    {"", "GroupNormalization", 21, 3, 3, 1, 1, 0, 0, group_shape, group_reference},
    {"", "MeanVarianceNormalization", 9, 1, 1, 1, 1, 0, 0, mvn_shape, mvn_reference},
    {"", "MeanVarianceNormalization", 13, 1, 1, 1, 1, 0, 0, mvn_shape, mvn_reference},
    {"", "LpNormalization", 1, 1, 1, 1, 1, 0, 0, lp_shape, lp_reference},
    {"", "LpNormalization", 22, 1, 1, 1, 1, 0, 0, lp_shape, lp_reference},
    {"", "LRN", 1, 1, 1, 1, 1, 0, 0, lrn_shape, lrn_reference},
    {"", "LRN", 13, 1, 1, 1, 1, 0, 0, lrn_shape, lrn_reference},
};
OPERATOR_ROWS(norm);
