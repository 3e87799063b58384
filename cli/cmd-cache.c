/* `tunefarm cache`: what the tactic cache holds. Only the coordinator has it open, so each verb is a message to it. */
#include "cache-report.h"
#include "local-farm.h"
#include "report.h"

#include "../base/file.h"
#include "../base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERB_MS = 600000, BUNDLE_MOST_BYTES = 1 << 30, MOST_ARGUMENTS = 8 };

struct cache_command {
  const char *verb, *farm, *cache, *output, *policy, *key;
  struct option_list words; // behind the verb
  double older_than_days;
  bool dry_run, remove, history, quarantine;
  struct option_optional json;
  struct client *client;
};

struct reply {
  struct arena arena;
  struct wire_cache_reply wire;
  json_t *lines;
};

/* ---- asking ---- */

static void line_keep(void *context, const char *line) { json_array_append_new(context, report_text(line)); }

/* When the words have been found right: a wrong call starts no coordinator. */
static enum farm_status connect_once(struct cache_command *c) {
  return c->client ? FARM_OK : local_farm_open(c->farm, c->cache, &c->client);
}

static enum farm_status ask(struct cache_command *c, const char *const *arguments, uint32_t count, const struct digest *blob,
                            struct reply *reply) {
  *reply = (struct reply){.lines = json_array()};
  TRY(connect_once(c));
  return client_cache(c->client, c->verb, arguments, count, blob, VERB_MS, line_keep, reply->lines, &reply->arena, &reply->wire);
}

static void reply_free(struct reply *reply) {
  json_decref(reply->lines);
  arena_free(&reply->arena);
}

static double counter_of(const struct reply *reply, const char *name) {
  for (uint32_t i = 0; i < reply->wire.counters_count; i++)
    if (strcmp(reply->wire.counters[i].name, name) == 0) return (double)reply->wire.counters[i].value;
  return 0;
}

static json_t *reply_describe(const struct cache_command *c, const struct reply *reply) {
  json_t *root = json_pack("{s:s}", "verb", c->verb);
  for (uint32_t i = 0; i < reply->wire.counters_count; i++)
    json_object_set_new(root, reply->wire.counters[i].name, json_integer((json_int_t)reply->wire.counters[i].value));
  json_object_set(root, "lines", reply->lines);
  return root;
}

static void reply_show(const json_t *root) {
  size_t i;
  const char *key;
  json_t *value;
  json_array_foreach(json_object_get(root, "lines"), i, value) report_line("%s", json_string_value(value));
  json_object_foreach((json_t *)(uintptr_t)root, key, value) if (json_is_integer(value))
      report_line("%-16s%lld", key, (long long)json_integer_value(value));
}

/* Most verbs: send the words, show what comes. */
static enum farm_status ask_and_show(struct cache_command *c, const char *const *arguments, uint32_t count,
                                     const struct digest *blob) {
  struct reply reply;
  enum farm_status status = ask(c, arguments, count, blob, &reply);
  if (status == FARM_OK) status = report_give(&c->json, reply_describe(c, &reply), reply_show);
  reply_free(&reply);
  return status;
}

/* ---- verbs ---- */

static enum farm_status words_expect(const struct cache_command *c, size_t least, size_t most, const char *what) {
  FAIL_IF(c->words.count < least, FARM_USAGE, "%s: which %s?", c->verb, what);
  FAIL_IF(c->words.count > most, FARM_USAGE, "%s: `%s` is left over", c->verb, c->words.items[most]);
  return FARM_OK;
}

static enum farm_status cache_stats_verb(struct cache_command *c) {
  TRY(words_expect(c, 0, 0, ""));
  return ask_and_show(c, NULL, 0, NULL);
}

static enum farm_status cache_list(struct cache_command *c) {
  TRY(words_expect(c, 0, 1, ""));
  return ask_and_show(c, c->words.items, (uint32_t)c->words.count, NULL);
}

static enum farm_status cache_of_key(struct cache_command *c) {
  TRY(words_expect(c, 1, 1, "key"));
  return ask_and_show(c, c->words.items, 1, NULL);
}

static enum farm_status bundle_fetch(struct cache_command *c, const struct reply *reply) {
  uint8_t *data = NULL;
  size_t length = 0;
  TRY(client_blob_get(c->client, &reply->wire.blob, BUNDLE_MOST_BYTES, VERB_MS, &data, &length));
  enum farm_status status = file_write_atomic(c->output, data, length);
  free(data);
  if (status == FARM_OK) log_info("%s: %.0f records, %zu bytes", c->output, counter_of(reply, "records"), length);
  return status;
}

