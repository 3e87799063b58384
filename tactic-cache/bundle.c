/* Bundles: records out of a cache as canonical bytes, and back in, all or nothing. Normative: docs/formats/bundle.md. */
#include "cache-impl.h"

#include "../base/array.h"
#include "../problem/envelope.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static const uint8_t outer_magic[4] = {'T', 'F', 'B', 'Z'}, inner_magic[4] = {'T', 'F', 'B', 'C'};
enum { VERSION = 1, CONTENT_MOST_BYTES = 1 << 30, RECORD_LEAST_BYTES = DIGEST_BYTES + 4, LEVEL = 9 };

struct item {
  struct digest digest;
  uint8_t *data;
  size_t length;
};
struct items {
  struct item *list;
  size_t count, capacity;
};

static enum farm_status collect(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                bool quarantined) {
  (void)record, (void)quarantined;
  struct items *items = context;
  TRY(array_reserve(&items->list, &items->capacity, items->count + 1));
  struct item item = {digest_of_text(key), malloc(bytes.length), bytes.length};
  FAIL_IF(!item.data, FARM_NO_MEMORY, "out of memory for a bundle");
  memcpy(item.data, bytes.data, bytes.length);
  items->list[items->count++] = item;
  return FARM_OK;
}

static enum farm_status collect_artefact(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  return collect(context, NULL, artefact->key, (struct store_bytes){envelope, length}, false);
}

static int by_digest(const void *a, const void *b) {
  return memcmp(&((const struct item *)a)->digest, &((const struct item *)b)->digest, DIGEST_BYTES);
}

static void items_free(struct items *items) {
  for (size_t i = 0; i < items->count; i++) free(items->list[i].data);
  free(items->list);
}

static void write_content(struct items *items, struct bytes_writer *out) {
  if (items->count) qsort(items->list, items->count, sizeof *items->list, by_digest);
  bytes_put(out, inner_magic, sizeof inner_magic);
  bytes_put_u32(out, VERSION);
  bytes_put_u64(out, items->count);
  for (size_t i = 0; i < items->count; i++) {
    bytes_put(out, items->list[i].digest.bytes, DIGEST_BYTES);
    bytes_put_blob(out, items->list[i].data, items->list[i].length);
  }
}

static enum farm_status write_frame(const struct bytes_writer *content, struct bytes_writer *out) {
  struct digest digest = digest_of(content->data, content->length);
  FAIL_IF(content->length > CONTENT_MOST_BYTES, FARM_NO_SPACE, "a bundle holds at most 1 GiB: export a part of the cache");
  size_t bound = ZSTD_compressBound(content->length);
  void *packed = malloc(bound);
  FAIL_IF(!packed, FARM_NO_MEMORY, "out of memory for a bundle");
  size_t packed_length = ZSTD_compress(packed, bound, content->data, content->length, LEVEL);
  bytes_put(out, outer_magic, sizeof outer_magic);
  bytes_put_u32(out, VERSION);
  bytes_put_u64(out, content->length);
  bytes_put(out, digest.bytes, DIGEST_BYTES);
  if (!ZSTD_isError(packed_length)) bytes_put(out, packed, packed_length);
  free(packed);
  FAIL_IF(ZSTD_isError(packed_length) || out->failed, FARM_NO_MEMORY, "out of memory for a bundle");
  return FARM_OK;
}

enum farm_status cache_export(struct cache *cache, const char *text, struct bytes_writer *out, uint64_t *out_count) {
  struct items items = {0};
  struct bytes_writer content = {0};
  enum farm_status status = cache_each(cache, text, collect, &items);
  if (status == FARM_OK) status = cache_artefacts_each(cache, text, collect_artefact, &items);
  if (status == FARM_OK) {
    write_content(&items, &content);
    status = content.failed ? status_set(FARM_NO_MEMORY, "out of memory for a bundle") : write_frame(&content, out);
  }
  if (status == FARM_OK) {
    cache->counters.exported += items.count;
    *out_count = items.count;
  }
  bytes_writer_free(&content);
  items_free(&items);
  return status;
}

