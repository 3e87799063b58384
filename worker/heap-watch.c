/* Is the heap as it was? Canaries that nobody writes to, laid out before any kernel runs, and a walk over the allocator's own
 * headers.
 *
 * glibc's main heap is one row of chunks, each beginning with its size (the low bits are flags; the lowest: the chunk before is
 * in use):
 *
 *   first canary ──► [size|…data…][size|…data…] … [size| top ] ◄── sbrk(0)
 *
 * A kernel that writes past its buffer hits the next size word: the row no longer ends at the heap's end. What other allocators
 * and the sanitizers do is not known here; where the first walk fails, none is made later.
 */
#include "measure.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CANARIES = 96, CANARY_BYTE = 0xa7, LEAST_CHUNK = 32 };

static unsigned char *canaries[CANARIES];
static bool can_walk;

static size_t canary_bytes(int i) { return (size_t)24 + (size_t)(i % 12) * (size_t)(i % 7 + 1) * 40; }

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
static bool row_is_whole(void) { return false; }
#else
static size_t word_at(uintptr_t address) {
  size_t word;
  memcpy(&word, (const void *)address, sizeof word);
  return word;
}

static bool row_is_whole(void) {
  uintptr_t end = (uintptr_t)sbrk(0), size_at = (uintptr_t)canaries[0] - sizeof(size_t);
  size_t before = 0; // size of the chunk before
  if (!canaries[0] || size_at >= end || end % 16) return false;
  while (size_at < end - sizeof(size_t)) {
    size_t word = word_at(size_at), size = word & ~(size_t)7;
    bool before_is_free = before && !(word & 1);
    if (size < LEAST_CHUNK - 16 || size % 16 || size > end - size_at + sizeof(size_t)) return false;
    if (before_is_free && word_at(size_at - sizeof(size_t)) != before) return false;
    before = size;
    size_at += size;
  }
  return size_at == end + sizeof(size_t); // the top chunk ends where the heap does
}
#endif

static void canaries_lay(void) {
  void *gaps[CANARIES];
  mallopt(M_ARENA_MAX, 1); // one heap for all threads: the one that is walked
  for (int i = 0; i < CANARIES; i++) {
    canaries[i] = malloc(canary_bytes(i));
    gaps[i] = malloc(canary_bytes(i + 5)); // freed below: kernels' own blocks come to lie between canaries
    if (canaries[i]) memset(canaries[i], CANARY_BYTE, canary_bytes(i));
  }
  for (int i = 0; i < CANARIES; i++) free(gaps[i]);
  can_walk = row_is_whole();
}

static bool canaries_are_well(void) {
  for (int i = 0; i < CANARIES; i++)
    for (size_t b = 0; canaries[i] && b < canary_bytes(i); b++)
      if (canaries[i][b] != CANARY_BYTE) return false;
  return true;
}

/* The allocator checks its free lists while it works; a broken one ends the process. */
static void allocator_works(void) {
  void *blocks[32];
  for (size_t i = 0; i < 32; i++) {
    blocks[i] = malloc((size_t)16 << (i % 12));
    if (blocks[i]) memset(blocks[i], 0x55, (size_t)16 << (i % 12));
  }
  for (size_t i = 0; i < 32; i++) free(blocks[i]);
  malloc_trim(0);
}

bool heap_is_sound(void) {
  if (!canaries[0]) canaries_lay();
  if (!canaries_are_well() || (can_walk && !row_is_whole())) return false;
  allocator_works();
  return !can_walk || row_is_whole();
}
