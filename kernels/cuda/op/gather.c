/* Gather on a GPU: rows picked by index, moved in units of up to 16 bytes. One text serves every shape whose rows have such
 * units.
 *
 * A kernel cannot fail a run because of what an index says, as the host does: the row of an index out of range is NaN in a type
 * that has NaN, zero in others; nothing is read for it.
 */
#include "../../../problem/op-text.h"
#include "../cuda-launch.h"
#include "gather-args.h"

#include <math.h>

enum { GATHER_THREADS };
enum { GATHER_OPERAND_BITS = 46, UNIT_BYTES_MOST = 16 }; // elements of an operand below 2^46, as other kinds have it

static const int16_t threads_values[] = {128, 256};

/* ---- the problem ---- */
struct gather {
  enum dtype type, index;
  int64_t outer, axis, inner; // of data
  int64_t count;              // of indices
};

/* out: [outer…] [indices…] [inner…] */
static bool output_follows(const struct tensor *data, const struct tensor *indices, int axis, const struct tensor *out) {
  if (out->dtype != data->dtype || out->rank != data->rank - 1 + indices->rank) return false;
  for (int i = 0; i < out->rank; i++) {
    const int64_t wanted = i < axis                   ? data->dims[i]
                           : i < axis + indices->rank ? indices->dims[i - axis]
                                                      : data->dims[i - indices->rank + 1];
    if (out->dims[i] != wanted) return false;
  }
  return true;
}

static bool gather_read(const struct problem *problem, struct gather *out) {
  struct op_operands operands;
  int64_t axis;
  if (!op_text_is(problem, "Gather") || !op_text_operands(problem, &operands) || !op_text_int(problem, "axis", 0, &axis))
    return false;
  if (operands.input_count != 2 || operands.output_count != 1) return false;
  const struct tensor *data = &operands.inputs[0], *indices = &operands.inputs[1];
  const int bits = dtype_bits(data->dtype);
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return false;
  if (indices->dtype != DTYPE_I32 && indices->dtype != DTYPE_I64) return false;
  if (axis < 0) axis += data->rank;
  if (axis < 0 || axis >= data->rank || !output_follows(data, indices, (int)axis, &operands.outputs[0])) return false;
  *out = (struct gather){.type = data->dtype,
                         .index = indices->dtype,
                         .outer = tensor_dims_product(data->dims, (int)axis),
                         .axis = data->dims[axis],
                         .inner = tensor_dims_product(data->dims + axis + 1, data->rank - 1 - (int)axis),
                         .count = tensor_elems(indices)};
  const int64_t largest =
      tensor_elems(data) | tensor_elems(&operands.outputs[0]) | out->outer | out->axis | out->inner | out->count;
  return largest >> GATHER_OPERAND_BITS == 0; // beside a 0, factors may be larger than the product
}

static bool gather_applicable(const struct problem *problem) {
  struct gather gather;
  return gather_read(problem, &gather);
}

static int64_t row_bytes(const struct gather *gather) { return gather->inner * (dtype_bits(gather->type) / 8); }

static int unit_bytes(const struct gather *gather) {
  int bytes = UNIT_BYTES_MOST;
  while (row_bytes(gather) % bytes != 0) bytes /= 2;
  return bytes;
}

static double units_of(const struct gather *gather) {
  return (double)gather->outer * (double)gather->count * (double)(row_bytes(gather) / unit_bytes(gather));
}

/* NaN or zero, as often as 8 bytes hold it. */
static uint64_t poison_of(enum dtype type) {
  uint64_t bits = 0;
  if (!dtype_is_float(type)) return 0;
  dtype_store_f64(type, &bits, 0, (double)NAN);
  for (int have = dtype_bits(type); have < 64; have *= 2) bits |= bits << have;
  return bits;
}

/* ---- cost ---- */
static double gather_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                          int threads) {
  struct gather gather;
  (void)threads;
  if (!gather_read(problem, &gather)) return 0;
  const int width = variant->params[GATHER_THREADS], bytes = unit_bytes(&gather);
  const double units = units_of(&gather), moved = units * bytes;
  const double row = (double)row_bytes(&gather), sector = 32; // rows apart cost whole sectors
  struct cuda_work work = {.bytes =
                               moved + moved * (row < sector ? sector / (row < 1 ? 1 : row) : 1) + 8.0 * (double)gather.count,
                           .operations = units * 60,
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = (units + width - 1) / width,
                           .threads = width,
                           .depth = 2, // the index, then what it points at
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

/* ---- text and launch ---- */
static enum farm_status gather_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const units[] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64", [16] = "uint4"};
  struct gather gather;
  FAIL_IF(!gather_read(problem, &gather), FARM_INVALID, "no Gather for a GPU");
  cuda_source_begin(out);
  strbuf_printf(out, "#define UNIT %s\n#define INDEX %s\n#define THREADS %d\n", units[unit_bytes(&gather)],
                gather.index == DTYPE_I64 ? "i64" : "int", variant->params[GATHER_THREADS]);
  TRY(cuda_source_file(out, "units.cuh"));
  TRY(cuda_source_file(out, "gather-args.h"));
  return cuda_source_file(out, "gather.cu");
}

static enum farm_status gather_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct gather gather;
  FAIL_IF(!gather_read(call->problem, &gather), FARM_INVALID, "no Gather for a GPU");
  const int width = call->variant->params[GATHER_THREADS];
  const struct gather_args args = {.x = call->inputs[0],
                                   .indices = call->inputs[1],
                                   .y = call->outputs[0],
                                   .rows = gather.outer * gather.count,
                                   .count = gather.count,
                                   .axis = gather.axis,
                                   .units = row_bytes(&gather) / unit_bytes(&gather),
                                   .poison = poison_of(gather.type)};
  cuda_launch_line(out, "gather", (units_of(&gather) + width - 1) / width, width, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- row ---- */
static const struct cuda_tactic gather_cuda = {.least_sm = 75, .source = gather_source, .launches = gather_launches};

const struct tactic op_gather__copy__sm75 = {.id = "op_gather__copy__sm75",
                                             .kind = PROBLEM_OP,
                                             .device = DEVICE_CUDA,
                                             .source = "cuda-op",
                                             .packed_operand = -1,
                                             .detail = &gather_cuda,
                                             .params = {{"threads", threads_values, 2}},
                                             .applicable = gather_applicable,
                                             .cost = gather_cost};