static enum farm_status cache_export_verb(struct cache_command *c) {
  struct reply reply;
  TRY(words_expect(c, 0, 1, ""));
  FAIL_IF(!c->output, FARM_USAGE, "export: no --output for the bundle");
  enum farm_status status = ask(c, c->words.items, (uint32_t)c->words.count, NULL, &reply);
  if (status == FARM_OK) status = bundle_fetch(c, &reply);
  if (status == FARM_OK) status = json_report(&c->json, c->json.given ? reply_describe(c, &reply) : NULL);
  reply_free(&reply);
  return status;
}

static enum farm_status cache_import_verb(struct cache_command *c) {
  struct file_map map;
  struct digest blob;
  const char *arguments[MOST_ARGUMENTS];
  uint32_t count = 0;
  TRY(words_expect(c, 1, 1, "bundle"));
  bool newest = strcmp(c->policy, "newest") == 0, samples = strcmp(c->policy, "most-samples") == 0;
  FAIL_IF(!newest && !samples, FARM_USAGE, "--policy: `%s` is neither newest nor most-samples", c->policy);
  TRY(file_map_open(c->words.items[0], &map));
  enum farm_status status =
      map.length > BUNDLE_MOST_BYTES ? status_set(FARM_INVALID, "larger than a bundle may be") : connect_once(c);
  if (status == FARM_OK) status = client_blob_put(c->client, map.data, map.length, VERB_MS, &blob);
  file_map_close(&map);
  if (c->dry_run) arguments[count++] = "dry-run";
  if (samples) arguments[count++] = "most-samples";
  if (status == FARM_OK) status = ask_and_show(c, arguments, count, &blob);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%s", c->words.items[0]);
}

static enum farm_status cache_verify_verb(struct cache_command *c) {
  const char *const arguments[] = {"remove"};
  struct reply reply;
  TRY(words_expect(c, 0, 0, ""));
  enum farm_status status = ask(c, arguments, c->remove ? 1 : 0, NULL, &reply);
  double corrupt = status == FARM_OK ? counter_of(&reply, "corrupt") : 0;
  if (status == FARM_OK) status = report_give(&c->json, reply_describe(c, &reply), reply_show);
  reply_free(&reply);
  TRY(status);
  FAIL_IF(corrupt > 0 && !c->remove, FARM_VERIFY_FAILED, "%.0f records are corrupt; --remove drops them", corrupt);
  return FARM_OK;
}

static enum farm_status cache_prune_verb(struct cache_command *c) {
  struct arena arena = {0};
  const char *arguments[MOST_ARGUMENTS];
  uint32_t count = 0;
  TRY(words_expect(c, 0, 0, ""));
  FAIL_IF(c->older_than_days <= 0 && !c->key && !c->history && !c->quarantine, FARM_USAGE,
          "prune: of what? --older-than, --key, --history or --quarantine");
  if (c->older_than_days > 0) arguments[count++] = arena_printf(&arena, "older-than=%.0f", c->older_than_days * 86400);
  if (c->key) arguments[count++] = arena_printf(&arena, "key=%s", c->key);
  if (c->history) arguments[count++] = "history";
  if (c->quarantine) arguments[count++] = "quarantine";
  if (c->dry_run) arguments[count++] = "dry-run";
  bool complete = true;
  for (uint32_t i = 0; i < count; i++) complete &= arguments[i] != NULL;
  enum farm_status status = complete ? ask_and_show(c, arguments, count, NULL) : FARM_NO_MEMORY;
  arena_free(&arena);
  return status;
}

/* ---- the command ---- */

enum option_of { OF_ALL = 0, OF_EXPORT = 1, OF_IMPORT = 2, OF_VERIFY = 4, OF_PRUNE = 8 };

