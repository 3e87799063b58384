/* tunefarm.Map: a map program over broadcast operands, with an optional reduction at its end. See fused.h and map-program.h. */
#include "../problem/map-program.h"
#include "fused.h"
#include "shape-util.h"
#include "tables.h"

#include <math.h>
#include <string.h>

_Static_assert((int)FUSED_MAP_MAX_PARAMS == (int)MAP_MAX_PARAMS, "one limit");

static const uint32_t MAP_TYPES = NN_TYPE(F32) | NN_TYPE(F16) | NN_TYPE(BF16) | NN_TYPE(BOOL);

enum farm_status fused_map_program(const struct attrs *attrs, struct map_program *out_program,
                                   float out_params[FUSED_MAP_MAX_PARAMS]) {
  struct map_program program;
  enum farm_status status = map_program_parse(attr_string(attrs, "program", ""), &program);
  if (status != FARM_OK) return FARM_INVALID; // the message is the parser's
  const struct attr *params = attr_find(attrs, "params");
  const int count = params && params->type == ATTR_FLOATS ? params->count : 0;
  FAIL_IF(count != program.param_count, FARM_INVALID, "the program has %d parameters, params %d", program.param_count, count);
  if (out_params && count) memcpy(out_params, params->floats, sizeof *out_params * (size_t)count);
  const bool axes = attr_has(attrs, "axes");
  FAIL_IF(axes != (program.reduce != MAP_REDUCE_NONE), FARM_INVALID, "axes and a reduction at the program's end go together");
  *out_program = program;
  return FARM_OK;
}

/* Bit i: axis i of the broadcast shape is reduced. */
static enum farm_status reduced_axes(const struct attrs *attrs, int rank, uint32_t *out) {
  int64_t axes[TENSOR_MAX_RANK];
  const struct attr *attr = attr_find(attrs, "axes");
  *out = 0;
  if (!attr) return FARM_OK;
  FAIL_IF(attr->type != ATTR_INTS || attr->count < 1 || attr->count > TENSOR_MAX_RANK, FARM_INVALID,
          "axes is not a list of axes");
  int count = attr_ints(attrs, "axes", axes, TENSOR_MAX_RANK), axis;
  for (int i = 0; i < count; i++) {
    TRY(shape_axis(axes[i], rank, &axis));
    *out |= 1u << axis;
  }
  return FARM_OK;
}

static struct tensor reduced_type(const struct tensor *full, uint32_t reduced, bool keep) {
  struct tensor out = {.dtype = full->dtype};
  for (int i = 0; i < full->rank; i++) {
    bool gone = reduced >> i & 1;
    if (!gone || keep) out.dims[out.rank++] = gone ? 1 : full->dims[i];
  }
  return out;
}

static enum farm_status output_dtype(const struct shape_call *call, int output, enum dtype *out) {
  const struct attr *types = attr_find(call->attrs, "out_types");
  *out = nn_dtype(call, 0);
  if (!types) return FARM_OK;
  FAIL_IF(types->type != ATTR_INTS || output >= types->count, FARM_INVALID, "out_types has no type for output %d", output);
  int64_t type = types->ints[output];
  FAIL_IF(type < 0 || type > 31 || !(MAP_TYPES >> type & 1), FARM_INVALID, "out_types: type %lld", (long long)type);
  *out = (enum dtype)type;
  return FARM_OK;
}

static enum farm_status map_shape(struct shape_call *call) {
  struct map_program program;
  struct tensor full;
  uint32_t reduced;
  TRY(fused_map_program(call->attrs, &program, NULL));
  FAIL_IF(program.operand_count != call->input_count, FARM_INVALID, "the program has %d operands, the node %d",
          program.operand_count, call->input_count);
  FAIL_IF(call->output_count > program.output_count, FARM_INVALID, "the program has %d outputs", program.output_count);
  for (int i = 0; i < call->input_count; i++) {
    FAIL_IF(!nn_given(call, i), FARM_INVALID, "input %d is omitted", i);
    TRY(nn_check_type(call, i, MAP_TYPES));
  }
  TRY(shape_broadcast_inputs(call, 0, call->input_count, &full));
  if (full.rank >= 0) TRY(reduced_axes(call->attrs, full.rank, &reduced));
  for (int i = 0; i < call->output_count; i++) {
    enum dtype dtype;
    TRY(output_dtype(call, i, &dtype));
    if (full.rank < 0) {
      TRY(shape_set(call, i, dtype, -1, NULL));
      continue;
    }
    const struct tensor out = reduced_type(&full, reduced, attr_int(call->attrs, "keepdims", 1) != 0);
    TRY(shape_set(call, i, dtype, out.rank, out.dims));
  }
  return FARM_OK;
}

/* ---- reference ---- */

struct map_walk {
  const struct map_program *program;
  struct tensor full; // the broadcast shape
  uint32_t reduced;
  int64_t strides[MAP_MAX_OPERANDS][TENSOR_MAX_RANK], out_strides[TENSOR_MAX_RANK];
};

