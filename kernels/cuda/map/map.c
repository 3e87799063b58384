/* Maps on a GPU: without a reduction, rows by warps and by blocks, columns. map-text.c makes the text from the program. */
#include "map.h"

#include "map-args.h"

#include <string.h>

enum { FLAT_THREADS, FLAT_VECTOR, FLAT_ITEMS };
enum { ROW_THREADS, ROW_VECTOR };
enum { COLUMN_COLUMNS, COLUMN_SPLIT };

static const int16_t flat_threads[] = {128, 256};
static const int16_t items[] = {1, 2, 4};
static const int16_t warp_threads[] = {128, 256};
static const int16_t block_threads[] = {128, 256, 512};
static const int16_t vectors[] = {8, 4, 1};
static const int16_t columns[] = {32, 64};
static const int16_t splits[] = {1, 4, 16};

_Static_assert(MAP_MAX_OPERANDS == 12 && MAP_MAX_OUTPUTS == 4 && MAP_MAX_PARAMS == 32 && TENSOR_MAX_RANK == 8,
               "as in map-args.h");

/* ---- applicable ---- */
static int64_t extent(const struct problem *problem, uint32_t mask) {
  int64_t elems = 1;
  for (int i = 0; i < problem->dim_count; i++)
    if (mask >> i & 1) elems *= problem->dims[i];
  return elems;
}
static int64_t outputs_of(const struct problem *problem) { return extent(problem, ~problem->reduced); }
static int64_t reduced_of(const struct problem *problem) { return extent(problem, problem->reduced); }

static bool types_fit(const struct problem *problem) {
  if (problem->kind != PROBLEM_MAP || !problem->program || problem->dim_count < 1) return false;
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (!cuda_type_name(problem->operands[i].dtype)) return false;
  double elems = 1;
  for (int i = 0; i < problem->dim_count; i++) elems *= (double)problem->dims[i];
  return elems < 0x1p60;
}
static bool last_is_reduced(const struct problem *problem) { return problem->reduced >> (problem->dim_count - 1) & 1; }

static bool flat_applicable(const struct problem *problem) {
  return types_fit(problem) && problem->program->reduce == MAP_REDUCE_NONE;
}
static bool rows_applicable(const struct problem *problem) {
  return types_fit(problem) && problem->program->reduce != MAP_REDUCE_NONE && last_is_reduced(problem);
}
static bool columns_applicable(const struct problem *problem) {
  return types_fit(problem) && problem->program->reduce != MAP_REDUCE_NONE && !last_is_reduced(problem);
}

/* ---- legal ---- */
/* Vectors lie along the last dim. With rank 1 there may be a rest. A narrower one than fills 16 bytes is for what the widest does
 * not divide, single elements for what neither does. */
static bool vector_legal(const struct problem *problem, int vector, bool rest) {
  const int64_t last = problem->dims[problem->dim_count - 1];
  const int widest = cuda_widest_vector(problem);
  if (vector > widest) return false;
  if (rest) return vector == widest;
  int best = widest;
  while (last % best != 0) best = best == 8 ? 4 : 1;
  return vector == best;
}

static bool flat_legal(const struct problem *problem, const struct variant *variant) {
  const int64_t per_block = (int64_t)variant->params[FLAT_THREADS] * variant->params[FLAT_VECTOR] * variant->params[FLAT_ITEMS];
  const bool smallest = variant->params[FLAT_THREADS] == flat_threads[0] && variant->params[FLAT_ITEMS] == 1;
  return vector_legal(problem, variant->params[FLAT_VECTOR], problem->dim_count == 1) &&
         (smallest || per_block < 2 * outputs_of(problem));
}

static struct cuda_rows rows_of(const struct variant *variant) {
  const bool warp = variant->tactic->params[ROW_THREADS].values == warp_threads;
  const int threads = variant->params[ROW_THREADS];
  return (struct cuda_rows){.threads = threads, .group = warp ? 32 : threads, .vector = variant->params[ROW_VECTOR], .items = 0};
}

static bool rows_legal(const struct problem *problem, const struct variant *variant) {
  const struct cuda_rows rows = rows_of(variant);
  return vector_legal(problem, rows.vector, false) &&
         (rows.group == 32 || rows.threads == block_threads[0] || rows.threads * rows.vector < 2 * reduced_of(problem));
}

static bool columns_legal(const struct problem *problem, const struct variant *variant) {
  const int split = variant->params[COLUMN_SPLIT], width = variant->params[COLUMN_COLUMNS];
  return (split == 1 || split <= reduced_of(problem)) && (width == columns[0] || width < 2 * outputs_of(problem));
}

