/* The cache: what is put is got, newest wins and the rest is history, corruption is a counted miss, bundles are all or nothing.
 */
#include "cache-impl.h"
#include "screen-test.h"

#include "../base/clock.h"
#include "../base/file.h"
#include "../base/random.h"
#include "../tests/kit/test.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The process's own wall clock: it stands still, and is put forward by hand. */
static time_t forward_s;
time_t time(time_t *out) {
  static time_t began;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (!began) began = now.tv_sec;
  if (out) *out = began + forward_s;
  return began + forward_s;
}

/* The clock for durations goes on, and is put forward by hand, too. */
static time_t elapsed_s;
int clock_gettime(clockid_t clock, struct timespec *out) {
  int result = (int)syscall(SYS_clock_gettime, clock, out);
  if (clock == CLOCK_MONOTONIC) out->tv_sec += elapsed_s;
  return result;
}

/* How often LMDB synced. */
static int syncs;
__attribute__((visibility("default"))) int fdatasync(int fd) {
  syncs++;
  return (int)syscall(SYS_fdatasync, fd);
}

static enum cache_change put(struct cache *cache, const char *problem, enum farm_status status, double median, uint32_t n,
                             uint64_t unix_s, enum cache_policy policy) {
  struct bytes_writer bytes = screen_bytes(problem, "v", status, median, n, unix_s);
  enum cache_change change = CACHE_SAME;
  REQUIRE_OK(cache_put(cache, bytes.data, bytes.length, policy, &change));
  bytes_writer_free(&bytes);
  return change;
}

static const char *key_of(const char *problem) {
  static char key[512];
  snprintf(key, sizeof key, "screen|1|%s|v|%s|cpu x|t1|cold/1", problem, SOURCE);
  return key;
}

/* Median under a problem's key; -1: a miss; -2: a failure is recorded. */
static double median_of(struct cache *cache, const char *problem, enum cache_age age) {
  struct arena arena = {0};
  struct record record;
  enum farm_status status = cache_get(cache, key_of(problem), age, &arena, &record, NULL);
  double median = status == FARM_NOT_FOUND   ? -1
                  : status != FARM_OK        ? -3
                  : record.entries[0].status ? -2
                                             : record.entries[0].times.median;
  arena_free(&arena);
  return median;
}

static struct cache *open_cache(const char *name) {
  struct cache *cache = NULL;
  char folder[600];
  snprintf(folder, sizeof folder, "%s/%s", test_folder(), name);
  REQUIRE_OK(cache_open(folder, NULL, &cache));
  return cache;
}

TEST(cache_gives_back_what_was_put, "") {
  struct cache *cache = open_cache("a");
  CHECK(median_of(cache, "p", CACHE_FRESH) == -1);
  CHECK(put(cache, "p", FARM_OK, 10, 5, 100, CACHE_NEWEST) == CACHE_ADDED);
  CHECK(median_of(cache, "p", CACHE_FRESH) == 10); // seen before the commit
  REQUIRE_OK(cache_commit(cache));
  cache_close(&cache);
  cache = open_cache("a");
  CHECK(median_of(cache, "p", CACHE_FRESH) == 10);
  struct cache_stats stats;
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(stats.records == 1 && stats.counters.stored == 1 && stats.counters.misses == 1 &&
        stats.counters.hits == 2); // counters outlive
  put(cache, "q", FARM_OK, 1, 1, 1, CACHE_NEWEST);
  cache_close(&cache); // not committed
  cache = open_cache("a");
  CHECK(median_of(cache, "q", CACHE_FRESH) == -1);
  cache_close(&cache);
}

/* The hits that a crash would leave now. */
static uint64_t hits_after_crash(const char *name) {
  char from[700], to[700], *data;
  size_t length;
  snprintf(from, sizeof from, "%s/%s/cache/data.mdb", test_folder(), name);
  snprintf(to, sizeof to, "%s/crashed/cache", test_folder());
  REQUIRE_OK(file_make_folders(to));
  snprintf(to, sizeof to, "%s/crashed/cache/data.mdb", test_folder());
  REQUIRE_OK(file_read_all(from, 1 << 30, &data, &length));
  REQUIRE_OK(file_write_atomic(to, data, length));
  free(data);
  struct cache *crashed = open_cache("crashed");
  uint64_t hits = cache_counters(crashed)->hits;
  cache_close(&crashed);
  return hits;
}

