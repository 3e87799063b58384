/* Artefacts in the cache: what is put is got, what is there stays, corruption is a counted miss, bundles carry them, and a cache
 * made before there were any takes them. */
#include "cache.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cache *open_cache(const char *name, size_t map_bytes) {
  struct cache *cache = NULL;
  char folder[600];
  snprintf(folder, sizeof folder, "%s/%s", test_folder(), name);
  REQUIRE_OK(cache_open(folder, &(struct cache_options){.map_bytes = map_bytes, .headroom_bytes = map_bytes / 2}, &cache));
  return cache;
}

static const char *key_of(int number, struct arena *arena) {
  char text[32];
  snprintf(text, sizeof text, "text %d", number);
  struct digest digest = digest_of_text(text);
  return artefact_key(&digest, "sm_90a", "nvrtc 13.0", arena);
}

/* A list of artefacts number..number+count-1, each of `bytes` of noise by `seed`. */
static struct bytes_writer list_of(int number, int count, size_t bytes, uint64_t seed) {
  struct bytes_writer list = {0};
  uint8_t *noise = test_keep(malloc(bytes + 8));
  bytes_put_u32(&list, (uint32_t)count);
  for (int i = 0; i < count; i++) {
    struct arena arena = {0};
    struct bytes_writer one = {0};
    for (size_t b = 0; b < bytes; b += 8) memcpy(noise + b, &(uint64_t){random_u64(seed + (uint64_t)(number + i), b)}, 8);
    REQUIRE_OK(artefact_encode(
        &(struct artefact){.key = key_of(number + i, &arena), .message = "", .data = noise, .length = bytes}, &one));
    bytes_put_blob(&list, one.data, one.length);
    bytes_writer_free(&one);
    arena_free(&arena);
  }
  return list;
}

static struct cache_imported put(struct cache *cache, int number, int count, size_t bytes, uint64_t seed) {
  struct cache_imported done = {0};
  struct bytes_writer list = list_of(number, count, bytes, seed);
  REQUIRE_OK(cache_artefacts_put(cache, list.data, list.length, &done));
  bytes_writer_free(&list);
  return done;
}

/* First eight bytes under a number's key; 0: a miss. */
static uint64_t first_of(struct cache *cache, int number) {
  struct arena arena = {0};
  struct artefact artefact;
  uint64_t first = 0;
  if (cache_artefact_get(cache, key_of(number, &arena), &arena, &artefact, NULL) == FARM_OK) memcpy(&first, artefact.data, 8);
  arena_free(&arena);
  return first;
}

TEST(artefacts_are_kept_and_the_first_stays, "") {
  struct cache *cache = open_cache("a", 0);
  struct cache_stats stats;
  CHECK(first_of(cache, 1) == 0);
  CHECK(put(cache, 1, 3, 1000, 7).added == 3);
  CHECK(first_of(cache, 2) == random_u64(9, 0));
  CHECK(put(cache, 2, 2, 1000, 7).same == 2);
  CHECK(put(cache, 2, 1, 1000, 99).kept == 1 && first_of(cache, 2) == random_u64(9, 0));
  cache_close(&cache);
  cache = open_cache("a", 0);
  CHECK(first_of(cache, 3) == random_u64(10, 0));
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(stats.artefacts == 3 && stats.records == 0 && stats.counters.artefact_misses == 1 && stats.counters.corrupt == 0);
  CHECK(stats.counters.artefact_hits >= 2);
  uint64_t pruned = 0;
  REQUIRE_OK(cache_prune(cache, &(struct cache_prune){.older_than_s = 1}, &pruned));
  CHECK(pruned == 0); // they have no age
  REQUIRE_OK(cache_prune(cache, &(struct cache_prune){.text = "nvrtc 13.0"}, &pruned));
  CHECK(pruned == 3 && first_of(cache, 3) == 0);
  cache_close(&cache);
}

