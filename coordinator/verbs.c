/* See verbs.h. One row per verb. */
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_PER_REPLY = 256, LINE_MOST = 8192, BUNDLE_MOST_BYTES = 1 << 30 };

struct ask {
  struct cache *cache;
  struct blobs *blobs;
  struct compilers *compilers;
  const struct wire_cache *message;
  struct wire_cache_reply answer; // the last reply
  verbs_reply_fn reply;
  void *context;
  struct arena arena; // lines
  struct wire_argument lines[LINES_PER_REPLY];
  struct wire_counter counters[64];
};

static void flush_lines(struct ask *ask) {
  struct wire_cache_reply reply = {
      .request = ask->message->request, .more = 1, .message = "", .lines = ask->lines, .lines_count = ask->answer.lines_count};
  if (ask->answer.lines_count) ask->reply(ask->context, &reply);
  ask->answer.lines_count = 0;
  arena_free(&ask->arena);
}

static void add_line(struct ask *ask, const char *text, size_t length) {
  if (ask->answer.lines_count == LINES_PER_REPLY) flush_lines(ask);
  char *line = arena_string(&ask->arena, text, length < LINE_MOST ? length : LINE_MOST);
  if (!line) return;
  for (char *c = line; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
  ask->lines[ask->answer.lines_count++].text = line;
}

static void add_text(struct ask *ask, const char *text) {
  while (*text) {
    const char *end = strchrnul(text, '\n');
    add_line(ask, text, (size_t)(end - text));
    text = *end ? end + 1 : end;
  }
}

static void add_counter(struct ask *ask, const char *name, uint64_t value) {
  if (ask->answer.counters_count < sizeof ask->counters / sizeof *ask->counters)
    ask->counters[ask->answer.counters_count++] = (struct wire_counter){name, value};
}

static const char *argument(const struct ask *ask, uint32_t index) {
  return index < ask->message->arguments_count && ask->message->arguments[index].text[0] ? ask->message->arguments[index].text
                                                                                         : NULL;
}

static bool has_argument(const struct ask *ask, const char *text) {
  for (uint32_t i = 0; i < ask->message->arguments_count; i++)
    if (strcmp(ask->message->arguments[i].text, text) == 0) return true;
  return false;
}

/* ---- the verbs ---- */

/* `median_us n status kind key`; of a final, the winner's. */
static enum farm_status list_record(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                    bool quarantined) {
  (void)bytes;
  struct strbuf line = {0};
  int winner = record->kind == RECORD_FINAL ? record_winner(record) : 0;
  const struct record_entry *entry = winner >= 0 ? &record->entries[winner] : NULL;
  strbuf_printf(&line, "%.3f us n=%u %s %s%s", entry ? entry->times.median / 1e3 : 0.0, entry ? entry->times.n : 0,
                entry ? status_name(entry->status) : "NONE", quarantined ? "quarantined " : "", key);
  add_line(context, strbuf_text(&line), line.length);
  strbuf_free(&line);
  return FARM_OK;
}

/* `bytes status key` */
static enum farm_status list_artefact(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)envelope, (void)length;
  struct strbuf line = {0};
  strbuf_printf(&line, "%zu bytes %s %s", artefact->length, status_name(artefact->status), artefact->key);
  add_line(context, strbuf_text(&line), line.length);
  strbuf_free(&line);
  return FARM_OK;
}

static enum farm_status verb_ls(struct ask *ask) {
  TRY(cache_each(ask->cache, argument(ask, 0), list_record, ask));
  return cache_artefacts_each(ask->cache, argument(ask, 0), list_artefact, ask);
}

static enum farm_status verb_history(struct ask *ask) {
  FAIL_IF(!argument(ask, 0), FARM_USAGE, "history of which key?");
  return cache_history(ask->cache, argument(ask, 0), list_record, ask);
}

static enum farm_status verb_stats(struct ask *ask) {
  struct cache_stats stats;
  TRY(cache_stats(ask->cache, &stats));
#define X(name) add_counter(ask, #name, stats.counters.name);
  CACHE_COUNTER_LIST(X)
#undef X
  add_counter(ask, "records", stats.records), add_counter(ask, "quarantined", stats.quarantined),
      add_counter(ask, "history", stats.history);
  add_counter(ask, "artefacts", stats.artefacts);
  add_counter(ask, "map_bytes", stats.size.map_bytes), add_counter(ask, "used_bytes", stats.size.used_bytes),
      add_counter(ask, "free_bytes", stats.size.free_bytes);
  return FARM_OK;
}

