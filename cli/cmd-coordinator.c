/* `tunefarm coordinator`: queues, leases and counts; keeps the cache. Builds start one by themselves (--embedded); a farm's is
 * started by its administrator. */
#include "command.h"

#include "local-farm.h"
#include "worker-fleet.h"

#include "../base/arena.h"
#include "../include/tunefarm.h"
#include "../worker/cores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORKERS = 256, CORES_TEXT = 256, EMBEDDED_IDLE_S = 30 };

struct coordinator_command {
  const char *cache, *workers, *cores;
  struct option_list listen;
  double idle_s;
  bool embedded;
};

static enum farm_status workers_count(const char *text, int *out) {
  char *end;
  long count = strtol(text, &end, 10);
  if (strcmp(text, "none") == 0)
    count = 0;
  else
    FAIL_IF(end == text || *end || count < 0 || count > MOST_WORKERS, FARM_USAGE,
            "--workers: `%s` is neither a number up to %d nor `none`", text, MOST_WORKERS);
  *out = (int)count;
  return FARM_OK;
}

/* Neighbouring cores go to one worker: they share caches. */
static enum farm_status cores_share(const cpu_set_t *all, int workers, struct arena *arena, const char **out) {
  int cores = CPU_COUNT(all), seen = 0;
  FAIL_IF(workers > cores, FARM_USAGE, "--workers %d: there are %d cores", workers, cores);
  cpu_set_t *shares = arena_alloc_array(arena, (size_t)workers + 1, sizeof *shares);
  FAIL_IF(!shares, FARM_NO_MEMORY, "out of memory for workers");
  for (int core = 0; core < CPU_SETSIZE && workers; core++)
    if (CPU_ISSET(core, all)) CPU_SET(core, &shares[(int64_t)seen++ * workers / cores]);
  for (int i = 0; i < workers; i++) {
    char *text = arena_alloc(arena, CORES_TEXT);
    FAIL_IF(!text, FARM_NO_MEMORY, "out of memory for workers");
    cores_print(&shares[i], text, CORES_TEXT);
    out[i] = text;
  }
  return FARM_OK;
}

static enum farm_status serve(const struct coordinator_command *c, struct arena *arena) {
  char folder[PATH_MAX], program[PATH_MAX], list[CORES_TEXT];
  const char *cores[MOST_WORKERS];
  cpu_set_t all;
  struct coordinator_options options = {.cache_folder = folder,
                                        .build = farm_version(),
                                        .tcp = c->listen.items,
                                        .tcp_count = (int)c->listen.count,
                                        .idle_s = c->embedded && c->idle_s == 0 ? EMBEDDED_IDLE_S : c->idle_s,
                                        .worker_cores = cores};
  TRY(local_farm_folder(c->cache, folder));
  TRY(local_farm_program(program));
  TRY(workers_count(c->workers, &options.worker_count));
  TRY(local_farm_cores(c->cores, 0, list, sizeof list));
  TRY(cores_parse(list, &all));
  TRY(cores_share(&all, options.worker_count, arena, cores));
  const char *const worker[] = {program, "worker", "--connect", "{endpoint}", "--cores", "{cores}", NULL};
  struct worker_fleet fleet = {0};
  if (options.worker_count) TRY(worker_fleet_find(program, arena, &fleet));
  options.worker_argv = worker;
  options.further_argv = fleet.argv;
  options.gpu_count = fleet.gpu_count;
  options.compiler_count = fleet.compiler_count;
  return coordinator_run(&options);
}

static enum farm_status run(int argc, char **argv) {
  struct coordinator_command c = {.workers = "1"};
  struct arena arena = {0};
  const struct option rows[] = {
      {"cache", OPTION_TEXT, &c.cache, 0, 0, "DIR", "the tactic cache it keeps ($XDG_CACHE_HOME/tunefarm)", true},
      {"listen", OPTION_LIST, &c.listen, 0, 0, "tcp://HOST:PORT", "serve there, too; loopback addresses only; may be repeated",
       false},
      {"workers", OPTION_TEXT, &c.workers, 0, 0, "N|none",
       "local workers, which share the cores (1); with any, each GPU has one, too", true},
      {"cores", OPTION_TEXT, &c.cores, 0, 0, "LIST", "cores for local workers, such as 0-3,6 (all this process may use)", false},
      {"idle-exit", OPTION_NUMBER, &c.idle_s, 0, 1e9, "S", "leave after so long without client and build (0: never)", true},
      {"embedded", OPTION_FLAG, &c.embedded, 0, 0, NULL, "as builds start it: leave after 30 s unless --idle-exit says otherwise",
       false},
      {0},
  };
  const struct options options = {"coordinator", "[options]",
                                  "Keeps a tactic cache, splits builds into jobs, hands them to workers. One per cache folder.",
                                  "  tunefarm coordinator --listen tcp://127.0.0.1:7410 --workers none\n"
                                  "  tunefarm coordinator --cache /var/cache/tunefarm --workers 2 --cores 0-7\n",
                                  rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count) status = status_set(FARM_USAGE, "`%s` is left over", positional.items[0]);
  if (status == FARM_OK && !help) status = serve(&c, &arena);
  option_list_free(&positional);
  option_list_free(&c.listen);
  arena_free(&arena);
  return status;
}

const struct command command_coordinator = {"coordinator", "keep a cache, hand jobs to workers", run};
