/* `tunefarm status`, `jobs` and `top`: what a farm does. All three show the coordinator's answer to STATUS. */
#include "local-farm.h"
#include "report.h"

#include "../base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

struct status_command {
  const char *farm, *cache;
  struct option_optional json;
  double interval_s;
  int64_t rounds;
};

/* ---- the answer as JSON ---- */

static json_t *workers_describe(const struct wire_status_reply *reply) {
  json_t *rows = json_array();
  for (uint32_t i = 0; i < reply->workers_count; i++) {
    const struct wire_worker_info *w = &reply->workers[i];
    json_array_append_new(rows, json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "host", report_text(w->host), "device_class",
                                          report_text(w->device_class), "device", report_text(w->device), "build",
                                          report_text(w->build), "state", report_text(w->state), "problem",
                                          report_text(w->problem), "finished", (json_int_t)w->finished));
  }
  return rows;
}

static json_t *builds_describe(const struct wire_status_reply *reply) {
  json_t *rows = json_array();
  for (uint32_t i = 0; i < reply->builds_count; i++) {
    const struct wire_build_info *b = &reply->builds[i];
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&b->build, hex);
    json_array_append_new(rows, json_pack("{s:s,s:o,s:I,s:I,s:b,s:o}", "build", hex, "label", report_text(b->label), "items",
                                          (json_int_t)b->items, "answered", (json_int_t)b->answered, "attached", b->attached,
                                          "eta_s", report_real(b->eta_s)));
  }
  return rows;
}

static json_t *reply_describe(const struct wire_status_reply *reply) {
  json_t *counters = json_object();
  for (uint32_t i = 0; i < reply->counters_count; i++)
    json_object_set_new(counters, reply->counters[i].name, json_integer((json_int_t)reply->counters[i].value));
  return json_pack("{s:o,s:I,s:o,s:o,s:o,s:o}", "cache", report_text(reply->cache), "epoch", (json_int_t)reply->epoch, "uptime_s",
                   report_real(reply->uptime_s), "workers", workers_describe(reply), "builds", builds_describe(reply), "counters",
                   counters);
}

static enum farm_status ask(struct client *client, json_t **out) {
  struct arena arena = {0};
  struct wire_status_reply reply;
  enum farm_status status = client_status(client, ANSWER_MS, &arena, &reply);
  if (status == FARM_OK) *out = reply_describe(&reply);
  arena_free(&arena);
  if (status == FARM_OK && !*out) status = status_set(FARM_NO_MEMORY, "out of memory for a report");
  return status;
}

/* ---- for people ---- */

static void builds_show(const json_t *root) {
  size_t i;
  json_t *row;
  const json_t *rows = json_object_get(root, "builds");
  if (!json_array_size(rows)) report_line("no builds");
  json_array_foreach(rows, i, row)
      report_line("build %.12s  %.0f of %.0f problems, about %.0f s left%s  %s", report_get(row, "build"),
                  report_number(row, "answered"), report_number(row, "items"), report_number(row, "eta_s"),
                  json_is_true(json_object_get(row, "attached")) ? "" : ", nobody waits", report_get(row, "label"));
}

static void workers_show(const json_t *root) {
  size_t i;
  json_t *row;
  const json_t *rows = json_object_get(root, "workers");
  if (!json_array_size(rows)) report_line("no workers");
  json_array_foreach(rows, i, row) report_line(
      "worker %s %s  %s, %.0f jobs done  [%s]  %s", report_get(row, "host"), report_get(row, "device"), report_get(row, "state"),
      report_number(row, "finished"), report_get(row, "device_class"), report_get(row, "problem"));
}

static void status_show(const json_t *root) {
  const json_t *counters = json_object_get(root, "counters");
  report_line("coordinator of %s, up for %.0f s", report_get(root, "cache"), report_number(root, "uptime_s"));
  workers_show(root);
  builds_show(root);
  report_line("%.0f records, %.0f variants timed, %.0f finals, %.0f quarantined, %.0f leases died",
              report_number(counters, "cache_records"), report_number(counters, "variants_timed"),
              report_number(counters, "finals"), report_number(counters, "variants_quarantined"),
              report_number(counters, "leases_died"));
}

