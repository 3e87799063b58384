/* Depthwise convolution in nhwc: lines of output are shared out among threads; dw.inc computes them. No workspace but for weights
 * that are no constant.
 */
#include "dw.h"

static int64_t padded_channels(const struct conv_shape *shape) {
  return (shape->c + DW_BLOCK_LANES - 1) / DW_BLOCK_LANES * DW_BLOCK_LANES;
}

static bool applicable(const struct problem *problem) {
  if (!conv_is_f32(problem)) return false;
  struct conv_shape shape = conv_shape_of(problem);
  return conv_is_depthwise(&shape);
}

static bool legal(const struct problem *problem, const struct variant *variant) {
  struct conv_shape shape = conv_shape_of(problem);
  return variant->params[DW_PARAM_OW] == 2 || variant->params[DW_PARAM_OW] <= shape.out_w;
}

static size_t packed_bytes(const struct problem *problem, const struct variant *variant) {
  (void)variant;
  struct conv_shape shape = conv_shape_of(problem);
  return (size_t)(shape.r * shape.s * padded_channels(&shape)) * sizeof(float);
}

static void pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed) {
  (void)variant;
  struct conv_shape shape = conv_shape_of(problem);
  const float *w = weights; // [c][1][r][s]
  float *out = out_packed;  // [r][s][padded c]
  int64_t taps = shape.r * shape.s, padded = padded_channels(&shape);
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t c = 0; c < padded; c++) *out++ = c < shape.c ? w[c * taps + tap] : 0;
}

static size_t workspace(const struct problem *problem, const struct variant *variant, int threads) {
  (void)threads;
  return problem->operands[1].constant ? 0 : packed_bytes(problem, variant);
}

/* A load and a multiply-add per tap and vector, weights shared by the pixels of a step; bytes once. */
static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                   int threads) {
  (void)device_class;
  const struct dw_set *set = variant->tactic->detail;
  struct conv_shape shape = conv_shape_of(problem);
  double vectors = (double)((shape.c + set->lanes - 1) / set->lanes), pixels = (double)shape.pixels / threads;
  double taps = (double)(shape.r * shape.s), together = variant->params[DW_PARAM_OW];
  double edge =
      (double)((shape.pad_l + shape.pad_r) / shape.stride_w + shape.out_w % variant->params[DW_PARAM_OW]) / (double)shape.out_w;
  double per_vector = taps * (0.6 + 0.6 / together + 0.5 * edge) + 4;
  double cycles = pixels * vectors * per_vector, rate = 16.0 * threads < 40 ? 16.0 * threads : 40;
  return cycles / 3 + 0.6 * problem_bytes(problem) / rate + (threads > 1 ? 2000 : 100);
}

struct dw_job {
  struct conv_shape shape;
  const struct dw_set *set;
  const float *x; // [n][h][w][c]
  const float *weights;
  struct tile_end end;
  int pixels;
};

static void line_task(void *argument, int64_t index, int thread) {
  (void)thread;
  const struct dw_job *job = argument;
  const struct conv_shape *shape = &job->shape;
  struct dw_line line = {.shape = shape, .weights = job->weights, .padded_c = padded_channels(shape), .oh = index % shape->out_h};
  line.x = job->x + index / shape->out_h * shape->h * shape->w * shape->c;
  line.end = tile_end_at(&job->end, index * shape->out_w * shape->c, 0);
  int64_t h = line.oh * shape->stride_h - shape->pad_t;
  line.r_last = shape->r;
  while (line.r_first < line.r_last && h + line.r_first * shape->dil_h < 0) line.r_first++;
  while (line.r_last > line.r_first && h + (line.r_last - 1) * shape->dil_h >= shape->h) line.r_last--;
  job->set->line(&line, job->pixels);
}

static enum farm_status run(const struct kernel_call *call) {
  struct dw_job job = {.shape = conv_shape_of(call->problem), .set = call->variant->tactic->detail};
  const float *extras[EPILOGUE_MAX] = {0};
  FAIL_IF(job.shape.constant_w && !call->packed, FARM_TACTIC_REFUSED, "%s: its weights were not packed",
          call->variant->tactic->id);
  conv_extras(call, extras);
  job.x = call->inputs[0]->data;
  job.weights = call->packed;
  if (!job.shape.constant_w) {
    pack(call->problem, call->variant, call->inputs[1]->data, call->workspace);
    job.weights = call->workspace;
  }
  job.pixels = call->variant->params[DW_PARAM_OW];
  job.end = tile_end_of(&call->scalars->epilogue, extras, call->outputs[0]->data, job.shape.c, false);
  thread_pool_run(call->pool, job.shape.n * job.shape.out_h, line_task, &job);
  return FARM_OK;
}

static const int16_t ow_values[] = {2, 4, 6};

#define DW_TACTIC(set, set_value)                                                                                                \
  const struct tactic conv2d_f32_nhwc__dw__##set = {                                                                             \
      .id = "conv2d_f32_nhwc__dw__" #set,                                                                                        \
      .kind = PROBLEM_CONV2D,                                                                                                    \
      .device = DEVICE_CPU,                                                                                                      \
      .isa = set_value,                                                                                                          \
      .layout = LAYOUT_NHWC,                                                                                                     \
      .source = "conv",                                                                                                          \
      .packing_revision = 1,                                                                                                     \
      .packed_operand = 1,                                                                                                       \
      .detail = &dw__##set,                                                                                                      \
      .params = {{"ow", ow_values, 3}},                                                                                          \
      .applicable = applicable,                                                                                                  \
      .legal = legal,                                                                                                            \
      .workspace = workspace,                                                                                                    \
      .cost = cost,                                                                                                              \
      .packed_bytes = packed_bytes,                                                                                              \
      .pack = pack,                                                                                                              \
      .run = run,                                                                                                                \
  };
DW_TACTIC(avx512, ISA_AVX512)
DW_TACTIC(avx2, ISA_AVX2)
DW_TACTIC(baseline, ISA_BASELINE)