/* The content of a bundle, decompressed and held against its digest. */
static enum farm_status unpack(const void *data, size_t length, uint8_t **out_content, size_t *out_length) {
  struct bytes_reader in = bytes_reader_of(data, length);
  const uint8_t *magic = bytes_get(&in, sizeof outer_magic);
  FAIL_IF(!magic || memcmp(magic, outer_magic, sizeof outer_magic) != 0, FARM_INVALID, "bundle: not a bundle");
  uint32_t version = bytes_get_u32(&in);
  FAIL_IF(!bytes_reader_ok(&in), FARM_INVALID, "bundle: cut short");
  FAIL_IF(version != VERSION, FARM_MISMATCH, "bundle: version %u, this build reads %d", version, VERSION);
  uint64_t content_length = bytes_get_u64(&in);
  const uint8_t *stated = bytes_get(&in, DIGEST_BYTES);
  FAIL_IF(!bytes_reader_ok(&in) || content_length > CONTENT_MOST_BYTES, FARM_INVALID, "bundle: cut short or too large");
  /* At most 1000 to 1: a short file must not make us allocate a gigabyte. */
  FAIL_IF(content_length / 1000 > length, FARM_INVALID, "bundle: its content is impossibly large");
  size_t rest = length - in.at; // zstd itself would go on with further frames, or skip them
  FAIL_IF(ZSTD_findFrameCompressedSize(in.data + in.at, rest) != rest, FARM_INVALID,
          "bundle: what follows is not one zstd frame");
  uint8_t *content = malloc(content_length + 1);
  FAIL_IF(!content, FARM_NO_MEMORY, "bundle: out of memory for %llu bytes", (unsigned long long)content_length);
  size_t got = ZSTD_decompress(content, content_length, in.data + in.at, rest);
  struct digest digest = digest_of(content, ZSTD_isError(got) ? 0 : got);
  if (ZSTD_isError(got) || got != content_length || memcmp(digest.bytes, stated, DIGEST_BYTES) != 0) {
    free(content);
    return status_set(FARM_INVALID, "bundle: its content does not have its digest");
  }
  *out_content = content;
  *out_length = content_length;
  return FARM_OK;
}

static enum farm_status check_key(const struct digest *stated, const uint8_t *data, size_t length) {
  struct arena arena = {0};
  struct record record;
  struct artefact artefact;
  bool is_artefact = envelope_content(data, length) == ENVELOPE_ARTEFACT;
  enum farm_status status =
      is_artefact ? artefact_decode(data, length, &arena, &artefact) : record_decode(data, length, &arena, &record);
  const char *key = status != FARM_OK ? NULL : is_artefact ? artefact.key : record_key(&record, &arena);
  struct digest digest = digest_of_text(key ? key : "");
  if (status == FARM_OK && (!key || !digest_equal(&digest, stated)))
    status = status_set(FARM_INVALID, "a record under another key");
  arena_free(&arena);
  return status;
}

static enum farm_status import_one(struct cache *cache, struct bytes_reader *in, const struct digest *before,
                                   enum cache_policy policy, struct cache_imported *imported, struct digest *out_digest) {
  const uint8_t *stated = bytes_get(in, DIGEST_BYTES);
  size_t length;
  const uint8_t *data = bytes_get_blob(in, &length);
  FAIL_IF(!data, FARM_INVALID, "cut short");
  memcpy(out_digest->bytes, stated, DIGEST_BYTES);
  FAIL_IF(before && memcmp(before, out_digest, DIGEST_BYTES) >= 0, FARM_INVALID, "records are not sorted");
  TRY(check_key(out_digest, data, length));
  enum cache_change change;
  TRY(cache_put(cache, data, length, policy, &change));
  uint64_t *const counts[] = {[CACHE_ADDED] = &imported->added,
                              [CACHE_SAME] = &imported->same,
                              [CACHE_REPLACED] = &imported->replaced,
                              [CACHE_KEPT] = &imported->kept};
  ++*counts[change];
  return FARM_OK;
}

static enum farm_status import_content(struct cache *cache, const uint8_t *content, size_t length, enum cache_policy policy,
                                       struct cache_imported *imported) {
  struct bytes_reader in = bytes_reader_of(content, length);
  const uint8_t *magic = bytes_get(&in, sizeof inner_magic);
  FAIL_IF(!magic || memcmp(magic, inner_magic, sizeof inner_magic) != 0 || bytes_get_u32(&in) != VERSION, FARM_INVALID,
          "bundle: unknown content");
  uint64_t count = bytes_get_u64(&in);
  FAIL_IF(in.failed || count > length / RECORD_LEAST_BYTES, FARM_INVALID, "bundle: cut short");
  struct digest digests[2];
  for (uint64_t i = 0; i < count; i++) {
    enum farm_status status = import_one(cache, &in, i ? &digests[(i + 1) % 2] : NULL, policy, imported, &digests[i % 2]);
    if (status != FARM_OK) return status_prefix(status, "bundle: record %llu", (unsigned long long)i);
  }
  FAIL_IF(!bytes_reader_finished(&in), FARM_INVALID, "bundle: bytes after its end");
  imported->total = count;
  return FARM_OK;
}

enum farm_status cache_import(struct cache *cache, const void *data, size_t length, enum cache_policy policy, bool dry_run,
                              struct cache_imported *out) {
  uint8_t *content = NULL;
  size_t content_length = 0;
  struct cache_imported imported = {0};
  TRY(unpack(data, length, &content, &content_length));
  enum farm_status status = cache_commit(cache);
  struct cache_counters before = cache->counters;
  if (status == FARM_OK) status = store_reserve(cache->store, content_length * 2);
  if (status == FARM_OK) status = import_content(cache, content, content_length, policy, &imported);
  free(content);
  if (status != FARM_OK || dry_run) {
    cache_abandon(cache);
    cache->counters = before;
  }
  TRY(status);
  if (!dry_run) {
    cache->counters.imported += imported.added + imported.replaced;
    TRY(cache_commit(cache));
  }
  *out = imported;
  return FARM_OK;
}
