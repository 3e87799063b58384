/* Runs an nhwc convolution as a matrix product of pixels by channels, whose left side is never made.
 *
 *   for mc pixels            their row pointers [tile][position][mr] are computed once
 *     for chunks of the window
 *       for each panel       the chunk's weights stay in the first-level cache
 *         for each tile      of mr pixels
 *
 * A task is a part of the pixels and panels of one group.
 */
#include "igemm-plan.h"

#include <string.h>

struct igemm_job {
  struct igemm_plan plan;
  const struct tile *tile;
  const float *x;      // [n][h][w][c], or the padded copy [n][h'][w'][c]
  const float *zeros;  // [c]
  const float *packed; // [g][panels][r][s][c/g][nr]
  struct tile_end end;
  struct tile_grid grid;
  char *rows;
};

struct igemm_part {
  const struct igemm_job *job;
  int64_t group, tile_first, tile_last, panel_first, panel_last;
  const float **rows; // [tile][position][mr] of the block at hand
  struct tile_end end;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* An output pixel: its image and where its window begins in x. */
struct window {
  int64_t image, h, w;
};

static struct window window_at(const struct conv_shape *shape, int64_t pixel) {
  int64_t ow = pixel % shape->out_w, rest = pixel / shape->out_w;
  return (struct window){rest / shape->out_h, rest % shape->out_h * shape->stride_h - shape->pad_t,
                         ow * shape->stride_w - shape->pad_l};
}

/* Pointers of one row of a tile, `mr` apart; a tap outside the image points at zeros. */
static void rows_of_taps(const struct igemm_job *job, struct window window, const float **rows) {
  const struct conv_shape *shape = &job->plan.shape;
  int mr = job->plan.mr;
  const float *image = job->x + window.image * shape->h * shape->w * shape->c;
  for (int64_t r = 0, h = window.h; r < shape->r; r++, h += shape->dil_h) {
    bool inside = h >= 0 && h < shape->h;
    const float *line = image + h * shape->w * shape->c;
    for (int64_t s = 0, w = window.w; s < shape->s; s++, w += shape->dil_w, rows += mr)
      *rows = inside && w >= 0 && w < shape->w ? line + w * shape->c : job->zeros;
  }
}

/* The same for joined window rows: always inside the (padded) image. */
static void rows_of_lines(const struct igemm_job *job, struct window window, const float **rows) {
  const struct igemm_plan *plan = &job->plan;
  const struct conv_shape *shape = &plan->shape;
  int64_t h = window.h + shape->pad_t, w = window.w + shape->pad_l;
  const float *at = job->x + ((window.image * plan->padded_h + h) * plan->padded_w + w) * shape->c;
  for (int64_t r = 0; r < shape->r; r++, rows += plan->mr, at += shape->dil_h * plan->padded_w * shape->c) *rows = at;
}

static void rows_fill(const struct igemm_part *part, int64_t tile_first, int64_t tile_last) {
  const struct igemm_plan *plan = &part->job->plan;
  const float **rows = part->rows;
  for (int64_t tile = tile_first; tile < tile_last; tile++, rows += plan->positions * plan->mr)
    for (int i = 0; i < plan->mr; i++) {
      struct window window = window_at(&plan->shape, least(tile * plan->mr + i, plan->shape.pixels - 1));
      if (plan->joined)
        rows_of_lines(part->job, window, rows + i);
      else
        rows_of_taps(part->job, window, rows + i);
    }
}

/* A part of the depth. */
struct chunk {
  int64_t position, positions, depth_first, depth;
  bool first, last;
};

static void panel_run(const struct igemm_part *part, int64_t p, int64_t tile_first, int64_t tile_last,
                      const struct chunk *chunk) {
  const struct igemm_plan *plan = &part->job->plan;
  int64_t panel_elems = plan->positions * plan->depth * plan->nr;
  struct tile_args base = {.positions = chunk->positions, .depth = chunk->depth};
  base.offset = chunk->depth_first + (plan->joined ? 0 : part->group * plan->shape.group_c);
  base.b = part->job->packed + (part->group * plan->panels + p) * panel_elems;
  base.b += (chunk->position * plan->depth + chunk->depth_first) * plan->nr;
  struct tile_place place = {.column = p * plan->nr, .first = chunk->first, .last = chunk->last};
  place.columns = (int)least(plan->nr, plan->shape.group_k - place.column);
  for (int64_t tile = tile_first; tile < tile_last; tile++) {
    struct tile_args args = base;
    args.rows = part->rows + ((tile - tile_first) * plan->positions + chunk->position) * plan->mr;
    place.row = tile * plan->mr;
    place.rows = (int)least(plan->mr, plan->shape.pixels - place.row);
    tile_emit(part->job->tile, plan->prefetch ? TILE_ROWS_PREFETCH : TILE_ROWS, &args, &part->end, &place);
  }
}

static void chunk_run(const struct igemm_part *part, int64_t tile_first, int64_t tile_last, const struct chunk *chunk) {
  for (int64_t p = part->panel_first; p < part->panel_last; p++) panel_run(part, p, tile_first, tile_last, chunk);
}

static void block_run(const struct igemm_part *part, int64_t tile_first, int64_t tile_last) {
  const struct igemm_plan *plan = &part->job->plan;
  rows_fill(part, tile_first, tile_last);
  for (int64_t position = 0; position < plan->positions; position += plan->chunk_positions)
    for (int64_t depth = 0; depth < plan->depth; depth += plan->chunk_depth) {
      struct chunk chunk = {.position = position, .depth_first = depth, .first = position == 0 && depth == 0};
      chunk.positions = least(plan->chunk_positions, plan->positions - position);
      chunk.depth = least(plan->chunk_depth, plan->depth - depth);
      chunk.last = position + chunk.positions == plan->positions && depth + chunk.depth == plan->depth;
      chunk_run(part, tile_first, tile_last, &chunk);
    }
}

static void task_run(void *argument, int64_t index, int thread) {
  const struct igemm_job *job = argument;
  const struct igemm_plan *plan = &job->plan;
  int64_t parts = job->grid.row_parts * job->grid.column_parts, rest = index % parts;
  struct igemm_part part = {.job = job, .group = index / parts};
  tile_part(plan->panels, job->grid.column_parts, rest / job->grid.row_parts, &part.panel_first, &part.panel_last);
  tile_part(plan->tiles, job->grid.row_parts, rest % job->grid.row_parts, &part.tile_first, &part.tile_last);
  part.rows = (const float **)(job->rows + (size_t)thread * plan->rows_bytes);
  part.end = tile_end_at(&job->end, part.group * plan->shape.group_k, part.group * plan->shape.group_k);
  for (int64_t tile = part.tile_first; tile < part.tile_last; tile += plan->mc_tiles)
    block_run(&part, tile, least(tile + plan->mc_tiles, part.tile_last));
}

/* ---- the padded copy ---- */
struct copy {
  const struct igemm_plan *plan;
  const float *from; // [n][h][w][c]
  float *to;         // [n][h'][w'][c]
};

/* One line of one padded image. */
static void copy_line(void *argument, int64_t index, int thread) {
  (void)thread;
  const struct copy *copy = argument;
  const struct conv_shape *shape = &copy->plan->shape;
  int64_t image = index / copy->plan->padded_h, h = index % copy->plan->padded_h - shape->pad_t;
  size_t line = (size_t)(copy->plan->padded_w * shape->c), left = (size_t)(shape->pad_l * shape->c),
         width = (size_t)(shape->w * shape->c);
  float *to = copy->to + (size_t)index * line;
  if (h < 0 || h >= shape->h) {
    memset(to, 0, line * sizeof *to);
    return;
  }
  memset(to, 0, left * sizeof *to);
  memcpy(to + left, copy->from + (size_t)(image * shape->h + h) * width, width * sizeof *to);
  memset(to + left + width, 0, (line - left - width) * sizeof *to);
}

enum farm_status igemm_run(const struct kernel_call *call) {
  struct igemm_job job = {.plan = igemm_plan_of(call->problem, call->variant), .tile = call->variant->tactic->detail};
  const struct igemm_plan *plan = &job.plan;
  const float *extras[EPILOGUE_MAX] = {0};
  char *at = call->workspace;
  FAIL_IF(plan->shape.constant_w && !call->packed, FARM_TACTIC_REFUSED, "%s: its weights were not packed",
          call->variant->tactic->id);
  conv_extras(call, extras);
  memset(at, 0, plan->zero_bytes);
  job.zeros = (const float *)at;
  at += plan->zero_bytes;
  job.x = call->inputs[0]->data;
  if (plan->copied) {
    struct copy copy = {plan, job.x, (float *)at};
    thread_pool_run(call->pool, plan->shape.n * plan->padded_h, copy_line, &copy);
    job.x = (const float *)at;
  }
  at += plan->padded_bytes;
  job.packed = call->packed;
  if (!plan->shape.constant_w) {
    igemm_pack(call->problem, call->variant, call->inputs[1]->data, at);
    job.packed = (const float *)at;
  }
  job.rows = at + plan->weights_bytes;
  job.end = tile_end_of(&call->scalars->epilogue, extras, call->outputs[0]->data, plan->shape.k, false);
  job.grid = tile_grid_of(plan->shape.groups, plan->tiles, plan->panels, thread_pool_size(call->pool));
  thread_pool_run(call->pool, plan->shape.groups * job.grid.row_parts * job.grid.column_parts, task_run, &job);
  return FARM_OK;
}
