/* The emulator: runs the grid of one launch, a block at a time, its threads as fibers.
 *
 *   fake driver ─ simt_grid_run(entry, grid, block, arguments) ─► per block: threads run until each waits or has ended
 *                                                                 a warp's collective call is served when all its lanes are there
 *                                                                 a barrier opens when all threads that live wait at it
 *
 * The first thing found wrong ends the grid with a message; so does a signal of the machine (a wild address, a trap).
 * One grid runs at a time in a process; callers hold the driver's lock.
 */
#ifndef DEVICE_FAKE_SIMT_GRID_H
#define DEVICE_FAKE_SIMT_GRID_H

#include "simt-abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum simt_result { SIMT_DONE, SIMT_BROKEN /* a rule of the dialect */, SIMT_MISALIGNED, SIMT_WILD /* an address */ };
enum simt_order { SIMT_FORWARD, SIMT_BACKWARD, SIMT_SHUFFLED };

struct simt_launch {
  const struct simt_entry *entry;
  struct simt_thread **now; // the library's
  unsigned grid[3], block[3];
  const void *arguments;
  enum simt_order order; // of lanes, and of warps: another order shows other mistakes
  /* Says of a wild address what it is near; may be NULL. */
  void (*describe)(const void *address, char *out, size_t out_bytes);
  /* The living allocation that an address lies in; false: none. */
  bool (*locate)(uint64_t address, uint64_t *out_low, uint64_t *out_high);
};

enum { SIMT_MESSAGE_MAX = 512 };
enum simt_result simt_grid_run(const struct simt_launch *launch, char message[SIMT_MESSAGE_MAX]);

const struct simt_services *simt_services(void);
uint64_t simt_switches(void); // of fibers since the process began

#endif
