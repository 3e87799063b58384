/* The cost model of everything made of register tiles: a roofline with cache terms. Cycles are turned into nanoseconds at a
 * nominal clock, so estimates of different tactics compare; they never claim to be measurements. */
#ifndef KERNELS_CPU_GEMM_TILE_COST_H
#define KERNELS_CPU_GEMM_TILE_COST_H

#include "tile.h"

struct tile_work {
  const struct tile *tile;
  double rows, columns, depth; // of the sums one thread computes: its largest share
  double chunks;               // parts of the depth: every one but the first reads and writes c again
  double row_block;            // rows that pass a panel before the next panel comes
  double starts;               // row pointer loads per tile: positions of a convolution (1: a plain gemm)
  bool prefetch, packed_a;
  double moved_elems;    // elements this thread packs or copies first
  double weight_bytes;   // constant operand, all threads together: from memory
  double other_bytes;    // everything else read and written once
  double epilogue_elems; // elements that pass steps outside registers, times their steps
};

double tile_work_ns(const struct tile_work *work, const struct device_class *device_class, enum isa isa, int threads);
/* Work of an epilogue's steps that registers do not do, per element (arithmetic steps count 1, transcendental ones more). */
double tile_epilogue_weight(const struct epilogue *epilogue);

#endif
