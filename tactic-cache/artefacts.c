/* Artefacts in the cache: compiled kernels by key. See cache.h and docs/formats/record.md.
 *
 *   artefacts   key digest → u32 length, zstd frame of the envelope
 *
 * Two caches that hold the same artefacts may differ in their frames, never in their envelopes.
 */
#include "cache-impl.h"

#include "../base/array.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { LEVEL = 9, ENVELOPE_MOST_BYTES = ARTEFACT_MOST_BYTES + 4096 };

/* ---- frames ---- */

static enum farm_status pack(const void *envelope, size_t length, struct bytes_writer *out) {
  size_t bound = ZSTD_compressBound(length);
  void *frame = malloc(bound);
  FAIL_IF(!frame, FARM_NO_MEMORY, "out of memory for an artefact");
  size_t packed = ZSTD_compress(frame, bound, envelope, length, LEVEL);
  bytes_put_u32(out, (uint32_t)length);
  if (!ZSTD_isError(packed)) bytes_put(out, frame, packed);
  free(frame);
  FAIL_IF(ZSTD_isError(packed) || out->failed, FARM_NO_MEMORY, "out of memory for an artefact");
  return FARM_OK;
}

/* The envelope of a stored value, in `arena`. FARM_INVALID: it is none. */
static enum farm_status unpack(struct store_bytes value, struct arena *arena, struct store_bytes *out_envelope) {
  struct bytes_reader in = bytes_reader_of(value.data, value.length);
  size_t length = bytes_get_u32(&in);
  FAIL_IF(!bytes_reader_ok(&in) || length > ENVELOPE_MOST_BYTES || length / 1000 > value.length, FARM_INVALID,
          "a malformed artefact");
  void *envelope = arena_alloc(arena, length + 1);
  FAIL_IF(!envelope, FARM_NO_MEMORY, "out of memory for an artefact");
  size_t got = ZSTD_decompress(envelope, length, in.data + in.at, in.length - in.at);
  FAIL_IF(ZSTD_isError(got) || got != length, FARM_INVALID, "an artefact does not decompress");
  *out_envelope = (struct store_bytes){envelope, length};
  return FARM_OK;
}

enum farm_status cache_artefact_read(struct store_bytes key, struct store_bytes value, struct arena *arena, struct artefact *out,
                                     struct store_bytes *out_envelope) {
  TRY(unpack(value, arena, out_envelope));
  TRY(artefact_decode(out_envelope->data, out_envelope->length, arena, out));
  struct digest digest = digest_of_text(out->key);
  FAIL_IF(key.length != DIGEST_BYTES || memcmp(key.data, digest.bytes, DIGEST_BYTES) != 0, FARM_INVALID,
          "an artefact under another key");
  return FARM_OK;
}

/* ---- getting and putting ---- */

static enum farm_status load(struct cache *cache, const char *key, struct arena *arena, struct artefact *out,
                             struct store_bytes *out_envelope) {
  struct digest digest = digest_of_text(key);
  struct store_bytes value;
  TRY(store_get(cache->store, TABLE_ARTEFACTS, bytes_of_digest(&digest), &value));
  return cache_artefact_read(bytes_of_digest(&digest), value, arena, out, out_envelope);
}

enum farm_status cache_artefact_get(struct cache *cache, const char *key, struct arena *arena, struct artefact *out,
                                    struct store_bytes *out_envelope) {
  struct store_bytes envelope;
  enum farm_status status = load(cache, key, arena, out, &envelope);
  if (status == FARM_NO_MEMORY || status == FARM_IO) return status;
  if (status != FARM_OK) {
    cache->counters.corrupt += status != FARM_NOT_FOUND;
    cache->counters.artefact_misses++;
    return status_set(FARM_NOT_FOUND, "no artefact under %s", key);
  }
  cache->counters.artefact_hits++;
  if (out_envelope) *out_envelope = envelope;
  return FARM_OK;
}

/* What is there stays: engines were linked with it, and the same text should not give other bytes anyway. */
static enum farm_status put(struct cache *cache, const struct artefact *artefact, struct store_bytes envelope,
                            struct arena *arena, enum cache_change *out_change) {
  struct artefact held;
  struct store_bytes held_envelope;
  struct bytes_writer value = {0};
  enum farm_status status = load(cache, artefact->key, arena, &held, &held_envelope);
  if (status == FARM_NO_MEMORY) return status;
  if (status == FARM_OK) {
    bool same = held_envelope.length == envelope.length && memcmp(held_envelope.data, envelope.data, envelope.length) == 0;
    *out_change = same ? CACHE_SAME : CACHE_KEPT;
    return FARM_OK;
  }
  struct digest digest = digest_of_text(artefact->key);
  status = pack(envelope.data, envelope.length, &value);
  if (status == FARM_OK)
    status = store_put(cache->store, TABLE_ARTEFACTS, bytes_of_digest(&digest), (struct store_bytes){value.data, value.length});
  bytes_writer_free(&value);
  *out_change = CACHE_ADDED;
  return status;
}

enum farm_status cache_put_artefact(struct cache *cache, const void *data, size_t length, enum cache_change *out_change) {
  struct arena arena = {0};
  struct artefact artefact;
  enum cache_change change = CACHE_SAME;
  enum farm_status status = artefact_decode(data, length, &arena, &artefact);
  if (status == FARM_OK) status = put(cache, &artefact, (struct store_bytes){data, length}, &arena, &change);
  arena_free(&arena);
  TRY(status);
  cache->counters.stored += change == CACHE_ADDED;
  cache->counters.kept_older += change == CACHE_KEPT;
  if (out_change) *out_change = change;
  return FARM_OK;
}

struct putting {
  struct cache *cache;
  struct cache_imported done;
};

static enum farm_status put_one(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)artefact;
  struct putting *putting = context;
  enum cache_change change;
  TRY(cache_put_artefact(putting->cache, envelope, length, &change));
  putting->done.total++;
  putting->done.added += change == CACHE_ADDED;
  putting->done.same += change == CACHE_SAME;
  putting->done.kept += change == CACHE_KEPT;
  return FARM_OK;
}

enum farm_status cache_artefacts_put(struct cache *cache, const void *list, size_t length, struct cache_imported *out) {
  struct putting putting = {.cache = cache};
  TRY(cache_commit(cache));
  struct cache_counters before = cache->counters;
  TRY(store_reserve(cache->store, length * 2));
  enum farm_status status = artefact_list_each(list, length, put_one, &putting);
  if (status != FARM_OK) {
    cache_abandon(cache);
    cache->counters = before;
    return status;
  }
  TRY(cache_commit(cache));
  *out = putting.done;
  return FARM_OK;
}

/* ---- walking ---- */

struct walk {
  const char *text;
  artefact_fn fn;
  void *context;
};

static enum farm_status walk_value(void *context, struct store_bytes key, struct store_bytes value) {
  struct walk *walk = context;
  struct arena arena = {0};
  struct artefact artefact;
  struct store_bytes envelope;
  enum farm_status status = FARM_OK;
  if (cache_artefact_read(key, value, &arena, &artefact, &envelope) == FARM_OK &&
      (!walk->text || strstr(artefact.key, walk->text)))
    status = walk->fn(walk->context, &artefact, envelope.data, envelope.length);
  arena_free(&arena);
  return status;
}

enum farm_status cache_artefacts_each(struct cache *cache, const char *text, artefact_fn fn, void *context) {
  struct walk walk = {text, fn, context};
  return store_visit(cache->store, TABLE_ARTEFACTS, (struct store_bytes){0}, walk_value, &walk);
}