static int syncs_of_commit(struct cache *cache) {
  int before = syncs;
  REQUIRE_OK(cache_commit(cache));
  return syncs - before;
}

TEST(cache_lookups_cost_no_sync, "") {
  struct cache *cache = open_cache("a");
  struct cache_stats stats;
  put(cache, "p", FARM_OK, 10, 5, 100, CACHE_NEWEST);
  CHECK(syncs_of_commit(cache) > 0);
  for (int i = 0; i < 3; i++) {
    CHECK(median_of(cache, "p", CACHE_FRESH) == 10);
    CHECK(syncs_of_commit(cache) == 0);
  }
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(stats.counters.hits == 3);
  put(cache, "q", FARM_OK, 10, 5, 100, CACHE_NEWEST);
  CHECK(syncs_of_commit(cache) > 0 && hits_after_crash("a") == 3); // they go with the next batch
  CHECK(median_of(cache, "p", CACHE_FRESH) == 10);
  elapsed_s = 61;
  CHECK(syncs_of_commit(cache) > 0 && hits_after_crash("a") == 4); // or alone when it is time
  elapsed_s = 122;
  CHECK(syncs_of_commit(cache) == 0); // nothing changed
  cache_close(&cache);
}

TEST(cache_counters_are_right_after_a_clean_end, "") {
  struct cache *cache = open_cache("a");
  put(cache, "p", FARM_OK, 10, 5, 100, CACHE_NEWEST);
  REQUIRE_OK(cache_commit(cache));
  CHECK(median_of(cache, "p", CACHE_FRESH) == 10 && median_of(cache, "q", CACHE_FRESH) == -1);
  cache_close(&cache);
  cache = open_cache("a");
  struct cache_counters *counters = cache_counters(cache);
  CHECK(counters->hits == 1 && counters->misses == 1 && counters->stored == 1);
  put(cache, "q", FARM_OK, 10, 5, 100, CACHE_NEWEST);
  cache_close(&cache); // not committed: not stored
  cache = open_cache("a");
  CHECK(cache_counters(cache)->stored == 1);
  cache_close(&cache);
}

static enum farm_status append_median(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                      bool quarantined) {
  (void)key, (void)bytes, (void)quarantined;
  strbuf_printf(context, "%g ", record->entries[0].times.median);
  return FARM_OK;
}

TEST(cache_newest_or_most_samples_wins_and_history_is_kept, "") {
  struct cache *cache = open_cache("a");
  struct strbuf history = {0};
  put(cache, "p", FARM_OK, 1, 50, 100, CACHE_NEWEST);
  CHECK(put(cache, "p", FARM_OK, 1, 50, 100, CACHE_NEWEST) == CACHE_SAME);
  CHECK(put(cache, "p", FARM_OK, 2, 5, 200, CACHE_NEWEST) == CACHE_REPLACED);
  CHECK(put(cache, "p", FARM_OK, 3, 5, 150, CACHE_NEWEST) == CACHE_KEPT);
  CHECK(median_of(cache, "p", CACHE_FRESH) == 2);
  CHECK(put(cache, "p", FARM_OK, 4, 60, 10, CACHE_MOST_SAMPLES) == CACHE_REPLACED);
  CHECK(median_of(cache, "p", CACHE_FRESH) == 4);
  REQUIRE_OK(cache_history(cache, key_of("p"), append_median, &history));
  CHECK_TEXT(strbuf_text(&history), "1 3 2 ");
  for (int i = 0; i < 40; i++) put(cache, "p", FARM_OK, 100 + i, 5, 1000 + (uint64_t)i, CACHE_NEWEST);
  strbuf_clear(&history);
  REQUIRE_OK(cache_history(cache, key_of("p"), append_median, &history));
  CHECK_TEXT(strbuf_text(&history), "123 124 125 126 127 128 129 130 131 132 133 134 135 136 137 138 ");
  strbuf_free(&history);
  cache_close(&cache);
}

