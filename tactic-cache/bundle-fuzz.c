/* Bundles on hostile bytes, into a cache in a temporary folder; dry runs, so that one input does not depend on another.
 *
 * An input that begins as a bundle is imported as it is. Anything else is taken as the content of one: keys and checksums of
 * its records are set right and it is packed with its digest, or nothing changed would ever get that far. */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { CONTENT_HEAD_BYTES = 16, RECORD_HEAD_BYTES = 8, FRAME_LEVEL = 1 };

/* The checksum of an envelope and the digest of its key, which stands behind magic, version and content. */
static void record_mend(uint8_t *record, size_t length, uint8_t *out_key_digest) {
  struct bytes_reader in = bytes_reader_of(record, length);
  size_t key_length;
  bytes_get(&in, RECORD_HEAD_BYTES);
  const uint8_t *key = bytes_get_blob(&in, &key_length);
  if (!key || length < DIGEST_BYTES) return;
  struct digest digest = digest_of(key, key_length);
  memcpy(out_key_digest, digest.bytes, DIGEST_BYTES);
  digest = digest_of(record, length - DIGEST_BYTES);
  memcpy(record + length - DIGEST_BYTES, digest.bytes, DIGEST_BYTES);
}

static void content_mend(uint8_t *content, size_t length) {
  struct bytes_reader in = bytes_reader_of(content, length);
  bytes_get(&in, CONTENT_HEAD_BYTES);
  while (bytes_reader_ok(&in) && !bytes_reader_finished(&in)) {
    size_t record_length, key_at = in.at;
    bytes_get(&in, DIGEST_BYTES);
    if (bytes_get_blob(&in, &record_length)) record_mend(content + in.at - record_length, record_length, content + key_at);
  }
}

static void pack(const uint8_t *content, size_t length, struct bytes_writer *out) {
  size_t bound = ZSTD_compressBound(length);
  void *frame = malloc(bound);
  if (!frame) return;
  size_t frame_length = ZSTD_compress(frame, bound, content, length, FRAME_LEVEL);
  struct digest digest = digest_of(content, length);
  bytes_put(out, "TFBZ\1\0\0\0", 8);
  bytes_put_u64(out, length);
  bytes_put(out, digest.bytes, DIGEST_BYTES);
  if (!ZSTD_isError(frame_length)) bytes_put(out, frame, frame_length);
  free(frame);
}

static struct cache *cache_of_fuzzer(void) {
  static struct cache *cache;
  static char folder[512];
  if (cache) return cache;
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/tunefarm-fuzz-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(folder) || cache_open(folder, NULL, &cache) != FARM_OK) return NULL;
  return cache;
}

/* Nothing of a refused bundle, and nothing of a dry run, may stay. */
static void import(const uint8_t *data, size_t length) {
  struct cache *cache = cache_of_fuzzer();
  struct cache_imported imported;
  struct cache_stats stats;
  if (!cache) return;
  if (cache_import(cache, data, length, CACHE_NEWEST, true, &imported) == FARM_OK &&
      imported.total != imported.added + imported.same + imported.replaced + imported.kept)
    __builtin_trap();
  if (cache_stats(cache, &stats) != FARM_OK || stats.records || stats.quarantined || stats.history) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  if (length >= 4 && memcmp(data, "TFBZ", 4) == 0) {
    import(data, length);
    return 0;
  }
  struct bytes_writer bundle = {0};
  uint8_t *content = malloc(length + 1);
  if (!content) return 0;
  memcpy(content, data, length);
  content_mend(content, length);
  pack(content, length, &bundle);
  import(bundle.data, bundle.length);
  bytes_writer_free(&bundle);
  free(content);
  return 0;
}
