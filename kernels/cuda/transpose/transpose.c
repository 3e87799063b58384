/* Transposes and copies on a GPU: tiles through shared memory, and any permutation element by element. */
#include "../cuda-launch.h"
#include "transpose-args.h"

enum { STRIDED_THREADS, STRIDED_VECTOR };
enum { TILED_TILE, TILED_LINES };
enum { INDEX_32_ELEMS = 1 << 30, SECTOR_BYTES = 32 };

static const int16_t threads_values[] = {128, 256};
static const int16_t vectors[] = {16, 8, 4, 2, 1};
static const int16_t tiles[] = {32, 64};
static const int16_t lines[] = {4, 8};

/* ---- the problem ---- */
static int elem_bytes(const struct problem *problem) {
  const int bits = dtype_bits(problem->operands[0].dtype);
  return bits == 8 || bits == 16 || bits == 32 || bits == 64 ? bits / 8 : 0;
}

static const char *elem_type(const struct problem *problem) {
  static const char *const names[] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"};
  return names[elem_bytes(problem)];
}

static int64_t elems_of(const struct problem *problem) {
  int64_t elems = 1;
  for (int i = 0; i < problem->dim_count; i++) elems *= problem->dims[i];
  return elems;
}

/* Elements from one index of input dim d to the next. */
static int64_t input_stride(const struct problem *problem, int d) {
  int64_t stride = 1;
  for (int i = d + 1; i < problem->dim_count; i++) stride *= problem->dims[i];
  return stride;
}

/* The same in the output, for input dim d. */
static int64_t output_stride(const struct problem *problem, int d) {
  int64_t stride = 1;
  for (int i = problem->dim_count - 1; problem->perm[i] != d; i--) stride *= problem->dims[problem->perm[i]];
  return stride;
}

static int last_output_dim(const struct problem *problem) { return problem->perm[problem->dim_count - 1]; }
static bool innermost_stays(const struct problem *problem) { return last_output_dim(problem) == problem->dim_count - 1; }

/* ---- applicable, legal ---- */
static bool strided_applicable(const struct problem *problem) {
  return problem->kind == PROBLEM_TRANSPOSE && problem->dim_count >= 1 && elem_bytes(problem) > 0;
}
static bool tiled_applicable(const struct problem *problem) {
  return strided_applicable(problem) && problem->dim_count >= 2 && !innermost_stays(problem);
}

/* The most elements that fill 16 bytes or less and divide what stays together, and nothing else: 16 bytes, or one by one. */
static bool strided_legal(const struct problem *problem, const struct variant *variant) {
  const int widest = 16 / elem_bytes(problem), vector = variant->params[STRIDED_VECTOR];
  const bool whole = innermost_stays(problem) && problem->dims[problem->dim_count - 1] % widest == 0;
  return vector == (whole ? widest : 1);
}

static bool tiled_legal(const struct problem *problem, const struct variant *variant) {
  const int64_t a = problem->dims[problem->dim_count - 1], b = problem->dims[last_output_dim(problem)];
  const int tile = variant->params[TILED_TILE];
  return tile == tiles[0] || (tile < 2 * a && tile < 2 * b && tile * (tile + 1) * elem_bytes(problem) <= 48 << 10);
}

