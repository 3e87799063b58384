/* Depthwise convolution in nchw: bands of output rows of single planes are shared out among threads; dw-nchw.inc computes them.
 * Weights are read as they come, nothing is packed; the workspace is each thread's copied rows.
 */
#include "dw-nchw.h"

enum { PARTS_PER_THREAD = 4, ALIGNED_FLOATS = 16 };

struct plan {
  struct conv_shape shape;
  int64_t phase, row;   // floats
  int64_t band, bands;  // output rows of a band, bands of a plane
  int64_t copied_rows;  // of a whole band
  size_t worker_floats; // copied rows, then taps as int64
};

static int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

/* The last vector of a row may load, and the last column's vector may store, one vector too many each. */
static int64_t phase_floats(const struct conv_shape *shape, int lanes) {
  const int64_t reach = shape->out_w + (shape->s - 1) * shape->dil_w / shape->stride_w;
  const int64_t data = (shape->pad_l + shape->w) / shape->stride_w + 1;
  return round_up(greater(reach, data) + 2 * lanes, lanes);
}

static int64_t rows_under(const struct conv_shape *shape, int64_t band) {
  return (band - 1) * shape->stride_h + (shape->r - 1) * shape->dil_h + 1;
}

static struct plan plan_of(const struct problem *problem, const struct variant *variant) {
  struct plan plan = {.shape = conv_shape_of(problem)};
  const struct conv_shape *shape = &plan.shape;
  const int64_t together = variant->params[DW_NCHW_PARAM_OH];
  const struct dw_nchw_set *set = variant->tactic->detail;
  plan.phase = phase_floats(shape, set->lanes);
  plan.row = plan.phase * shape->stride_w;
  const int64_t rows = variant->params[DW_NCHW_PARAM_KB] * 256 / plan.row; // that fit
  const int64_t fit = (rows - rows_under(shape, 1)) / shape->stride_h + 1;
  plan.band = greater(fit / together * together, together);
  if (plan.band > shape->out_h) plan.band = shape->out_h;
  plan.bands = (shape->out_h + plan.band - 1) / plan.band;
  plan.copied_rows = rows_under(shape, plan.band);
  plan.worker_floats = (size_t)round_up(plan.copied_rows * plan.row + 2 * shape->s, ALIGNED_FLOATS);
  return plan;
}

/* ---- applicable, parameters ---- */

/* Pads, strides and dilations without measure would ask for copies without measure. */
static bool applicable(const struct problem *problem) {
  const double most = 1 << 26; // floats
  if (!conv_is_f32(problem)) return false;
  const struct conv_shape shape = conv_shape_of(problem);
  if (!conv_is_depthwise(&shape)) return false;
  const double across = (double)shape.w + (double)shape.pad_l + (double)shape.pad_r + 64.0 * (double)shape.stride_w +
                        (double)shape.s * (double)shape.dil_w;
  const double down = (double)DW_NCHW_MOST_ROWS * (double)shape.stride_h + (double)shape.r * (double)shape.dil_h;
  return across * down + (double)shape.s < most;
}

static bool legal(const struct problem *problem, const struct variant *variant) {
  const struct conv_shape shape = conv_shape_of(problem);
  const struct dw_nchw_set *set = variant->tactic->detail;
  const int rows = variant->params[DW_NCHW_PARAM_OH], vectors = variant->params[DW_NCHW_PARAM_OW];
  if (rows * vectors > DW_NCHW_MOST_TOGETHER) return false;
  return (rows == 1 || rows <= shape.out_h) && (vectors == 1 || vectors * set->lanes <= shape.out_w);
}

static const int16_t oh_values[] = {1, 2, 4}, ow_values[] = {1, 2, 4}, kb_values[] = {16, 128};

/* ---- cost and workspace ---- */

static size_t workspace(const struct problem *problem, const struct variant *variant, int threads) {
  return plan_of(problem, variant).worker_floats * sizeof(float) * (size_t)(threads > 0 ? threads : 1);
}

/* A load and a multiply-add per tap and vector, weights shared by the outputs of a step; each input row copied once per band. */
static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                   int threads) {
  (void)device_class;
  const struct plan plan = plan_of(problem, variant);
  const struct conv_shape *shape = &plan.shape;
  const struct dw_nchw_set *set = variant->tactic->detail;
  const int64_t lanes = set->lanes, vectors = (shape->out_w + lanes - 1) / lanes;
  const double together = variant->params[DW_NCHW_PARAM_OH] * variant->params[DW_NCHW_PARAM_OW];
  const double taps = (double)(shape->r * shape->s), planes = (double)(shape->n * shape->c), bands = (double)plan.bands;
  const double per_vector = taps * (0.7 + 1.0 / together) + 4, moved = shape->stride_w > 2 ? 3 : 0.25 * (double)shape->stride_w;
  const double copied = (double)plan.copied_rows * (20 + (double)plan.row * moved);
  const double cycles = planes * ((double)(shape->out_h * vectors) * per_vector + bands * (copied + 50));
  const double rate = 16.0 * threads < 40 ? 16.0 * threads : 40;
  return cycles / threads / 3 + 0.6 * problem_bytes(problem) / rate + (threads > 1 ? 2000 : 100);
}

