/* See options.h. */
#include "options.h"

#include "array.h"
#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option *row_find(const struct options *options, const char *name, size_t length) {
  for (const struct option *row = options->rows; row->name; row++)
    if (strlen(row->name) == length && memcmp(row->name, name, length) == 0) return row;
  return NULL;
}

static enum farm_status integer_set(const struct option *row, const char *text) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  FAIL_IF(errno || end == text || *end, FARM_USAGE, "--%s: `%s` is not a whole number", row->name, text);
  bool bounded = row->least != 0 || row->most != 0;
  FAIL_IF(bounded && ((double)value < row->least || (double)value > row->most), FARM_USAGE,
          "--%s: %lld is not between %.0f and %.0f", row->name, value, row->least, row->most);
  *(int64_t *)row->target = value;
  return FARM_OK;
}

static enum farm_status number_set(const struct option *row, const char *text) {
  char *end;
  double value = strtod(text, &end);
  FAIL_IF(end == text || *end || !isfinite(value), FARM_USAGE, "--%s: `%s` is not a number", row->name, text);
  bool bounded = row->least != 0 || row->most != 0;
  FAIL_IF(bounded && (value < row->least || value > row->most), FARM_USAGE, "--%s: %g is not between %g and %g", row->name, value,
          row->least, row->most);
  *(double *)row->target = value;
  return FARM_OK;
}

static enum farm_status list_add(struct option_list *list, const char *text) {
  TRY(array_reserve(&list->items, &list->capacity, list->count + 1));
  list->items[list->count++] = text;
  return FARM_OK;
}

static enum farm_status flag_set(const struct option *row, const char *text) {
  bool on = !text || strcmp(text, "1") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
  bool off = text && (strcmp(text, "0") == 0 || strcmp(text, "no") == 0 || strcmp(text, "false") == 0);
  FAIL_IF(!on && !off, FARM_USAGE, "--%s: `%s` is neither yes nor no", row->name, text);
  *(bool *)row->target = on;
  return FARM_OK;
}

/* text NULL: the option stood without a value. */
static enum farm_status row_set(const struct option *row, const char *text) {
  FAIL_IF(!text && row->kind != OPTION_FLAG && row->kind != OPTION_OPTIONAL, FARM_USAGE, "--%s needs a value (%s)", row->name,
          row->argument);
  switch (row->kind) {
  case OPTION_FLAG:
    return flag_set(row, text);
  case OPTION_TEXT:
    *(const char **)row->target = text;
    return FARM_OK;
  case OPTION_INTEGER:
    return integer_set(row, text);
  case OPTION_NUMBER:
    return number_set(row, text);
  case OPTION_LIST:
    return list_add(row->target, text);
  case OPTION_OPTIONAL:
    *(struct option_optional *)row->target = (struct option_optional){true, text};
    return FARM_OK;
  }
  return FARM_OK;
}

