/* `tunefarm`: finds the subcommand, runs it, turns its status into the exit code. */
#include "command.h"
#include "interrupt.h"
#include "standard-output.h"

#include "../base/log.h"
#include "../include/tunefarm.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
#define X(symbol) &command_##symbol,
#include "commands.inc"
#undef X
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void help_print(FILE *out) {
  fprintf(out, "Usage: tunefarm COMMAND [options]\n\nTurns ONNX models into inference engines, tuned by measurement on the "
               "devices that run them.\n\nCommands:\n");
  for (int i = 0; i < COMMANDS; i++) fprintf(out, "  %-14s%s\n", commands[i]->name, commands[i]->summary);
  fprintf(out,
          "\n`tunefarm COMMAND --help` tells its options, with examples. `tunefarm --version` prints the version.\n\n"
          "Exit codes: 0 done, 1 failure, 2 usage, 3 locked build with a miss, 4 engine and device or version do not match,\n"
          "5 model not supported, 6 timed out, 7 connection or authentication, 8 out of a resource, 9 verification failed, 75 "
          "try again.\n");
}

static int code_of(const char *name, enum farm_status status) {
  if (status == FARM_OK) status = stdout_flush();
  if (status == FARM_OK) return 0;
  log_error("%s: %s", name, status_message());
  interrupt_pass_on();
  return status_exit_code(status);
}

int main(int argc, char **argv) {
  stdout_begin();
  if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
    help_print(stdout);
    return code_of("help", FARM_OK);
  }
  if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
    printf("tunefarm %s\n", farm_version());
    return code_of("version", FARM_OK);
  }
  for (int i = 0; argc >= 2 && i < COMMANDS; i++)
    if (strcmp(argv[1], commands[i]->name) == 0) return code_of(commands[i]->name, commands[i]->run(argc - 2, argv + 2));
  if (argc < 2)
    help_print(stderr);
  else
    log_error("no command `%s`; `tunefarm --help` lists them", argv[1]);
  return status_exit_code(FARM_USAGE);
}
