/* An open-addressing hash map from a text key to a pointer. Keys are copied; values are the caller's. Iteration is in order
 * of insertion, so what is made from it is deterministic. Removal keeps the order of the rest. Not thread safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct map_entry {
  char *key; // NULL: removed
  uint64_t hash;
  void *value;
};

struct map {
  struct map_entry *entries;    // in insertion order
  size_t count, used, capacity; // live, including removed, allocated
  uint32_t *slots;              // entry index + 1; 0 = empty
  size_t slot_count;            // a power of two
};

enum farm_status map_set(struct map *map, const char *key, void *value); // replaces
void *map_get(const struct map *map, const char *key);                   // NULL when absent
void *map_remove(struct map *map, const char *key);                      // the value, NULL when absent
/* for (struct map_entry *e = map_next(&m, NULL); e; e = map_next(&m, e)) */
struct map_entry *map_next(const struct map *map, const struct map_entry *after);
void map_free(struct map *map);

/* A number as a key: map_get(&map, map_key_of(7).text). */
struct map_key {
  char text[20];
};
struct map_key map_key_of(uint64_t number);

#endif
