/* `tunefarm worker`: measures for a coordinator on the cores of this machine, or on its GPUs, or compiles for them. It starts
 * this program anew as its measuring child,
 *
 *   tunefarm worker --measuring-child 3 --cores LIST [--gpu UUID]       descriptor 3 is the child's end of a socket pair
 *
 * which is no option for people and so is not in --help. */
#include "command.h"

#include "local-farm.h"

#include "../include/tunefarm.h"
#include "../worker/child.h"
#include "../worker/gpus.h"
#include "../worker/worker.h"
#include "worker-fleet.h"

#include <stdio.h>
#include <string.h>

enum { CHILD_SOCKET = 3 };

struct worker_command {
  const char *endpoint, *cores, *gpu;
  int64_t threads;
  double hang_s;
  bool compiler;
};

static enum farm_status child_run(int argc, char **argv) {
  bool right = argc >= 4 && strcmp(argv[1], "3") == 0 && strcmp(argv[2], "--cores") == 0;
  right = right && (argc == 4 || (argc == 6 && strcmp(argv[4], "--gpu") == 0));
  FAIL_IF(!right, FARM_USAGE, "--measuring-child 3 --cores LIST [--gpu UUID] is for workers only");
  FAIL_IF(measuring_child_main(CHILD_SOCKET, argv[3], argc == 6 ? argv[5] : NULL) != 0, FARM_FAILURE,
          "the measuring child ended with an error");
  return FARM_OK;
}

/* Every GPU of this machine, each with a worker of its own, and compilers. */
static enum farm_status serve_all_gpus(const struct worker_command *c, const char *program) {
  struct arena arena = {0};
  struct worker_fleet fleet;
  enum farm_status status = worker_fleet_find(program, &arena, &fleet);
  if (status == FARM_OK && fleet.gpu_count == 0)
    status = status_set(FARM_NOT_FOUND, "--gpu all: this machine has no GPU that works");
  if (status == FARM_OK) status = worker_fleet_run(&fleet, c->endpoint);
  arena_free(&arena);
  return status;
}

static enum farm_status serve(const struct worker_command *c) {
  char program[PATH_MAX], cores[256];
  struct cuda_properties gpu;
  FAIL_IF(!c->endpoint, FARM_USAGE, "no --connect: which coordinator?");
  TRY(local_farm_endpoint_check("connect", c->endpoint));
  FAIL_IF(c->gpu && c->compiler, FARM_USAGE, "--gpu and --compiler: one worker has one part");
  TRY(local_farm_program(program));
  if (c->gpu && strcmp(c->gpu, "all") == 0) return serve_all_gpus(c, program);
  if (c->gpu) TRY(gpus_find(c->gpu, &gpu));
  TRY(local_farm_cores(c->cores, (int)c->threads, cores, sizeof cores));
  const char *const child[] = {program,  "worker", "--measuring-child", "3", "--cores", cores, c->gpu ? "--gpu" : NULL,
                               gpu.uuid, NULL};
  const struct worker_options options = {.endpoint = c->endpoint,
                                         .part = c->gpu        ? WORKER_GPU
                                                 : c->compiler ? WORKER_COMPILER
                                                               : WORKER_CORES,
                                         .gpu = c->gpu ? &gpu : NULL,
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
      {"gpu", OPTION_TEXT, &c.gpu, 0, 0, "UUID|N|all", "measure on this GPU instead, or on each with a worker of its own", false},
      {"compiler", OPTION_FLAG, &c.compiler, 0, 0, NULL, "compile kernels for GPUs instead; needs NVRTC and no GPU", false},
      {"hang", OPTION_NUMBER, &c.hang_s, 0, 1e6, "S", "longest silence of a measuring child that is believed", false},
      {0},
  };
  const struct options options = {"worker", "--connect ENDPOINT [options]",
                                  "Measures variants for a coordinator on this machine's cores or GPUs, or compiles for GPUs.",
                                  "  tunefarm worker --connect tcp://127.0.0.1:7410\n"
                                  "  tunefarm worker --connect tcp://127.0.0.1:7410 --cores 2-3\n"
                                  "  tunefarm worker --connect tcp://127.0.0.1:7410 --gpu all\n",
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
