/* Device memory on the host. Addresses are the host's own, since kernels find them inside their argument structs; but outside of
 * device work no page of it can be touched, so a host that takes one for a pointer faults.
 *
 *   | guard page | slack | the bytes asked for, filled with 0xff | slack, < 256 bytes | guard page |
 *                        ^ address, a multiple of 256
 *
 * What is fresh is NaN in every float type. Kernels are told what lies in slack by the bounds of
 * the allocation (simt-touch.h). Freed memory stays unmapped for a while.
 */
#ifndef DEVICE_FAKE_MEMORY_H
#define DEVICE_FAKE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0: the system has none. `owner` is told apart only. */
uint64_t fake_memory_alloc(const void *owner, size_t bytes);
bool fake_memory_free(const void *owner, uint64_t address); // false: no address of an allocation
void fake_memory_free_all(const void *owner);
uint64_t fake_memory_used(void);
bool fake_memory_contains(uint64_t address, size_t bytes); // all of it in one allocation
/* Pages may be touched between these; calls nest. */
void fake_memory_open(void);
void fake_memory_close(void);
bool fake_memory_locate(uint64_t address, uint64_t *out_low, uint64_t *out_high); // the allocation that it lies in
void fake_memory_describe(const void *address, char *out, size_t out_bytes);

/* Pinned host memory: 0-filled; plain memory between guard pages. */
void *fake_pinned_alloc(size_t bytes);
bool fake_pinned_free(void *data);
bool fake_pinned_contains(const void *data, size_t bytes);

#endif
