/* Canaries in the heap: blocks of many sizes, laid out before any kernel runs, that nobody writes to. */
#include "measure.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { CANARIES = 96, CANARY_BYTE = 0xa7 };

static unsigned char *canaries[CANARIES];

static size_t canary_bytes(int i) { return (size_t)24 + (size_t)(i % 12) * (size_t)(i % 7 + 1) * 40; }

static void canaries_lay(void) {
  void *gaps[CANARIES];
  for (int i = 0; i < CANARIES; i++) {
    gaps[i] = malloc(canary_bytes(i + 5)); // freed below: kernels' own blocks come to lie between canaries
    canaries[i] = malloc(canary_bytes(i));
    if (canaries[i]) memset(canaries[i], CANARY_BYTE, canary_bytes(i));
  }
  for (int i = 0; i < CANARIES; i++) free(gaps[i]);
}

static bool allocator_works(void) {
  void *blocks[32];
  for (size_t i = 0; i < 32; i++) {
    blocks[i] = malloc(16 << (i % 14));
    if (blocks[i]) memset(blocks[i], 0x55, 16 << (i % 14));
  }
  for (size_t i = 0; i < 32; i++) free(blocks[i]);
  malloc_trim(0); // consolidates and checks the free lists
  return true;
}

bool heap_is_sound(void) {
  if (!canaries[0]) canaries_lay();
  for (int i = 0; i < CANARIES; i++)
    for (size_t b = 0; canaries[i] && b < canary_bytes(i); b++)
      if (canaries[i][b] != CANARY_BYTE) return false;
  return allocator_works();
}