/* More than the map has room for, at once; a list that is spoiled leaves nothing behind. */
TEST(artefacts_fit_whatever_the_map_had_room_for, "") {
  struct cache *cache = open_cache("a", 1 << 20);
  struct cache_imported done;
  struct bytes_writer list = list_of(100, 4, 5000, 3);
  list.data[list.length - 40] ^= 1;
  CHECK(cache_artefacts_put(cache, list.data, list.length, &done) == FARM_INVALID);
  CHECK(first_of(cache, 100) == 0 && first_of(cache, 101) == 0);
  bytes_writer_free(&list);
  CHECK(put(cache, 1, 12, 1 << 20, 5).added == 12);
  for (int i = 1; i <= 12; i++) CHECK(first_of(cache, i) == random_u64(5 + (uint64_t)i, 0));
  cache_close(&cache);
}

/* Changes the stored values, or removes the table, behind the cache's back. */
static void meddle(const char *name, bool drop) {
  char folder[700];
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi table;
  MDB_cursor *cursor;
  MDB_val key, value;
  snprintf(folder, sizeof folder, "%s/%s/cache", test_folder(), name);
  REQUIRE(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 16) == 0 && mdb_env_open(env, folder, 0, 0600) == 0);
  REQUIRE(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, "artefacts", 0, &table) == 0);
  if (drop) REQUIRE(mdb_drop(txn, table, 1) == 0);
  if (!drop) {
    REQUIRE(mdb_cursor_open(txn, table, &cursor) == 0 && mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0);
    uint8_t *copy = test_keep(malloc(value.mv_size));
    memcpy(copy, value.mv_data, value.mv_size);
    copy[value.mv_size / 2] ^= 1;
    value.mv_data = copy;
    REQUIRE(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT) == 0);
    mdb_cursor_close(cursor);
  }
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

TEST(artefacts_that_are_corrupt_are_counted_misses, "") {
  struct cache *cache = open_cache("a", 0);
  struct cache_stats stats;
  struct cache_verified verified;
  put(cache, 1, 2, 3000, 7);
  cache_close(&cache);
  meddle("a", false);
  cache = open_cache("a", 0);
  CHECK((first_of(cache, 1) == 0) + (first_of(cache, 2) == 0) == 1);
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(stats.counters.corrupt == 1 && stats.counters.artefact_misses == 1 && stats.counters.artefact_hits == 1);
  REQUIRE_OK(cache_verify(cache, false, &verified));
  CHECK(verified.good == 1 && verified.corrupt == 1 && verified.removed == 0);
  REQUIRE_OK(cache_verify(cache, true, &verified));
  CHECK(verified.removed == 1);
  CHECK(put(cache, 1, 2, 3000, 7).added == 1); // the good one is there
  CHECK(first_of(cache, 1) && first_of(cache, 2));
  cache_close(&cache);
}

TEST(artefacts_find_a_place_in_a_cache_made_before_them, "") {
  struct cache *cache = open_cache("a", 0);
  cache_close(&cache);
  meddle("a", true);
  cache = open_cache("a", 0);
  CHECK(first_of(cache, 1) == 0);
  CHECK(put(cache, 1, 1, 100, 7).added == 1 && first_of(cache, 1));
  cache_close(&cache);
}

TEST(artefacts_travel_in_bundles, "") {
  struct cache *from = open_cache("from", 0), *to = open_cache("to", 0);
  struct bytes_writer bundle = {0}, none = {0};
  struct cache_imported imported;
  uint64_t count = 0;
  put(from, 1, 5, 20000, 7);
  REQUIRE_OK(cache_export(from, NULL, &bundle, &count));
  CHECK(count == 5);
  REQUIRE_OK(cache_export(from, "gemm", &none, &count));
  CHECK(count == 0);
  REQUIRE_OK(cache_import(to, bundle.data, bundle.length, CACHE_NEWEST, true, &imported));
  CHECK(imported.added == 5 && first_of(to, 1) == 0); // dry
  REQUIRE_OK(cache_import(to, bundle.data, bundle.length, CACHE_NEWEST, false, &imported));
  for (int i = 1; i <= 5; i++) CHECK(first_of(to, i) && first_of(to, i) == first_of(from, i));
  REQUIRE_OK(cache_import(to, bundle.data, bundle.length, CACHE_NEWEST, false, &imported));
  CHECK(imported.same == 5 && imported.added == 0);
  bytes_writer_free(&bundle), bytes_writer_free(&none);
  cache_close(&from), cache_close(&to);
}
