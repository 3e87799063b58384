/* See array.h. */
#include "array.h"

#include <stdint.h>
#include <stdlib.h>

enum farm_status array_reserve_bytes(void **items, size_t *capacity, size_t need, size_t item_bytes) {
  if (need <= *capacity) return FARM_OK;
  size_t grown = *capacity ? *capacity : 8;
  while (grown < need) grown *= 2;
  FAIL_IF(grown > SIZE_MAX / item_bytes, FARM_NO_MEMORY, "array of %zu items is too large", need);
  void *moved = realloc(*items, grown * item_bytes);
  FAIL_IF(!moved, FARM_NO_MEMORY, "out of memory for an array of %zu items", grown);
  *items = moved;
  *capacity = grown;
  return FARM_OK;
}
