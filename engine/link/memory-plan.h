/* Offsets for buffers that live over intervals of the executed order.
 *
 *   offset ▲  ┌─────────┐
 *          │  │ b (2..5)│┌──────┐        two buffers whose lives touch never overlap in offset
 *          │  ├───┬─────┘│d 6..7│
 *          │  │a  │┌─────┴──────┤
 *          │  │1.2││  c (3..7)  │
 *          └──┴───┴┴────────────┴─► step
 *
 * The lower bound is the largest sum of bytes alive at one step; no plan is smaller. Placement is first fit at the lowest free offset in
 * several orders (size, life, size x life), the best of which is then improved by moving what ends highest to the front of the order, as
 * long as that helps, for a bounded number of rounds. Deterministic.
 */
#ifndef ENGINE_LINK_MEMORY_PLAN_H
#define ENGINE_LINK_MEMORY_PLAN_H

#include "../../base/status.h"

#include <stdint.h>

enum { MEMORY_ALIGNMENT = 64 };

struct memory_buffer {
  uint64_t bytes;  // rounded up to MEMORY_ALIGNMENT by the planner
  int first, last; // steps, inclusive
  uint64_t offset; // out
};

enum farm_status memory_plan(struct memory_buffer *buffers, int count, uint64_t *out_arena_bytes, uint64_t *out_lower_bound_bytes);

#endif
