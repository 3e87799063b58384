/* Shared arrays of the block that runs, and copies that land when they are waited for. */
#include "simt-state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) unsigned char shared_memory[SIMT_SHARED_MOST];

struct simt_array *simt_shared(const void *tag, const char *name, unsigned element_bytes, unsigned count) {
  struct simt_grid *g = &simt_grid;
  for (unsigned i = 0; i < g->array_count; i++)
    if (g->arrays[i].tag == tag) return &g->arrays[i];
  unsigned long long bytes = ((unsigned long long)element_bytes * count + 15) / 16 * 16;
  if (bytes + g->shared_bytes > SIMT_SHARED_MOST)
    simt_fail(SIMT_BROKEN, 0, "with array %s, shared memory is %llu bytes, %d at most", name, bytes + g->shared_bytes,
              SIMT_SHARED_MOST);
  if (g->array_count == SIMT_ARRAYS_MOST) simt_fail(SIMT_BROKEN, 0, "more than %d shared arrays", SIMT_ARRAYS_MOST);
  unsigned char *memory = shared_memory + g->shared_bytes;
  struct simt_shadow *shadow = calloc(count, sizeof *shadow);
  if (shadow == NULL) simt_fail(SIMT_BROKEN, 0, "the emulator has no memory for array %s", name);
  memset(memory, 0xff, bytes);
  g->shared_bytes += (unsigned)bytes;
  struct simt_array *array = &g->arrays[g->array_count++];
  *array = (struct simt_array){tag, name, element_bytes, count, memory, shadow};
  return array;
}

void simt_shared_release(void) {
  struct simt_grid *g = &simt_grid;
  for (unsigned i = 0; i < g->array_count; i++) free(g->arrays[i].shadow);
  g->array_count = g->shared_bytes = 0;
}

static void who_text(unsigned who, char out[48]) {
  if (who < SIMT_SEVERAL)
    snprintf(out, 48, "thread %u", who);
  else if (who == SIMT_ATOMIC)
    snprintf(out, 48, "an atomic operation");
  else if (who == SIMT_EVERYONE)
    snprintf(out, 48, "several warps");
  else
    snprintf(out, 48, "several threads of warp %u", who - SIMT_SEVERAL);
}

void simt_shared_fault(int fault, const struct simt_array *array, long long index, int line) {
  static const char *const texts[] = {
      [SIMT_FAULT_UNWRITTEN] = "is read before it was written (uninitialised)",
      [SIMT_FAULT_COPYING] =
          "is touched while an asynchronous copy to it is under way (copy_async_wait, or a barrier before the copy, is missing)",
      [SIMT_FAULT_UNALIGNED] = "is not at a multiple of 16 bytes"};
  char who[48];
  if (fault == SIMT_FAULT_BOUNDS)
    simt_fail(SIMT_BROKEN, line, "%s[%lld] is out of bounds: the shared array has %u elements", array->name, index, array->count);
  if (fault == SIMT_FAULT_RACE_WRITTEN || fault == SIMT_FAULT_RACE_READ) {
    const struct simt_shadow *s = &array->shadow[index];
    who_text(fault == SIMT_FAULT_RACE_READ ? s->reader : s->writer, who);
    simt_fail(SIMT_BROKEN, line, "race: %s[%lld] was %s by %s and no barrier lies between", array->name, index,
              fault == SIMT_FAULT_RACE_READ ? "read" : "written", who);
  }
  simt_fail(fault == SIMT_FAULT_UNALIGNED ? SIMT_MISALIGNED : SIMT_BROKEN, line, "%s[%lld] %s", array->name, index, texts[fault]);
}

void simt_async_copy(struct simt_array *array, unsigned index, const void *from, int valid) {
  struct simt_lane *lane = simt_grid.current;
  if (lane->async_count == lane->async_capacity) {
    unsigned capacity = lane->async_capacity == 0 ? 16 : 2 * lane->async_capacity;
    struct simt_async *more = realloc(lane->async, capacity * sizeof *more);
    if (more == NULL) simt_fail(SIMT_BROKEN, 0, "the emulator has no memory for asynchronous copies");
    lane->async = more;
    lane->async_capacity = capacity;
  }
  lane->async[lane->async_count++] = (struct simt_async){array, valid ? from : NULL, index, lane->async_group};
}

void simt_async_commit(void) { simt_grid.current->async_group++; }

static void land(const struct simt_async *copy, const struct simt_thread *thread) {
  struct simt_array *array = copy->array;
  unsigned char *to = array->bytes + (size_t)copy->index * array->element_bytes;
  if (copy->from != NULL)
    memcpy(to, copy->from, 16);
  else
    memset(to, 0, 16);
  for (unsigned e = 0; e < 16 / array->element_bytes; e++) {
    struct simt_shadow *s = &array->shadow[copy->index + e];
    s->writer = (unsigned short)thread->index;
    s->write_stamp = thread->times->warp;
  }
}

/* Groups are numbered from 0; the open one is async_group. Those before the newest `groups_left` closed ones have arrived. */
void simt_async_wait(unsigned groups_left) {
  struct simt_lane *lane = simt_grid.current;
  unsigned kept = 0;
  for (unsigned i = 0; i < lane->async_count; i++) {
    if (lane->async[i].group + groups_left < lane->async_group)
      land(&lane->async[i], &lane->thread);
    else
      lane->async[kept++] = lane->async[i];
  }
  lane->async_count = kept;
}
