/* Convolution with one channel per group (depthwise): a thread per result. See conv-direct.cu. */
#include "conv.h"

#include "../cuda-cost.h"

enum { THREADS = 256 };

static bool applicable(const struct problem *problem) {
  return conv_cuda_fits(problem) && problem->dims[CONV_C] == problem->dims[CONV_G] &&
         problem->dims[CONV_R] * problem->dims[CONV_S] <= 256; // the window is unrolled
}

static double results_of(const struct problem *problem) {
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  return (double)problem->dims[CONV_N] * (double)problem->dims[CONV_K] * (double)h * (double)w;
}

static bool legal(const struct problem *problem, const struct variant *variant) {
  (void)variant;
  return results_of(problem) < INT32_MAX - THREADS;
}

static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads) {
  (void)variant, (void)threads;
  const double results = results_of(problem), taps = (double)problem->dims[CONV_R] * (double)problem->dims[CONV_S];
  const struct cuda_work work = {.bytes = problem_bytes(problem),
                                 .operations = results * (30 + 6 * taps + epilogue_operations(&problem->epilogue)),
                                 .per_clock = CUDA_F32_PER_CLOCK,
                                 .blocks = results / THREADS,
                                 .threads = THREADS,
                                 .depth = 2,
                                 .launches = 1};
  return cuda_cost(device_class, &work);
}

static enum farm_status source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const files[] = {"conv-direct.cu", NULL};
  return conv_source(problem, variant, "", files, out);
}

static enum farm_status launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const int64_t blocks = ((int64_t)results_of(call->problem) + THREADS - 1) / THREADS;
  struct conv_args args;
  conv_args_fill(call, &args);
  cuda_launch_blocks(out, "conv_direct", blocks, THREADS, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static const struct cuda_tactic direct = {.least_sm = 75, .source = source, .launches = launches};

#define CONV_DIRECT(layout_name, layout_value)                                                                                   \
  const struct tactic conv2d_##layout_name##__direct__sm75 = {                                                                   \
      .id = "conv2d_" #layout_name "__direct__sm75",                                                                             \
      .kind = PROBLEM_CONV2D,                                                                                                    \
      .device = DEVICE_CUDA,                                                                                                     \
      .layout = layout_value,                                                                                                    \
      .source = "cuda-conv",                                                                                                     \
      .packing_revision = CONV_PACKING_REVISION,                                                                                 \
      .packed_operand = 1,                                                                                                       \
      .detail = &direct,                                                                                                         \
      .applicable = applicable,                                                                                                  \
      .legal = legal,                                                                                                            \
      .cost = cost,                                                                                                              \
      .packed_bytes = conv_cuda_packed_bytes,                                                                                    \
      .pack = conv_cuda_pack,                                                                                                    \
  };
CONV_DIRECT(nhwc, LAYOUT_NHWC)
CONV_DIRECT(nchw, LAYOUT_NCHW)
