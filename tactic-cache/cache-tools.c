/* See cache.h: walking, statistics, explaining, verifying, pruning. */
#include "cache-impl.h"

#include "../base/array.h"
#include "../base/clock.h"

#include <stdlib.h>
#include <string.h>

/* ---- walking ---- */

struct walk {
  const char *text;
  const uint8_t *prefix; // of the key; NULL: any
  cache_each_fn fn;
  void *context;
  bool quarantined;
};

static enum farm_status walk_value(void *context, struct store_bytes key, struct store_bytes value) {
  struct walk *walk = context;
  if (walk->prefix && (key.length < DIGEST_BYTES || memcmp(key.data, walk->prefix, DIGEST_BYTES) != 0)) return FARM_CANCELLED;
  struct arena arena = {0};
  struct record record;
  enum farm_status status = FARM_OK;
  if (record_decode(value.data, value.length, &arena, &record) == FARM_OK) {
    const char *text = record_key(&record, &arena);
    struct digest digest = digest_of_text(text ? text : "");
    bool own = key.length >= DIGEST_BYTES && memcmp(key.data, digest.bytes, DIGEST_BYTES) == 0;
    if (text && own && (!walk->text || strstr(text, walk->text)))
      status = walk->fn(walk->context, &record, text, value, walk->quarantined);
  }
  arena_free(&arena);
  return status;
}

enum farm_status cache_each(struct cache *cache, const char *text, cache_each_fn fn, void *context) {
  struct walk walk = {.text = text, .fn = fn, .context = context};
  TRY(store_visit(cache->store, TABLE_RECORDS, (struct store_bytes){0}, walk_value, &walk));
  walk.quarantined = true;
  return store_visit(cache->store, TABLE_QUARANTINE, (struct store_bytes){0}, walk_value, &walk);
}

struct past {
  uint64_t unix_s;
  uint8_t *data;
  size_t length;
};
struct pasts {
  struct past *items;
  size_t count, capacity;
};

static enum farm_status keep_past(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                  bool quarantined) {
  (void)key, (void)quarantined;
  struct pasts *pasts = context;
  TRY(array_reserve(&pasts->items, &pasts->capacity, pasts->count + 1));
  uint8_t *copy = malloc(bytes.length);
  FAIL_IF(!copy, FARM_NO_MEMORY, "out of memory for a history");
  memcpy(copy, bytes.data, bytes.length);
  size_t at = pasts->count++;
  for (; at > 0 && pasts->items[at - 1].unix_s > record->unix_s; at--) pasts->items[at] = pasts->items[at - 1];
  pasts->items[at] = (struct past){record->unix_s, copy, bytes.length};
  return FARM_OK;
}

enum farm_status cache_history(struct cache *cache, const char *key, cache_each_fn fn, void *context) {
  struct digest digest = digest_of_text(key);
  struct pasts pasts = {0};
  struct walk walk = {.prefix = digest.bytes, .fn = keep_past, .context = &pasts};
  enum farm_status status = store_visit(cache->store, TABLE_HISTORY, bytes_of_digest(&digest), walk_value, &walk);
  for (size_t i = 0; i < pasts.count; i++) {
    struct arena arena = {0};
    struct record record;
    if (status == FARM_OK) status = record_decode(pasts.items[i].data, pasts.items[i].length, &arena, &record);
    if (status == FARM_OK)
      status = fn(context, &record, key, (struct store_bytes){pasts.items[i].data, pasts.items[i].length}, false);
    arena_free(&arena);
    free(pasts.items[i].data);
  }
  free(pasts.items);
  return status == FARM_CANCELLED ? FARM_OK : status;
}

enum farm_status cache_stats(struct cache *cache, struct cache_stats *out_stats) {
  struct cache_stats stats = {.counters = cache->counters};
  TRY(store_size(cache->store, &stats.size));
  stats.records = stats.size.entries[TABLE_RECORDS];
  stats.quarantined = stats.size.entries[TABLE_QUARANTINE];
  stats.history = stats.size.entries[TABLE_HISTORY];
  stats.artefacts = stats.size.entries[TABLE_ARTEFACTS];
  *out_stats = stats;
  return FARM_OK;
}

/* ---- explaining: keys split into named fields, the problem last to first because it may hold '|' ---- */

enum { FIELDS_MOST = 8, NEAREST = 3 };
static const char *const screen_fields[] = {"kind",          "key version",  "problem", "variant",
                                            "source digest", "device class", "threads", "policy"};
static const char *const final_fields[] = {"kind", "key version", "problem", "device class", "threads", "policy"};

struct fields {
  int count;
  const char *const *names;
  const char *at[FIELDS_MOST];
  size_t length[FIELDS_MOST];
};

