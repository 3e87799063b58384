/* See cache.h: opening, getting, putting, counters. */
#include "cache-impl.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../problem/envelope.h"

#include <stdlib.h>
#include <string.h>

static const char *const tables[TABLE_COUNT] = {"records", "quarantine", "history", "stats", "meta", "artefacts"};
static const struct {
  const char *name;
  size_t offset;
} counter_rows[] = {
#define X(name) {#name, offsetof(struct cache_counters, name)},
    CACHE_COUNTER_LIST(X)
#undef X
};
enum { COUNTERS = sizeof counter_rows / sizeof *counter_rows, FORMAT = 1, QUARANTINE_S = 30 * 24 * 3600, COUNTERS_EVERY_S = 60 };

static uint64_t *counter(struct cache_counters *counters, int row) {
  return (uint64_t *)((uint8_t *)counters + counter_rows[row].offset);
}
static struct store_bytes text_bytes(const char *text) { return (struct store_bytes){text, strlen(text)}; }

static enum farm_status check_format(struct cache *cache) {
  struct store_bytes value;
  enum farm_status status = store_get(cache->store, TABLE_META, text_bytes("format"), &value);
  if (status == FARM_OK) {
    FAIL_IF(value.length != 1 || *(const uint8_t *)value.data != FORMAT, FARM_MISMATCH, "%s: a later tunefarm made this cache",
            cache->folder);
    return FARM_OK;
  }
  if (status != FARM_NOT_FOUND) return status;
  uint8_t format = FORMAT;
  TRY(store_put(cache->store, TABLE_META, text_bytes("format"), (struct store_bytes){&format, 1}));
  return store_commit(cache->store);
}

static void read_counters(struct cache *cache) {
  for (int i = 0; i < COUNTERS; i++) {
    struct store_bytes value;
    if (store_get(cache->store, TABLE_STATS, text_bytes(counter_rows[i].name), &value) != FARM_OK || value.length != 8) continue;
    struct bytes_reader reader = bytes_reader_of(value.data, value.length);
    *counter(&cache->counters, i) = bytes_get_u64(&reader);
  }
  cache->written = cache->counters;
  cache->counters_at_ns = clock_now_ns();
}

enum farm_status cache_open_store(struct cache *cache) {
  struct store_options options = {tables, TABLE_COUNT, cache->options.map_bytes, cache->options.headroom_bytes};
  cache_compact_clean(cache);
  TRY(store_open(cache->folder, &options, &cache->store));
  enum farm_status status = check_format(cache);
  if (status != FARM_OK) store_close(&cache->store);
  return status;
}

enum farm_status cache_open(const char *folder, const struct cache_options *options, struct cache **out_cache) {
  struct cache *cache = calloc(1, sizeof *cache);
  struct strbuf path = {0};
  strbuf_printf(&path, "%s/cache", folder);
  if (!cache || path.failed) {
    free(cache);
    strbuf_free(&path);
    return status_set(FARM_NO_MEMORY, "%s: out of memory", folder);
  }
  if (options) cache->options = *options;
  if (!cache->options.quarantine_s) cache->options.quarantine_s = QUARANTINE_S;
  cache->folder = path.data;
  enum farm_status status = cache_open_store(cache);
  if (status != FARM_OK) {
    cache_close(&cache);
    return status;
  }
  read_counters(cache);
  *out_cache = cache;
  return FARM_OK;
}

/* Into the batch; without a change none begins. */
static enum farm_status put_counters(struct cache *cache) {
  for (int i = 0; i < COUNTERS; i++) {
    uint64_t value = *counter(&cache->counters, i);
    if (value == *counter(&cache->written, i)) continue;
    uint8_t encoded[8];
    for (int b = 0; b < 8; b++) encoded[b] = (uint8_t)(value >> 8 * b);
    TRY(store_put(cache->store, TABLE_STATS, text_bytes(counter_rows[i].name), (struct store_bytes){encoded, 8}));
  }
  return FARM_OK;
}

static enum farm_status commit_with_counters(struct cache *cache) {
  struct cache_counters counters = cache->counters;
  TRY(put_counters(cache));
  TRY(store_commit(cache->store));
  cache->written = counters;
  cache->counters_at_ns = clock_now_ns();
  return FARM_OK;
}

/* Counters alone are not worth a sync: they go with what is, and alone only every so often. */
enum farm_status cache_commit(struct cache *cache) {
  bool due = clock_now_ns() - cache->counters_at_ns >= COUNTERS_EVERY_S * 1000000000ull;
  return due || store_has_batch(cache->store) ? commit_with_counters(cache) : store_commit(cache->store);
}