/* ---- commands ---- */

static enum farm_status once(const struct status_command *c, struct client *client, void (*show)(const json_t *root)) {
  json_t *root = NULL;
  TRY(ask(client, &root));
  return report_give(&c->json, root, show);
}

static volatile sig_atomic_t told_to_end;
static void end_note(int number) {
  (void)number;
  told_to_end = 1;
}

static enum farm_status again_and_again(const struct status_command *c, struct client *client) {
  bool terminal = isatty(STDOUT_FILENO) == 1;
  sigaction(SIGINT, &(struct sigaction){.sa_handler = end_note}, NULL);
  for (int64_t round = 0; !told_to_end && (c->rounds == 0 || round < c->rounds); round++) {
    if (round) clock_sleep_ns((uint64_t)(c->interval_s * 1e9));
    if (told_to_end) break;
    if (terminal) fputs("\033[H\033[2J", stdout);
    TRY(once(c, client, status_show));
  }
  return FARM_OK;
}

enum kind { KIND_STATUS, KIND_JOBS, KIND_TOP };

static enum farm_status carry_out(const struct status_command *c, enum kind kind) {
  struct client *client = NULL;
  TRY(local_farm_open(c->farm, c->cache, &client));
  enum farm_status status =
      kind == KIND_TOP ? again_and_again(c, client) : once(c, client, kind == KIND_JOBS ? builds_show : status_show);
  client_close(&client);
  return status;
}

static enum farm_status run(int argc, char **argv, enum kind kind) {
  static const struct {
    const char *name, *summary, *examples;
  } texts[] = {
      {"status", "Says what a farm does: workers, builds, counters.",
       "  tunefarm status\n  tunefarm status --farm tcp://127.0.0.1:7410 --json\n"},
      {"jobs", "Lists the builds of a farm and how far they are.",
       "  tunefarm jobs\n  tunefarm jobs --json | jq -r '.builds[].build'\n"},
      {"top", "Shows what a farm does, again and again until interrupted.",
       "  tunefarm top\n  tunefarm top --interval 10 --rounds 6\n"},
  };
  struct status_command c = {.interval_s = 2};
  const struct option json = {"json", OPTION_OPTIONAL, &c.json, 0, 0, "FILE", "all of it as one JSON object", false};
  const struct option interval = {"interval", OPTION_NUMBER, &c.interval_s, 0.1, 86400, "S", "time between two looks (2)", false};
  const struct option rows[] = {
      {"farm", OPTION_TEXT, &c.farm, 0, 0, "ENDPOINT", "a farm's coordinator (that of the cache folder)", true},
      {"cache", OPTION_TEXT, &c.cache, 0, 0, "DIR", "the cache folder ($XDG_CACHE_HOME/tunefarm)", true},
      kind == KIND_TOP ? interval : json,
      {kind == KIND_TOP ? "rounds" : NULL, OPTION_INTEGER, &c.rounds, 0, 1e9, "N", "end after so many looks", false},
      {0},
  };
  const struct options options = {texts[kind].name, "[options]", texts[kind].summary, texts[kind].examples, rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count) status = status_set(FARM_USAGE, "`%s` is left over", positional.items[0]);
  if (status == FARM_OK && !help) status = carry_out(&c, kind);
  option_list_free(&positional);
  return status;
}

static enum farm_status run_status(int argc, char **argv) { return run(argc, argv, KIND_STATUS); }
static enum farm_status run_jobs(int argc, char **argv) { return run(argc, argv, KIND_JOBS); }
static enum farm_status run_top(int argc, char **argv) { return run(argc, argv, KIND_TOP); }

const struct command command_status = {"status", "say what a farm does", run_status};
const struct command command_jobs = {"jobs", "list the builds of a farm", run_jobs};
const struct command command_top = {"top", "watch a farm", run_top};
