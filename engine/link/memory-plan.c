/* See memory-plan.h. */
#include "memory-plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { IMPROVEMENT_ROUNDS = 400 };

struct planner {
  struct memory_buffer *buffers;
  int count;
  int *order, *best_order;
  int *placed; // indices placed so far, by rising offset
  uint64_t *offsets;
};

static bool overlap(const struct memory_buffer *a, const struct memory_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `index` meets no placed buffer alive at the same time. */
static uint64_t lowest_fit(const struct planner *planner, int index, int placed_count) {
  const struct memory_buffer *buffer = &planner->buffers[index];
  uint64_t at = 0;
  for (int i = 0; i < placed_count; i++) {
    int other = planner->placed[i];
    if (!overlap(buffer, &planner->buffers[other])) continue;
    uint64_t begin = planner->offsets[other], end = begin + planner->buffers[other].bytes;
    if (at + buffer->bytes <= begin) break; // sorted by offset: all further ones begin higher
    if (end > at) at = end;
  }
  return at;
}

/* Places all buffers in the given order; returns the arena's size. */
static uint64_t place_all(struct planner *planner, const int *order) {
  uint64_t size = 0;
  for (int i = 0; i < planner->count; i++) {
    int index = order[i];
    uint64_t at = lowest_fit(planner, index, i);
    planner->offsets[index] = at;
    int slot = i;
    while (slot > 0 && planner->offsets[planner->placed[slot - 1]] > at) {
      planner->placed[slot] = planner->placed[slot - 1];
      slot--;
    }
    planner->placed[slot] = index;
    if (at + planner->buffers[index].bytes > size) size = at + planner->buffers[index].bytes;
  }
  return size;
}

static uint64_t lower_bound(const struct memory_buffer *buffers, int count) {
  uint64_t bound = 0;
  for (int i = 0; i < count; i++) { // the sum changes only where a buffer begins
    uint64_t alive = 0;
    for (int j = 0; j < count; j++)
      if (buffers[j].first <= buffers[i].first && buffers[i].first <= buffers[j].last) alive += buffers[j].bytes;
    if (alive > bound) bound = alive;
  }
  return bound;
}

typedef double (*weight_fn)(const struct memory_buffer *buffer);
static double by_size(const struct memory_buffer *b) { return (double)b->bytes; }
static double by_life(const struct memory_buffer *b) { return (double)(b->last - b->first + 1) + (double)b->bytes * 1e-15; }
static double by_area(const struct memory_buffer *b) { return (double)b->bytes * (double)(b->last - b->first + 1); }
static double by_start(const struct memory_buffer *b) { return -(double)b->first; }

/* Stable insertion sort by falling weight: deterministic, and orders are nearly sorted after the first. */
static void sort_by(const struct planner *planner, int *order, weight_fn weight) {
  for (int i = 0; i < planner->count; i++) order[i] = i;
  for (int i = 1; i < planner->count; i++) {
    int moving = order[i], at = i;
    for (; at > 0 && weight(&planner->buffers[order[at - 1]]) < weight(&planner->buffers[moving]); at--)
      order[at] = order[at - 1];
    order[at] = moving;
  }
}

/* Moves the buffer that ends highest (first such in the order) to the front; false when it is there already. */
static bool promote_highest(const struct planner *planner, int *order, uint64_t size) {
  for (int i = 0; i < planner->count; i++) {
    int index = order[i];
    if (planner->offsets[index] + planner->buffers[index].bytes != size) continue;
    if (i == 0) return false;
    int to = i / 2; // halfway: the front at last, but each stop is tried
    memmove(order + to + 1, order + to, (size_t)(i - to) * sizeof *order);
    order[to] = index;
    return true;
  }
  return false;
}

static uint64_t search(struct planner *planner, uint64_t bound) {
  static const weight_fn weights[] = {by_size, by_area, by_life, by_start};
  uint64_t best = UINT64_MAX;
  for (int w = 0; w < 4 && best > bound; w++) {
    sort_by(planner, planner->order, weights[w]);
    for (int round = 0; round < IMPROVEMENT_ROUNDS && best > bound; round++) {
      uint64_t size = place_all(planner, planner->order);
      if (size < best) {
        best = size;
        memcpy(planner->best_order, planner->order, (size_t)planner->count * sizeof *planner->order);
      }
      if (!promote_highest(planner, planner->order, size)) break;
    }
  }
  return place_all(planner, planner->best_order);
}

enum farm_status memory_plan(struct memory_buffer *buffers, int count, uint64_t *out_arena_bytes,
                             uint64_t *out_lower_bound_bytes) {
  *out_arena_bytes = *out_lower_bound_bytes = 0;
  if (count == 0) return FARM_OK;
  for (int i = 0; i < count; i++) {
    FAIL_IF(buffers[i].bytes > UINT64_MAX / 2, FARM_NO_MEMORY, "a buffer of %llu bytes", (unsigned long long)buffers[i].bytes);
    buffers[i].bytes = (buffers[i].bytes + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
  }
  int *memory = calloc((size_t)count * 3, sizeof *memory);
  uint64_t *offsets = malloc((size_t)count * sizeof *offsets);
  enum farm_status status = FARM_OK;
  if (!memory || !offsets) {
    status = status_set(FARM_NO_MEMORY, "out of memory for a plan of %d buffers", count);
    goto free_memory;
  }
  struct planner planner = {buffers, count, memory, memory + count, memory + 2 * count, offsets};
  *out_lower_bound_bytes = lower_bound(buffers, count);
  *out_arena_bytes = search(&planner, *out_lower_bound_bytes);
  for (int i = 0; i < count; i++) buffers[i].offset = offsets[i];
free_memory:
  free(offsets);
  free(memory);
  return status;
}
