/* Casts on a GPU that no map is made of: those from and to integers. Between floats and bool the same kernel would do, but such
 * casts are maps, which are fused. The text knows nothing of shapes.
 */
#include "../../../problem/op-text.h"
#include "../cuda-launch.h"
#include "cast-args.h"

enum { CAST_THREADS };
enum { CAST_OPERAND_BITS = 46, VECTOR_BYTES = 16 };

static const int16_t threads_values[] = {128, 256};

/* ---- the problem ---- */
struct cast {
  enum dtype from, to;
  int64_t elems;
};

static const char *type_name(enum dtype type) {
  switch (type) {
  case DTYPE_I64:
    return "i64";
  case DTYPE_I32:
    return "int";
  case DTYPE_U32:
    return "u32";
  case DTYPE_I16:
    return "short";
  case DTYPE_U16:
    return "u16";
  case DTYPE_I8:
    return "signed char";
  case DTYPE_U8:
    return "u8";
  default:
    return cuda_type_name(type);
  }
}

static bool cast_read(const struct problem *problem, struct cast *out) {
  struct op_operands operands;
  int64_t to;
  if (!op_text_is(problem, "Cast") || !op_text_operands(problem, &operands) || !op_text_int(problem, "to", -1, &to)) return false;
  if (operands.input_count != 1 || operands.output_count != 1) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  if (!type_name(x->dtype) || !type_name(y->dtype) || to != (int64_t)y->dtype || !tensor_shape_equal(x, y)) return false;
  *out = (struct cast){x->dtype, y->dtype, tensor_elems(x)};
  return out->elems >> CAST_OPERAND_BITS == 0;
}

static bool cast_applicable(const struct problem *problem) {
  struct cast cast;
  return cast_read(problem, &cast);
}

static int vector_elems(const struct cast *cast) {
  const int from = dtype_bits(cast->from) / 8, to = dtype_bits(cast->to) / 8;
  return VECTOR_BYTES / (from > to ? from : to);
}

static double blocks_of(const struct cast *cast, int threads) {
  const double per_block = (double)threads * vector_elems(cast);
  return ((double)cast->elems + per_block - 1) / per_block;
}

/* ---- cost ---- */
static double cast_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                        int threads) {
  struct cast cast;
  (void)threads;
  if (!cast_read(problem, &cast)) return 0;
  const int width = variant->params[CAST_THREADS];
  struct cuda_work work = {.bytes = (double)cast.elems * (dtype_bits(cast.from) + dtype_bits(cast.to)) / 8,
                           .operations = (double)cast.elems * 10,
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = blocks_of(&cast, width),
                           .threads = width,
                           .depth = 1,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

/* ---- text and launch ---- */
static enum farm_status cast_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  struct cast cast;
  FAIL_IF(!cast_read(problem, &cast), FARM_INVALID, "no Cast for a GPU");
  cuda_source_begin(out);
  strbuf_printf(out, "#define FROM %s\n#define TO %s\n#define VECTOR %d\n#define THREADS %d\n", type_name(cast.from),
                type_name(cast.to), vector_elems(&cast), variant->params[CAST_THREADS]);
  TRY(cuda_source_file(out, "cast-args.h"));
  return cuda_source_file(out, "cast.cu");
}

static enum farm_status cast_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct cast cast;
  FAIL_IF(!cast_read(call->problem, &cast), FARM_INVALID, "no Cast for a GPU");
  const int width = call->variant->params[CAST_THREADS];
  const struct cast_args args = {.x = call->inputs[0], .y = call->outputs[0], .elems = cast.elems};
  cuda_launch_line(out, "cast", blocks_of(&cast, width), width, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- row ---- */
static const struct cuda_tactic cast_cuda = {.least_sm = 75, .source = cast_source, .launches = cast_launches};

const struct tactic op_cast__flat__sm75 = {.id = "op_cast__flat__sm75",
                                           .kind = PROBLEM_OP,
                                           .device = DEVICE_CUDA,
                                           .source = "cuda-op",
                                           .packed_operand = -1,
                                           .detail = &cast_cuda,
                                           .params = {{"threads", threads_values, 2}},
                                           .applicable = cast_applicable,
                                           .cost = cast_cost};
