/* See map.h. FNV-1a with a final mix; load at most 1/2; removal leaves a hole in `entries`, closed when the map grows. */
#include "map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const char *key) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *key; key++) hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
  hash ^= hash >> 32;
  return hash * 0x9e3779b97f4a7c15u ^ hash >> 29;
}

/* The slot that holds `key`, or the empty slot that ends its chain. */
static size_t slot_find(const struct map *map, const char *key, uint64_t hash) {
  size_t at = hash & (map->slot_count - 1);
  while (map->slots[at]) {
    const struct map_entry *entry = &map->entries[map->slots[at] - 1];
    if (entry->key && entry->hash == hash && strcmp(entry->key, key) == 0) return at;
    at = (at + 1) & (map->slot_count - 1);
  }
  return at;
}

static void slots_fill(struct map *map) {
  memset(map->slots, 0, map->slot_count * sizeof *map->slots);
  for (size_t i = 0; i < map->used; i++) {
    size_t at = map->entries[i].hash & (map->slot_count - 1);
    while (map->slots[at]) at = (at + 1) & (map->slot_count - 1);
    map->slots[at] = (uint32_t)(i + 1);
  }
}

static enum farm_status grow(struct map *map) {
  size_t live = 0;
  for (size_t i = 0; i < map->used; i++)
    if (map->entries[i].key) map->entries[live++] = map->entries[i];
  map->used = live;
  size_t capacity = live < 8 ? 16 : live * 2;
  struct map_entry *entries = realloc(map->entries, capacity * sizeof *entries);
  if (entries) {
    map->entries = entries;
    map->capacity = capacity;
  }
  size_t slot_count = 1;
  while (slot_count < capacity * 2) slot_count *= 2;
  uint32_t *slots = entries ? malloc(slot_count * sizeof *slots) : NULL;
  if (!slots) {
    if (map->slots) slots_fill(map);
    return status_set(FARM_NO_MEMORY, "out of memory for a table of %zu entries", capacity);
  }
  free(map->slots);
  map->slots = slots;
  map->slot_count = slot_count;
  slots_fill(map);
  return FARM_OK;
}

enum farm_status map_set(struct map *map, const char *key, void *value) {
  if (map->used == map->capacity) TRY(grow(map));
  uint64_t hash = hash_of(key);
  size_t at = slot_find(map, key, hash);
  if (map->slots[at]) {
    map->entries[map->slots[at] - 1].value = value;
    return FARM_OK;
  }
  char *copy = strdup(key);
  FAIL_IF(!copy, FARM_NO_MEMORY, "out of memory for a key");
  map->entries[map->used] = (struct map_entry){copy, hash, value};
  map->slots[at] = (uint32_t)++map->used;
  map->count++;
  return FARM_OK;
}

void *map_get(const struct map *map, const char *key) {
  if (!map->count) return NULL;
  size_t at = slot_find(map, key, hash_of(key));
  return map->slots[at] ? map->entries[map->slots[at] - 1].value : NULL;
}

void *map_remove(struct map *map, const char *key) {
  if (!map->count) return NULL;
  size_t at = slot_find(map, key, hash_of(key));
  if (!map->slots[at]) return NULL;
  struct map_entry *entry = &map->entries[map->slots[at] - 1];
  void *value = entry->value;
  free(entry->key);
  entry->key = NULL; // the slot stays taken, so chains through it hold
  map->count--;
  return value;
}

struct map_entry *map_next(const struct map *map, const struct map_entry *after) {
  size_t i = after ? (size_t)(after - map->entries) + 1 : 0;
  while (i < map->used && !map->entries[i].key) i++;
  return i < map->used ? &map->entries[i] : NULL;
}

void map_free(struct map *map) {
  for (size_t i = 0; i < map->used; i++) free(map->entries[i].key);
  free(map->entries);
  free(map->slots);
  *map = (struct map){0};
}

struct map_key map_key_of(uint64_t number) {
  struct map_key key;
  snprintf(key.text, sizeof key.text, "%llx", (unsigned long long)number);
  return key;
}