static enum farm_status broadcast_types(const struct reference_call *call, struct tensor *out) {
  *out = (struct tensor){.dtype = call->inputs[0]->dtype};
  for (int i = 0; i < call->input_count; i++) {
    struct tensor so_far = *out;
    TRY(shape_broadcast(&so_far, call->inputs[i], out));
  }
  return FARM_OK;
}

static void walk_strides(const struct reference_call *call, struct map_walk *walk) {
  for (int i = 0; i < call->input_count; i++) {
    const struct tensor *in = call->inputs[i];
    int64_t stride = 1;
    for (int d = in->rank - 1; d >= 0; d--) {
      walk->strides[i][walk->full.rank - in->rank + d] = in->dims[d] == 1 ? 0 : stride;
      stride *= in->dims[d];
    }
  }
  int64_t stride = 1;
  for (int d = walk->full.rank - 1; d >= 0; d--) {
    if (walk->reduced >> d & 1) continue;
    walk->out_strides[d] = stride;
    stride *= walk->full.dims[d];
  }
}

static double reduce_start(enum map_reduce reduce) {
  return reduce == MAP_REDUCE_MAX ? -INFINITY : reduce == MAP_REDUCE_MIN ? INFINITY : reduce == MAP_REDUCE_PROD ? 1 : 0;
}

static double reduce_step(enum map_reduce reduce, double so_far, double value) {
  switch (reduce) {
  case MAP_REDUCE_SUM:
  case MAP_REDUCE_MEAN:
    return so_far + value;
  case MAP_REDUCE_MAX:
    return so_far != so_far || so_far > value ? so_far : value;
  case MAP_REDUCE_MIN:
    return so_far != so_far || so_far < value ? so_far : value;
  case MAP_REDUCE_PROD:
    return so_far * value;
  case MAP_REDUCE_SUMSQ:
    return so_far + value * value;
  default:
    return value;
  }
}

static int64_t offset_of(const int64_t *index, const int64_t *strides, int rank) {
  int64_t offset = 0;
  for (int d = 0; d < rank; d++) offset += index[d] * strides[d];
  return offset;
}

/* Every element of the broadcast shape in index order; sums[output] are of out_elems doubles. */
static void walk_run(const struct reference_call *call, const struct map_walk *walk, const float *params, double *const *sums) {
  const int rank = walk->full.rank;
  const int64_t total = tensor_elems(&walk->full);
  int64_t index[TENSOR_MAX_RANK] = {0};
  for (int64_t e = 0; e < total; e++) {
    double registers[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS], outputs[MAP_MAX_OUTPUTS];
    for (int i = 0; i < call->input_count; i++)
      registers[i] = dtype_load_f64(call->inputs[i]->dtype, call->inputs[i]->data, offset_of(index, walk->strides[i], rank));
    map_program_evaluate(walk->program, params, registers, outputs);
    int64_t at = offset_of(index, walk->out_strides, rank);
    for (int i = 0; i < walk->program->output_count; i++)
      sums[i][at] = reduce_step(walk->program->reduce, sums[i][at], outputs[i]);
    for (int d = rank - 1; d >= 0 && ++index[d] == walk->full.dims[d]; d--) index[d] = 0;
  }
}

/* A bool output is true where the value is not 0. */
static void store_output(struct tensor *out, const struct map_walk *walk, double *values, int64_t count) {
  double divisor = 1;
  for (int d = 0; d < walk->full.rank; d++)
    if (walk->reduced >> d & 1 && walk->program->reduce == MAP_REDUCE_MEAN) divisor *= (double)walk->full.dims[d];
  for (int64_t i = 0; i < count; i++) values[i] = out->dtype == DTYPE_BOOL ? values[i] != 0 : values[i] / divisor;
  nn_store_range(out, 0, count, values);
}

static enum farm_status map_reference_body(struct reference_call *call, struct arena *scratch) {
  struct map_program program;
  float params[FUSED_MAP_MAX_PARAMS];
  struct map_walk walk = {.program = &program};
  double *sums[MAP_MAX_OUTPUTS] = {0};
  TRY(fused_map_program(call->attrs, &program, params));
  TRY(broadcast_types(call, &walk.full));
  TRY(reduced_axes(call->attrs, walk.full.rank, &walk.reduced));
  walk_strides(call, &walk);
  const struct tensor out = reduced_type(&walk.full, walk.reduced, false);
  const int64_t count = tensor_elems(&out);
  for (int i = 0; i < program.output_count; i++) {
    TRY(nn_alloc(scratch, count, sizeof *sums[i], &sums[i]));
    for (int64_t e = 0; e < count; e++) sums[i][e] = reduce_start(program.reduce);
  }
  walk_run(call, &walk, params, sums);
  for (int i = 0; i < call->output_count; i++) {
    if (!call->outputs[i]) continue;
    TRY(reference_output(call, i));
    store_output(call->outputs[i], &walk, sums[i], count);
  }
  return FARM_OK;
}
NN_REFERENCE(map_reference)

const struct operator_row operators_fused_map[] = {
    {"tunefarm", "Map", 1, 1, MAP_MAX_OPERANDS, 1, MAP_MAX_OUTPUTS, 0, 0, map_shape, map_reference},
};
OPERATOR_ROWS(fused_map);
