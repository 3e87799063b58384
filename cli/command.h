/* Subcommands of `tunefarm`: one file each (cmd-NAME.c), listed in commands.inc.
 *
 * A command returns a status; main prints the message of a failure to stderr and turns the status into the exit code. Data goes
 * to stdout only. Commands parse their own options (base/options.h) from the arguments behind their name.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "../base/options.h"
#include "../base/status.h"

struct command {
  const char *name, *summary;
  enum farm_status (*run)(int argc, char **argv);
};

#define X(symbol) extern const struct command command_##symbol;
#include "commands.inc"
#undef X

/* JSON of `--json[=FILE]`: one object, keys in the order they were set, a newline at the end. Takes over `root`. Does nothing but
 * free it when the option was not given. */
struct json_t;
enum farm_status json_report(const struct option_optional *option, struct json_t *root);

#endif
