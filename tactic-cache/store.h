/* One LMDB environment with a write batch, and the only code that talks to LMDB.
 *
 * Writes open a batch that later reads see; `store_commit` makes it durable (one sync for all of it). The map starts small and
 * grows between batches, keeping room for at least `headroom_bytes` of changes. One process, one thread; never opened twice.
 * Network file systems are refused: LMDB's locks and maps do not hold there.
 *
 * NULL is a closed store: calls that return a status answer FARM_IO, the others do nothing.
 */
#ifndef TACTIC_CACHE_STORE_H
#define TACTIC_CACHE_STORE_H

#include "../base/bytes.h"
#include "../base/status.h"

#include <stddef.h>
#include <stdint.h>

struct store;
struct store_options {
  const char *const *tables; // names of the sub-databases
  int table_count;           // at most 16
  size_t map_bytes;          // 0: 64 MiB
  size_t headroom_bytes;     // 0: 32 MiB
};
struct store_bytes {
  const void *data;
  size_t length;
};

enum farm_status store_open(const char *folder, const struct store_options *options,
                            struct store **out_store); // makes the folder
void store_close(struct store **store);                // drops an open batch
/* Value in place, valid until the next call on the store. FARM_NOT_FOUND. */
enum farm_status store_get(struct store *store, int table, struct store_bytes key, struct store_bytes *out_value);
enum farm_status store_put(struct store *store, int table, struct store_bytes key,
                           struct store_bytes value);                                  // key 1 to 511 bytes
enum farm_status store_remove(struct store *store, int table, struct store_bytes key); // FARM_OK also when absent
enum farm_status store_clear(struct store *store, int table);
/* Calls fn for every pair from the first key >= from on, in order, until it returns other than FARM_OK (FARM_CANCELLED: a quiet
 * end). fn must not write. */
typedef enum farm_status (*store_visit_fn)(void *context, struct store_bytes key, struct store_bytes value);
enum farm_status store_visit(struct store *store, int table, struct store_bytes from, store_visit_fn fn, void *context);
enum farm_status store_commit(struct store *store); // FARM_OK at once when nothing was written
void store_abandon(struct store *store);            // forget the open batch
bool store_has_batch(const struct store *store);
/* Make room for a batch of this many bytes; before its first write. */
enum farm_status store_reserve(struct store *store, size_t bytes);
enum farm_status store_copy_compact(struct store *store, const char *folder); // a fresh, compacted environment
struct store_size {
  uint64_t map_bytes, used_bytes, free_bytes; // free: pages inside `used` that hold nothing
  uint64_t entries[16];
};
enum farm_status store_size(struct store *store, struct store_size *out_size);
/* NULL, or the name of the network file system with this statfs magic. */
const char *store_network_filesystem(uint64_t magic);

#endif
