/* Softmax on a GPU: rows by warps, rows by blocks, columns. The texts are softmax-*.cu beside this file. */
#include "../cuda-launch.h"
#include "softmax-args.h"

enum { ROW_THREADS, ROW_VECTOR };
enum { COLUMN_COLUMNS, COLUMN_SPLIT };
enum { WARP_ITEMS_MOST = 16, BLOCK_ITEMS_MOST = 8 };

static const int16_t warp_threads[] = {128, 256};
static const int16_t block_threads[] = {128, 256, 512, 1024};
static const int16_t vectors[] = {8, 4, 1};
static const int16_t columns[] = {32, 64};
static const int16_t splits[] = {1, 4, 16};

/* ---- applicable, legal ---- */
static bool rows_applicable(const struct problem *problem) {
  return problem->kind == PROBLEM_SOFTMAX && cuda_floats_only(problem) && problem->dims[SOFTMAX_INNER] == 1 &&
         problem->dims[SOFTMAX_LEN] < 1 << 30;
}
static bool columns_applicable(const struct problem *problem) {
  return problem->kind == PROBLEM_SOFTMAX && cuda_floats_only(problem) && problem->dims[SOFTMAX_INNER] > 1 &&
         problem->dims[SOFTMAX_LEN] < 1 << 30;
}

static struct cuda_rows rows_of(const struct problem *problem, const struct variant *variant) {
  const bool warp = variant->tactic->params[ROW_THREADS].values == warp_threads;
  const int threads = variant->params[ROW_THREADS];
  return cuda_rows_of(problem->dims[SOFTMAX_LEN], threads, warp ? 32 : threads, variant->params[ROW_VECTOR],
                      warp ? WARP_ITEMS_MOST : BLOCK_ITEMS_MOST);
}

static bool rows_legal(const struct problem *problem, const struct variant *variant) {
  struct cuda_rows rows = rows_of(problem, variant);
  return cuda_rows_legal(&rows, problem->dims[SOFTMAX_LEN], cuda_widest_vector(problem));
}

static bool columns_legal(const struct problem *problem, const struct variant *variant) {
  const int split = variant->params[COLUMN_SPLIT], width = variant->params[COLUMN_COLUMNS];
  return (split == 1 || split <= problem->dims[SOFTMAX_LEN]) && (width == 32 || width < 2 * problem->dims[SOFTMAX_INNER]);
}

/* ---- cost ---- */
static double rows_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                        int threads) {
  (void)threads;
  struct cuda_rows rows = rows_of(problem, variant);
  return cuda_rows_cost(&rows, problem, device_class, (double)problem->dims[SOFTMAX_OUTER], (double)problem->dims[SOFTMAX_LEN], 2,
                        12);
}

static double column_tiles(const struct problem *problem, const struct variant *variant) {
  const int width = variant->params[COLUMN_COLUMNS];
  return (double)problem->dims[SOFTMAX_OUTER] * (double)((problem->dims[SOFTMAX_INNER] + width - 1) / width);
}

static double columns_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                           int threads) {
  (void)threads;
  const double len = (double)problem->dims[SOFTMAX_LEN], split = variant->params[COLUMN_SPLIT];
  const double elems = (double)problem->dims[SOFTMAX_OUTER] * len * (double)problem->dims[SOFTMAX_INNER];
  struct cuda_work work = {.bytes = problem_bytes(problem) * 1.5 * 1.1,
                           .operations = elems * 30,
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = column_tiles(problem, variant),
                           .threads = variant->params[COLUMN_COLUMNS] * (int)split,
                           .depth = 1.3 + len / split * 0.1,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

/* ---- text and launch ---- */
static enum farm_status begin(const struct problem *problem, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_printf(out, "#define IN %s\n#define OUT %s\n#define LOGARITHM %d\n", cuda_type_name(problem->operands[0].dtype),
                cuda_type_name(problem->operands[1].dtype), problem->dims[SOFTMAX_LOG] != 0);
  TRY(cuda_source_file(out, "softmax-args.h"));
  TRY(cuda_source_file(out, "rows.cuh"));
  return cuda_source_file(out, "softmax-online.cu");
}

static enum farm_status rows_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  struct cuda_rows rows = rows_of(problem, variant);
  TRY(begin(problem, out));
  cuda_rows_define(&rows, out);
  return cuda_source_file(out, "softmax-rows.cu");
}

static enum farm_status columns_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  TRY(begin(problem, out));
  strbuf_printf(out, "#define COLUMNS %d\n#define SPLIT %d\n", variant->params[COLUMN_COLUMNS], variant->params[COLUMN_SPLIT]);
  return cuda_source_file(out, "softmax-columns.cu");
}

static struct softmax_args args_of(const struct cuda_call *call) {
  const int64_t *d = call->problem->dims;
  return (struct softmax_args){.x = call->inputs[0],
                               .y = call->outputs[0],
                               .outer = d[SOFTMAX_OUTER],
                               .inner = d[SOFTMAX_INNER],
                               .len = (int)d[SOFTMAX_LEN]};
}

static enum farm_status rows_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct cuda_rows rows = rows_of(call->problem, call->variant);
  struct softmax_args args = args_of(call);
  cuda_launch_line(out, "softmax_rows", cuda_rows_blocks(&rows, (double)args.outer), rows.threads, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static enum farm_status columns_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct softmax_args args = args_of(call);
  const int threads = call->variant->params[COLUMN_COLUMNS] * call->variant->params[COLUMN_SPLIT];
  cuda_launch_line(out, "softmax_columns", column_tiles(call->problem, call->variant), threads, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- rows ---- */
static const struct cuda_tactic rows_cuda = {.least_sm = 75, .source = rows_source, .launches = rows_launches};
static const struct cuda_tactic columns_cuda = {.least_sm = 75, .source = columns_source, .launches = columns_launches};

const struct tactic softmax__warp__sm75 = {.id = "softmax__warp__sm75",
                                           .kind = PROBLEM_SOFTMAX,
                                           .device = DEVICE_CUDA,
                                           .source = "cuda-softmax",
                                           .packed_operand = -1,
                                           .detail = &rows_cuda,
                                           .params = {{"threads", warp_threads, 2}, {"v", vectors, 3}},
                                           .applicable = rows_applicable,
                                           .legal = rows_legal,
                                           .cost = rows_cost};
const struct tactic softmax__block__sm75 = {.id = "softmax__block__sm75",
                                            .kind = PROBLEM_SOFTMAX,
                                            .device = DEVICE_CUDA,
                                            .source = "cuda-softmax",
                                            .packed_operand = -1,
                                            .detail = &rows_cuda,
                                            .params = {{"threads", block_threads, 4}, {"v", vectors, 3}},
                                            .applicable = rows_applicable,
                                            .legal = rows_legal,
                                            .cost = rows_cost};
const struct tactic softmax__columns__sm75 = {.id = "softmax__columns__sm75",
                                              .kind = PROBLEM_SOFTMAX,
                                              .device = DEVICE_CUDA,
                                              .source = "cuda-softmax",
                                              .packed_operand = -1,
                                              .detail = &columns_cuda,
                                              .params = {{"columns", columns, 2}, {"split", splits, 3}},
                                              .applicable = columns_applicable,
                                              .legal = columns_legal,
                                              .cost = columns_cost};