TEST(cache_quarantine_ends, "") {
  struct cache *cache = open_cache("a");
  uint64_t now = clock_unix_s();
  put(cache, "fresh", FARM_TACTIC_CRASHED, 0, 0, now - 10, CACHE_NEWEST);
  put(cache, "old", FARM_TACTIC_HUNG, 0, 0, now - 31 * 24 * 3600, CACHE_NEWEST);
  put(cache, "wrong", FARM_TACTIC_WRONG, 0, 0, now - 31 * 24 * 3600, CACHE_NEWEST);
  CHECK(median_of(cache, "fresh", CACHE_FRESH) == -2);
  CHECK(median_of(cache, "old", CACHE_FRESH) == -1 && median_of(cache, "old", CACHE_ANY_AGE) == -2);
  CHECK(median_of(cache, "wrong", CACHE_FRESH) == -2); // a wrong result stays wrong
  put(cache, "old", FARM_OK, 7, 1, now, CACHE_NEWEST);
  struct cache_stats stats;
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(median_of(cache, "old", CACHE_FRESH) == 7 && stats.quarantined == 1 && stats.records == 2);
  cache_close(&cache);
}

enum { DAY_S = 24 * 3600, YEAR_S = 365 * DAY_S };

TEST(cache_stamp_from_the_future_blocks_nobody, "") {
  struct cache *cache = open_cache("a");
  uint64_t now = clock_unix_s();
  put(cache, "p", FARM_OK, 1, 5, now - DAY_S, CACHE_NEWEST);
  CHECK(put(cache, "p", FARM_OK, 2, 5, now + YEAR_S, CACHE_NEWEST) == CACHE_REPLACED); // it is the newest, by arrival
  CHECK(put(cache, "p", FARM_OK, 3, 5, now - DAY_S / 2, CACHE_NEWEST) == CACHE_KEPT);  // made before that
  CHECK(put(cache, "p", FARM_OK, 4, 50, now - DAY_S, CACHE_MOST_SAMPLES) == CACHE_REPLACED);
  CHECK(put(cache, "p", FARM_OK, 5, 5, now + 2 * YEAR_S, CACHE_NEWEST) == CACHE_REPLACED);
  REQUIRE_OK(cache_commit(cache));
  cache_close(&cache);
  forward_s = 60;
  cache = open_cache("a");
  CHECK(put(cache, "p", FARM_OK, 6, 5, now + 50, CACHE_NEWEST) == CACHE_REPLACED); // measured after it came
  CHECK(put(cache, "p", FARM_OK, 7, 5, now + 40, CACHE_NEWEST) == CACHE_KEPT);     // and stamps that can be count as ever
  CHECK(put(cache, "p", FARM_OK, 8, 5, now + YEAR_S, CACHE_NEWEST) == CACHE_REPLACED);
  forward_s = 120;
  CHECK(put(cache, "p", FARM_OK, 9, 5, now + YEAR_S / 2, CACHE_NEWEST) == CACHE_REPLACED); // from two wrong clocks: by arrival
  CHECK(median_of(cache, "p", CACHE_FRESH) == 9);
  put(cache, "q", FARM_OK, 1, 50, now + 120, CACHE_NEWEST);
  CHECK(put(cache, "q", FARM_OK, 2, 5, now + YEAR_S, CACHE_NEWEST) == CACHE_KEPT); // as old as what is there, with fewer samples
  cache_close(&cache);
}