static const struct verb {
  const char *name, *usage, *summary;
  enum option_of options;
  enum farm_status (*run)(struct cache_command *c);
} verbs[] = {
    {"stats", "", "counters and sizes", OF_ALL, cache_stats_verb},
    {"ls", " [TEXT]", "records and artefacts whose key contains TEXT: time or size, samples, outcome, key", OF_ALL, cache_list},
    {"history", " KEY", "what was believed of a key before", OF_ALL, cache_of_key},
    {"explain", " KEY", "why a key is a miss: the nearest ones and what differs", OF_ALL, cache_of_key},
    {"export", " [TEXT] -o BUNDLE", "records and artefacts whose key contains TEXT, into a file", OF_EXPORT, cache_export_verb},
    {"import", " BUNDLE", "what a bundle holds, all or none", OF_IMPORT, cache_import_verb},
    {"verify", "", "reads every record and artefact; exit code 9 when one is corrupt", OF_VERIFY, cache_verify_verb},
    {"prune", "", "removes records and artefacts", OF_PRUNE, cache_prune_verb},
    {"compact", "", "gives free pages back to the file system", OF_ALL, cache_stats_verb},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static enum farm_status verb_carry_out(struct cache_command *c, const struct verb *verb) {
  c->verb = verb->name;
  enum farm_status status = verb->run(c);
  client_close(&c->client);
  return status;
}

enum farm_status cache_folder_report(const char *folder, const struct option_optional *json) {
  char path[PATH_MAX];
  struct cache_command c = {.cache = folder, .json = *json};
  int length = snprintf(path, sizeof path, "%s/cache/data.mdb", folder);
  FAIL_IF(length < 0 || (size_t)length >= sizeof path || access(path, F_OK) != 0, FARM_INVALID,
          "%s: no cache folder (it has no cache/data.mdb)", folder);
  return verb_carry_out(&c, &verbs[0]);
}

static const struct verb *verb_find(const char *name) {
  for (int i = 0; name && i < VERBS; i++)
    if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
  return NULL;
}

static void usage_print(const struct verb *verb, char *out, size_t bytes) {
  if (verb) {
    snprintf(out, bytes, "%s%s [options]", verb->name, verb->usage);
    return;
  }
  int at = snprintf(out, bytes, "VERB [options]\n\nVerbs:\n");
  for (int i = 0; i < VERBS; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s%s", verbs[i].name, verbs[i].usage);
    at += snprintf(out + at, bytes - (size_t)at, "  %-28s%s%s", left, verbs[i].summary, i + 1 < VERBS ? "\n" : "");
  }
}

static enum farm_status run_verb(int argc, char **argv, struct cache_command *c, const struct verb *verb) {
  char usage[2048];
  const struct {
    enum option_of of;
    struct option row;
  } all[] = {
      {OF_ALL, {"farm", OPTION_TEXT, &c->farm, 0, 0, "ENDPOINT", "a farm's coordinator (that of the cache folder)", true}},
      {OF_ALL, {"cache", OPTION_TEXT, &c->cache, 0, 0, "DIR", "the cache folder ($XDG_CACHE_HOME/tunefarm)", true}},
      {OF_EXPORT, {"output", OPTION_TEXT, &c->output, 0, 0, "BUNDLE", "where the bundle goes (also -o)", false}},
      {OF_IMPORT,
       {"policy", OPTION_TEXT, &c->policy, 0, 0, "P", "which of two records counts: newest (so unless said) or most-samples",
        false}},
      {OF_VERIFY, {"remove", OPTION_FLAG, &c->remove, 0, 0, NULL, "drop the corrupt ones", false}},
      {OF_PRUNE, {"older-than", OPTION_NUMBER, &c->older_than_days, 0, 1e6, "DAYS", "measured longer ago than that", false}},
      {OF_PRUNE, {"key", OPTION_TEXT, &c->key, 0, 0, "TEXT", "whose key contains TEXT", false}},
      {OF_PRUNE, {"history", OPTION_FLAG, &c->history, 0, 0, NULL, "only what is not current any more", false}},
      {OF_PRUNE, {"quarantine", OPTION_FLAG, &c->quarantine, 0, 0, NULL, "only variants in quarantine", false}},
      {OF_PRUNE | OF_IMPORT, {"dry-run", OPTION_FLAG, &c->dry_run, 0, 0, NULL, "say what would happen; change nothing", false}},
      {OF_ALL, {"json", OPTION_OPTIONAL, &c->json, 0, 0, "FILE", "the answer as one JSON object", false}},
  };
  struct option rows[sizeof all / sizeof *all + 1] = {{0}};
  int count = 0;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i].of == OF_ALL || (verb && (all[i].of & verb->options))) rows[count++] = all[i].row;
  usage_print(verb, usage, sizeof usage);
  const struct options options = {
      "cache", usage, "Shows, checks and moves what the tactic cache holds.",
      "  tunefarm cache ls 'gemm m128'\n"
      "  tunefarm cache export -o team.bundle && scp team.bundle other: && ssh other tunefarm cache import team.bundle\n"
      "  tunefarm cache explain 'final|1|gemm m1 n10 k256 f32 acc:f32 w:const +bias|cpu …|t2|cold/1 effort2'\n",
      rows};
  bool help;
  TRY(options_parse(&options, argc, argv, &c->words, &help));
  if (help) return FARM_OK;
  FAIL_IF(!verb, FARM_USAGE, "%s%s%s; `tunefarm cache --help` lists the verbs",
          c->words.count ? "no verb `" : "no verb was given", c->words.count ? c->words.items[0] : "", c->words.count ? "`" : "");
  return verb_carry_out(c, verb);
}

static enum farm_status run(int argc, char **argv) {
  struct cache_command c = {.policy = "newest"};
  const struct verb *verb = argc ? verb_find(argv[0]) : NULL;
  enum farm_status status = run_verb(verb ? argc - 1 : argc, verb ? argv + 1 : argv, &c, verb);
  option_list_free(&c.words);
  return status;
}

const struct command command_cache = {"cache", "show, check and move what the tactic cache holds", run};
