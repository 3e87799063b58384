/* Layer and RMS norms on a GPU: rows by warps and rows by blocks. The text is norm-rows.cu beside this file. */
#include "../cuda-launch.h"
#include "norm-args.h"

enum { THREADS, VECTOR };
enum { WARP_ITEMS_MOST = 16, BLOCK_ITEMS_MOST = 8, PASSES = 3 };

static const int16_t warp_threads[] = {128, 256};
static const int16_t block_threads[] = {128, 256, 512, 1024};
static const int16_t vectors[] = {8, 4, 1};

/* ---- applicable, legal, cost ---- */
static bool norm_applicable(const struct problem *problem) {
  return problem->kind == PROBLEM_NORM && problem->output_count == 1 && cuda_floats_only(problem) &&
         problem->dims[NORM_LEN] < 1 << 30;
}

static struct cuda_rows rows_of(const struct problem *problem, const struct variant *variant) {
  const bool warp = variant->tactic->params[THREADS].values == warp_threads;
  const int threads = variant->params[THREADS];
  return cuda_rows_of(problem->dims[NORM_LEN], threads, warp ? 32 : threads, variant->params[VECTOR],
                      warp ? WARP_ITEMS_MOST : BLOCK_ITEMS_MOST);
}

static bool norm_legal(const struct problem *problem, const struct variant *variant) {
  struct cuda_rows rows = rows_of(problem, variant);
  return cuda_rows_legal(&rows, problem->dims[NORM_LEN], cuda_widest_vector(problem));
}

static double norm_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                        int threads) {
  (void)threads;
  struct cuda_rows rows = rows_of(problem, variant);
  return cuda_rows_cost(&rows, problem, device_class, (double)problem->dims[NORM_ROWS], (double)problem->dims[NORM_LEN], PASSES,
                        6);
}

/* ---- text and launch ---- */
struct places { // of the operands
  int scale, bias;
};
static struct places places_of(const struct problem *problem) {
  const bool scale = problem->dims[NORM_SCALE] != 0, bias = problem->dims[NORM_BIAS] != 0;
  return (struct places){scale ? 1 : -1, bias ? 1 + scale : -1};
}

static void define_operand(const struct problem *problem, const char *name, int operand, struct strbuf *out) {
  strbuf_printf(out, "#define %s %s\n#define HAS_%s %d\n", name,
                cuda_type_name(problem->operands[operand < 0 ? 0 : operand].dtype), name, operand >= 0);
}

static enum farm_status norm_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  const struct places places = places_of(problem);
  struct cuda_rows rows = rows_of(problem, variant);
  cuda_source_begin(out);
  strbuf_printf(out, "#define IN %s\n#define OUT %s\n#define RMS %d\n", cuda_type_name(problem->operands[0].dtype),
                cuda_type_name(problem->operands[problem->input_count].dtype), problem->dims[NORM_MODE] == NORM_RMS);
  define_operand(problem, "SCALE", places.scale, out);
  define_operand(problem, "BIAS", places.bias, out);
  cuda_rows_define(&rows, out);
  TRY(cuda_source_file(out, "norm-args.h"));
  TRY(cuda_source_file(out, "rows.cuh"));
  return cuda_source_file(out, "norm-rows.cu");
}

static enum farm_status norm_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct places places = places_of(call->problem);
  struct cuda_rows rows = rows_of(call->problem, call->variant);
  struct norm_args args = {.x = call->inputs[0],
                           .y = call->outputs[0],
                           .rows = call->problem->dims[NORM_ROWS],
                           .len = (int)call->problem->dims[NORM_LEN],
                           .epsilon = call->scalars->epsilon};
  if (places.scale >= 0) args.scale = call->inputs[places.scale];
  if (places.bias >= 0) args.bias = call->inputs[places.bias];
  cuda_launch_line(out, "norm_rows", cuda_rows_blocks(&rows, (double)args.rows), rows.threads, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- rows ---- */
static const struct cuda_tactic norm_cuda = {.least_sm = 75, .source = norm_source, .launches = norm_launches};

const struct tactic norm__warp__sm75 = {.id = "norm__warp__sm75",
                                        .kind = PROBLEM_NORM,
                                        .device = DEVICE_CUDA,
                                        .source = "cuda-norm",
                                        .packed_operand = -1,
                                        .detail = &norm_cuda,
                                        .params = {{"threads", warp_threads, 2}, {"v", vectors, 3}},
                                        .applicable = norm_applicable,
                                        .legal = norm_legal,
                                        .cost = norm_cost};
const struct tactic norm__block__sm75 = {.id = "norm__block__sm75",
                                         .kind = PROBLEM_NORM,
                                         .device = DEVICE_CUDA,
                                         .source = "cuda-norm",
                                         .packed_operand = -1,
                                         .detail = &norm_cuda,
                                         .params = {{"threads", block_threads, 4}, {"v", vectors, 3}},
                                         .applicable = norm_applicable,
                                         .legal = norm_legal,
                                         .cost = norm_cost};
