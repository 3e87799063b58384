/* See arena.h. Blocks double up to 1 MiB; a larger request gets a block of its own. */
#include "arena.h"

#include "status.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20, ALIGNMENT = 16 };

struct arena_block {
  struct arena_block *older;
  size_t capacity, used;
  _Alignas(ALIGNMENT) unsigned char bytes[];
};

static int block_add(struct arena *arena, size_t need) {
  size_t capacity = arena->newest ? arena->newest->capacity * 2 : FIRST_BLOCK;
  if (capacity > LARGEST_BLOCK) capacity = LARGEST_BLOCK;
  if (capacity < need) capacity = need;
  struct arena_block *block = calloc(1, sizeof *block + capacity);
  if (!block) return 0;
  block->capacity = capacity;
  block->older = arena->newest;
  arena->newest = block;
  return 1;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX / 2) goto none;
  bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (bytes == 0) bytes = ALIGNMENT;
  if (arena->limit_bytes && bytes > arena->limit_bytes - arena->total_bytes) goto none;
  struct arena_block *block = arena->newest;
  if (!block || block->capacity - block->used < bytes) {
    if (!block_add(arena, bytes)) goto none;
    block = arena->newest;
  }
  void *result = block->bytes + block->used;
  block->used += bytes;
  arena->total_bytes += bytes;
  return result;
none:
  status_set(FARM_NO_MEMORY, "out of memory for %zu bytes", bytes);
  return NULL;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t bytes) {
  if (bytes && count > SIZE_MAX / bytes) {
    status_set(FARM_NO_MEMORY, "array of %zu elements is too large", count);
    return NULL;
  }
  return arena_alloc(arena, count * bytes);
}

void *arena_copy(struct arena *arena, const void *data, size_t bytes) {
  void *copy = arena_alloc(arena, bytes);
  if (copy && bytes) memcpy(copy, data, bytes);
  return copy;
}

char *arena_string(struct arena *arena, const char *text, size_t length) {
  char *copy = arena_alloc(arena, length + 1);
  if (copy && length) memcpy(copy, text, length);
  return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
  if (text) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

void arena_free(struct arena *arena) {
  while (arena->newest) {
    struct arena_block *block = arena->newest;
    arena->newest = block->older;
    free(block);
  }
  arena->total_bytes = 0;
}