/* ---- run ---- */

struct job {
  struct plan plan;
  const struct dw_nchw_set *set;
  const float *x;       // [n][c][h][w]
  const float *weights; // [c][r][s]
  struct tile_end end;
  float *workspace;
  int64_t parts;
  int rows, vectors;
};

static void band_run(const struct job *job, int64_t item, struct dw_band *band) {
  const struct conv_shape *shape = &job->plan.shape;
  const int64_t plane = item / job->plan.bands, channel = plane % shape->c;
  band->x = job->x + plane * shape->h * shape->w;
  band->weights = job->weights + channel * shape->r * shape->s;
  band->end = tile_end_at(&job->end, plane * shape->out_h * shape->out_w, channel);
  band->first = item % job->plan.bands * job->plan.band;
  band->last = band->first + job->plan.band < shape->out_h ? band->first + job->plan.band : shape->out_h;
  job->set->band(band, job->rows, job->vectors);
}

static void part_task(void *argument, int64_t part, int thread) {
  const struct job *job = argument;
  const struct plan *plan = &job->plan;
  const struct conv_shape *shape = &plan->shape;
  const int64_t items = shape->n * shape->c * plan->bands;
  float *copy = job->workspace + (size_t)thread * plan->worker_floats;
  int64_t *taps = (int64_t *)(copy + plan->copied_rows * plan->row);
  for (int64_t s = 0; s < shape->s; s++)
    taps[s] = s * shape->dil_w % shape->stride_w * plan->phase + s * shape->dil_w / shape->stride_w;
  struct dw_band band = {.shape = shape, .phase = plan->phase, .row = plan->row, .copy = copy, .taps = taps};
  for (int64_t item = items * part / job->parts; item < items * (part + 1) / job->parts; item++) band_run(job, item, &band);
}

static enum farm_status run(const struct kernel_call *call) {
  const float *extras[EPILOGUE_MAX] = {0};
  struct job job = {.plan = plan_of(call->problem, call->variant), .set = call->variant->tactic->detail};
  const struct conv_shape *shape = &job.plan.shape;
  const int64_t items = shape->n * shape->c * job.plan.bands, threads = thread_pool_size(call->pool);
  conv_extras(call, extras);
  job.x = call->inputs[0]->data;
  job.weights = call->inputs[1]->data;
  job.end = tile_end_of(&call->scalars->epilogue, extras, call->outputs[0]->data, shape->out_h * shape->out_w, true);
  job.workspace = call->workspace;
  job.rows = call->variant->params[DW_NCHW_PARAM_OH];
  job.vectors = call->variant->params[DW_NCHW_PARAM_OW];
  job.parts = threads == 1 ? 1 : items < threads * PARTS_PER_THREAD ? items : threads * PARTS_PER_THREAD;
  thread_pool_run(call->pool, job.parts, part_task, &job);
  return FARM_OK;
}

/* ---- rows ---- */

#define DW_NCHW_TACTIC(set, set_value)                                                                                           \
  const struct tactic conv2d_f32_nchw__dw__##set = {                                                                             \
      .id = "conv2d_f32_nchw__dw__" #set,                                                                                        \
      .kind = PROBLEM_CONV2D,                                                                                                    \
      .device = DEVICE_CPU,                                                                                                      \
      .isa = set_value,                                                                                                          \
      .layout = LAYOUT_NCHW,                                                                                                     \
      .source = "conv",                                                                                                          \
      .packed_operand = -1,                                                                                                      \
      .detail = &dw_nchw__##set,                                                                                                 \
      .params = {{"oh", oh_values, 3}, {"ow", ow_values, 3}, {"kb", kb_values, 2}},                                              \
      .applicable = applicable,                                                                                                  \
      .legal = legal,                                                                                                            \
      .workspace = workspace,                                                                                                    \
      .cost = cost,                                                                                                              \
      .run = run,                                                                                                                \
  };
DW_NCHW_TACTIC(avx512, ISA_AVX512)
DW_NCHW_TACTIC(avx2, ISA_AVX2)
DW_NCHW_TACTIC(baseline, ISA_BASELINE)
