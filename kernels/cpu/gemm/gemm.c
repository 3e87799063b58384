/* Runs a gemm: tasks of the thread pool are parts of the output; each walks its blocks.
 *
 *   for nc panels of B     (packed here when B is no constant: as many as half a second-level cache holds)
 *     for mc rows of A     (packed, or reached through row pointers)
 *       for kc of the depth
 *         for each panel   B's chunk [kc][nr] stays in the first-level cache
 *           for each tile  of mr rows
 *
 * With few rows (mc covers them all) every weight is read from memory once, which is what a batch of one needs.
 */
#include "gemm.h"

#include <string.h>

struct gemm_job {
  struct gemm_plan plan;
  const struct tile *tile;
  const float *a;      // [batch][m][k] or [batch][k][m]
  const float *b;      // [batch][k][n] or [batch][n][k]; NULL when packed
  const float *packed; // [batch][n/nr][k][nr]; NULL when B is no constant
  struct tile_end end; // of batch item 0
  struct tile_grid grid;
  char *workspace;
  size_t thread_bytes;
};

/* One task's part and scratch. */
struct gemm_part {
  const struct gemm_job *job;
  const float *a, *b, *packed; // of its batch item
  struct tile_end end;
  int64_t panel_first, panel_last, tile_first, tile_last;
  const float **rows;
  float *packed_a, *packed_b;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Row pointers of tiles [first, last), the last row repeated where the matrix ends. */
static void rows_fill(const struct gemm_part *part, int64_t first, int64_t last) {
  const struct gemm_plan *plan = &part->job->plan;
  for (int64_t row = first * plan->mr, i = 0; row < last * plan->mr; row++, i++)
    part->rows[i] = part->a + least(row, plan->m - 1) * plan->a_row;
}

/* A[tile rows][k0 .. k0 + depth) into panels [depth][mr]; rows beyond the matrix repeat the last. */
static void a_pack(const struct gemm_part *part, int64_t first, int64_t last, int64_t k0, int64_t depth) {
  const struct gemm_plan *plan = &part->job->plan;
  float *out = part->packed_a;
  for (int64_t tile = first; tile < last; tile++, out += depth * plan->mr)
    for (int i = 0; i < plan->mr; i++) {
      const float *row = part->a + least(tile * plan->mr + i, plan->m - 1) * plan->a_row + k0 * plan->a_column;
      for (int64_t k = 0; k < depth; k++) out[k * plan->mr + i] = row[k * plan->a_column];
    }
}

/* Panel p of B (k deep, its columns contiguous or not) into `out` [k][nr]. */
static void b_pack(const struct gemm_part *part, int64_t p, float *out) {
  const struct gemm_plan *plan = &part->job->plan;
  int nr = plan->nr, columns = (int)least(nr, plan->n - p * nr);
  const float *b = part->b + p * nr * plan->b_column;
  if (!plan->tb) {
    part->job->tile->pack(b, plan->b_row, plan->k, columns, out);
    return;
  }
  for (int j = 0; j < nr; j++)
    for (int64_t k = 0; k < plan->k; k++) out[k * nr + j] = j < columns ? b[j * plan->b_column + k] : 0;
}

/* Where panel p's rows from k0 on are, and how to read them. */
static enum tile_mode b_panel(const struct gemm_part *part, int64_t p, int64_t block_first, int64_t k0, struct tile_args *args) {
  const struct gemm_plan *plan = &part->job->plan;
  enum tile_mode mode = plan->pack_a ? TILE_PACKED : plan->prefetch ? TILE_ROWS_PREFETCH : TILE_ROWS;
  int64_t panel_elems = plan->k * plan->nr;
  if (part->packed) {
    args->b = part->packed + p * panel_elems + k0 * plan->nr;
  } else if (plan->pack_b) {
    args->b = part->packed_b + (p - block_first) * panel_elems + k0 * plan->nr;
  } else if ((p + 1) * plan->nr > plan->n) {
    args->b = part->packed_b + k0 * plan->nr; // only the short last panel was packed
  } else {
    args->b = part->b + k0 * plan->b_row + p * plan->nr;
    args->b_stride = plan->b_row;
    return TILE_DIRECT;
  }
  return mode;
}

static void panel_run(const struct gemm_part *part, int64_t p, int64_t block_first, int64_t tile_first, int64_t tile_last,
                      int64_t k0, int64_t depth) {
  const struct gemm_plan *plan = &part->job->plan;
  struct tile_args base = {.positions = 1, .depth = depth, .offset = k0};
  enum tile_mode mode = b_panel(part, p, block_first, k0, &base);
  struct tile_place place = {.column = p * plan->nr, .columns = (int)least(plan->nr, plan->n - p * plan->nr)};
  place.first = k0 == 0;
  place.last = k0 + depth == plan->k;
  for (int64_t tile = tile_first; tile < tile_last; tile++) {
    struct tile_args args = base;
    args.rows = part->rows + (tile - tile_first) * plan->mr;
    args.a = part->packed_a + (tile - tile_first) * plan->mr * depth;
    place.row = tile * plan->mr;
    place.rows = (int)least(plan->mr, plan->m - place.row);
    tile_emit(part->job->tile, mode, &args, &part->end, &place);
  }
}

/* One mc block of rows against one nc block of panels. */
static void block_run(const struct gemm_part *part, int64_t panel_first, int64_t panel_last, int64_t tile_first,
                      int64_t tile_last) {
  const struct gemm_plan *plan = &part->job->plan;
  if (!plan->pack_a) rows_fill(part, tile_first, tile_last);
  for (int64_t k0 = 0; k0 < plan->k; k0 += plan->kc) {
    int64_t depth = least(plan->kc, plan->k - k0);
    if (plan->pack_a) a_pack(part, tile_first, tile_last, k0, depth);
    for (int64_t p = panel_first; p < panel_last; p++) panel_run(part, p, panel_first, tile_first, tile_last, k0, depth);
  }
}

static void b_block_pack(const struct gemm_part *part, int64_t first, int64_t last) {
  const struct gemm_plan *plan = &part->job->plan;
  if (part->packed) return;
  if (plan->pack_b)
    for (int64_t p = first; p < last; p++) b_pack(part, p, part->packed_b + (p - first) * plan->k * plan->nr);
  else if (last * plan->nr > plan->n)
    b_pack(part, last - 1, part->packed_b);
}

static void part_run(const struct gemm_part *part) {
  const struct gemm_plan *plan = &part->job->plan;
  for (int64_t p = part->panel_first; p < part->panel_last; p += plan->nc_panels) {
    int64_t p_last = least(p + plan->nc_panels, part->panel_last);
    b_block_pack(part, p, p_last);
    for (int64_t t = part->tile_first; t < part->tile_last; t += plan->mc_tiles)
      block_run(part, p, p_last, t, least(t + plan->mc_tiles, part->tile_last));
  }
}

static void task_run(void *argument, int64_t index, int thread) {
  const struct gemm_job *job = argument;
  const struct gemm_plan *plan = &job->plan;
  int64_t parts = job->grid.row_parts * job->grid.column_parts, item = index / parts, rest = index % parts;
  char *scratch = job->workspace + (size_t)thread * job->thread_bytes;
  struct gemm_part part = {.job = job, .a = job->a + item * plan->a_batch};
  if (job->b) part.b = job->b + item * plan->b_batch;
  if (job->packed) part.packed = job->packed + (plan->b_batch ? item * plan->panels * plan->k * plan->nr : 0);
  part.end = tile_end_at(&job->end, item * plan->m * plan->n, 0);
  tile_part(plan->panels, job->grid.column_parts, rest / job->grid.row_parts, &part.panel_first, &part.panel_last);
  tile_part(plan->tiles, job->grid.row_parts, rest % job->grid.row_parts, &part.tile_first, &part.tile_last);
  part.rows = (const float **)scratch;
  part.packed_a = (float *)(scratch + plan->rows_bytes);
  part.packed_b = (float *)(scratch + plan->rows_bytes + plan->a_bytes);
  part_run(&part);
}

enum farm_status gemm_run(const struct kernel_call *call) {
  struct gemm_job job = {.plan = gemm_plan_of(call->problem, call->variant), .tile = call->variant->tactic->detail};
  const struct gemm_plan *plan = &job.plan;
  const float *extras[EPILOGUE_MAX] = {0};
  for (int i = 2; i < call->input_count && i - 2 < EPILOGUE_MAX; i++) extras[i - 2] = call->inputs[i]->data;
  job.a = call->inputs[0]->data;
  job.b = call->inputs[1]->data;
  job.packed = plan->constant_b ? call->packed : NULL;
  FAIL_IF(plan->constant_b && !job.packed, FARM_TACTIC_REFUSED, "%s: its constant operand was not packed",
          call->variant->tactic->id);
  job.end = tile_end_of(&call->scalars->epilogue, extras, call->outputs[0]->data, plan->n, false);
  job.grid = tile_grid_of(plan->batch, plan->tiles, plan->panels, thread_pool_size(call->pool));
  job.workspace = call->workspace;
  job.thread_bytes = plan->rows_bytes + plan->a_bytes + plan->b_bytes;
  thread_pool_run(call->pool, plan->batch * job.grid.row_parts * job.grid.column_parts, task_run, &job);
  return FARM_OK;
}
