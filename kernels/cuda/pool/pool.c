/* Pooling on a GPU, in both layouts: a thread per result, or a warp per result for large windows of few. See pool.cu. */
#include "../cuda-cost.h"
#include "../cuda-launch.h"
#include "pool-args.h"

enum { THREADS = 256, WARP = 32 };

static double results_of(const struct problem *problem) {
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  return (double)problem->dims[POOL_N] * (double)problem->dims[POOL_C] * (double)h * (double)w;
}

static double taps_of(const struct problem *problem) { return (double)problem->dims[POOL_R] * (double)problem->dims[POOL_S]; }

static bool applicable(const struct problem *problem) {
  const int64_t *d = problem->dims;
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  const double most = 1 << 30;
  return cuda_floats_only(problem) && d[POOL_C] < 1 << 30 &&
         d[POOL_H] < 1 << 20 && d[POOL_W] < 1 << 20 && taps_of(problem) < most && (double)h * (double)d[POOL_STRIDE_H] < most &&
         (double)w * (double)d[POOL_STRIDE_W] < most && (double)d[POOL_R] * (double)d[POOL_DIL_H] < most / 2 &&
         (double)d[POOL_S] * (double)d[POOL_DIL_W] < most / 2 && results_of(problem) < INT32_MAX - THREADS;
}

static bool warps_applicable(const struct problem *problem) { return applicable(problem) && taps_of(problem) >= WARP; }

static double cost_of(const struct problem *problem, const struct device_class *device_class, double lanes) {
  const double results = results_of(problem), taps = taps_of(problem);
  const struct cuda_work work = {.bytes = problem_bytes(problem),
                                 .operations = results * (lanes * 40 + (taps < lanes ? lanes : taps) * 8),
                                 .per_clock = CUDA_F32_PER_CLOCK,
                                 .blocks = results * lanes / THREADS,
                                 .threads = THREADS,
                                 .depth = 2 + taps / lanes / 8,
                                 .launches = 1};
  return cuda_cost(device_class, &work);
}

static double threads_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                           int threads) {
  (void)variant, (void)threads;
  return cost_of(problem, device_class, 1);
}

static double warps_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                         int threads) {
  (void)variant, (void)threads;
  return cost_of(problem, device_class, WARP);
}

static enum farm_status source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_printf(out, "#define X_TYPE %s\n#define OUT_TYPE %s\n#define NHWC %d\n#define AVERAGE %d\n",
                cuda_type_name(problem->operands[0].dtype), cuda_type_name(problem->operands[1].dtype),
                variant->tactic->layout == LAYOUT_NHWC, problem->dims[POOL_MODE] == POOL_AVERAGE);
  TRY(cuda_source_file(out, "pool-args.h"));
  return cuda_source_file(out, "pool.cu");
}

static void args_fill(const struct cuda_call *call, struct pool_args *out) {
  const int64_t *d = call->problem->dims;
  int64_t h, w;
  problem_output_hw(call->problem, &h, &w);
  *out = (struct pool_args){.x = call->inputs[0], .out = call->outputs[0], .outputs = (int)results_of(call->problem)};
  out->c = (int)d[POOL_C], out->h = (int)d[POOL_H], out->w = (int)d[POOL_W], out->out_h = (int)h, out->out_w = (int)w;
  out->r = (int)d[POOL_R], out->s = (int)d[POOL_S];
  out->stride_h = (int)d[POOL_STRIDE_H], out->stride_w = (int)d[POOL_STRIDE_W];
  out->pad_t = (int)d[POOL_PAD_T], out->pad_l = (int)d[POOL_PAD_L], out->pad_b = (int)d[POOL_PAD_B], out->pad_r = (int)d[POOL_PAD_R];
  out->dil_h = (int)d[POOL_DIL_H], out->dil_w = (int)d[POOL_DIL_W], out->count_padding = d[POOL_COUNT_PAD] != 0;
}

static enum farm_status launch(const struct cuda_call *call, const char *entry, int lanes, struct cuda_launch *out, int *out_count) {
  struct pool_args args;
  args_fill(call, &args);
  const int per_block = THREADS / lanes;
  cuda_launch_blocks(out, entry, (args.outputs + per_block - 1) / per_block, THREADS, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static enum farm_status threads_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  return launch(call, "pool_threads", 1, out, out_count);
}

static enum farm_status warps_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  return launch(call, "pool_warps", WARP, out, out_count);
}

static const struct cuda_tactic pool_threads = {.least_sm = 75, .source = source, .launches = threads_launches},
                                pool_warps = {.least_sm = 75, .source = source, .launches = warps_launches};

#define POOL(layout_name, layout_value, how, applicable_fn)                                                                      \
  const struct tactic pool2d_##layout_name##__##how##__sm75 = {                                                                  \
      .id = "pool2d_" #layout_name "__" #how "__sm75",                                                                           \
      .kind = PROBLEM_POOL2D,                                                                                                    \
      .device = DEVICE_CUDA,                                                                                                     \
      .layout = layout_value,                                                                                                    \
      .source = "cuda-pool",                                                                                                     \
      .packed_operand = -1,                                                                                                      \
      .detail = &pool_##how,                                                                                                     \
      .applicable = applicable_fn,                                                                                               \
      .cost = how##_cost,                                                                                                        \
  };
POOL(nhwc, LAYOUT_NHWC, threads, applicable)
POOL(nchw, LAYOUT_NCHW, threads, applicable)
POOL(nhwc, LAYOUT_NHWC, warps, warps_applicable)
POOL(nchw, LAYOUT_NCHW, warps, warps_applicable)