static enum farm_status verb_explain(struct ask *ask) {
  struct strbuf text = {0};
  FAIL_IF(!argument(ask, 0), FARM_USAGE, "explain which key?");
  enum farm_status status = cache_explain(ask->cache, argument(ask, 0), &text);
  if (status == FARM_OK) add_text(ask, strbuf_text(&text));
  strbuf_free(&text);
  return status;
}

static enum farm_status verb_export(struct ask *ask) {
  struct bytes_writer bundle = {0};
  uint64_t count = 0;
  enum farm_status status = cache_export(ask->cache, argument(ask, 0), &bundle, &count);
  if (status == FARM_OK) status = blobs_add(ask->blobs, bundle.data, bundle.length, &ask->answer.blob);
  ask->answer.blob_bytes = bundle.length;
  bytes_writer_free(&bundle);
  add_counter(ask, "records", count);
  return status;
}

static enum farm_status verb_import(struct ask *ask) {
  char *data = NULL;
  size_t length = 0;
  struct cache_imported imported = {0};
  TRY(blobs_read(ask->blobs, &ask->message->blob, BUNDLE_MOST_BYTES, &data, &length));
  enum farm_status status =
      cache_import(ask->cache, data, length, has_argument(ask, "most-samples") ? CACHE_MOST_SAMPLES : CACHE_NEWEST,
                   has_argument(ask, "dry-run"), &imported);
  compilers_forget(ask->compilers); // a bundle carries artefacts as well
  free(data);
  add_counter(ask, "total", imported.total), add_counter(ask, "added", imported.added), add_counter(ask, "same", imported.same);
  add_counter(ask, "replaced", imported.replaced), add_counter(ask, "kept", imported.kept);
  return status;
}

static enum farm_status verb_verify(struct ask *ask) {
  struct cache_verified verified;
  if (has_argument(ask, "remove")) compilers_forget(ask->compilers);
  TRY(cache_verify(ask->cache, has_argument(ask, "remove"), &verified));
  add_counter(ask, "good", verified.good), add_counter(ask, "corrupt", verified.corrupt);
  add_counter(ask, "later", verified.later), add_counter(ask, "removed", verified.removed);
  return FARM_OK;
}

/* Arguments: `older-than=SECONDS`, `key=TEXT`, `history`, `quarantine`, `dry-run`; none prunes nothing. */
static enum farm_status verb_prune(struct ask *ask) {
  struct cache_prune prune = {.history = has_argument(ask, "history"),
                              .quarantine = has_argument(ask, "quarantine"),
                              .dry_run = has_argument(ask, "dry-run")};
  for (uint32_t i = 0; i < ask->message->arguments_count; i++) {
    const char *text = ask->message->arguments[i].text;
    if (strncmp(text, "older-than=", 11) == 0) prune.older_than_s = strtoull(text + 11, NULL, 10);
    if (strncmp(text, "key=", 4) == 0) prune.text = text + 4;
  }
  FAIL_IF(!prune.older_than_s && !prune.text && !prune.history && !prune.quarantine, FARM_USAGE,
          "prune what? older-than=SECONDS, key=TEXT, history or quarantine");
  uint64_t count = 0;
  compilers_forget(ask->compilers);
  TRY(cache_prune(ask->cache, &prune, &count));
  add_counter(ask, "pruned", count);
  return FARM_OK;
}

static enum farm_status verb_compact(struct ask *ask) {
  uint64_t saved = 0;
  TRY(cache_compact(ask->cache, &saved));
  add_counter(ask, "bytes_saved", saved);
  return FARM_OK;
}

/* ---- artefacts: lists of them as blobs ---- */