TEST(cache_quarantine_from_the_future_ends, "") {
  struct cache *cache = open_cache("a");
  uint64_t now = clock_unix_s();
  put(cache, "future", FARM_TACTIC_CRASHED, 0, 0, now + YEAR_S, CACHE_NEWEST);
  put(cache, "pruned", FARM_TACTIC_CRASHED, 0, 0, now + YEAR_S, CACHE_NEWEST);
  CHECK(median_of(cache, "future", CACHE_FRESH) == -2);
  forward_s = 29 * DAY_S;
  CHECK(median_of(cache, "future", CACHE_FRESH) == -2);
  forward_s = 31 * DAY_S;
  CHECK(median_of(cache, "future", CACHE_FRESH) == -1 && median_of(cache, "future", CACHE_ANY_AGE) == -2);
  forward_s = YEAR_S + DAY_S; // what it says has come: no second time
  CHECK(median_of(cache, "future", CACHE_FRESH) == -1);
  struct cache_stats stats;
  uint64_t count;
  REQUIRE_OK(cache_prune(cache, &(struct cache_prune){.text = "pruned"}, &count));
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(count == 1 && stats.size.entries[TABLE_META] == 2); // the format and one note
  put(cache, "future", FARM_TACTIC_CRASHED, 0, 0, now + YEAR_S + DAY_S, CACHE_NEWEST);
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(median_of(cache, "future", CACHE_FRESH) == -2 && stats.size.entries[TABLE_META] == 1);
  cache_close(&cache);
}

/* What an older build left: current records of the future, and no note of when they came. */
TEST(cache_stamp_from_the_future_without_a_note_is_the_oldest, "") {
  struct cache *cache = open_cache("a");
  uint64_t now = clock_unix_s();
  forward_s = YEAR_S;
  put(cache, "p", FARM_OK, 1, 5, now + YEAR_S, CACHE_NEWEST);
  put(cache, "q", FARM_TACTIC_HUNG, 0, 0, now + YEAR_S, CACHE_NEWEST);
  forward_s = 0;
  CHECK(median_of(cache, "q", CACHE_FRESH) == -1);
  CHECK(put(cache, "p", FARM_OK, 2, 5, now - YEAR_S, CACHE_NEWEST) == CACHE_REPLACED);
  cache_close(&cache);
}

/* Flip bytes of stored values through LMDB itself. */
static void corrupt_values(const char *folder, uint64_t seed, int one_in) {
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi dbi;
  MDB_cursor *cursor;
  MDB_val key, value;
  REQUIRE(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 16) == 0 && mdb_env_set_mapsize(env, 256 << 20) == 0);
  REQUIRE(mdb_env_open(env, folder, 0, 0600) == 0 && mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
          mdb_dbi_open(txn, "records", 0, &dbi) == 0);
  REQUIRE(mdb_cursor_open(txn, dbi, &cursor) == 0);
  for (uint64_t i = 0; mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0; i++) {
    if (i % (uint64_t)one_in) continue;
    uint8_t copy[4096];
    REQUIRE(value.mv_size <= sizeof copy);
    memcpy(copy, value.mv_data, value.mv_size);
    copy[random_u64(seed, i) % value.mv_size] ^= (uint8_t)(1 + random_u64(seed + 1, i) % 255);
    MDB_val changed = {i % 5 == 0 ? value.mv_size / 2 : value.mv_size, copy};
    REQUIRE(mdb_cursor_put(cursor, &key, &changed, MDB_CURRENT) == 0);
  }
  mdb_cursor_close(cursor);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

