/* Register tiles: the one inner loop of gemm and conv.
 *
 * A tile computes mr x nr results whose sums stay in registers:
 *
 *            nr
 *        ┌────────┐ k     Row i of A is reached through one pointer per position. A gemm has one
 *        │ panel  │ │     position, of depth k; a convolution has one per window tap (r, s), of
 *        └────────┘ ▼     depth c, which points at that tap's pixel of output row i, or at zeros
 *   ┌──┐ ┌────────┐       where the window hangs over the edge ("The indirect convolution
 * mr│A │ │ mr x nr│       algorithm", Dukhan, arXiv 1907.02129). B lies in panels
 *   └──┘ └────────┘       [n/nr][k][nr], zero-filled to nr, or in place with a row stride.
 *
 * Tiles always compute all mr x nr: a short last tile repeats a row pointer and writes through a scratch tile (tile_emit), so
 * that nothing beyond the operands is read or written. tile.inc is the template, tiles-*.c its instances.
 */
#ifndef KERNELS_CPU_GEMM_TILE_H
#define KERNELS_CPU_GEMM_TILE_H

#include "../../tactic.h"

enum { TILE_MAX_ROWS = 14, TILE_MAX_ELEMS = 512 };

enum tile_mode {
  TILE_ROWS,          // A by row pointers, B in panels
  TILE_ROWS_PREFETCH, // the same, fetching the panel TILE_PREFETCH_ROWS ahead: for weights that come from memory
  TILE_PACKED,        // A in panels [k][mr], B in panels
  TILE_DIRECT,        // A by row pointers, B in place: row-major with any stride, nr columns readable
  TILE_MODES
};
enum { TILE_PREFETCH_ROWS = 12 };

struct tile_args {
  const float *const *rows; // [positions][mr]; unused by TILE_PACKED
  const float *a;           // [depth][mr], TILE_PACKED only
  int64_t positions, depth; // depth: floats behind each row pointer
  int64_t offset;           // floats added to every row pointer
  const float *b;           // [positions * depth][nr]
  int64_t b_stride;         // TILE_DIRECT: floats from row to row
  float *c;                 // [mr][nr], rows c_stride floats apart
  int64_t c_stride;
  bool accumulate;       // start from what c holds
  const float *bias;     // start from bias[nr]; NULL: no
  const float *row_bias; // start from row_bias[mr]; NULL: no
  const float *add;      // at last add [mr][nr]; NULL: no
  int64_t add_stride;
  bool clamp; // then keep within [low, high]
  float low, high;
};

/* One step of an epilogue on a tile that lies in memory. */
struct tile_step {
  enum epilogue_op op;
  float p[2];
  const float *operand; // BIAS: [nr] or, with in_rows, [mr]; ADD, MUL: [mr][nr]
  int64_t stride;       // floats from row to row of ADD and MUL
  bool in_rows;
};

struct tile {
  int mr, nr;
  void (*run[TILE_MODES])(const struct tile_args *args);
  void (*step)(const struct tile_step *step, float *c, int64_t c_stride, int rows,
               int columns); // columns: a multiple of the lanes
  /* Copies a [depth][columns] block, rows `stride` floats apart, into a panel [depth][nr], zero-filled. */
  void (*pack)(const float *from, int64_t stride, int64_t depth, int columns, float *panel);
};

/* What happens to the sums, prepared once per call (tile-end.c). Channels are the columns, or the rows with channels_in_rows. */
struct tile_end {
  float *c; // whole output matrix (of this batch, image or group)
  int64_t c_stride;
  bool channels_in_rows;
  const float *bias; // whole vector, NULL: none; added first
  const float *add;  // whole matrix, strides as c; NULL: none
  bool clamp;
  float low, high;
  int step_count; // what registers do not do: steps on the finished tile, operands as whole matrices
  struct tile_step steps[EPILOGUE_MAX];
};

/* `operands`: data of the extra operands of the epilogue, in order. */
struct tile_end tile_end_of(const struct epilogue *epilogue, const float *const *operands, float *c, int64_t c_stride,
                            bool channels_in_rows);
/* The same end for a part of the output that starts `elems` floats and `channels` channels further on. */
struct tile_end tile_end_at(const struct tile_end *end, int64_t elems, int64_t channels);

/* Where a tile stands: its first row and column, how many are really there, and which part of the sum this is. */
struct tile_place {
  int64_t row, column;
  int rows, columns;
  bool first, last; // chunk of the depth
};
/* Runs one tile and its epilogue. `args` has A, B, positions, depth, offset filled in. */
void tile_emit(const struct tile *tile, enum tile_mode mode, struct tile_args *args, const struct tile_end *end,
               const struct tile_place *place);

#define TILE_LIST_AVX2(X) X(6, 16) X(4, 24) X(3, 32) X(2, 48) X(1, 64)
#define TILE_LIST_AVX512(X) X(8, 48) X(6, 64) X(12, 32) X(14, 32) X(1, 128)
/* Of these the 16-lane source is also compiled for AVX2, where tests run it: those with most rows, most columns and one row. */
#define TILE_LIST_WIDE(X) X(8, 48) X(14, 32) X(1, 128)
#define TILE_LIST_BASELINE(X) X(6, 8) X(1, 24)
#define X(mr, nr) extern const struct tile tile_##mr##x##nr##__avx2;
TILE_LIST_AVX2(X)
#undef X
#define X(mr, nr) extern const struct tile tile_##mr##x##nr##__avx512;
TILE_LIST_AVX512(X)
#undef X
#define X(mr, nr) extern const struct tile tile_##mr##x##nr##__wide;
TILE_LIST_WIDE(X)
#undef X
#define X(mr, nr) extern const struct tile tile_##mr##x##nr##__baseline;
TILE_LIST_BASELINE(X)
#undef X

#endif
