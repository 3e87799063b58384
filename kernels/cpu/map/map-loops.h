/* The vector primitives of the map interpreter: one loop per operation over a tile that lies in L1.
 *
 * A stream is an argument of a loop: a tile (step = lanes) or one vector that serves the whole tile (step 0), which is how scalar
 * parameters and broadcast scalars come without a tile of their own.
 */
#ifndef KERNELS_CPU_MAP_MAP_LOOPS_H
#define KERNELS_CPU_MAP_MAP_LOOPS_H

#include "../../../problem/map-program.h"

struct map_stream {
  const float *data; // [elems] or [lanes]
  int64_t step;      // floats to go forward per vector: lanes or 0
};

/* out[0..elems) = op(arguments); elems a multiple of the lanes; out may be an argument's own tile. */
typedef void (*map_loop_fn)(const struct map_stream *arguments, float *out, int64_t elems);

struct map_loops {
  int lanes;
  map_loop_fn loops[MAP_OP_COUNT];
};

extern const struct map_loops map_loops__baseline, map_loops__avx2, map_loops__avx512;
extern const struct map_loops map_loops__wide; // tests only, see instance.h

#endif
