/* See tile-cost.h. The constants describe a usual out-of-order core: two vector multiply-adds, two loads and four other
 * operations a cycle, a latency of four; they were checked for the order they give (gemm-cost-test.c), not fitted to one machine.
 */
#include "tile-cost.h"

enum { LANE_BYTES_BASELINE = 16, LANE_BYTES_AVX2 = 32, LANE_BYTES_AVX512 = 64 };
static const double clock_ghz = 3;
static const double memory_bytes_per_ns = 16, memory_bytes_per_ns_all = 40;

static double greater(double a, double b) { return a > b ? a : b; }
static double round_up(double x, double unit) { return (double)(int64_t)((x + unit - 1) / unit) * unit; }

static double lanes_of(enum isa isa) {
  static const double lanes[ISA_COUNT] = {[ISA_BASELINE] = 4, [ISA_AVX2] = 8, [ISA_AVX512] = 16};
  return lanes[isa];
}

/* Cycles of one step of k: bound by multiply-adds, loads, issue slots or the latency of the accumulators. */
static double step_cycles(const struct tile_work *work, enum isa isa) {
  double rows = work->tile->mr, vectors = work->tile->nr / lanes_of(isa), sums = rows * vectors;
  double arithmetic = isa == ISA_BASELINE ? sums : sums / 2; // without fused multiply-add twice the operations
  double loads = (rows + vectors) / 2,
         slots = (sums * (isa == ISA_BASELINE ? 2 : 1) + rows + vectors + 1.5 + (work->prefetch ? vectors / 2 : 0)) / 3.5;
  return greater(greater(arithmetic, loads), greater(slots, 4));
}

/* Bytes per cycle from where `bytes` fit. */
static double bandwidth(double bytes, const struct device_class *device_class) {
  if (bytes <= 0.6 * (double)device_class->l1d_bytes) return 64;
  if (bytes <= 0.7 * (double)device_class->l2_bytes) return 20;
  return bytes <= 0.7 * (double)device_class->l3_bytes ? 8 : 4;
}

double tile_epilogue_weight(const struct epilogue *epilogue) {
  double weight = 0;
  for (int i = 0; i < epilogue->count; i++) {
    enum epilogue_op op = epilogue->steps[i].op;
    if (op >= EPILOGUE_SIGMOID && op <= EPILOGUE_GELU_TANH)
      weight += 20;
    else if (op > EPILOGUE_CLIP || op == EPILOGUE_MUL || op == EPILOGUE_SCALE)
      weight += 3;
  }
  return weight;
}

double tile_work_ns(const struct tile_work *work, const struct device_class *device_class, enum isa isa, int threads) {
  double mr = work->tile->mr, nr = work->tile->nr, lanes = lanes_of(isa);
  double tiles = round_up(work->rows, mr) / mr, panels = round_up(work->columns, nr) / nr;
  double chunk = work->depth / work->chunks;
  double steps = tiles * panels * work->depth * step_cycles(work, isa);
  double per_tile = tiles * panels * (work->chunks * (12 + 2 * mr * nr / lanes) + work->starts * (mr + 4));
  /* a panel's chunk is read again by every tile, the block of A by every panel; both from where they fit */
  double panel_bytes = chunk * nr * 4, block_bytes = (work->row_block < work->rows ? work->row_block : work->rows) * chunk * 4;
  double streamed =
      panel_bytes / bandwidth(panel_bytes + mr * chunk * 4, device_class) + mr * chunk * 4 / bandwidth(block_bytes, device_class);
  streamed *= tiles * panels * work->chunks;
  double cycles = greater(steps, 0.7 * streamed) + 0.1 * streamed + per_tile + work->moved_elems * 1.2;
  cycles += (work->chunks - 1) * work->rows * work->columns * 8 / 16 + work->epilogue_elems * 4 / lanes;

  double each = memory_bytes_per_ns, all = memory_bytes_per_ns_all;
  double rate = each * threads < all ? each * threads : all;
  double memory_ns = (work->weight_bytes + 0.3 * work->other_bytes) / rate;
  double compute_ns = cycles / clock_ghz, hidden = work->prefetch ? 0.15 : 0.25;
  return greater(compute_ns, memory_ns) + hidden * (compute_ns < memory_ns ? compute_ns : memory_ns) + (threads > 1 ? 2000 : 100);
}
