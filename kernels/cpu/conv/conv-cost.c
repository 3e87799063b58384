/* What convolutions over register tiles are expected to cost. */
#include "../gemm/tile-cost.h"
#include "igemm-plan.h"

static double greater(double a, double b) { return a > b ? a : b; }

double igemm_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                  int threads) {
  struct igemm_plan plan = igemm_plan_of(problem, variant);
  const struct conv_shape *shape = &plan.shape;
  struct tile_grid grid = tile_grid_of(shape->groups, plan.tiles, plan.panels, threads);
  int64_t tasks = shape->groups * grid.row_parts * grid.column_parts, rounds = (tasks + threads - 1) / threads;
  double groups = (double)shape->groups, weights = (double)(shape->k * shape->group_c * shape->r * shape->s);
  struct tile_work work = {.tile = variant->tactic->detail, .prefetch = plan.prefetch};
  work.rows = (double)shape->pixels / (double)grid.row_parts;
  work.columns = (double)shape->group_k / (double)grid.column_parts;
  work.depth = (double)(plan.positions * plan.depth);
  work.chunks = greater(work.depth / (double)(plan.chunk_positions * plan.chunk_depth), 1);
  work.row_block = (double)(plan.mc_tiles * plan.mr);
  work.starts = (double)plan.positions;
  work.moved_elems = work.rows * (double)plan.positions * 3; // row pointers
  if (plan.copied) work.moved_elems += (double)plan.padded_bytes / 4 / groups / threads * 0.4;
  if (!shape->constant_w) work.moved_elems += 2 * weights / groups;
  work.weight_bytes = shape->constant_w ? 4 * weights / groups : 0;
  work.other_bytes = (problem_bytes(problem) - 4 * weights) / groups;
  work.epilogue_elems = work.rows * work.columns * tile_epilogue_weight(&problem->epilogue);
  return (double)rounds * tile_work_ns(&work, device_class, variant->tactic->isa, threads);
}