static enum farm_status environment_apply(const struct options *options) {
  for (const struct option *row = options->rows; row->name; row++) {
    if (!row->inherit) continue;
    char name[64] = "TUNEFARM_";
    size_t at = strlen(name);
    for (const char *c = row->name; *c && at + 1 < sizeof name; c++)
      name[at++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    name[at] = 0;
    const char *value = getenv(name);
    if (value && *value && row_set(row, value) != FARM_OK) return status_prefix(FARM_USAGE, "%s", name);
  }
  return FARM_OK;
}

static bool config_path(char out[PATH_MAX]) {
  const char *named = getenv("TUNEFARM_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  int length = named         ? snprintf(out, PATH_MAX, "%s", named)
               : xdg && *xdg ? snprintf(out, PATH_MAX, "%s/tunefarm/config", xdg)
               : home        ? snprintf(out, PATH_MAX, "%s/.config/tunefarm/config", home)
                             : -1;
  return length > 0 && length < PATH_MAX;
}

static char *trim(char *text) {
  while (isspace((unsigned char)*text)) text++;
  char *end = text + strlen(text);
  while (end > text && isspace((unsigned char)end[-1])) *--end = 0;
  return text;
}

/* Values from the file stay referred to: its text is kept for the life of the process. */
static struct config_text {
  struct config_text *earlier;
  char *text;
} *config_texts;

static enum farm_status config_keep(char *text) {
  struct config_text *entry = malloc(sizeof *entry);
  if (!entry) free(text);
  FAIL_IF(!entry, FARM_NO_MEMORY, "out of memory for the config file");
  *entry = (struct config_text){config_texts, text};
  config_texts = entry;
  return FARM_OK;
}

static enum farm_status config_apply(const struct options *options) {
  char path[PATH_MAX];
  char *text;
  size_t length;
  if (!config_path(path)) return FARM_OK;
  enum farm_status status = file_read_all(path, 1 << 20, &text, &length);
  if (status == FARM_NOT_FOUND) return FARM_OK;
  TRY(status);
  TRY(config_keep(text));
  int number = 0;
  for (char *line = text, *next; line && *line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = 0;
    number++;
    line[strcspn(line, "#")] = 0;
    char *key = trim(line), *equals = strchr(key, '=');
    if (!*key) continue;
    FAIL_IF(!equals, FARM_USAGE, "%s:%d: no `name = value`", path, number);
    *equals = 0;
    key = trim(key);
    const struct option *row = row_find(options, key, strlen(key));
    if (row && row->inherit && row_set(row, trim(equals + 1)) != FARM_OK) return status_prefix(FARM_USAGE, "%s:%d", path, number);
  }
  return FARM_OK;
}

static void help_print(const struct options *options) {
  printf("Usage: tunefarm %s %s\n\n%s\n", options->command, options->usage, options->summary);
  if (options->rows->name) printf("\nOptions:\n");
  for (const struct option *row = options->rows; row->name; row++) {
    char left[96];
    if (row->kind == OPTION_FLAG)
      snprintf(left, sizeof left, "--%s", row->name);
    else if (row->kind == OPTION_OPTIONAL)
      snprintf(left, sizeof left, "--%s[=%s]", row->name, row->argument);
    else
      snprintf(left, sizeof left, "--%s %s", row->name, row->argument);
    printf(strlen(left) > 28 ? "  %s\n%32s%s\n" : "  %-28s%s%s\n", left, strlen(left) > 28 ? "" : "  ", row->help);
  }
  if (options->examples) printf("\nExamples:\n%s", options->examples);
}

static enum farm_status one_parse(const struct options *options, int argc, char **argv, int *at) {
  const char *name = argv[*at][1] == '-' ? argv[*at] + 2 : strcmp(argv[*at], "-o") == 0 ? "output" : NULL;
  FAIL_IF(!name, FARM_USAGE, "unknown option `%s`; see `tunefarm %s --help`", argv[*at], options->command);
  const char *equals = strchr(name, '=');
  const struct option *row = row_find(options, name, equals ? (size_t)(equals - name) : strlen(name));
  FAIL_IF(!row, FARM_USAGE, "unknown option `%s`; see `tunefarm %s --help`", argv[*at], options->command);
  if (equals) return row_set(row, equals + 1);
  if (row->kind == OPTION_FLAG || row->kind == OPTION_OPTIONAL) return row_set(row, NULL);
  FAIL_IF(*at + 1 >= argc, FARM_USAGE, "--%s needs a value (%s)", row->name, row->argument);
  return row_set(row, argv[++*at]);
}

enum farm_status options_parse(const struct options *options, int argc, char **argv, struct option_list *out_positional,
                               bool *out_help) {
  *out_help = false;
  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
    help_print(options);
    *out_help = true;
    return FARM_OK;
  }
  TRY(config_apply(options));
  TRY(environment_apply(options));
  bool options_end = false;
  for (int i = 0; i < argc; i++) {
    if (!options_end && strcmp(argv[i], "--") == 0)
      options_end = true;
    else if (!options_end && argv[i][0] == '-' && argv[i][1])
      TRY(one_parse(options, argc, argv, &i));
    else
      TRY(list_add(out_positional, argv[i]));
  }
  return FARM_OK;
}

void option_list_free(struct option_list *list) {
  free(list->items);
  *list = (struct option_list){0};
}