static bool split(const char *key, struct fields *out) {
  bool final = strncmp(key, "final|", 6) == 0;
  out->count = final ? 6 : 8;
  out->names = final ? final_fields : screen_fields;
  const char *begin = key, *end = key + strlen(key);
  for (int i = 0; i < 2; i++) {
    const char *bar = strchr(begin, '|');
    if (!bar) return false;
    out->at[i] = begin, out->length[i] = (size_t)(bar - begin);
    begin = bar + 1;
  }
  for (int i = out->count - 1; i > 2; i--) {
    const char *bar = memrchr(begin, '|', (size_t)(end - begin));
    if (!bar) return false;
    out->at[i] = bar + 1, out->length[i] = (size_t)(end - bar - 1);
    end = bar;
  }
  out->at[2] = begin, out->length[2] = (size_t)(end - begin);
  return true;
}

static bool same_field(const struct fields *a, const struct fields *b, int i) {
  return a->length[i] == b->length[i] && memcmp(a->at[i], b->at[i], a->length[i]) == 0;
}

/* Bytes that two texts share at their beginnings. */
static size_t common(const char *a, const char *b) {
  size_t length = 0;
  while (a[length] && a[length] == b[length]) length++;
  return length;
}

struct near {
  int equal;
  size_t shared;
  char *key;
};
struct explanation {
  const char *key;
  struct fields fields;
  struct near nearest[NEAREST];
  bool exact;
};

static bool nearer(const struct near *a, const struct near *b) {
  return a->equal != b->equal ? a->equal > b->equal : a->shared > b->shared;
}

static enum farm_status consider(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                 bool quarantined) {
  (void)record, (void)bytes, (void)quarantined;
  struct explanation *why = context;
  struct fields fields;
  if (strcmp(key, why->key) == 0) why->exact = true;
  if (!split(key, &fields) || fields.count != why->fields.count) return FARM_OK;
  struct near near = {.shared = common(key, why->key)};
  for (int i = 0; i < fields.count; i++) near.equal += same_field(&fields, &why->fields, i);
  int at = NEAREST;
  while (at > 0 && (!why->nearest[at - 1].key || nearer(&near, &why->nearest[at - 1]))) at--;
  if (at == NEAREST) return FARM_OK;
  if (!(near.key = strdup(key))) return status_set(FARM_NO_MEMORY, "out of memory for a key");
  free(why->nearest[NEAREST - 1].key);
  for (int i = NEAREST - 1; i > at; i--) why->nearest[i] = why->nearest[i - 1];
  why->nearest[at] = near;
  return FARM_OK;
}

static void print_near(const struct explanation *why, const char *key, struct strbuf *out) {
  struct fields fields;
  if (!split(key, &fields)) return;
  int i = 0;
  while (i < fields.count && same_field(&fields, &why->fields, i)) i++;
  strbuf_printf(out, "near: %s\n", key);
  if (i == fields.count) return;
  strbuf_printf(out, "  %s differs: asked %.*s, there is %.*s\n", fields.names[i], (int)why->fields.length[i], why->fields.at[i],
                (int)fields.length[i], fields.at[i]);
}

enum farm_status cache_explain(struct cache *cache, const char *key, struct strbuf *out) {
  struct explanation why = {.key = key};
  FAIL_IF(!split(key, &why.fields), FARM_USAGE, "not a key: %s", key);
  enum farm_status status = cache_each(cache, NULL, consider, &why);
  if (status == FARM_OK) {
    strbuf_printf(out, "%s: %s\n", why.exact ? "hit" : "miss", key);
    for (int i = 0; i < NEAREST && !why.exact; i++)
      if (why.nearest[i].key) print_near(&why, why.nearest[i].key, out);
    if (!why.exact && !why.nearest[0].key) strbuf_add(out, "the cache holds no record of this kind\n");
  }
  for (int i = 0; i < NEAREST; i++) free(why.nearest[i].key);
  return status;
}

/* ---- verifying and pruning: keys are gathered first, then removed ---- */

struct gather {
  struct cache_verified verified;
  const struct cache_prune *prune;
  uint64_t now;
  uint8_t (*keys)[HISTORY_KEY_BYTES];
  uint8_t *lengths;
  size_t count, capacity, length_capacity;
};

static enum farm_status gather_key(struct gather *gather, struct store_bytes key) {
  if (key.length > HISTORY_KEY_BYTES) return FARM_OK;
  TRY(array_reserve(&gather->keys, &gather->capacity, gather->count + 1));
  TRY(array_reserve(&gather->lengths, &gather->length_capacity, gather->count + 1));
  memcpy(gather->keys[gather->count], key.data, key.length);
  gather->lengths[gather->count++] = (uint8_t)key.length;
  return FARM_OK;
}

static enum farm_status remove_gathered(struct cache *cache, enum cache_table table, struct gather *gather) {
  bool current = table == TABLE_RECORDS || table == TABLE_QUARANTINE;
  for (size_t i = 0; i < gather->count; i++) {
    TRY(store_remove(cache->store, table, (struct store_bytes){gather->keys[i], gather->lengths[i]}));
    if (!current || gather->lengths[i] != DIGEST_BYTES) continue;
    struct digest digest;
    memcpy(digest.bytes, gather->keys[i], DIGEST_BYTES);
    TRY(cache_stamp_forget(cache, &digest));
  }
  return FARM_OK;
}

