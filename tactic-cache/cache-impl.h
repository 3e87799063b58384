/* What the cache's files share. */
#ifndef TACTIC_CACHE_CACHE_IMPL_H
#define TACTIC_CACHE_CACHE_IMPL_H

#include "cache.h"

enum cache_table { TABLE_RECORDS, TABLE_QUARANTINE, TABLE_HISTORY, TABLE_STATS, TABLE_META, TABLE_ARTEFACTS, TABLE_COUNT };
enum { HISTORY_MOST = 16, HISTORY_KEY_BYTES = DIGEST_BYTES + 16 };

struct cache {
  struct store *store;
  struct cache_options options;
  char *folder; // of the environment
  struct cache_counters counters, written;
  uint64_t counters_at_ns; // when they were written last
};

static inline struct store_bytes bytes_of_digest(const struct digest *digest) {
  return (struct store_bytes){digest->bytes, DIGEST_BYTES};
}
enum farm_status cache_open_store(struct cache *cache); // on an error the store stays closed (store.h)
void cache_compact_clean(const struct cache *cache);    // removes what a compacting that was killed left behind
/* What stands in the table of artefacts, proven; everything in `arena`. FARM_INVALID: not believed; FARM_MISMATCH: of a later
 * version. */
enum farm_status cache_artefact_read(struct store_bytes key, struct store_bytes value, struct arena *arena, struct artefact *out,
                                     struct store_bytes *out_envelope);
enum farm_status cache_put_artefact(struct cache *cache, const void *data, size_t length, enum cache_change *out_change);
/* When a record counts as made, however wrong its maker's clock was: of one offered now, and of the current one under a key. */
uint64_t cache_stamp_offered(const struct record *record);
enum farm_status cache_stamp_held(struct cache *cache, const struct digest *key, const struct record *record,
                                  uint64_t *out_unix_s);
/* Into the batch, with a record that becomes current and with one that is removed. */
enum farm_status cache_stamp_note(struct cache *cache, const struct digest *key, const struct record *record);
enum farm_status cache_stamp_forget(struct cache *cache, const struct digest *key);
/* The total number of samples of a record. */
uint64_t cache_samples(const struct record *record);

#endif
