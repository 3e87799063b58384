/* How a map is walked: the same for every instruction set, made anew for each call (about a microsecond).
 *
 * Dims fall into three groups, each flattened; an operand sees a group through a view, which skips the dims it is broadcast
 * along.
 *
 *   FLAT      no reduction        inner = all dims
 *   ROWS      last dim reduced    outer = kept dims, inner = reduced dims: one output element per outer index
 *   COLUMNS   last dim kept       inner = the kept dims at the end, outer = the other kept dims, middle = reduced dims
 *
 * Outputs are dense: element outer * inner + i (ROWS: outer). Tiles run along inner.
 */
#ifndef KERNELS_CPU_MAP_MAP_PLAN_H
#define KERNELS_CPU_MAP_MAP_PLAN_H

#include "../../../problem/problem.h"

enum map_mode { MAP_FLAT, MAP_ROWS, MAP_COLUMNS };

/* Neighbouring dims that step alike are one. Rank 0: one element, or the same for all. */
struct map_view {
  int rank;
  int64_t extents[PROBLEM_MAX_DIMS], strides[PROBLEM_MAX_DIMS]; // strides in elements; 0: broadcast
};

struct map_plan {
  enum map_mode mode;
  int64_t outer, middle, inner; // elements of each group
  struct map_operand_views {
    struct map_view outer, middle, inner;
  } inputs[MAP_MAX_OPERANDS];
  int slots[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS]; // the tile that holds each register, by liveness
  int slot_count;
  int64_t tile; // elements, a multiple of `lanes`
};

/* The tile is at most `tile` long and, where it can, divides the rows that broadcast operands repeat in. */
void map_plan_make(const struct problem *problem, int64_t tile, int lanes, struct map_plan *out);
int map_slot_count(const struct map_program *program); // of a plan, without making one
/* Offset of element `at` of a group; how far it goes on with the same step (`out_stride`), that element included. */
int64_t map_view_seek(const struct map_view *view, int64_t at, int64_t *out_left, int64_t *out_stride);

#endif