/* ---- cost ---- */
static double flat_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                        int threads) {
  (void)threads;
  const double elems = (double)outputs_of(problem);
  const int vector = variant->params[FLAT_VECTOR], times = variant->params[FLAT_ITEMS];
  const double per_block = (double)variant->params[FLAT_THREADS] * vector * times;
  struct cuda_work work = {.bytes = problem_bytes(problem) * (vector == 1 ? 1.2 : 1),
                           .operations = elems * (map_operations(problem->program) + 8.0 * problem->dim_count / vector),
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = (double)(int64_t)((elems + per_block - 1) / per_block),
                           .threads = variant->params[FLAT_THREADS],
                           .depth = 1 + 0.02 * times,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

static double reduced_operations(const struct problem *problem) {
  return map_operations(problem->program) + 2.0 * problem->output_count + 4.0 * problem->dim_count;
}

static double rows_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                        int threads) {
  (void)threads;
  const struct cuda_rows rows = rows_of(variant);
  return cuda_rows_cost(&rows, problem, device_class, (double)outputs_of(problem), (double)reduced_of(problem), 1,
                        reduced_operations(problem));
}

static double column_strips(const struct problem *problem, const struct variant *variant) {
  const int width = variant->params[COLUMN_COLUMNS];
  return (double)((outputs_of(problem) + width - 1) / width);
}

static double columns_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                           int threads) {
  (void)threads;
  const double reduced = (double)reduced_of(problem), split = variant->params[COLUMN_SPLIT];
  struct cuda_work work = {.bytes = problem_bytes(problem) * 1.1,
                           .operations = (double)outputs_of(problem) * reduced * reduced_operations(problem),
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = column_strips(problem, variant),
                           .threads = variant->params[COLUMN_COLUMNS] * (int)split,
                           .depth = 1.3 + 0.05 * reduced / split,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

/* ---- text and launch ---- */
static enum farm_status flat_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  TRY(map_text(problem, out));
  strbuf_printf(out, "#define THREADS %d\n#define VECTOR %d\n#define ITEMS %d\n", variant->params[FLAT_THREADS],
                variant->params[FLAT_VECTOR], variant->params[FLAT_ITEMS]);
  return cuda_source_file(out, "map-flat.cu");
}

static enum farm_status rows_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  const struct cuda_rows rows = rows_of(variant);
  TRY(map_text(problem, out));
  cuda_rows_define(&rows, out);
  return cuda_source_file(out, "map-rows.cu");
}

static enum farm_status columns_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  TRY(map_text(problem, out));
  strbuf_printf(out, "#define COLUMNS %d\n#define SPLIT %d\n", variant->params[COLUMN_COLUMNS], variant->params[COLUMN_SPLIT]);
  return cuda_source_file(out, "map-columns.cu");
}

static struct map_args args_of(const struct cuda_call *call) {
  const struct problem *problem = call->problem;
  struct map_args args = {.outputs = outputs_of(problem), .reduced = reduced_of(problem)};
  for (int i = 0; i < problem->input_count; i++) args.in[i] = call->inputs[i];
  for (int i = 0; i < problem->output_count; i++) args.out[i] = call->outputs[i];
  for (int i = 0; i < problem->dim_count; i++) args.dims[i] = problem->dims[i];
  memcpy(args.params, call->scalars->params, (size_t)problem->program->param_count * sizeof *args.params);
  return args;
}

static enum farm_status flat_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const int16_t *params = call->variant->params;
  const struct map_args args = args_of(call);
  const double per_block = (double)params[FLAT_THREADS] * params[FLAT_VECTOR] * params[FLAT_ITEMS];
  cuda_launch_line(out, "map_flat", ((double)args.outputs + per_block - 1) / per_block, params[FLAT_THREADS], &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static enum farm_status rows_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct cuda_rows rows = rows_of(call->variant);
  const struct map_args args = args_of(call);
  cuda_launch_line(out, "map_rows", cuda_rows_blocks(&rows, (double)args.outputs), rows.threads, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static enum farm_status columns_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct map_args args = args_of(call);
  const int threads = call->variant->params[COLUMN_COLUMNS] * call->variant->params[COLUMN_SPLIT];
  cuda_launch_line(out, "map_columns", column_strips(call->problem, call->variant), threads, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- rows ---- */
static const struct cuda_tactic flat_cuda = {.least_sm = 75, .source = flat_source, .launches = flat_launches};
static const struct cuda_tactic rows_cuda = {.least_sm = 75, .source = rows_source, .launches = rows_launches};
static const struct cuda_tactic columns_cuda = {.least_sm = 75, .source = columns_source, .launches = columns_launches};

const struct tactic map__flat__sm75 = {.id = "map__flat__sm75",
                                       .kind = PROBLEM_MAP,
                                       .device = DEVICE_CUDA,
                                       .source = "cuda-map",
                                       .packed_operand = -1,
                                       .detail = &flat_cuda,
                                       .params = {{"threads", flat_threads, 2}, {"v", vectors, 3}, {"items", items, 3}},
                                       .applicable = flat_applicable,
                                       .legal = flat_legal,
                                       .cost = flat_cost};
const struct tactic map__warp__sm75 = {.id = "map__warp__sm75",
                                       .kind = PROBLEM_MAP,
                                       .device = DEVICE_CUDA,
                                       .source = "cuda-map",
                                       .packed_operand = -1,
                                       .detail = &rows_cuda,
                                       .params = {{"threads", warp_threads, 2}, {"v", vectors, 3}},
                                       .applicable = rows_applicable,
                                       .legal = rows_legal,
                                       .cost = rows_cost};
const struct tactic map__block__sm75 = {.id = "map__block__sm75",
                                        .kind = PROBLEM_MAP,
                                        .device = DEVICE_CUDA,
                                        .source = "cuda-map",
                                        .packed_operand = -1,
                                        .detail = &rows_cuda,
                                        .params = {{"threads", block_threads, 3}, {"v", vectors, 3}},
                                        .applicable = rows_applicable,
                                        .legal = rows_legal,
                                        .cost = rows_cost};
const struct tactic map__columns__sm75 = {.id = "map__columns__sm75",
                                          .kind = PROBLEM_MAP,
                                          .device = DEVICE_CUDA,
                                          .source = "cuda-map",
                                          .packed_operand = -1,
                                          .detail = &columns_cuda,
                                          .params = {{"columns", columns, 2}, {"split", splits, 3}},
                                          .applicable = columns_applicable,
                                          .legal = columns_legal,
                                          .cost = columns_cost};
