/* `tunefarm inspect`: says what a model, an engine or a cache folder holds. The kind is found in the content, not the name. */
#include "cache-report.h"
#include "inspect.h"

#include "../base/array.h"
#include "../engine/format/engine-layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum farm_status is_engine(const char *path, bool *out) {
  char head[sizeof ENGINE_MAGIC - 1] = {0};
  FILE *file = fopen(path, "re");
  FAIL_IF(!file, errno == ENOENT ? FARM_NOT_FOUND : FARM_IO, "%s: %s", path, strerror(errno));
  size_t got = fread(head, 1, sizeof head, file);
  fclose(file);
  *out = got == sizeof head && memcmp(head, ENGINE_MAGIC, sizeof head) == 0;
  return FARM_OK;
}

/* An option that says nothing about this kind of thing is a mistake: passed over in silence, it would seem to be obeyed. */
static enum farm_status options_fit(const struct inspect_command *c, const char *kind) {
  bool model = strcmp(kind, "a model") == 0, engine = strcmp(kind, "an engine") == 0;
  const struct {
    const char *name;
    bool given, fits;
  } options[] = {{"passes", c->passes, model},
                 {"ir", c->ir, model},
                 {"shape", c->shapes.count > 0, model},
                 {"without", c->passes_off.count > 0, model},
                 {"verify", c->verify, engine}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    FAIL_IF(options[i].given && !options[i].fits, FARM_USAGE, "--%s: %s is %s; see `tunefarm inspect --help`", options[i].name,
            c->path, kind);
  return FARM_OK;
}

static enum farm_status inspect_any(const struct inspect_command *command) {
  struct stat info;
  bool engine = false;
  FAIL_IF(stat(command->path, &info) != 0, FARM_NOT_FOUND, "%s: %s", command->path, strerror(errno));
  if (S_ISDIR(info.st_mode)) {
    TRY(options_fit(command, "a folder"));
    return cache_folder_report(command->path, &command->json);
  }
  FAIL_IF(!S_ISREG(info.st_mode), FARM_INVALID, "%s: neither a file nor a folder", command->path);
  TRY(is_engine(command->path, &engine));
  TRY(options_fit(command, engine ? "an engine" : "a model"));
  return engine ? inspect_engine(command) : inspect_model(command);
}

static enum farm_status list_end(struct option_list *list) {
  TRY(array_reserve(&list->items, &list->capacity, list->count + 1));
  list->items[list->count] = NULL;
  return FARM_OK;
}

static enum farm_status run(int argc, char **argv) {
  struct inspect_command c = {0};
  const struct option rows[] = {
      {"passes", OPTION_FLAG, &c.passes, 0, 0, NULL, "model: which optimisation made what of which ONNX nodes", false},
      {"ir", OPTION_FLAG, &c.ir, 0, 0, NULL, "model: the optimised graph as text", false},
      {"shape", OPTION_LIST, &c.shapes, 0, 0, "NAME=1x3x224x224", "model: fix an input's size first; may be repeated", false},
      {"without", OPTION_LIST, &c.passes_off, 0, 0, "PASS", "model: switch an optimisation off by name; may be repeated", false},
      {"verify", OPTION_FLAG, &c.verify, 0, 0, NULL, "engine: check every weight's digest, too", false},
      {"json", OPTION_OPTIONAL, &c.json, 0, 0, "FILE", "all of it as one JSON object", false},
      {0},
  };
  const struct options options = {"inspect", "MODEL|ENGINE|CACHE [options]",
                                  "Says what a model, an engine or a cache folder holds.",
                                  "  tunefarm inspect resnet50.onnx --passes\n"
                                  "  tunefarm inspect bert.onnx --ir --without fuse-maps\n"
                                  "  tunefarm inspect resnet50.engine --json | jq '.sections[0].layers[0]'\n"
                                  "  tunefarm inspect ~/.cache/tunefarm\n",
                                  rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count != 1)
    status = status_set(FARM_USAGE, "one file or folder is needed, %zu were given", positional.count);
  if (status == FARM_OK && !help) status = list_end(&c.passes_off);
  if (status == FARM_OK && !help) {
    c.path = positional.items[0];
    status = inspect_any(&c);
  }
  option_list_free(&positional);
  option_list_free(&c.shapes);
  option_list_free(&c.passes_off);
  return status;
}

const struct command command_inspect = {"inspect", "say what a model, an engine or a cache holds", run};
