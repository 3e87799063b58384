/* A bump allocator: many small objects with one life. Nothing is freed alone; the whole arena is.
 *
 *   block ──► [ used ........ | free ] ──► older block ──► …
 *
 * Not thread safe. Memory is zeroed. A failed allocation returns NULL and leaves a status message.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
  struct arena_block *newest;
  size_t total_bytes; // handed out
  size_t limit_bytes; // 0 = none; an allocation that would pass it fails (untrusted input)
};

void *arena_alloc(struct arena *arena, size_t bytes);                     // 16-byte aligned, zeroed
void *arena_alloc_array(struct arena *arena, size_t count, size_t bytes); // with an overflow check
void *arena_copy(struct arena *arena, const void *data, size_t bytes);
char *arena_string(struct arena *arena, const char *text, size_t length); // zero-terminated copy
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena); // gives all back; the arena is empty and usable again

#endif
