/* The state of the block that runs; shared by the emulator's parts (simt-grid.c, simt-warp.c, simt-shared.c). */
#ifndef DEVICE_FAKE_SIMT_STATE_H
#define DEVICE_FAKE_SIMT_STATE_H

#include "fiber.h"
#include "simt-grid.h"

extern struct simt_places simt_places;

enum simt_wait { SIMT_RUNS, SIMT_AT_BARRIER, SIMT_IN_COLLECTIVE, SIMT_ENDED };

struct simt_async {
  struct simt_array *array;
  const void *from; // NULL: zeros
  unsigned index, group;
};

struct simt_lane {
  struct simt_thread thread;
  struct fiber fiber;
  enum simt_wait wait;
  int kind, line; // of the collective or the barrier it waits in
  unsigned mask;
  struct simt_exchange *exchange;
  struct simt_async *async; // copies under way, oldest first
  unsigned async_count, async_capacity, async_group;
};

struct simt_warp {
  struct simt_times times;
  unsigned ready, live, waiting; // lanes
};

struct simt_grid {
  const struct simt_launch *launch;
  struct simt_lane *lanes; // [SIMT_THREADS_MOST]
  struct simt_warp warps[SIMT_THREADS_MOST / SIMT_WARP];
  unsigned thread_count, warp_count;
  struct simt_lane *current;
  struct fiber scheduler;
  unsigned clock;
  struct simt_array arrays[SIMT_ARRAYS_MOST];
  unsigned array_count, shared_bytes;
  enum simt_result result;
  char *message;
  bool in_kernel; // a signal now is the kernel's
};
extern struct simt_grid simt_grid;

/* Ends the grid: keeps the message with kernel, line (0: none), block and thread, and leaves the fiber for ever. */
_Noreturn void simt_fail(enum simt_result result, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void simt_note(enum simt_result result, int line, const char *format, ...) __attribute__((format(printf, 3, 4))); // stays
void simt_yield(void);

/* simt-warp.c */
void simt_collective(int kind, unsigned mask, struct simt_exchange *exchange, int line);
void simt_warp_retry(struct simt_warp *warp); // after a lane has ended
const char *simt_collective_name(int kind);

/* simt-fragments.c: the lanes' exchanges, [32] */
void simt_ldmatrix(struct simt_exchange *const lanes[SIMT_WARP], bool transposed);
void simt_mma(struct simt_exchange *const lanes[SIMT_WARP], int kind);

/* simt-shared.c */
struct simt_array *simt_shared(const void *tag, const char *name, unsigned element_bytes, unsigned count);
void simt_shared_fault(int fault, const struct simt_array *array, long long index, int line);
void simt_async_copy(struct simt_array *array, unsigned index, const void *from, int valid);
void simt_async_commit(void);
void simt_async_wait(unsigned groups_left);
void simt_shared_release(void);

#endif