/* A batch that is still open was not committed, and what it counted did not happen: it goes with its counters. */
void cache_close(struct cache **cache) {
  if (!*cache) return;
  if ((*cache)->store && !store_has_batch((*cache)->store) && commit_with_counters(*cache) != FARM_OK)
    log_warning("the cache's counters are lost: %s", status_message());
  store_close(&(*cache)->store);
  free((*cache)->folder);
  free(*cache);
  *cache = NULL;
}

void cache_abandon(struct cache *cache) { store_abandon(cache->store); }
struct cache_counters *cache_counters(struct cache *cache) {
  return &cache->counters;
}

uint64_t cache_samples(const struct record *record) {
  uint64_t samples = 0;
  for (uint32_t i = 0; i < record->entry_count; i++) samples += record->entries[i].times.n;
  return samples;
}

/* What is stored under a key in one table, proven. FARM_NOT_FOUND: absent; FARM_INVALID: there but not believed. */
static enum farm_status load(struct cache *cache, enum cache_table table, const char *key, struct arena *arena,
                             struct record *out, struct store_bytes *out_bytes) {
  struct digest digest = digest_of_text(key);
  struct store_bytes value;
  TRY(store_get(cache->store, table, bytes_of_digest(&digest), &value));
  void *copy = arena_copy(arena, value.data, value.length);
  FAIL_IF(!copy, FARM_NO_MEMORY, "out of memory for a record");
  enum farm_status status = record_decode(copy, value.length, arena, out);
  if (status == FARM_NO_MEMORY) return status;
  if (status == FARM_OK) {
    const char *own = record_key(out, arena);
    if (own && strcmp(own, key) == 0) {
      *out_bytes = (struct store_bytes){copy, value.length};
      return FARM_OK;
    }
  }
  return status_set(FARM_INVALID, "corrupt record under %s", key);
}

/* FARM_NOT_FOUND: the quarantine is over. */
static enum farm_status check_quarantine(struct cache *cache, const char *key, const struct record *record) {
  struct digest digest = digest_of_text(key);
  uint64_t now = clock_unix_s(), begun;
  TRY(cache_stamp_held(cache, &digest, record, &begun));
  return now > begun && now - begun > cache->options.quarantine_s ? FARM_NOT_FOUND : FARM_OK;
}

enum farm_status cache_get(struct cache *cache, const char *key, enum cache_age age, struct arena *arena,
                           struct record *out_record, struct store_bytes *out_bytes) {
  struct record record;
  struct store_bytes bytes;
  enum farm_status status = load(cache, TABLE_RECORDS, key, arena, &record, &bytes);
  if (status == FARM_NOT_FOUND) {
    status = load(cache, TABLE_QUARANTINE, key, arena, &record, &bytes);
    if (status == FARM_OK && age == CACHE_FRESH) status = check_quarantine(cache, key, &record);
  }
  if (status == FARM_INVALID) cache->counters.corrupt++;
  if (status == FARM_INVALID || status == FARM_NOT_FOUND) {
    cache->counters.misses++;
    return status_set(FARM_NOT_FOUND, "no record for %s", key);
  }
  TRY(status);
  cache->counters.hits++;
  *out_record = record;
  if (out_bytes) *out_bytes = bytes;
  return FARM_OK;
}

/* ---- putting ---- */

static bool is_poison(const struct record *record) {
  enum farm_status status = record->entries[0].status;
  return record->kind == RECORD_SCREEN &&
         (status == FARM_TACTIC_CRASHED || status == FARM_TACTIC_HUNG || status == FARM_TACTIC_OVERRAN);
}

/* One of the two records that meet under a key. */
struct rival {
  struct store_bytes bytes;
  uint64_t samples, unix_s; // unix_s: when it counts as made
};

static bool replaces(const struct rival *offered, const struct rival *held, enum cache_policy policy) {
  if (policy == CACHE_MOST_SAMPLES && offered->samples != held->samples) return offered->samples > held->samples;
  if (offered->unix_s != held->unix_s) return offered->unix_s > held->unix_s;
  if (offered->samples != held->samples) return offered->samples > held->samples;
  size_t least = offered->bytes.length < held->bytes.length ? offered->bytes.length : held->bytes.length;
  int order = memcmp(offered->bytes.data, held->bytes.data, least);
  return order ? order > 0 : offered->bytes.length > held->bytes.length;
}

struct oldest {
  uint8_t prefix[DIGEST_BYTES], key[HISTORY_KEY_BYTES];
  uint64_t unix_s;
  int count;
};

