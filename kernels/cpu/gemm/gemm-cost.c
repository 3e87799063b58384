/* What a gemm variant is expected to cost: its largest part's work, and what moves. */
#include "gemm.h"
#include "tile-cost.h"

double gemm_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                 int threads) {
  struct gemm_plan plan = gemm_plan_of(problem, variant);
  struct tile_grid grid = tile_grid_of(plan.batch, plan.tiles, plan.panels, threads);
  int64_t tasks = plan.batch * grid.row_parts * grid.column_parts, rounds = (tasks + threads - 1) / threads;
  double rows = (double)plan.m / (double)grid.row_parts, columns = (double)plan.n / (double)grid.column_parts;
  double nc_blocks = (double)((plan.panels + plan.nc_panels - 1) / plan.nc_panels);
  double b_elems = (double)plan.k * (double)plan.n * (double)(plan.b_batch ? plan.batch : 1);
  struct tile_work work = {
      .tile = variant->tactic->detail, .rows = rows, .columns = columns, .depth = (double)plan.k, .starts = 1};
  work.chunks = (double)((plan.k + plan.kc - 1) / plan.kc);
  work.row_block = (double)(plan.mc_tiles * plan.mr);
  work.prefetch = plan.prefetch;
  work.packed_a = plan.pack_a;
  if (plan.pack_a) work.moved_elems += rows * (double)plan.k * nc_blocks;
  if (!plan.constant_b && plan.pack_b) work.moved_elems += columns * (double)plan.k * (plan.tb ? 2 : 0.5);
  if (!plan.constant_b && !plan.pack_b)
    work.moved_elems += rows / plan.mr * columns * (double)plan.k / 64; // strided rows: more pages, no fetching ahead
  work.weight_bytes = plan.constant_b ? 4 * b_elems / (double)plan.batch : 0;
  work.other_bytes = (problem_bytes(problem) - (plan.constant_b ? 4 * b_elems : 0)) / (double)plan.batch;
  work.epilogue_elems = rows * columns * tile_epilogue_weight(&problem->epilogue);
  return (double)rounds * tile_work_ns(&work, device_class, variant->tactic->isa, threads);
}
