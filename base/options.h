/* Command-line options from one table: parsing, environment, config file and --help come from the same rows.
 *
 * Precedence: flags > TUNEFARM_NAME environment > config file > the value the target held before. Long options only: `--name
 * value` or
 * `--name=value`; `--` ends options; a flag (OPTION_FLAG) takes no value. The config file is $TUNEFARM_CONFIG, else
 * $XDG_CONFIG_HOME/tunefarm/config, else ~/.config/tunefarm/config: lines `name = value`, `#` begins a comment. A setting applies
 * to every command that has an option of that name; settings that no option knows are passed over.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
  OPTION_FLAG,     // bool *
  OPTION_TEXT,     // const char **
  OPTION_INTEGER,  // int64_t *, within [least, most]
  OPTION_NUMBER,   // double *, within [least, most]
  OPTION_LIST,     // struct option_list *: may be given many times; commas do not split
  OPTION_OPTIONAL, // struct option_optional *: `--name` or `--name=VALUE`
};

struct option_list {
  const char **items;
  size_t count, capacity;
};

struct option_optional {
  bool given;
  const char *value; // NULL without `=VALUE`
};

struct option {
  const char *name;
  enum option_kind kind;
  void *target;
  double least, most;   // numbers; both 0: any
  const char *argument; // what --help calls the value
  const char *help;
  bool inherit; // may also come from the environment and the config file
};

struct options {
  const char *command, *usage, *summary; // "build", "MODEL.onnx -o ENGINE [options]", one sentence
  const char *examples;                  // lines for --help
  const struct option *rows;             // ends with a NULL name
};

/* Positional arguments are collected into out_positional (free its items). FARM_USAGE with a message that names the option.
 * *out_help: --help was given (and printed to stdout); the caller ends with success. `-o` is accepted as `--output`. */
enum farm_status options_parse(const struct options *options, int argc, char **argv, struct option_list *out_positional,
                               bool *out_help);
void option_list_free(struct option_list *list);

#endif