static enum farm_status find_oldest(void *context, struct store_bytes key, struct store_bytes value) {
  struct oldest *oldest = context;
  if (key.length != HISTORY_KEY_BYTES || memcmp(key.data, oldest->prefix, DIGEST_BYTES) != 0) return FARM_CANCELLED;
  struct arena arena = {0};
  struct record record = {0};
  record_decode(value.data, value.length, &arena, &record); // one that fails counts as the oldest
  if (oldest->count++ == 0 || record.unix_s < oldest->unix_s) {
    oldest->unix_s = record.unix_s;
    memcpy(oldest->key, key.data, HISTORY_KEY_BYTES);
  }
  arena_free(&arena);
  return FARM_OK;
}

static enum farm_status put_history(struct cache *cache, const struct digest *key, struct store_bytes bytes) {
  struct oldest oldest = {0};
  struct digest content = digest_of(bytes.data, bytes.length);
  uint8_t history_key[HISTORY_KEY_BYTES];
  memcpy(history_key, key->bytes, DIGEST_BYTES);
  memcpy(history_key + DIGEST_BYTES, content.bytes, HISTORY_KEY_BYTES - DIGEST_BYTES);
  TRY(store_put(cache->store, TABLE_HISTORY, (struct store_bytes){history_key, sizeof history_key}, bytes));
  memcpy(oldest.prefix, key->bytes, DIGEST_BYTES);
  TRY(store_visit(cache->store, TABLE_HISTORY, bytes_of_digest(key), find_oldest, &oldest));
  if (oldest.count <= HISTORY_MOST) return FARM_OK;
  return store_remove(cache->store, TABLE_HISTORY, (struct store_bytes){oldest.key, HISTORY_KEY_BYTES});
}

static enum farm_status load_current(struct cache *cache, const char *key, struct arena *arena, struct record *out,
                                     struct store_bytes *out_bytes) {
  enum farm_status status = load(cache, TABLE_RECORDS, key, arena, out, out_bytes);
  if (status == FARM_NOT_FOUND) status = load(cache, TABLE_QUARANTINE, key, arena, out, out_bytes);
  return status == FARM_INVALID ? FARM_NOT_FOUND : status; // a corrupt one is overwritten
}

static enum farm_status put_record(struct cache *cache, const struct record *record, struct store_bytes bytes,
                                   enum cache_policy policy, struct arena *arena, enum cache_change *out_change) {
  const char *key = record_key(record, arena);
  FAIL_IF(!key, FARM_NO_MEMORY, "out of memory for a key");
  struct digest digest = digest_of_text(key);
  struct record held;
  struct store_bytes held_bytes;
  enum farm_status status = load_current(cache, key, arena, &held, &held_bytes);
  if (status != FARM_OK && status != FARM_NOT_FOUND) return status;
  enum cache_change change = CACHE_ADDED;
  if (status == FARM_OK) {
    if (held_bytes.length == bytes.length && memcmp(held_bytes.data, bytes.data, bytes.length) == 0) {
      *out_change = CACHE_SAME;
      return FARM_OK;
    }
    struct rival ours = {bytes, cache_samples(record), cache_stamp_offered(record)},
                 theirs = {held_bytes, cache_samples(&held), 0};
    TRY(cache_stamp_held(cache, &digest, &held, &theirs.unix_s));
    change = replaces(&ours, &theirs, policy) ? CACHE_REPLACED : CACHE_KEPT;
    TRY(put_history(cache, &digest, change == CACHE_REPLACED ? held_bytes : bytes));
  }
  if (change != CACHE_KEPT) {
    enum cache_table table = is_poison(record) ? TABLE_QUARANTINE : TABLE_RECORDS;
    TRY(store_remove(cache->store, table == TABLE_RECORDS ? TABLE_QUARANTINE : TABLE_RECORDS, bytes_of_digest(&digest)));
    TRY(store_put(cache->store, table, bytes_of_digest(&digest), bytes));
    TRY(cache_stamp_note(cache, &digest, record));
  }
  *out_change = change;
  return FARM_OK;
}

enum farm_status cache_put(struct cache *cache, const void *data, size_t length, enum cache_policy policy,
                           enum cache_change *out_change) {
  struct arena arena = {0};
  struct record record;
  enum cache_change change = CACHE_SAME;
  if (envelope_content(data, length) == ENVELOPE_ARTEFACT) return cache_put_artefact(cache, data, length, out_change);
  enum farm_status status = record_decode(data, length, &arena, &record);
  if (status == FARM_OK) status = put_record(cache, &record, (struct store_bytes){data, length}, policy, &arena, &change);
  arena_free(&arena);
  TRY(status);
  if (change == CACHE_ADDED || change == CACHE_REPLACED) cache->counters.stored++;
  if (change == CACHE_REPLACED) cache->counters.replaced++;
  if (change == CACHE_KEPT) cache->counters.kept_older++;
  if (out_change) *out_change = change;
  return FARM_OK;
}
