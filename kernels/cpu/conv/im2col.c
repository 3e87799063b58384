/* Convolutions in nchw: the windows of nr output pixels are copied into a panel [c/g * r * s][nr], over which tiles of mr output
 * channels run; outputs of a channel are neighbours, so c's rows are channels and its columns pixels.
 *
 *   weights  packed [g][k/g/mr][c/g][r][s][mr]      (link time, or first in the workspace when they are no constant)
 *   panels   `np` at a time, each made once and used by all channels of the group
 *
 * Workspace:   [ packed weights (if no constant) | np panels of thread 0 | of thread 1 | … ]
 */
#include "../gemm/tile-cost.h"
#include "conv.h"

#include <string.h>

enum { IM2COL_PARAM_NP }; // panels that wait while the weights pass

struct im2col_plan {
  struct conv_shape shape;
  int mr, nr;
  int64_t depth;         // c/g * r * s
  int64_t image_pixels;  // panels end with the image
  int64_t panels, tiles; // of an image's pixels by nr, of a group's channels by mr
  int64_t block_panels;
  size_t weights_bytes, panel_bytes;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t parts_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

bool im2col_applicable(const struct problem *problem) {
  if (!conv_is_f32(problem)) return false;
  struct conv_shape shape = conv_shape_of(problem);
  return shape.pixels > 0;
}

bool im2col_legal(const struct problem *problem, const struct variant *variant) {
  const struct tile *tile = variant->tactic->detail;
  struct conv_shape shape = conv_shape_of(problem);
  return variant->params[IM2COL_PARAM_NP] == 1 || shape.out_h * shape.out_w > tile->nr;
}

static struct im2col_plan plan_of(const struct problem *problem, const struct variant *variant) {
  const struct tile *tile = variant->tactic->detail;
  struct im2col_plan plan = {.shape = conv_shape_of(problem), .mr = tile->mr, .nr = tile->nr};
  const struct conv_shape *shape = &plan.shape;
  plan.depth = shape->group_c * shape->r * shape->s;
  plan.image_pixels = shape->out_h * shape->out_w;
  plan.panels = parts_of(plan.image_pixels, plan.nr);
  plan.tiles = parts_of(shape->group_k, plan.mr);
  plan.block_panels = least(variant->params[IM2COL_PARAM_NP], plan.panels);
  plan.panel_bytes = tile_align((size_t)(plan.depth * plan.nr) * sizeof(float));
  if (!shape->constant_w) plan.weights_bytes = tile_align(im2col_packed_bytes(problem, variant));
  return plan;
}

size_t im2col_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  struct im2col_plan plan = plan_of(problem, variant);
  return plan.weights_bytes + (size_t)(threads < 1 ? 1 : threads) * (size_t)plan.block_panels * plan.panel_bytes;
}

size_t im2col_packed_bytes(const struct problem *problem, const struct variant *variant) {
  const struct tile *tile = variant->tactic->detail;
  struct conv_shape shape = conv_shape_of(problem);
  int64_t rows = parts_of(shape.group_k, tile->mr) * tile->mr;
  return (size_t)(shape.groups * rows * shape.group_c * shape.r * shape.s) * sizeof(float);
}

void im2col_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed) {
  const struct tile *tile = variant->tactic->detail;
  struct conv_shape shape = conv_shape_of(problem);
  const float *w = weights; // [k][c/g][r][s]
  float *out = out_packed;
  int64_t depth = shape.group_c * shape.r * shape.s;
  for (int64_t g = 0; g < shape.groups; g++, w += shape.group_k * depth)
    for (int64_t first = 0; first < shape.group_k; first += tile->mr)
      for (int64_t d = 0; d < depth; d++)
        for (int64_t k = first; k < first + tile->mr; k++) *out++ = k < shape.group_k ? w[k * depth + d] : 0;
}

struct im2col_job {
  struct im2col_plan plan;
  const struct tile *tile;
  const float *x;      // [n][c][h][w]
  const float *packed; // [g][tiles][depth][mr]
  struct tile_end end; // [n][k][pixels]
  char *panels;
  int64_t parts; // of an image's panels
};

/* Where one window tap of each pixel of a panel lies in a channel's plane; -1: outside, or no pixel. */
struct tap {
  int64_t offsets[TILE_MAX_ELEMS];
  bool whole; // offsets[0], offsets[0] + 1, …: a plain run
};

static void tap_find(const struct im2col_plan *plan, int64_t first_pixel, int64_t r, int64_t s, struct tap *tap) {
  const struct conv_shape *shape = &plan->shape;
  tap->whole = true;
  int64_t oh = first_pixel / shape->out_w, ow = first_pixel % shape->out_w;
  for (int j = 0; j < plan->nr; j++) {
    int64_t h = oh * shape->stride_h - shape->pad_t + r * shape->dil_h,
            w = ow * shape->stride_w - shape->pad_l + s * shape->dil_w;
    bool inside = first_pixel + j < plan->image_pixels && h >= 0 && h < shape->h && w >= 0 && w < shape->w;
    tap->offsets[j] = inside ? h * shape->w + w : -1;
    tap->whole = tap->whole && inside && tap->offsets[j] == tap->offsets[0] + j;
    if (++ow == shape->out_w) ow = 0, oh++;
  }
}

/* One tap of all channels of the group into its rows of the panel. */
static void tap_copy(const struct im2col_plan *plan, const float *x, const struct tap *tap, float *panel) {
  const struct conv_shape *shape = &plan->shape;
  int64_t plane = shape->h * shape->w, step = shape->r * shape->s * plan->nr;
  for (int64_t c = 0; c < shape->group_c; c++, x += plane, panel += step) {
    if (tap->whole)
      memcpy(panel, x + tap->offsets[0], (size_t)plan->nr * sizeof *panel);
    else
      for (int j = 0; j < plan->nr; j++) panel[j] = tap->offsets[j] >= 0 ? x[tap->offsets[j]] : 0;
  }
}

