/* When a record counts as made. Its stamp is its maker's clock, and that may be wrong: a record from the future would be newer
 * than all that is measured until then, and its quarantine would last as long. So none counts as later than the moment it
 * arrived; where the stamp says otherwise that moment is noted (docs/formats/record.md).
 *
 *   meta   key digest → u64 seconds since 1970: when the record that is current under the key arrived; only of a future one
 */
#include "cache-impl.h"

#include "../base/clock.h"

enum farm_status cache_stamp_note(struct cache *cache, const struct digest *key, const struct record *record) {
  uint64_t now = clock_unix_s();
  if (record->unix_s <= now) return cache_stamp_forget(cache, key);
  uint8_t encoded[8];
  for (int b = 0; b < 8; b++) encoded[b] = (uint8_t)(now >> 8 * b);
  return store_put(cache->store, TABLE_META, bytes_of_digest(key), (struct store_bytes){encoded, sizeof encoded});
}

enum farm_status cache_stamp_forget(struct cache *cache, const struct digest *key) {
  return store_remove(cache->store, TABLE_META, bytes_of_digest(key));
}

/* A future one without a note was stored by a build that made none: nothing says when, so everything is newer. */
enum farm_status cache_stamp_held(struct cache *cache, const struct digest *key, const struct record *record,
                                  uint64_t *out_unix_s) {
  struct store_bytes value;
  enum farm_status status = store_get(cache->store, TABLE_META, bytes_of_digest(key), &value);
  if (status != FARM_OK && status != FARM_NOT_FOUND) return status;
  uint64_t most = clock_unix_s(), without = 0;
  if (status == FARM_OK && value.length == 8) {
    struct bytes_reader reader = bytes_reader_of(value.data, value.length);
    most = without = bytes_get_u64(&reader);
  }
  *out_unix_s = record->unix_s <= most ? record->unix_s : without;
  return FARM_OK;
}

uint64_t cache_stamp_offered(const struct record *record) {
  uint64_t now = clock_unix_s();
  return record->unix_s < now ? record->unix_s : now;
}