TEST(cache_counts_corrupt_records_as_misses, "") {
  enum { RECORDS = 1000, ONE_IN = 10 };
  struct cache *cache = open_cache("a");
  char problem[32], folder[700];
  for (int i = 0; i < RECORDS; i++)
    snprintf(problem, sizeof problem, "p%d", i), put(cache, problem, FARM_OK, 1 + i, 5, 100, CACHE_NEWEST);
  REQUIRE_OK(cache_commit(cache));
  cache_close(&cache);
  snprintf(folder, sizeof folder, "%s/a/cache", test_folder());
  corrupt_values(folder, 1, ONE_IN);
  cache = open_cache("a");
  int good = 0, missed = 0;
  for (int i = 0; i < RECORDS; i++) {
    snprintf(problem, sizeof problem, "p%d", i);
    double median = median_of(cache, problem, CACHE_FRESH);
    CHECK(median == -1 || median == 1 + i);
    if (median == -1)
      missed++;
    else
      good++;
  }
  CHECK(missed == RECORDS / ONE_IN && good == RECORDS - missed && cache_counters(cache)->corrupt == RECORDS / ONE_IN);
  struct cache_verified verified;
  REQUIRE_OK(cache_verify(cache, false, &verified));
  CHECK(verified.corrupt == RECORDS / ONE_IN && verified.good == RECORDS - RECORDS / ONE_IN && verified.removed == 0);
  REQUIRE_OK(cache_verify(cache, true, &verified));
  REQUIRE_OK(cache_verify(cache, false, &verified));
  CHECK(verified.corrupt == 0);
  put(cache, "p0", FARM_OK, 3, 5, 200, CACHE_NEWEST); // measured again
  CHECK(median_of(cache, "p0", CACHE_FRESH) == 3);
  cache_close(&cache);
}

static struct bytes_writer export_all(struct cache *cache, uint64_t *count) {
  struct bytes_writer out = {0};
  REQUIRE_OK(cache_export(cache, NULL, &out, count));
  return out;
}

TEST(bundle_is_canonical_and_all_or_nothing, "") {
  struct cache *one = open_cache("one"), *two = open_cache("two");
  char problem[32];
  uint64_t count;
  for (int i = 0; i < 200; i++) {
    snprintf(problem, sizeof problem, "p%d", i),
        put(one, problem, i % 7 ? FARM_OK : FARM_TACTIC_CRASHED, 1 + i, 5, 100, CACHE_NEWEST);
    snprintf(problem, sizeof problem, "p%d", 199 - i),
        put(two, problem, (199 - i) % 7 ? FARM_OK : FARM_TACTIC_CRASHED, 200 - i, 5, 100, CACHE_NEWEST);
  }
  struct bytes_writer a = export_all(one, &count), b = export_all(two, &count);
  CHECK(count == 200 && a.length == b.length && memcmp(a.data, b.data, a.length) == 0); // order of arrival does not show
  struct cache *three = open_cache("three");
  struct cache_imported imported;
  for (size_t at = 0; at < a.length; at += 7) { // damage anywhere refuses all
    a.data[at] ^= 1;
    CHECK(cache_import(three, a.data, a.length, CACHE_NEWEST, false, &imported) != FARM_OK);
    a.data[at] ^= 1;
  }
  for (size_t length = 0; length < a.length; length += 97)
    CHECK(cache_import(three, a.data, length, CACHE_NEWEST, false, &imported) != FARM_OK);
  struct cache_stats stats;
  REQUIRE_OK(cache_stats(three, &stats));
  CHECK(stats.records == 0 && stats.counters.stored == 0);
  REQUIRE_OK(cache_import(three, a.data, a.length, CACHE_NEWEST, true, &imported));
  CHECK(imported.added == 200 && median_of(three, "p1", CACHE_FRESH) == -1);
  put(three, "p1", FARM_OK, 99, 5, 500, CACHE_NEWEST); // newer than the bundle's
  put(three, "p2", FARM_OK, 98, 5, 50, CACHE_NEWEST);  // older
  REQUIRE_OK(cache_import(three, a.data, a.length, CACHE_NEWEST, false, &imported));
  CHECK(imported.total == 200 && imported.added == 198 && imported.kept == 1 && imported.replaced == 1);
  CHECK(median_of(three, "p1", CACHE_FRESH) == 99 && median_of(three, "p2", CACHE_FRESH) == 3 &&
        median_of(three, "p7", CACHE_ANY_AGE) == -2);
  bytes_writer_free(&a), bytes_writer_free(&b);
  cache_close(&one), cache_close(&two), cache_close(&three);
}