/* x: the group's channels of one image. */
static void panel_make(const struct im2col_plan *plan, const float *x, int64_t first_pixel, float *panel) {
  struct tap tap;
  for (int64_t r = 0; r < plan->shape.r; r++)
    for (int64_t s = 0; s < plan->shape.s; s++) {
      tap_find(plan, first_pixel, r, s, &tap);
      tap_copy(plan, x, &tap, panel + (r * plan->shape.s + s) * plan->nr);
    }
}

/* All channels of a group on panels [first, last) of one image. */
static void block_run(const struct im2col_job *job, int64_t image, int64_t group, int64_t first, int64_t last, char *panels) {
  const struct im2col_plan *plan = &job->plan;
  const struct conv_shape *shape = &plan->shape;
  const float *x = job->x + (image * shape->c + group * shape->group_c) * shape->h * shape->w;
  const float *weights = job->packed + group * plan->tiles * plan->depth * plan->mr;
  int64_t channel = group * shape->group_k;
  struct tile_end end = tile_end_at(&job->end, (image * shape->k + channel) * plan->image_pixels, channel);
  for (int64_t p = first; p < last; p++)
    panel_make(plan, x, p * plan->nr, (float *)(panels + (size_t)(p - first) * plan->panel_bytes));
  for (int64_t t = 0; t < plan->tiles; t++, weights += plan->depth * plan->mr)
    for (int64_t p = first; p < last; p++) {
      struct tile_args args = {.positions = 1, .depth = plan->depth, .a = weights};
      args.b = (const float *)(panels + (size_t)(p - first) * plan->panel_bytes);
      struct tile_place place = {.row = t * plan->mr, .column = p * plan->nr, .first = true, .last = true};
      place.rows = (int)least(plan->mr, shape->group_k - place.row);
      place.columns = (int)least(plan->nr, plan->image_pixels - place.column);
      tile_emit(job->tile, TILE_PACKED, &args, &end, &place);
    }
}

/* Tasks: images by groups by parts of the panels. */
static void task_run(void *argument, int64_t index, int thread) {
  const struct im2col_job *job = argument;
  const struct im2col_plan *plan = &job->plan;
  int64_t image = index / job->parts / plan->shape.groups, group = index / job->parts % plan->shape.groups, first, last;
  char *panels = job->panels + (size_t)thread * (size_t)plan->block_panels * plan->panel_bytes;
  tile_part(plan->panels, job->parts, index % job->parts, &first, &last);
  for (int64_t p = first; p < last; p += plan->block_panels)
    block_run(job, image, group, p, least(p + plan->block_panels, last), panels);
}

static int64_t parts_for(const struct im2col_plan *plan, int threads) {
  return tile_grid_of(plan->shape.n * plan->shape.groups, 1, plan->panels, threads).column_parts;
}

enum farm_status im2col_run(const struct kernel_call *call) {
  struct im2col_job job = {.plan = plan_of(call->problem, call->variant), .tile = call->variant->tactic->detail};
  const struct im2col_plan *plan = &job.plan;
  const float *extras[EPILOGUE_MAX] = {0};
  FAIL_IF(plan->shape.constant_w && !call->packed, FARM_TACTIC_REFUSED, "%s: its weights were not packed",
          call->variant->tactic->id);
  conv_extras(call, extras);
  job.x = call->inputs[0]->data;
  job.packed = call->packed;
  if (!plan->shape.constant_w) {
    im2col_pack(call->problem, call->variant, call->inputs[1]->data, call->workspace);
    job.packed = call->workspace;
  }
  job.panels = (char *)call->workspace + plan->weights_bytes;
  job.end = tile_end_of(&call->scalars->epilogue, extras, call->outputs[0]->data, plan->image_pixels, true);
  job.parts = parts_for(plan, thread_pool_size(call->pool));
  thread_pool_run(call->pool, plan->shape.n * plan->shape.groups * job.parts, task_run, &job);
  return FARM_OK;
}

double im2col_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                   int threads) {
  struct im2col_plan plan = plan_of(problem, variant);
  const struct conv_shape *shape = &plan.shape;
  int64_t items = shape->n * shape->groups, tasks = items * parts_for(&plan, threads), rounds = (tasks + threads - 1) / threads;
  double weights = (double)(shape->k * plan.depth), part_pixels = (double)(plan.image_pixels * items) / (double)tasks;
  struct tile_work work = {.tile = variant->tactic->detail, .rows = (double)shape->group_k, .columns = part_pixels, .chunks = 1};
  work.depth = (double)plan.depth;
  work.row_block = work.rows;
  work.starts = 1;
  bool runs = shape->stride_w == 1 && shape->out_w >= plan.nr;
  work.moved_elems = part_pixels * work.depth * (runs ? 0.4 : 1.2) + (shape->constant_w ? 0 : weights / (double)shape->groups);
  work.moved_elems += part_pixels * (double)(shape->r * shape->s) * 3; // finding the taps
  work.weight_bytes = shape->constant_w ? 4 * weights / (double)items : 0;
  work.other_bytes = (problem_bytes(problem) - 4 * weights) / (double)items;
  work.epilogue_elems = work.rows * work.columns * tile_epilogue_weight(&problem->epilogue);
  return (double)rounds * tile_work_ns(&work, device_class, variant->tactic->isa, threads);
}