static void gather_free(struct gather *gather) {
  free(gather->keys);
  free(gather->lengths);
}

static enum farm_status verify_artefact(void *context, struct store_bytes key, struct store_bytes value) {
  struct gather *gather = context;
  struct arena arena = {0};
  struct artefact artefact;
  struct store_bytes envelope;
  enum farm_status status = cache_artefact_read(key, value, &arena, &artefact, &envelope);
  arena_free(&arena);
  gather->verified.good += status == FARM_OK;
  gather->verified.later += status == FARM_MISMATCH;
  if (status == FARM_OK || status == FARM_MISMATCH) return FARM_OK;
  gather->verified.corrupt++;
  return gather_key(gather, key);
}

static enum farm_status verify_value(void *context, struct store_bytes key, struct store_bytes value) {
  struct gather *gather = context;
  struct arena arena = {0};
  struct record record;
  enum farm_status status = record_decode(value.data, value.length, &arena, &record);
  const char *text = status == FARM_OK ? record_key(&record, &arena) : NULL;
  struct digest digest = digest_of_text(text ? text : "");
  bool own = text && key.length >= DIGEST_BYTES && memcmp(key.data, digest.bytes, DIGEST_BYTES) == 0;
  arena_free(&arena);
  if (own)
    gather->verified.good++;
  else if (status == FARM_MISMATCH)
    gather->verified.later++;
  else {
    gather->verified.corrupt++;
    return gather_key(gather, key);
  }
  return FARM_OK;
}

static const enum cache_table holding[] = {TABLE_RECORDS, TABLE_QUARANTINE, TABLE_HISTORY, TABLE_ARTEFACTS};
enum { HOLDING = sizeof holding / sizeof *holding };

enum farm_status cache_verify(struct cache *cache, bool remove_corrupt, struct cache_verified *out) {
  struct cache_verified total = {0};
  for (int t = 0; t < HOLDING; t++) {
    struct gather gather = {0};
    store_visit_fn look = holding[t] == TABLE_ARTEFACTS ? verify_artefact : verify_value;
    enum farm_status status = store_visit(cache->store, holding[t], (struct store_bytes){0}, look, &gather);
    if (status == FARM_OK && remove_corrupt) status = remove_gathered(cache, holding[t], &gather);
    if (remove_corrupt) total.removed += gather.count;
    gather_free(&gather);
    TRY(status);
    total.good += gather.verified.good, total.later += gather.verified.later, total.corrupt += gather.verified.corrupt;
  }
  TRY(cache_commit(cache));
  *out = total;
  return FARM_OK;
}

static enum farm_status prune_value(void *context, struct store_bytes key, struct store_bytes value) {
  struct gather *gather = context;
  const struct cache_prune *prune = gather->prune;
  struct arena arena = {0};
  struct record record;
  bool goes = true;
  if (record_decode(value.data, value.length, &arena, &record) == FARM_OK) {
    const char *text = record_key(&record, &arena);
    if (prune->text && text && !strstr(text, prune->text)) goes = false;
    if (prune->older_than_s && (gather->now < record.unix_s || gather->now - record.unix_s < prune->older_than_s)) goes = false;
  }
  arena_free(&arena);
  return goes ? gather_key(gather, key) : FARM_OK;
}

/* An artefact has no age: it goes by its key alone. */
static enum farm_status prune_artefact(void *context, struct store_bytes key, struct store_bytes value) {
  struct gather *gather = context;
  const struct cache_prune *prune = gather->prune;
  struct arena arena = {0};
  struct artefact artefact;
  struct store_bytes envelope;
  bool goes = cache_artefact_read(key, value, &arena, &artefact, &envelope) != FARM_OK ||
              (prune->text && strstr(artefact.key, prune->text) && !prune->older_than_s);
  arena_free(&arena);
  return goes ? gather_key(gather, key) : FARM_OK;
}

enum farm_status cache_prune(struct cache *cache, const struct cache_prune *what, uint64_t *out_count) {
  uint64_t count = 0;
  bool some = what->history || what->quarantine;
  bool wanted[] = {[TABLE_RECORDS] = !some,
                   [TABLE_QUARANTINE] = what->quarantine || !some,
                   [TABLE_HISTORY] = what->history || !some,
                   [TABLE_ARTEFACTS] = !some};
  for (int t = 0; t < HOLDING; t++) {
    if (!wanted[holding[t]]) continue;
    struct gather gather = {.prune = what, .now = clock_unix_s()};
    store_visit_fn look = holding[t] == TABLE_ARTEFACTS ? prune_artefact : prune_value;
    enum farm_status status = store_visit(cache->store, holding[t], (struct store_bytes){0}, look, &gather);
    if (status == FARM_OK && !what->dry_run) status = remove_gathered(cache, holding[t], &gather);
    count += gather.count;
    gather_free(&gather);
    TRY(status);
  }
  if (!what->dry_run) cache->counters.pruned += count;
  TRY(cache_commit(cache));
  *out_count = count;
  return FARM_OK;
}