/* Those of the keys in the arguments that there are; no blob when there are none. */
static enum farm_status verb_artefacts_get(struct ask *ask) {
  struct bytes_writer envelopes = {0}, list = {0};
  uint32_t found = 0;
  enum farm_status status = FARM_OK;
  for (uint32_t i = 0; i < ask->message->arguments_count && status == FARM_OK; i++) {
    struct arena arena = {0};
    struct artefact artefact;
    struct store_bytes envelope;
    status = cache_artefact_get(ask->cache, ask->message->arguments[i].text, &arena, &artefact, &envelope);
    if (status == FARM_OK) bytes_put_blob(&envelopes, envelope.data, envelope.length), found++;
    if (status == FARM_NOT_FOUND) status = FARM_OK;
    arena_free(&arena);
  }
  bytes_put_u32(&list, found);
  bytes_put(&list, envelopes.data, envelopes.length);
  if (envelopes.failed || list.failed) status = status_set(FARM_NO_MEMORY, "out of memory for artefacts");
  if (status == FARM_OK && found) status = blobs_add(ask->blobs, list.data, list.length, &ask->answer.blob);
  if (status == FARM_OK && found) ask->answer.blob_bytes = list.length;
  bytes_writer_free(&envelopes), bytes_writer_free(&list);
  add_counter(ask, "found", found);
  return status;
}

/* A line for each key in the arguments that there is nothing under. */
static enum farm_status verb_artefacts_missing(struct ask *ask) {
  for (uint32_t i = 0; i < ask->message->arguments_count; i++) {
    struct arena arena = {0};
    struct artefact artefact;
    const char *key = ask->message->arguments[i].text;
    enum farm_status status = cache_artefact_get(ask->cache, key, &arena, &artefact, NULL);
    arena_free(&arena);
    if (status == FARM_NOT_FOUND)
      add_line(ask, key, strlen(key));
    else
      TRY(status);
  }
  return FARM_OK;
}

/* The list in the message's blob becomes durable before the answer. */
static enum farm_status verb_artefacts_put(struct ask *ask) {
  char *data = NULL;
  size_t length = 0;
  struct cache_imported done = {0};
  TRY(blobs_read(ask->blobs, &ask->message->blob, BUNDLE_MOST_BYTES, &data, &length));
  enum farm_status status = cache_artefacts_put(ask->cache, data, length, &done);
  if (status == FARM_OK) compilers_note(ask->compilers, data, length, &done);
  free(data);
  add_counter(ask, "total", done.total), add_counter(ask, "added", done.added), add_counter(ask, "same", done.same);
  add_counter(ask, "kept", done.kept);
  return status;
}

/* A counter per compiler that made artefacts: how many. */
static enum farm_status verb_compilers(struct ask *ask) {
  TRY(compilers_learn(ask->compilers, ask->cache));
  const struct map *counts = &ask->compilers->counts;
  for (struct map_entry *e = map_next(counts, NULL); e; e = map_next(counts, e)) add_counter(ask, e->key, (uintptr_t)e->value);
  return FARM_OK;
}

static const struct {
  const char *name;
  enum farm_status (*run)(struct ask *ask);
} verbs[] = {{"ls", verb_ls},
             {"history", verb_history},
             {"stats", verb_stats},
             {"explain", verb_explain},
             {"export", verb_export},
             {"import", verb_import},
             {"verify", verb_verify},
             {"prune", verb_prune},
             {"compact", verb_compact},
             {"artefacts-get", verb_artefacts_get},
             {"artefacts-missing", verb_artefacts_missing},
             {"artefacts-put", verb_artefacts_put},
             {"compilers", verb_compilers}};

static enum farm_status run(struct ask *ask) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(verbs[i].name, ask->message->verb) == 0) return verbs[i].run(ask);
  return status_set(FARM_USAGE, "%s: no such cache verb", ask->message->verb);
}

void verbs_carry_out(struct cache *cache, struct blobs *blobs, struct compilers *compilers, const struct wire_cache *message,
                     verbs_reply_fn reply, void *context) {
  struct ask *ask = calloc(1, sizeof *ask);
  if (!ask)
    return reply(context, &(struct wire_cache_reply){.request = message->request,
                                                     .status = FARM_NO_MEMORY,
                                                     .message = "out of memory for a cache verb"});
  *ask = (struct ask){
      .cache = cache, .blobs = blobs, .compilers = compilers, .message = message, .reply = reply, .context = context};
  ask->answer.request = message->request;
  ask->answer.status = run(ask);
  ask->answer.message = ask->answer.status == FARM_OK ? "" : status_message();
  ask->answer.lines = ask->lines;
  ask->answer.counters = ask->counters;
  reply(context, &ask->answer);
  arena_free(&ask->arena);
  free(ask);
}
