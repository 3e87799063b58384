/* `tunefarm worker`: measures for a coordinator on the cores of this machine. It starts this program anew as its measuring child,
 *
 *   tunefarm worker --measuring-child 3 --cores LIST        descriptor 3 is the child's end of a socket pair
 *
 * which is no option for people and so is not in --help. */
#include "command.h"

#include "local-farm.h"

#include "../include/tunefarm.h"
#include "../worker/child.h"
#include "../worker/worker.h"

#include <stdio.h>
#include <string.h>

enum { CHILD_SOCKET = 3 };

struct worker_command {
  const char *endpoint, *cores;
  int64_t threads;
  double hang_s;
};

static enum farm_status child_run(int argc, char **argv) {
  bool right = argc == 4 && strcmp(argv[1], "3") == 0 && strcmp(argv[2], "--cores") == 0;
  FAIL_IF(!right, FARM_USAGE, "--measuring-child 3 --cores LIST is for workers only");
  FAIL_IF(measuring_child_main(CHILD_SOCKET, argv[3]) != 0, FARM_FAILURE, "the measuring child ended with an error");
  return FARM_OK;
}

static enum farm_status serve(const struct worker_command *c) {
  char program[PATH_MAX], cores[256];
  FAIL_IF(!c->endpoint, FARM_USAGE, "no --connect: which coordinator?");
  TRY(local_farm_program(program));
  TRY(local_farm_cores(c->cores, (int)c->threads, cores, sizeof cores));
  const char *const child[] = {program, "worker", "--measuring-child", "3", "--cores", cores, NULL};
  const struct worker_options options = {.endpoint = c->endpoint,
                                         .cores = cores,
                                         .child_argv = child,
                                         .build = farm_version(),
                                         .hang_ns = (uint64_t)(c->hang_s * 1e9)};
  return worker_run(&options);
}

static enum farm_status run(int argc, char **argv) {
  if (argc > 0 && strcmp(argv[0], "--measuring-child") == 0) return child_run(argc, argv);
  struct worker_command c = {0};
  const struct option rows[] = {
      {"connect", OPTION_TEXT, &c.endpoint, 0, 0, "ENDPOINT", "the coordinator: tcp://HOST:PORT or ipc://PATH", true},
      {"cores", OPTION_TEXT, &c.cores, 0, 0, "LIST", "cores to measure on, such as 0-3,6 (all this process may use)", false},
      {"threads", OPTION_INTEGER, &c.threads, 1, 1024, "N", "only the first N of these cores", false},
      {"hang", OPTION_NUMBER, &c.hang_s, 0, 1e6, "S", "longest silence of a measuring child that is believed", false},
      {0},
  };
  const struct options options = {"worker", "--connect ENDPOINT [options]",
                                  "Measures variants for a coordinator on this machine's cores.",
                                  "  tunefarm worker --connect tcp://127.0.0.1:7410\n"
                                  "  tunefarm worker --connect tcp://127.0.0.1:7410 --cores 2-3\n",
                                  rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count) status = status_set(FARM_USAGE, "`%s` is left over", positional.items[0]);
  if (status == FARM_OK && !help) status = serve(&c);
  option_list_free(&positional);
  return status;
}

const struct command command_worker = {"worker", "measure for a coordinator", run};
