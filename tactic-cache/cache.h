/* The tactic cache: records and artefacts by key, in LMDB. What is stored is what record_encode and artefact_encode write, so
 * every value proves itself; one that does not is a counted miss. Only the coordinator opens it (see coordinator/); everyone else
 * asks over the wire.
 *
 *   records     key digest → envelope         what is believed now
 *   quarantine  key digest → envelope         screens of variants that crashed, hung or wrote wildly; they count for a time
 *   history     key digest + content digest   what was current before, at most 16 per key
 *   artefacts   key digest → envelope, packed what compiling a kernel gave
 *   stats                                     counters that outlive the process
 *   meta                                      the format's version; when a record stamped in the future arrived
 *
 * One thread. Writes open a batch that reads see; cache_commit makes it durable.
 */
#ifndef TACTIC_CACHE_CACHE_H
#define TACTIC_CACHE_CACHE_H

#include "../base/strbuf.h"
#include "../problem/artefact.h"
#include "../problem/record.h"
#include "store.h"

#define CACHE_COUNTER_LIST(X)                                                                                                    \
  X(hits)                                                                                                                        \
  X(misses) X(corrupt) X(stored) X(replaced) X(kept_older) X(imported) X(exported) X(pruned) X(artefact_hits) X(artefact_misses)

struct cache_counters {
#define X(name) uint64_t name;
  CACHE_COUNTER_LIST(X)
#undef X
};

struct cache;
struct cache_options {
  size_t map_bytes, headroom_bytes; // 0: the store's defaults
  uint64_t quarantine_s;            // 0: 30 days
};
/* `folder` is the cache folder; the environment lives in its `cache` subfolder. FARM_MISMATCH: of a later format. */
enum farm_status cache_open(const char *folder, const struct cache_options *options, struct cache **out_cache);
/* Drops an open batch, and what was counted since the last commit with it; without one the counters are written. */
void cache_close(struct cache **cache);
/* Makes the batch durable, with the counters. Without a batch there is nothing to sync: counters that only lookups changed are
 * written with the next batch, at the latest by a commit a minute after the last, or at close. A crash may lose these. */
enum farm_status cache_commit(struct cache *cache);
void cache_abandon(struct cache *cache);

enum cache_age { CACHE_FRESH, CACHE_ANY_AGE }; // FRESH: a quarantine that is over is a miss
/* FARM_OK, or FARM_NOT_FOUND: absent, corrupt (counted) or over. `out_bytes` (may be NULL): the envelope, in `arena`. */
enum farm_status cache_get(struct cache *cache, const char *key, enum cache_age age, struct arena *arena,
                           struct record *out_record, struct store_bytes *out_bytes);

enum cache_policy { CACHE_NEWEST, CACHE_MOST_SAMPLES };
enum cache_change { CACHE_ADDED, CACHE_SAME, CACHE_REPLACED, CACHE_KEPT }; // KEPT: what was there stays current
/* Into the batch: a record, or an artefact. FARM_INVALID: neither. Of two records the one that loses goes to the history, nothing
 * is averaged; one stamped in the future counts as made when it arrived. Of two artefacts the one that is there stays. */
enum farm_status cache_put(struct cache *cache, const void *data, size_t length, enum cache_policy policy,
                           enum cache_change *out_change);

/* Records whose key contains `text` (NULL: all), in the order of their key digests; corrupt ones are skipped. */
typedef enum farm_status (*cache_each_fn)(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                          bool quarantined);
enum farm_status cache_each(struct cache *cache, const char *text, cache_each_fn fn, void *context);
/* Former records of a key, oldest first. */
enum farm_status cache_history(struct cache *cache, const char *key, cache_each_fn fn, void *context);

struct cache_stats {
  struct cache_counters counters;
  struct store_size size;
  uint64_t records, quarantined, history, artefacts;
};
enum farm_status cache_stats(struct cache *cache, struct cache_stats *out_stats);
struct cache_counters *cache_counters(struct cache *cache); // live; written as cache_commit says

/* FARM_OK, or FARM_NOT_FOUND: absent or corrupt (counted). Everything in `arena`; out_envelope may be NULL. */
enum farm_status cache_artefact_get(struct cache *cache, const char *key, struct arena *arena, struct artefact *out,
                                    struct store_bytes *out_envelope);
/* Artefacts whose key contains `text` (NULL: all), in the order of their key digests; corrupt ones are skipped. */
enum farm_status cache_artefacts_each(struct cache *cache, const char *text, artefact_fn fn, void *context);

/* Why a key is a miss: its nearest keys and the first field of each that differs. */
enum farm_status cache_explain(struct cache *cache, const char *key, struct strbuf *out);

struct cache_verified {
  uint64_t good, corrupt, later, removed; // later: of a version above this build's
};
enum farm_status cache_verify(struct cache *cache, bool remove_corrupt, struct cache_verified *out);

struct cache_prune {
  const char *text;         // key contains; NULL: any
  uint64_t older_than_s;    // 0: any age
  bool history, quarantine; // only these tables
  bool dry_run;
};
enum farm_status cache_prune(struct cache *cache, const struct cache_prune *what, uint64_t *out_count);
/* Durable when it returns. Should the store not open again afterwards, this says why and every later call answers FARM_IO: close
 * the cache. What was committed is not lost. */
enum farm_status cache_compact(struct cache *cache, uint64_t *out_bytes_saved);

/* Bundles: docs/formats/bundle.md. */
enum farm_status cache_export(struct cache *cache, const char *text, struct bytes_writer *out, uint64_t *out_count);
struct cache_imported {
  uint64_t total, added, same, replaced, kept;
};
/* The artefacts of a list (problem/artefact.h): all or none, committed. */
enum farm_status cache_artefacts_put(struct cache *cache, const void *list, size_t length, struct cache_imported *out);
/* All or nothing, committed; dry_run only says what would happen. */
enum farm_status cache_import(struct cache *cache, const void *data, size_t length, enum cache_policy policy, bool dry_run,
                              struct cache_imported *out);

#endif