/* ---- cost ---- */
static double strided_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                           int threads) {
  (void)threads;
  const int width = variant->params[STRIDED_THREADS], vector = variant->params[STRIDED_VECTOR];
  const double bytes = problem_bytes(problem) / 2, elems = (double)elems_of(problem);
  /* what a warp reads apart costs whole sectors, of which caches give back a part */
  const double scattered = innermost_stays(problem) ? 1.15 : 1 + 0.6 * (double)(SECTOR_BYTES / elem_bytes(problem) - 1);
  struct cuda_work work = {.bytes = bytes * (1 + (vector > 1 ? 1 : scattered)),
                           .operations = elems / vector * 25.0 * problem->dim_count,
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = (elems / vector + width - 1) / width,
                           .threads = width,
                           .depth = 1,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

static double tiles_of(const struct problem *problem, int tile) {
  const int64_t a = problem->dims[problem->dim_count - 1], b = problem->dims[last_output_dim(problem)];
  return (double)(elems_of(problem) / a / b) * (double)((a + tile - 1) / tile) * (double)((b + tile - 1) / tile);
}

static double tiled_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                         int threads) {
  (void)threads;
  const int tile = variant->params[TILED_TILE], rows = variant->params[TILED_LINES];
  const double blocks = tiles_of(problem, tile), slots = blocks * tile * tile;
  const double line = (double)tile * elem_bytes(problem); // bytes that a warp or two read together
  struct cuda_work work = {.bytes = problem_bytes(problem) * (line < 128 ? 1 + 0.2 * (128 / line - 1) : 1),
                           .operations = slots * 12,
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = blocks,
                           .threads = tile * rows,
                           .depth = 1.3 + 0.02 * tile / rows,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

/* ---- text and launch ---- */
static enum farm_status strided_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_printf(out, "#define ELEM %s\n#define RANK %d\n#define THREADS %d\n#define VECTOR %d\ntypedef %s INDEX;\n",
                elem_type(problem), problem->dim_count, variant->params[STRIDED_THREADS], variant->params[STRIDED_VECTOR],
                elems_of(problem) < INDEX_32_ELEMS ? "u32" : "i64");
  TRY(cuda_source_file(out, "transpose-args.h"));
  return cuda_source_file(out, "transpose-strided.cu");
}

static enum farm_status tiled_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_printf(out, "#define ELEM %s\n#define REST %d\n#define TILE %d\n#define LINES %d\n", elem_type(problem),
                problem->dim_count - 2, variant->params[TILED_TILE], variant->params[TILED_LINES]);
  TRY(cuda_source_file(out, "transpose-args.h"));
  return cuda_source_file(out, "transpose-tiled.cu");
}

static enum farm_status strided_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct problem *problem = call->problem;
  const int width = call->variant->params[STRIDED_THREADS], vector = call->variant->params[STRIDED_VECTOR];
  struct transpose_strided_args args = {.x = call->inputs[0], .y = call->outputs[0], .elems = elems_of(problem)};
  for (int i = 0; i < problem->dim_count; i++) {
    args.dims[i] = problem->dims[problem->perm[i]];
    args.strides[i] = input_stride(problem, problem->perm[i]);
  }
  const double blocks = ((double)args.elems / vector + width - 1) / width;
  cuda_launch_line(out, "transpose_strided", blocks, width, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static enum farm_status tiled_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct problem *problem = call->problem;
  const int tile = call->variant->params[TILED_TILE], last = problem->dim_count - 1, other = last_output_dim(problem);
  struct transpose_tiled_args args = {
      .x = call->inputs[0], .y = call->outputs[0], .a = problem->dims[last], .b = problem->dims[other], .rest = 1};
  args.b_stride = input_stride(problem, other);
  args.a_stride = output_stride(problem, last);
  for (int i = 0, at = 0; i < last; i++) {
    if (i == other) continue;
    args.dims[at] = problem->dims[i];
    args.x_strides[at] = input_stride(problem, i);
    args.y_strides[at++] = output_stride(problem, i);
    args.rest *= problem->dims[i];
  }
  cuda_launch_line(out, "transpose_tiled", tiles_of(problem, tile), tile * call->variant->params[TILED_LINES], &args,
                   sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- rows ---- */
static const struct cuda_tactic strided_cuda = {.least_sm = 75, .source = strided_source, .launches = strided_launches};
static const struct cuda_tactic tiled_cuda = {.least_sm = 75, .source = tiled_source, .launches = tiled_launches};

const struct tactic transpose__tiled__sm75 = {.id = "transpose__tiled__sm75",
                                              .kind = PROBLEM_TRANSPOSE,
                                              .device = DEVICE_CUDA,
                                              .source = "cuda-transpose",
                                              .packed_operand = -1,
                                              .detail = &tiled_cuda,
                                              .params = {{"tile", tiles, 2}, {"lines", lines, 2}},
                                              .applicable = tiled_applicable,
                                              .legal = tiled_legal,
                                              .cost = tiled_cost};
const struct tactic transpose__strided__sm75 = {.id = "transpose__strided__sm75",
                                                .kind = PROBLEM_TRANSPOSE,
                                                .device = DEVICE_CUDA,
                                                .source = "cuda-transpose",
                                                .packed_operand = -1,
                                                .detail = &strided_cuda,
                                                .params = {{"threads", threads_values, 2}, {"v", vectors, 5}},
                                                .applicable = strided_applicable,
                                                .legal = strided_legal,
                                                .cost = strided_cost};