TEST(cache_explains_a_miss, "") {
  struct cache *cache = open_cache("a");
  struct strbuf text = {0};
  put(cache, "gemm m1 n2 k3", FARM_OK, 1, 5, 100, CACHE_NEWEST);
  put(cache, "op weird|name", FARM_OK, 1, 5, 100, CACHE_NEWEST);
  char key[400];
  snprintf(key, sizeof key, "screen|1|gemm m1 n2 k3|v|%s|cpu y|t1|cold/1", SOURCE);
  REQUIRE_OK(cache_explain(cache, key, &text));
  CHECK(strncmp(text.data, "miss: ", 6) == 0 && strstr(text.data, "near: screen|1|gemm m1 n2 k3|v"));
  CHECK(strstr(text.data, "device class differs: asked cpu y, there is cpu x"));
  strbuf_clear(&text);
  REQUIRE_OK(cache_explain(cache, key_of("op weird|name"), &text));
  CHECK(strncmp(text.data, "hit: ", 5) == 0);
  CHECK(cache_explain(cache, "nonsense", &text) == FARM_USAGE);
  strbuf_free(&text);
  cache_close(&cache);
}

TEST(cache_prunes_and_compacts, "") {
  struct cache *cache = open_cache("a");
  char problem[32];
  uint64_t now = clock_unix_s(), count, saved = 0;
  for (int i = 0; i < 3000; i++)
    snprintf(problem, sizeof problem, "p%d", i), put(cache, problem, FARM_OK, 1, 5, i % 10 ? now - 100000 : now, CACHE_NEWEST);
  struct cache_prune prune = {.older_than_s = 50000, .dry_run = true};
  REQUIRE_OK(cache_prune(cache, &prune, &count));
  CHECK(count == 2700 && median_of(cache, "p1", CACHE_FRESH) == 1);
  prune.dry_run = false;
  REQUIRE_OK(cache_prune(cache, &prune, &count));
  CHECK(count == 2700 && median_of(cache, "p1", CACHE_FRESH) == -1 && median_of(cache, "p10", CACHE_FRESH) == 1);
  REQUIRE_OK(cache_compact(cache, &saved));
  CHECK(saved > 0 && median_of(cache, "p10", CACHE_FRESH) == 1);
  put(cache, "p1", FARM_OK, 5, 5, now, CACHE_NEWEST); // still writable
  REQUIRE_OK(cache_commit(cache));
  cache_close(&cache);
}

TEST(cache_map_grows, "") {
  struct cache *cache = NULL;
  struct cache_options options = {.map_bytes = 1 << 20, .headroom_bytes = 256 << 10};
  char problem[64];
  REQUIRE_OK(cache_open(test_folder(), &options, &cache));
  for (int i = 0; i < 8000; i++) {
    snprintf(problem, sizeof problem, "p%d", i), put(cache, problem, FARM_OK, 1, 5, 1, CACHE_NEWEST);
    if (i % 100 == 0) REQUIRE_OK(cache_commit(cache));
  }
  REQUIRE_OK(cache_commit(cache));
  struct cache_stats stats;
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(stats.records == 8000 && stats.size.map_bytes > 1 << 20);
  cache_close(&cache);
}

TEST(store_refuses_network_filesystems, "") {
  CHECK(store_network_filesystem(0x6969) && store_network_filesystem(0xff534d42) && store_network_filesystem(0x0bd00bd0));
  CHECK(!store_network_filesystem(0xef53) && !store_network_filesystem(0x9123683e) && !store_network_filesystem(0x01021994));
}

TEST(cache_later_format_is_refused_politely, "") {
  struct cache *cache = open_cache("a");
  cache_close(&cache);
  char folder[700];
  snprintf(folder, sizeof folder, "%s/a/cache", test_folder());
  static const char *const names[] = {"meta"};
  struct store *store;
  REQUIRE_OK(store_open(folder, &(struct store_options){.tables = names, .table_count = 1}, &store));
  REQUIRE_OK(store_put(store, 0, (struct store_bytes){"format", 6}, (struct store_bytes){"\2", 1}));
  REQUIRE_OK(store_commit(store));
  store_close(&store);
  snprintf(folder, sizeof folder, "%s/a", test_folder());
  CHECK(cache_open(folder, NULL, &cache) == FARM_MISMATCH);
}
