/* `tunefarm cancel` and `drain`: ending a build, emptying a farm. */
#include "command.h"

#include "local-farm.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../coordinator/place.h"
#include "../include/tunefarm.h"
#include "../kernels/tactic.h"

#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 10000, LEAST_DIGITS = 4 };

struct end_command {
  const char *farm, *cache;
};

/* The build whose id begins with `text`, or that has this label; exactly one. */
static enum farm_status build_find(struct client *client, const char *text, struct digest *out) {
  struct arena arena = {0};
  struct wire_status_reply reply;
  int found = 0;
  enum farm_status status = client_status(client, ANSWER_MS, &arena, &reply);
  for (uint32_t i = 0; status == FARM_OK && i < reply.builds_count; i++) {
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&reply.builds[i].build, hex);
    bool meant = strlen(text) >= LEAST_DIGITS && strncmp(hex, text, strlen(text)) == 0;
    if (!meant && strcmp(reply.builds[i].label, text) != 0) continue;
    *out = reply.builds[i].build;
    found++;
  }
  arena_free(&arena);
  TRY(status);
  FAIL_IF(found == 0, FARM_NOT_FOUND, "%s: no such build; `tunefarm jobs` lists them", text);
  FAIL_IF(found > 1, FARM_USAGE, "%s: that could be any of %d builds", text, found);
  return FARM_OK;
}

static enum farm_status cancel(const struct end_command *c, const struct option_list *ids) {
  struct client *client = NULL;
  FAIL_IF(ids->count == 0, FARM_USAGE, "which build?");
  TRY(local_farm_open(c->farm, c->cache, &client));
  enum farm_status status = FARM_OK;
  for (size_t i = 0; status == FARM_OK && i < ids->count; i++) {
    struct digest build;
    status = build_find(client, ids->items[i], &build);
    if (status == FARM_OK) status = client_cancel_build(client, &build, ANSWER_MS);
    if (status == FARM_OK) log_info("%s is cancelled", ids->items[i]);
  }
  client_close(&client);
  return status;
}

static enum farm_status drain(const struct end_command *c, const struct option_list *none) {
  char folder[PATH_MAX];
  struct client *client = NULL;
  FAIL_IF(none->count, FARM_USAGE, "`%s` is left over", none->items[0]);
  TRY(local_farm_folder(c->cache, folder));
  bool runs = c->farm || (access(folder, F_OK) == 0 && place_is_locked(folder)); // looking makes a folder
  FAIL_IF(!runs, FARM_NOT_FOUND, "%s: no coordinator runs", folder);
  TRY(local_farm_open(c->farm, c->cache, &client));
  enum farm_status status = client_drain(client, ANSWER_MS);
  client_close(&client);
  if (status == FARM_OK) log_info("the workers finish what they have and leave");
  return status;
}

static enum farm_status run(int argc, char **argv, const struct options *texts,
                            enum farm_status (*carry_out)(const struct end_command *, const struct option_list *)) {
  struct end_command c = {0};
  const struct option rows[] = {
      {"farm", OPTION_TEXT, &c.farm, 0, 0, "ENDPOINT", "a farm's coordinator (that of the cache folder)", true},
      {"cache", OPTION_TEXT, &c.cache, 0, 0, "DIR", "the cache folder ($XDG_CACHE_HOME/tunefarm)", true},
      {0},
  };
  struct options options = *texts;
  struct option_list positional = {0};
  bool help;
  options.rows = rows;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help) status = carry_out(&c, &positional);
  option_list_free(&positional);
  return status;
}

static enum farm_status run_cancel(int argc, char **argv) {
  return run(argc, argv,
             &(struct options){"cancel", "BUILD... [options]",
                               "Ends builds, named by the beginning of their id or by their label.",
                               "  tunefarm cancel 3fa91c\n  tunefarm cancel resnet50.onnx --farm tcp://127.0.0.1:7410\n", NULL},
             cancel);
}
static enum farm_status run_drain(int argc, char **argv) {
  return run(argc, argv,
             &(struct options){"drain", "[options]",
                               "Lets the workers of a farm finish what they have, then leave; nothing new is handed out.",
                               "  tunefarm drain --farm tcp://127.0.0.1:7410\n", NULL},
             drain);
}

const struct command command_cancel = {"cancel", "end a build", run_cancel};
const struct command command_drain = {"drain", "let the workers of a farm finish and leave", run_drain};
